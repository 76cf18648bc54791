/** A login without IKE: our EAP peer and our RADIUS client put what they say into each other's hands. */
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { ntHash } from '../../../sidecar/contract/nt-hash.ts';
import { parseRadiusSecrets } from '../../../sidecar/contract/radius-secrets.ts';
import { Secret } from '../../../sidecar/contract/secret.ts';
import type { Traffic } from '../../../sidecar/dataplane/dataplane.ts';
import { EapPeer, type EapPeerCredentials } from '../../../sidecar/eap/peer.ts';
import { cryptography } from '../../../sidecar/ike/crypto/cryptographies.ts';
import type { EapAnswer } from '../../../sidecar/ike/eap.ts';
import { parseTrust } from '../../../sidecar/ike/pki/trust-files.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import { utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { Radius } from '../../../sidecar/radius/radius.ts';
import { connectUdp, resolveHost } from '../../../sidecar/radius/udp.ts';
import type { Credential } from '../lab/authority.ts';
import { RADIUS_SECRET } from '../lab/freeradius.ts';

const now = (): Instant => Date.now() as Instant;

export interface Nas {
  readonly radius: Radius;
  /** What its observer was told. */
  readonly seen: string[];
}

export interface NasSettings {
  readonly servers: readonly { readonly host: string; readonly port: number; readonly accountingPort: number }[];
  readonly secret?: string;
  readonly traffic?: (spiIn: number) => Traffic | undefined;
}

export function startNas({ servers, secret = RADIUS_SECRET, traffic = () => undefined }: NasSettings): Nas {
  const seen: string[] = [];
  const note = (...words: readonly unknown[]): void => void seen.push(words.join(' '));
  const radius = new Radius({
    ports: {
      ...{ clock: Date.now, random: (length) => Uint8Array.from(randomBytes(length)), resolve: resolveHost, connect: connectUdp },
      after: (ms, run) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
      observer: {
        configured: () => {},
        answered: (_server, outcome) => note(outcome),
        unanswered: (_server, outcome) => note(outcome),
        dropped: (_server, reason) => note('dropped', reason),
        passedOver: (server, yes) => yes && note('passed over', server),
        lost: (records) => note('lost', records),
      },
    },
    ...{ pod: 'interop', traffic },
  });
  const secrets = parseRadiusSecrets([{ file: 'shared', text: secret }]);
  if (!secrets.ok) throw new Error('a secret that nobody may have');
  const config = { timeoutMs: 300, attempts: 2, nasIdentifier: 'vpn.example.com', accounting: true, interimMs: 0 };
  radius.configure({ ...config, servers: servers.map((server) => ({ ...server, secret: 'shared' })) }, secrets.value);
  return { radius, seen };
}

/** What gateway and peer come to. */
export async function login(
  { radius }: Nas,
  credentials: EapPeerCredentials,
): Promise<{ readonly gateway: EapAnswer; readonly peer: EapAnswer | undefined }> {
  const failures: unknown[] = [];
  const parts = { random: (length: number) => Uint8Array.from(randomBytes(length)), now, credentials: () => credentials };
  const supplicant = new EapPeer({ ...parts, failed: (error) => void failures.push(error) });
  const asked = {
    ...{ conversation: randomBytes(8).toString('hex'), name: 'staff', remote: '198.51.100.7:4500', local: '192.0.2.9:4500' },
    claimed: { idType: 2, data: utf8('device') },
  };
  let peer: EapAnswer | undefined;
  for (let message: Uint8Array | undefined; ; ) {
    const gateway = await radius.answer({ ...asked, side: 'server', method: 'eap-radius', message });
    if (gateway.message) peer = await supplicant.answer({ ...asked, side: 'peer', method: undefined, message: gateway.message });
    if (failures.length > 0) throw failures[0];
    if (gateway.is !== 'packet') return { gateway, peer };
    if (peer?.is !== 'packet') {
      radius.forget(asked.conversation);
      return { gateway, peer };
    }
    message = peer.message;
  }
}

export const password = (identity: string, word: string): EapPeerCredentials => ({
  identity,
  method: { is: 'mschapv2', ntHash: new Secret(ntHash(word)) },
});

/** `anchor`: PEM of who vouches for the server. */
export function certificate(identity: string, credential: Credential, anchor: string): EapPeerCredentials {
  const blocks = credential.certificate.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? [];
  const trust = parseTrust([{ file: 'anchor.pem', content: anchor }], {
    ...{ crypto: cryptography('auto'), revocation: 'ifKnown', now: now() },
  });
  if (!trust.ok) throw new Error(trust.problems.map(({ message }) => message).join());
  return {
    identity,
    method: {
      is: 'tls',
      certificate: {
        chain: blocks.map((block) => Uint8Array.from(new X509Certificate(block).raw)),
        key: new Secret(Uint8Array.from(createPrivateKey(credential.key).export({ type: 'pkcs8', format: 'der' }))),
      },
      ...{ trust: trust.value.trust, server: undefined, authorities: [] },
    },
  };
}
