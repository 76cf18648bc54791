/** Our EAP server and our EAP peer, face to face. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ntHash } from '../../../sidecar/contract/nt-hash.ts';
import { Secret } from '../../../sidecar/contract/secret.ts';
import { EapPeer, type EapPeerCredentials } from '../../../sidecar/eap/peer.ts';
import { EapServer, type EapServerCredentials, type EapServerParts } from '../../../sidecar/eap/server.ts';
import type { TlsCertificate } from '../../../sidecar/eap/tls-context.ts';
import type { EapAnswer, EapQuestion } from '../../../sidecar/ike/eap.ts';
import type { Demand, Presented, Trust, Verdict } from '../../../sidecar/ike/pki/trust.ts';
import type { Identity, Instant } from '../../../sidecar/ike/sa.ts';
import { type Bytes, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { seeded } from '../../harness/random.ts';

export const mail = (text: string): Identity => ({ idType: 3, data: utf8(text) });
export const NOW = 1_900_000_000_000 as Instant;

const file = (name: string): string => readFileSync(join(import.meta.dirname, '../../harness', name), 'utf8');

export const certificate: TlsCertificate = {
  chain: [Uint8Array.from(new X509Certificate(file('localhost.crt')).raw)],
  key: new Secret(Uint8Array.from(createPrivateKey(file('localhost.key')).export({ format: 'der', type: 'pkcs8' }))),
};

export interface Asked {
  readonly presented: Presented;
  readonly demand: Demand;
}

/** Whoever it is asked about, it answers as told and remembers the question. */
export function trusting(verdict: Partial<Verdict> = {}): Trust & { readonly asked: Asked[] } {
  const asked: Asked[] = [];
  const trusted = {
    ...{ trusted: true, key: { kind: 'ec-p256', bits: 256, verify: () => false }, fingerprint: new Uint8Array(32).fill(7) },
    ...{ chain: [{ issuer: new Uint8Array(20), serial: Uint8Array.of(1) }], notAfter: (NOW + 1000) as Instant, anchor: 'ca' },
    ...{ subject: 'CN=localhost', identities: [mail('alice@example.com')] },
    ...verdict,
  };
  return {
    ...{ asked, size: 1, keyHashes: [], revokes: () => false },
    verify(presented, demand) {
      asked.push({ presented, demand });
      return trusted as Verdict;
    },
  };
}

export const credentials = (changes: Partial<EapServerCredentials> = {}): EapServerCredentials => ({
  name: 'gw.example',
  users: { ntHash: (name) => (name === 'alice' ? new Secret(ntHash('clientPass')) : undefined) },
  trust: trusting(),
  certificate,
  authorities: () => [],
  ...changes,
});

const fail = (error: unknown): never => {
  throw error;
};

export const eapServer = (changes: Partial<EapServerCredentials> = {}, parts: Partial<EapServerParts> = {}): EapServer =>
  new EapServer({
    ...{ credentials: () => credentials(changes), random: seeded(1), now: () => NOW, radius: undefined, failed: fail },
    ...parts,
  });

export const eapPeer = (method: EapPeerCredentials['method'], identity = 'alice'): EapPeer =>
  new EapPeer({ credentials: () => ({ identity, method }), random: seeded(2), now: () => NOW, failed: fail });

export const password = (text = 'clientPass'): EapPeerCredentials['method'] => ({
  is: 'mschapv2',
  ntHash: new Secret(ntHash(text)),
});

export const tls = (trust: Trust = trusting()): EapPeerCredentials['method'] => ({
  ...{ is: 'tls', certificate, trust, server: mail('gw@example.com'), authorities: ['gateways'] },
});

export const question = (side: 'server' | 'peer', changes: Partial<EapQuestion> = {}): EapQuestion => ({
  ...{ conversation: '0102030405060708', side, method: undefined, name: 'staff', message: undefined },
  ...{ claimed: mail('alice@example.com'), remote: '192.0.2.7:500', local: '198.51.100.1:500' },
  ...changes,
});

export interface Talk {
  readonly server: EapAnswer;
  readonly peer: EapAnswer;
  /** Each packet, the server's first. */
  readonly packets: readonly Bytes[];
}

/** Until one of them has nothing more to say. */
export async function talk(
  server: Pick<EapServer, 'answer'>,
  peer: Pick<EapPeer, 'answer'>,
  about: Partial<EapQuestion>,
  tamper: (packet: Bytes, index: number) => Bytes = (packet) => packet,
): Promise<Talk> {
  const packets: Bytes[] = [];
  let message: Bytes | undefined;
  for (;;) {
    const asked = await server.answer(question('server', { ...about, message }));
    if (!asked.message) return { server: asked, peer: asked, packets };
    const forPeer = tamper(asked.message, packets.length);
    packets.push(forPeer);
    const said = await peer.answer(question('peer', { message: forPeer }));
    if (asked.is !== 'packet' || said.is !== 'packet') return { server: asked, peer: said, packets };
    message = tamper(said.message, packets.length);
    packets.push(message);
  }
}
