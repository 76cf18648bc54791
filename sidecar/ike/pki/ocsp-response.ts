/** OCSP responses (RFC 6960 §4.2.1), stapled to a handshake in a CERT payload (RFC 4806 §3). */
import { ProtocolError } from '../error.ts';
import type { Instant } from '../sa.ts';
import { type Bytes, hex } from '../wire/bytes.ts';
import { bitString, constructed, DerReader, type Element, implicit, soleElement, Tag } from '../wire/der.ts';
import { extensionList } from './extension.ts';
import { nameKey } from './name.ts';
import { readTime } from './time.ts';

export interface OcspResponse {
  readonly signed: Bytes;
  readonly algorithm: Bytes;
  readonly signature: Bytes;
  readonly responder: Responder;
  readonly answers: readonly OcspAnswer[];
  /** DER; among them whom the issuer has delegated this to. */
  readonly certificates: readonly Bytes[];
}

export type Responder = { readonly name: string } | { readonly keyHash: Bytes };

export interface OcspAnswer {
  readonly hash: 'sha1' | 'sha256';
  /** Of the issuer's name and of the bits of its key. */
  readonly issuerNameHash: Bytes;
  readonly issuerKeyHash: Bytes;
  readonly serial: Bytes;
  readonly status: 'good' | 'revoked' | 'unknown';
  readonly thisUpdate: Instant;
  readonly nextUpdate: Instant | undefined;
}

const BASIC = '2b0601050507300101';
const MOST_ANSWERS = 16;
const MOST_CERTIFICATES = 4;

/** @throws ProtocolError (malformed), also for a response without an answer. */
export function readOcspResponse(der: Bytes): OcspResponse {
  const outer = soleElement(der, Tag.SEQUENCE);
  if (hex(outer.element(Tag.ENUMERATED).body) !== '00') throw ProtocolError.malformed('OCSP: not successful');
  const typed = soleElement(outer.enter(constructed(0)).element(Tag.SEQUENCE).whole, Tag.SEQUENCE);
  outer.end();
  if (hex(typed.element(Tag.OBJECT_IDENTIFIER).body) !== BASIC) throw ProtocolError.malformed('OCSP: of an unknown type');
  const basic = soleElement(typed.element(Tag.OCTET_STRING).body, Tag.SEQUENCE);
  const signed = basic.element(Tag.SEQUENCE).whole;
  const algorithm = basic.element(Tag.SEQUENCE).whole;
  const signature = bitString(basic.element(Tag.BIT_STRING));
  const given = basic.optional(constructed(0));
  const certificates = given ? soleElement(given.body, Tag.SEQUENCE).elements(Tag.SEQUENCE, MOST_CERTIFICATES) : [];
  basic.end();
  return { signed, algorithm, signature, certificates: certificates.map(({ whole }) => whole), ...readData(signed) };
}

function readData(signed: Bytes): Pick<OcspResponse, 'responder' | 'answers'> {
  const data = soleElement(signed, Tag.SEQUENCE);
  data.optional(constructed(0)); // version
  const responder = readResponder(data.element());
  readTime(data.element(Tag.GENERALIZED_TIME)); // producedAt
  const answers = new DerReader(data.element(Tag.SEQUENCE).body).elements(Tag.SEQUENCE, MOST_ANSWERS).map(readAnswer);
  refuseCritical(data.optional(constructed(1)));
  data.end();
  return { responder, answers };
}

function readResponder({ tag, body }: Element): Responder {
  if (tag === constructed(1)) return { name: nameKey(body) };
  if (tag === constructed(2)) return { keyHash: new DerReader(body).element(Tag.OCTET_STRING).body };
  throw ProtocolError.malformed('OCSP: no responder');
}

function readAnswer({ body }: Element): OcspAnswer {
  const reader = new DerReader(body);
  const id = reader.enter(Tag.SEQUENCE);
  const hash = hashes[hex(id.enter(Tag.SEQUENCE).element(Tag.OBJECT_IDENTIFIER).body)];
  if (!hash) throw ProtocolError.malformed('OCSP: an unknown hash');
  const [issuerNameHash, issuerKeyHash] = [id.element(Tag.OCTET_STRING).body, id.element(Tag.OCTET_STRING).body];
  const serial = id.element(Tag.INTEGER).body;
  const status = statuses[reader.element().tag];
  if (!status) throw ProtocolError.malformed('OCSP: an unknown status');
  const thisUpdate = readTime(reader.element(Tag.GENERALIZED_TIME));
  const next = reader.optional(constructed(0));
  const nextUpdate = next && readTime(new DerReader(next.body).element(Tag.GENERALIZED_TIME));
  refuseCritical(reader.optional(constructed(1)));
  reader.end();
  return { hash, issuerNameHash, issuerKeyHash, serial, status, thisUpdate, nextUpdate };
}

const hashes: Readonly<Record<string, OcspAnswer['hash']>> = { '2b0e03021a': 'sha1', '608648016503040201': 'sha256' };

const statuses: Readonly<Record<number, OcspAnswer['status']>> = {
  [implicit(0)]: 'good',
  [constructed(1)]: 'revoked',
  [implicit(2)]: 'unknown',
};

function refuseCritical(extensions: Element | undefined): void {
  if (extensions && extensionList(extensions.body).some(({ critical }) => critical))
    throw ProtocolError.malformed('OCSP: a critical extension');
}
