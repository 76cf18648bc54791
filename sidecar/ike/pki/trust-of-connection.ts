/** The trust anchors that a client carries in its connection, as DER: plain data, so that an SA holds no handle. */
import type { TrustedAuthorities } from '../connection.ts';
import { readCertificate } from './certificate.ts';
import { Link, type TrustCryptography } from './link.ts';
import { readRevocationList } from './revocation-list.ts';
import { TRUSTS_NOBODY, type Trust } from './trust.ts';
import { TrustStore } from './trust-store.ts';

/** @throws ProtocolError (malformed) for what is no certificate or revocation list: whoever makes the connection has read them. */
export function trustOfConnection(
  { anchors, lists, revocation = 'ifKnown' }: TrustedAuthorities,
  crypto: TrustCryptography,
): Trust {
  if (anchors.length === 0) return TRUSTS_NOBODY;
  const trusted = anchors.map((der) => ({
    name: 'connection',
    link: new Link(readCertificate(der), crypto.sealing.sha256(der), crypto),
  }));
  return new TrustStore({ anchors: trusted, lists: lists.map(readRevocationList), revocation }, crypto);
}
