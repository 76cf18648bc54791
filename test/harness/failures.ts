/** Every way in which a client may fail to prove who it is, and what it sends then. */
import type { Cryptography } from '../../sidecar/ike/crypto/cryptography.ts';
import { signatureHashes } from '../../sidecar/ike/signature-auth.ts';
import { hex, utf8 } from '../../sidecar/ike/wire/bytes.ts';
import { AuthMethod } from '../../sidecar/ike/wire/registry.ts';
import { Authority } from './certificate-authority.ts';
import { alice, certified, issuing, NOW, server, signing } from './certified.ts';
import { type AuthPart, adding, type Change, type InitPart, ikeSaInit, same } from './handshake.ts';
import type { Heard, Peer } from './peer.ts';
import { ALICE, CERTIFICATE_RULE, config, email, fqdn, PSK } from './policy.ts';
import { configure, Subject } from './subject.ts';

export interface Failure {
  readonly why: string;
  readonly by: 'key' | 'certificate without its key' | 'certificate with its key';
  /** Of its IKE_AUTH request. */
  readonly part: (peer: Peer) => AuthPart;
}

const BOB = email('bob@example.com');
const bob = issuing.issue({ names: ['email:bob@example.com'] });
const revoked = issuing.issue({ names: ['email:alice@example.com'] });
const expired = issuing.issue({ names: ['email:alice@example.com'], notAfter: NOW - 86_400_000 });
const stranger = Authority.root().issue({ names: ['email:alice@example.com'] });

/** Certificates for alice alone, and pre-shared keys for whoever has one; only alice has. */
const RULES = [
  { ...CERTIFICATE_RULE, identities: ['alice@example.com'] },
  { ...CERTIFICATE_RULE, name: 'keys', method: 'psk' as const, identities: ['*@example.com'] },
];

/** A gateway where all of them fail. */
export function strictGateway(crypto: Cryptography): Subject {
  const gateway = new Subject({ ordinal: 0, crypto });
  gateway.now = NOW;
  const users = new Map([[hex(ALICE.data), PSK]]);
  configure(gateway, certified({ config: config({ authentication: RULES }), crypto, lists: [issuing.list([revoked])], users }));
  return gateway;
}

/** The first exchange of one who fails. */
export const beginFailure = (peer: Peer): Heard | undefined => ikeSaInit(peer, INIT);
const INIT: InitPart = { change: adding(signatureHashes()) };

type How = Parameters<typeof signing>[2];

const withKey = (why: string, part: AuthPart): Failure => ({ why, by: 'key', part: () => part });
const withCertificate = (why: string, by = alice, how: How = {}): Failure => ({
  ...{ why, by: how.spoil ? 'certificate without its key' : 'certificate with its key' },
  part: (peer) => ({ identity: how.identity ?? ALICE, change: signing(peer, by, how) }),
});

const dss: Change = (payloads) => payloads.map((one) => (one.kind === 'AUTH' ? { ...one, method: AuthMethod.DSS } : one));

export const FAILURES: readonly Failure[] = [
  withKey('a wrong key', { psk: utf8('a wrong one') }),
  withKey('a name that has no key', { identity: BOB }),
  withKey('a name that no rule fits', { identity: fqdn('nowhere.example.org') }),
  withKey('the right key under another method', { change: dss }),
  withKey('a long key id', { identity: { idType: 11, data: new Uint8Array(600) }, change: same }),
  withCertificate('a good certificate', alice, { spoil: true }),
  ...[true, false].flatMap((spoil) => [
    withCertificate('a revoked certificate', revoked, { spoil }),
    withCertificate('an expired certificate', expired, { spoil }),
    withCertificate('an authority that does not count', stranger, { spoil, chain: [stranger.der] }),
    withCertificate("somebody else's certificate", bob, { spoil }),
    withCertificate('a certificate that no rule fits', bob, { spoil, identity: BOB }),
    withCertificate('a certificate for servers', server, { spoil }),
    withCertificate('no certificate', alice, { spoil, chain: [] }),
    withCertificate('what is no certificate', alice, { spoil, chain: [new Uint8Array(300).fill(0x30)] }),
  ]),
];
