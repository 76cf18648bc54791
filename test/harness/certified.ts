/** Gateways and hand-driven clients with certificates of one authority. */
import { signedOctets } from '../../sidecar/ike/auth.ts';
import type { Policy } from '../../sidecar/ike/context.ts';
import type { Cryptography } from '../../sidecar/ike/crypto/cryptography.ts';
import { parseTrust } from '../../sidecar/ike/pki/trust-files.ts';
import type { Identity, Instant } from '../../sidecar/ike/sa.ts';
import { signAuth } from '../../sidecar/ike/signature-auth.ts';
import type { Bytes } from '../../sidecar/ike/wire/bytes.ts';
import type { Payload } from '../../sidecar/ike/wire/payload.ts';
import { CertEncoding } from '../../sidecar/ike/wire/registry.ts';
import { Authority, type Issued, pem, purposes, YEAR_2030 } from './certificate-authority.ts';
import type { Change } from './handshake.ts';
import { crypto, type Peer } from './peer.ts';
import { ALICE, CERTIFICATE_RULE, policy } from './policy.ts';

export const NOW = YEAR_2030 as Instant;
export const root = Authority.root();
export const issuing = root.intermediate();
export const server = issuing.issue({ names: ['dns:vpn.example.com'], purposes: [purposes.serverAuth] });
/** Bound to the name of alice. */
export const alice = issuing.issue({ names: ['email:alice@example.com'] });

/** Rules of `part.config`, or one for certificates; `lists`: of what is revoked. */
export function certified(
  part: Parameters<typeof policy>[0] & { readonly lists?: readonly Bytes[]; readonly crypto?: Cryptography } = {},
): Policy {
  const { lists = [], crypto: by = crypto, ...rest } = part;
  const files = [
    { file: 'ca.pem', content: pem('CERTIFICATE', root.issued.der) },
    ...lists.map((list, index) => ({ file: `${index}.crl`, content: list })),
  ];
  const parsed = parseTrust(files, { crypto: by, revocation: 'ifKnown', now: NOW });
  const key = by.signatures.privateKey(server.pkcs8);
  if (!parsed.ok || !key) throw new Error('no trust, or no key');
  const made = policy(rest);
  const credentials = {
    ...made.credentials,
    certificate: { chain: [server.der, issuing.issued.der], key },
    trust: parsed.value.trust,
  };
  const { authentication } = made.config;
  const rules = rest?.config ? authentication : [...authentication, CERTIFICATE_RULE];
  return { ...made, config: { ...made.config, authentication: rules }, credentials };
}

export const certificates = (ders: readonly Bytes[]): Payload[] =>
  ders.map((data): Payload => ({ kind: 'CERT', encoding: CertEncoding.X509_SIGNATURE, data }));

interface Signing {
  readonly chain?: readonly Bytes[];
  readonly identity?: Identity;
  readonly spoil?: boolean;
}

/** Replaces the AUTH of a pre-shared key by CERT and a signature. */
export const signing =
  (peer: Peer, by: Issued, { chain = [by.der, issuing.issued.der], identity = ALICE, spoil = false }: Signing = {}): Change =>
  (payloads) => {
    const { first, keys, suite } = peer;
    const key = crypto.signatures.privateKey(by.pkcs8);
    if (!first || !keys || !key) throw new Error('nothing to sign');
    const auth = signAuth(signedOctets({ first, keys, suite }, 'initiator', identity, { crypto }), key, [2, 3, 4, 5]);
    if (!auth) throw new Error('no signature');
    const data = spoil ? auth.data.with(-1, (auth.data.at(-1) ?? 0) ^ 1) : auth.data;
    return payloads.flatMap((one): readonly Payload[] =>
      one.kind === 'AUTH' ? [...certificates(chain), { ...auth, data }] : [one],
    );
  };
