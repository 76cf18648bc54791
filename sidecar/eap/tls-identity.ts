/** The name that a certificate proves, as text (RFC 5216 §5.2, RFC 9190 §2.2). */
import { formatIdentity } from '../contract/identity.ts';
import type { Verdict } from '../ike/pki/trust.ts';
import type { Identity } from '../ike/sa.ts';
import { equalBytes } from '../ike/wire/bytes.ts';
import { IdType } from '../ike/wire/registry.ts';

/** What was claimed, where it is in the certificate; else its mail address, its domain name, or its subject. */
export function nameOf({ identities, subject }: Extract<Verdict, { trusted: true }>, claimed: Identity | undefined): string {
  const proven = claimed && identities.find((one) => one.idType === claimed.idType && equalBytes(one.data, claimed.data));
  const named = proven ?? ofType(identities, IdType.ID_RFC822_ADDR) ?? ofType(identities, IdType.ID_FQDN);
  return named ? formatIdentity(named) : subject;
}

const ofType = (identities: readonly Identity[], type: number): Identity | undefined =>
  identities.find(({ idType }) => idType === type);
