/** X.509 certificates (RFC 5280 §4.1): the bytes as they stand, cut into what is asked of them. */
import { ProtocolError } from '../error.ts';
import type { Instant } from '../sa.ts';
import { type Bytes, equalBytes } from '../wire/bytes.ts';
import { bitString, constructed, type DerReader, implicit, soleElement, Tag } from '../wire/der.ts';
import { type Extensions, NO_EXTENSIONS, readExtensions } from './extension.ts';
import { nameKey } from './name.ts';
import { readTime } from './time.ts';

export interface Certificate {
  readonly der: Bytes;
  /** What is signed. */
  readonly signed: Bytes;
  /** AlgorithmIdentifier. */
  readonly algorithm: Bytes;
  readonly signature: Bytes;
  /** The bytes of the INTEGER. */
  readonly serial: Bytes;
  /** DER of the names, and what two of them are compared by. */
  readonly issuer: Bytes;
  readonly issuerKey: string;
  readonly subject: Bytes;
  readonly subjectKey: string;
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Bytes;
  readonly extensions: Extensions;
}

const LONGEST = 16 * 1024;

/** Time grows with the length alone. @throws ProtocolError (malformed). */
export function readCertificate(der: Bytes): Certificate {
  if (der.length > LONGEST) throw ProtocolError.malformed(`a certificate of ${der.length} bytes`);
  const outer = soleElement(der, Tag.SEQUENCE);
  const signed = outer.element(Tag.SEQUENCE);
  const algorithm = outer.element(Tag.SEQUENCE).whole;
  const signature = bitString(outer.element(Tag.BIT_STRING));
  outer.end();
  const contents = readContents(soleElement(signed.whole, Tag.SEQUENCE));
  // RFC 5280 §4.1.1.2: the algorithm is said twice, and the signature covers one of the two.
  if (!equalBytes(algorithm, contents.algorithm)) throw ProtocolError.malformed('two signature algorithms in one certificate');
  return { der, signed: signed.whole, signature, ...contents };
}

function readContents(contents: DerReader): Omit<Certificate, 'der' | 'signed' | 'signature'> {
  const version = readVersion(contents);
  const serial = contents.element(Tag.INTEGER).body;
  const algorithm = contents.element(Tag.SEQUENCE).whole;
  const issuer = contents.element(Tag.SEQUENCE).whole;
  const validity = contents.enter(Tag.SEQUENCE);
  const [notBefore, notAfter] = [readTime(validity.element()), readTime(validity.element())];
  validity.end();
  const subject = contents.element(Tag.SEQUENCE).whole;
  const publicKey = contents.element(Tag.SEQUENCE).whole;
  contents.optional(implicit(1)); // issuerUniqueID
  contents.optional(implicit(2)); // subjectUniqueID
  const given = contents.optional(constructed(3));
  contents.end();
  // RFC 5280 §4.1.2.9: only in version 3.
  if (given && version !== 2) throw ProtocolError.malformed(`extensions in a certificate of version ${version + 1}`);
  const extensions = given ? readExtensions(given.body) : NO_EXTENSIONS;
  const names = { issuer, issuerKey: nameKey(issuer), subject, subjectKey: nameKey(subject) };
  return { serial, algorithm, ...names, notBefore, notAfter, publicKey, extensions };
}

/** RFC 5280 §4.1.2.1: left out in version 1. */
function readVersion(contents: DerReader): number {
  if (!contents.sees(constructed(0))) return 0;
  const version = soleElement(contents.element(constructed(0)).whole, constructed(0)).element(Tag.INTEGER).body;
  if (version.length !== 1 || (version[0] ?? 9) > 2) throw ProtocolError.malformed('a certificate of an unknown version');
  return version[0] ?? 0;
}
