/** IKE_INTERMEDIATE of a hand-driven peer: its own derivation of keys and of what AUTH covers, with node:crypto and by the text of RFC 9242 and RFC 9370. */
import { createHmac } from 'node:crypto';
import { concat, u32Bytes, unhex } from '../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload, type Proposal } from '../../sidecar/ike/wire/payload.ts';
import { Exchange, Notify, TransformType } from '../../sidecar/ike/wire/registry.ts';
import { type Change, keyPair, same } from './handshake.ts';
import { type Heard, type Peer, payload } from './peer.ts';

export const prf = (key: Uint8Array, ...data: readonly Uint8Array[]): Uint8Array =>
  new Uint8Array(
    createHmac('sha256', key)
      .update(concat(...data))
      .digest(),
  );

/** prf+ with HMAC-SHA-256 (RFC 7296 §2.13). */
export function prfPlus(key: Uint8Array, seed: Uint8Array, length: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  while (32 * blocks.length < length)
    blocks.push(prf(key, blocks.at(-1) ?? new Uint8Array(), seed, Uint8Array.of(blocks.length + 1)));
  return concat(...blocks).slice(0, length);
}

/** SK_d(n) and so on of AES-GCM with 256 bits, from SKEYSEED(n). */
function keysOf(peer: Peer, skeyseed: Uint8Array) {
  const { first, spiI, spiR } = peer;
  if (!first) throw new Error('no first exchange');
  const keymat = prfPlus(skeyseed, concat(first.ni, first.nr, unhex(spiI), unhex(spiR)), 3 * 32 + 2 * 36);
  const [d, ei, er, pi, pr] = [0, 32, 68, 104, 136].map((at, index) =>
    keymat.slice(at, at + (index === 1 || index === 2 ? 36 : 32)),
  );
  return { d, ei, er, pi, pr, ai: new Uint8Array(), ar: new Uint8Array() } as NonNullable<Peer['keys']>;
}

/** The new keys of this peer, once both know the secret. */
export function mix(peer: Peer, shared: Uint8Array): void {
  if (!peer.keys || !peer.first) throw new Error('no keys to mix with');
  peer.keys = keysOf(peer, prf(peer.keys.d, shared, peer.first.ni, peer.first.nr));
}

/** SK_d = prf(PPK, SK_d' | 0x01), and so SK_pi and SK_pr: RFC 8784 §3. */
export function mixPpk(peer: Peer, secret: Uint8Array): void {
  const { keys } = peer;
  if (!keys) throw new Error('no keys to mix with');
  const through = (key: Uint8Array): Uint8Array => prf(secret, key, Uint8Array.of(1));
  peer.keys = { ...keys, d: through(keys.d), pi: through(keys.pi), pr: through(keys.pr) };
}

/** Header, header of the Encrypted payload and one KE payload, as RFC 9242 §3.3.2 figure 1 has it. */
export function content(peer: Peer, messageId: number, response: boolean, ke: { group: number; data: Uint8Array }): Uint8Array {
  const inner = concat(Uint8Array.of(0, 0, ...u16(8 + ke.data.length), ...u16(ke.group), 0, 0), ke.data);
  const flags = response ? 0x20 : 0x08; // requests are the initiator's alone
  return concat(
    unhex(peer.spiI),
    unhex(peer.spiR),
    Uint8Array.of(46, 0x20, 43, flags),
    u32Bytes(messageId),
    u32Bytes(28 + 4 + inner.length),
    Uint8Array.of(34, 0, ...u16(4 + inner.length)),
    inner,
  );
}

const u16 = (value: number): [number, number] => [value >>> 8, value & 0xff];

/** Chains both messages of an exchange, under the keys that it was protected with. */
export function chain(peer: Peer, request: Uint8Array, response: Uint8Array): void {
  const { keys, first } = peer;
  if (!keys || !first) throw new Error('nothing to chain');
  const before = first.intermediate ?? { initiator: new Uint8Array(), responder: new Uint8Array(), exchanges: 0 };
  peer.first = {
    ...first,
    intermediate: {
      initiator: prf(keys.pi, before.initiator, request),
      responder: prf(keys.pr, before.responder, response),
      exchanges: before.exchanges + 1,
    },
  };
}

export interface IntermediatePart {
  readonly change?: Change;
  readonly limit?: number;
  readonly path?: Peer['path'];
}

/** HDR, SK {KEi(n)}, without sending it; and what is to be made of the answer. */
export function intermediateRequest(peer: Peer, method: number, { change = same }: IntermediatePart = {}) {
  const pair = keyPair(peer, method);
  const messageId = peer.next;
  const payloads = change([{ kind: 'KE', group: method, data: pair.publicValue }]);
  const conclude = (answer: Heard | undefined): Heard | undefined => {
    const ke = payload(answer, 'KE');
    if (!ke) return answer;
    const request = content(peer, messageId, false, { group: method, data: pair.publicValue });
    chain(peer, request, content(peer, messageId, true, ke));
    mix(peer, pair.conclude(pair.privateKey, ke.data));
    return answer;
  };
  return { payloads, conclude };
}

/** HDR, SK {KEi(n)}  -->  and what comes back; the keys of what follows. */
export function ikeIntermediate(peer: Peer, method: number, part: IntermediatePart = {}): Heard | undefined {
  const { payloads, conclude } = intermediateRequest(peer, method, part);
  return conclude(peer.request(Exchange.IKE_INTERMEDIATE, payloads, part));
}

/** <--  HDR, SK {KEr(n)}   and what the client says to that, under the new keys. */
export function answerIntermediate(
  peer: Peer,
  request: Heard | undefined,
  { change = same, ...sealing }: IntermediatePart = {},
): Heard[] {
  const ke = payload(request, 'KE');
  if (!request || !ke) throw new Error('no IKE_INTERMEDIATE request');
  const { publicValue, shared } = keyPair(peer, ke.group).respond(ke.data, peer.random);
  const answer: Payload[] = [{ kind: 'KE', group: ke.group, data: publicValue }];
  const { messageId } = request;
  const sealed = peer.sealed(Exchange.IKE_INTERMEDIATE, change(answer), { ...sealing, messageId, response: true });
  chain(peer, content(peer, messageId, false, ke), content(peer, messageId, true, { group: ke.group, data: publicValue }));
  mix(peer, shared);
  return peer.send(sealed);
}

/** An IKE_SA_INIT message with transforms of types 6 and on, a list for each. */
export const withAdditional =
  (...rounds: readonly (readonly number[])[]): Change =>
  (payloads) => [
    ...payloads.map((one) =>
      one.kind === 'SA' ? { ...one, proposals: one.proposals.map((offer) => further(offer, rounds)) } : one,
    ),
    notify(Notify.INTERMEDIATE_EXCHANGE_SUPPORTED),
  ];

const further = (proposal: Proposal, rounds: readonly (readonly number[])[]): Proposal => ({
  ...proposal,
  transforms: [
    ...proposal.transforms,
    ...rounds.flatMap((ids, round) => ids.map((id) => ({ type: TransformType.ADDKE1 + round, id }))),
  ],
});
