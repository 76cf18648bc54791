/** Whether a stapled OCSP response speaks of a certificate, and with whose authority (RFC 6960 §3.2, §4.2.2.2). */
import { ProtocolError } from '../error.ts';
import type { Instant } from '../sa.ts';
import { type Bytes, equalBytes } from '../wire/bytes.ts';
import { bitString, soleElement, Tag } from '../wire/der.ts';
import { type Certificate, readCertificate } from './certificate.ts';
import { Link, type TrustCryptography } from './link.ts';
import { Purpose } from './object-identifier.ts';
import { type OcspAnswer, type OcspResponse, type Responder, readOcspResponse } from './ocsp-response.ts';
import { verifies } from './path.ts';
import { isFresh, type Standing } from './standing.ts';

/** Total; undefined: it says nothing that counts about this certificate. */
export function ocspStanding(
  der: Bytes,
  link: Link,
  issuer: Link,
  now: Instant,
  crypto: TrustCryptography,
): Standing | undefined {
  try {
    const response = readOcspResponse(der);
    const answer = response.answers.find((one) => concerns(one, link, issuer, crypto));
    if (!answer || !isAuthorised(response, issuer, now, crypto)) return undefined;
    if (answer.status === 'revoked') return 'revoked';
    return answer.status === 'good' && isFresh(answer, now) ? 'good' : undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function concerns(answer: OcspAnswer, { certificate }: Link, issuer: Link, { sealing }: TrustCryptography): boolean {
  const hash = sealing[answer.hash];
  return (
    equalBytes(answer.serial, certificate.serial) &&
    equalBytes(answer.issuerNameHash, hash(issuer.certificate.subject)) &&
    equalBytes(answer.issuerKeyHash, hash(keyBits(issuer.certificate)))
  );
}

/** RFC 6960 §4.2.2.2: the issuer itself, or whom it has issued a certificate for this purpose. */
function isAuthorised(response: OcspResponse, issuer: Link, now: Instant, crypto: TrustCryptography): boolean {
  const signers = [issuer, ...response.certificates.slice(0, 1).flatMap((der) => delegate(der, issuer, now, crypto))];
  const { algorithm, signed, signature, responder } = response;
  return signers.some(
    ({ key, certificate }) =>
      is(certificate, responder, crypto) && key !== undefined && verifies(key, algorithm, signed, signature) === true,
  );
}

function delegate(der: Bytes, issuer: Link, now: Instant, crypto: TrustCryptography): readonly Link[] {
  const certificate = readCertificate(der);
  const { extensions, issuerKey, notBefore, notAfter, algorithm, signed, signature } = certificate;
  const fits =
    issuerKey === issuer.certificate.subjectKey &&
    extensions.purposes?.includes(Purpose.OCSP_SIGNING) === true &&
    extensions.unknown === undefined &&
    now >= notBefore &&
    now <= notAfter;
  if (!fits || !issuer.key || verifies(issuer.key, algorithm, signed, signature) !== true) return [];
  return [new Link(certificate, crypto.sealing.sha256(der), crypto)];
}

const is = (certificate: Certificate, responder: Responder, { sealing }: TrustCryptography): boolean =>
  'name' in responder
    ? responder.name === certificate.subjectKey
    : equalBytes(responder.keyHash, sealing.sha1(keyBits(certificate)));

/** Without tag, length and number of unused bits (RFC 6960 §4.1.1). */
function keyBits({ publicKey }: Certificate): Bytes {
  const key = soleElement(publicKey, Tag.SEQUENCE);
  key.element(Tag.SEQUENCE);
  return bitString(key.element(Tag.BIT_STRING));
}
