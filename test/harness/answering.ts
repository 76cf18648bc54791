/** A hand-driven gateway that a client has called: its answers to IKE_SA_INIT, IKE_SESSION_RESUME and IKE_AUTH, right or wrong. */
import type { HeldTicket } from '../../sidecar/ike/connection.ts';
import type { Identity } from '../../sidecar/ike/sa.ts';
import type { Payload } from '../../sidecar/ike/wire/payload.ts';
import { AuthMethod, CfgAttribute, CfgType, Exchange } from '../../sidecar/ike/wire/registry.ts';
import { type Change, capabilities, espProposal, type InitPart, ikeProposal, keyPair, proofOf, same } from './handshake.ts';
import { type Heard, type Peer, payload } from './peer.ts';
import { GATEWAY, PSK } from './policy.ts';
import type { Sent } from './subject.ts';

/** <--  HDR, SAr1, KEr, Nr, N+   and the IKE_AUTH request that follows. */
export function answerInit(peer: Peer, { bytes, path }: Sent, { change = same, ...told }: InitPart = {}): Heard[] {
  const [request] = peer.hear([{ bytes, path }]);
  const ke = payload(request, 'KE');
  const ni = payload(request, 'NONCE');
  if (!ke || !ni) throw new Error('not an IKE_SA_INIT request');
  const pair = keyPair(peer, ke.group);
  const nr = peer.random(32);
  const answer = peer.clear(
    Exchange.IKE_SA_INIT,
    change([
      { kind: 'SA', proposals: [ikeProposal([ke.group])] },
      { kind: 'KE', group: ke.group, data: pair.publicValue },
      { kind: 'NONCE', data: nr },
      ...capabilities(peer, told),
    ]),
    { response: true },
  );
  peer.suite = { ...peer.suite, ke: ke.group };
  peer.derive({ from: 'full', shared: pair.conclude(pair.privateKey, ke.data) }, ni.data, nr);
  peer.first = { initiator: bytes, responder: answer, ni: ni.data, nr };
  return peer.send([answer]);
}

/** <--  HDR, Nr, N+   and the IKE_AUTH request that follows. */
export function answerResume(
  peer: Peer,
  { bytes, path }: Sent,
  held: HeldTicket,
  { change = same, ...told }: InitPart = {},
): Heard[] {
  const ni = payload(peer.hear([{ bytes, path }])[0], 'NONCE');
  if (!ni) throw new Error('not an IKE_SESSION_RESUME request');
  const nr = peer.random(32);
  const payloads = change([{ kind: 'NONCE', data: nr }, ...capabilities(peer, told)]);
  const answer = peer.clear(Exchange.IKE_SESSION_RESUME, payloads, { response: true });
  peer.suite = held.suite;
  peer.resumed = true;
  peer.derive({ from: 'resumption', oldD: held.skD }, ni.data, nr);
  peer.first = { initiator: bytes, responder: answer, ni: ni.data, nr };
  return peer.send([answer]);
}

export interface AnswerPart {
  readonly change?: Change;
  readonly identity?: Identity;
  readonly psk?: Uint8Array;
  readonly spi?: number;
  readonly inner?: Uint8Array;
  readonly proof?: 'rfc' | 'libreswan';
  readonly limit?: number;
}

export const INNER = Uint8Array.of(10, 8, 0, 77);

/** <--  HDR, SK {IDr, AUTH, CP, SAr2, TSi, TSr}   and what the client says to that. */
export function answerAuth(peer: Peer, request: Heard | undefined, part: AnswerPart = {}): Heard[] {
  const { change = same, identity = GATEWAY, psk = PSK, spi = 0x0b00_0001, inner = INNER, proof = 'rfc', ...sealing } = part;
  const [tsi, tsr] = [payload(request, 'TSi'), payload(request, 'TSr')];
  if (!request || !tsi || !tsr) throw new Error('no IKE_AUTH request with a child');
  const payloads: Payload[] = [
    { kind: 'IDr', ...identity },
    { kind: 'AUTH', method: AuthMethod.SHARED_KEY, data: proofOf(peer, identity, psk, proof) },
    { kind: 'CP', cfgType: CfgType.CFG_REPLY, attributes: [{ type: CfgAttribute.INTERNAL_IP4_ADDRESS, value: inner }] },
    { kind: 'SA', proposals: [espProposal(spi)] },
    tsi,
    tsr,
  ];
  return peer.answer(request, change(payloads), sealing);
}

/** A client that is established with this peer. */
export function accept(peer: Peer, first: Sent, part: AnswerPart & InitPart = {}): Heard[] {
  const { group, groups, behindNat, fragments, ...auth } = part;
  const [request] = answerInit(peer, first, {
    ...(fragments === undefined ? {} : { fragments }),
    ...(behindNat === undefined ? {} : { behindNat }),
  });
  return answerAuth(peer, request, auth);
}
