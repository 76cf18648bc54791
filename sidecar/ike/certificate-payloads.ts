/** CERT and CERTREQ payloads (RFC 7296 §3.6, §3.7, RFC 4806): what proves whose a public key is, and whom we believe that of. */
import type { Presented } from './pki/trust.ts';
import { type Bytes, concat } from './wire/bytes.ts';
import type { PayloadOf } from './wire/payload.ts';
import { CertEncoding } from './wire/registry.ts';

/** The request of IKE_AUTH can be long, and each certificate costs a parser its time. */
const MAX_CERTIFICATES = 10;
/** 20 bytes each, in messages that cannot be fragmented. */
const MAX_AUTHORITIES = 20;

/** RFC 7296 §3.6: our own first. */
export const certificatePayloads = (chain: readonly Bytes[]): PayloadOf<'CERT'>[] =>
  chain.map((data) => ({ kind: 'CERT', encoding: CertEncoding.X509_SIGNATURE, data }));

/** RFC 7296 §3.7: hashes of the public keys that we trust, as many as have room; none when there is nobody. */
export function certificateRequest(keyHashes: readonly Bytes[], room = Number.POSITIVE_INFINITY): PayloadOf<'CERTREQ'>[] {
  const named = keyHashes.slice(0, Math.min(MAX_AUTHORITIES, Math.floor(room / HASH_BYTES)));
  return named.length === 0 ? [] : [{ kind: 'CERTREQ', encoding: CertEncoding.X509_SIGNATURE, data: concat(...named) }];
}
const HASH_BYTES = 20;

/** Other encodings, hashes and addresses among them, are left alone: nothing is fetched for a stranger. */
export function presented(payloads: readonly PayloadOf<'CERT'>[]): Presented {
  const of = (encoding: number, most: number): Bytes[] =>
    payloads
      .filter((one) => one.encoding === encoding)
      .slice(0, most)
      .map(({ data }) => data);
  return {
    certificates: of(CertEncoding.X509_SIGNATURE, MAX_CERTIFICATES),
    ocsp: of(CertEncoding.OCSP_CONTENT, MAX_CERTIFICATES),
    lists: of(CertEncoding.CRL, MAX_CERTIFICATES),
  };
}
