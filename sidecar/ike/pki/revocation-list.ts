/** Certificate revocation lists (RFC 5280 §5): complete ones, of all certificates of one issuer. */
import { ProtocolError } from '../error.ts';
import type { Instant } from '../sa.ts';
import { type Bytes, equalBytes, hex, unhex } from '../wire/bytes.ts';
import { bitString, constructed, DerReader, type Element, implicit, soleElement, Tag } from '../wire/der.ts';
import { extensionList } from './extension.ts';
import { nameKey } from './name.ts';
import { dotted, ExtensionId } from './object-identifier.ts';
import { readTime } from './time.ts';

export interface RevocationList {
  readonly signed: Bytes;
  readonly algorithm: Bytes;
  readonly signature: Bytes;
  readonly issuerKey: string;
  readonly authorityKeyId: Bytes | undefined;
  readonly thisUpdate: Instant;
  /** When there will be a newer one; until then this one is fresh. Lists that do not say so never are. */
  readonly nextUpdate: Instant | undefined;
  /** In hex. */
  readonly serials: ReadonlySet<string>;
}

const LONGEST = 8 * 1024 * 1024;

/** @throws ProtocolError (malformed), also for lists that are only a part of one. */
export function readRevocationList(der: Bytes): RevocationList {
  if (der.length > LONGEST) throw ProtocolError.malformed(`${der.length} bytes, more than ${LONGEST}`);
  const outer = soleElement(der, Tag.SEQUENCE);
  const signed = outer.element(Tag.SEQUENCE).whole;
  const algorithm = outer.element(Tag.SEQUENCE).whole;
  const signature = bitString(outer.element(Tag.BIT_STRING));
  outer.end();
  return { signed, signature, ...readContents(soleElement(signed, Tag.SEQUENCE), algorithm) };
}

function readContents(contents: DerReader, algorithm: Bytes): Omit<RevocationList, 'signed' | 'signature'> {
  // RFC 5280 §5.1.2.1: version 2, as soon as there are extensions; version 1 does not say any.
  contents.optional(Tag.INTEGER);
  if (!equalBytes(contents.element(Tag.SEQUENCE).whole, algorithm))
    throw ProtocolError.malformed('two signature algorithms in one list');
  const issuerKey = nameKey(contents.element(Tag.SEQUENCE).whole);
  const thisUpdate = readTime(contents.element());
  const hasNext = contents.sees(Tag.UTC_TIME) || contents.sees(Tag.GENERALIZED_TIME);
  const nextUpdate = hasNext ? readTime(contents.element()) : undefined;
  const serials = readEntries(contents.optional(Tag.SEQUENCE));
  const authorityKeyId = readScope(contents.optional(constructed(0)));
  contents.end();
  return { algorithm, issuerKey, thisUpdate, nextUpdate, serials, authorityKeyId };
}

function readEntries(entries: Element | undefined): ReadonlySet<string> {
  const serials = new Set<string>();
  const reader = new DerReader(entries?.body ?? new Uint8Array());
  while (reader.left > 0) {
    const entry = reader.enter(Tag.SEQUENCE);
    serials.add(hex(entry.element(Tag.INTEGER).body));
    entry.element(); // revocationDate: whoever is revoked is so now
    const given = entry.optional(Tag.SEQUENCE);
    // RFC 5280 §5.3: such as certificateIssuer, with which a list speaks of certificates of others.
    const critical = given && extensionList(given.whole).find((one) => one.critical);
    if (critical) throw ProtocolError.malformed(`the critical extension ${dotted(unhex(critical.id))} in an entry`);
    entry.end();
  }
  return serials;
}

/** Of which issuer's key it is. */
function readScope(given: Element | undefined): Bytes | undefined {
  const extensions = given ? extensionList(given.body) : [];
  if (extensions.some(({ id }) => id === ExtensionId.DELTA_CRL_INDICATOR))
    throw ProtocolError.malformed('a delta list, of which only complete ones are understood');
  // RFC 5280 §5.2: a list with a critical extension that is not understood says nothing.
  const critical = extensions.find((one) => one.critical && !understood.includes(one.id));
  if (critical) throw ProtocolError.malformed(`the critical extension ${dotted(unhex(critical.id))}, which is not understood`);
  const keyId = extensions.find(({ id }) => id === ExtensionId.AUTHORITY_KEY_IDENTIFIER);
  return keyId && soleElement(keyId.value, Tag.SEQUENCE).optional(implicit(0))?.body;
}

const understood: readonly string[] = [ExtensionId.CRL_NUMBER, ExtensionId.AUTHORITY_KEY_IDENTIFIER];
