/** CREATE_CHILD_SA of a hand-driven peer, asked and answered: children new and anew, and the IKE SA anew. */
import type { Selector } from '../../sidecar/contract/dataplane.ts';
import { type ChildKeys, childKeys, ikeKeys } from '../../sidecar/ike/crypto/keymat.ts';
import { everything } from '../../sidecar/ike/traffic.ts';
import { hex, u32Bytes, unhex } from '../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload } from '../../sidecar/ike/wire/payload.ts';
import { Exchange, Ke, Notify, Protocol } from '../../sidecar/ike/wire/registry.ts';
import { type Change, espProposal, ikeProposal, keyPair, same } from './handshake.ts';
import { crypto, type Heard, Peer, payload } from './peer.ts';

export interface ChildPart {
  readonly change?: Change;
  /** Ours, for what comes to us. */
  readonly spi?: number;
  /** Our SPI of the child that this one replaces. */
  readonly rekeys?: number;
  /** Of the KE payload; none without. */
  readonly group?: number;
  readonly groups?: readonly number[];
  readonly nonce?: Uint8Array;
  readonly tsi?: readonly Selector[];
  readonly tsr?: readonly Selector[];
}

export interface MadeChild {
  readonly answer: Heard | undefined;
  /** By who began the exchange. */
  readonly keys: ChildKeys | undefined;
}

const ESP = { encr: 20, keyBits: 256, integ: 0 } as const;
export const rekeySa = (spi: number): Payload =>
  notify(Notify.REKEY_SA, undefined, { protocol: Protocol.ESP, spi: u32Bytes(spi) });

/** HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr}, without sending it. */
export function childRequest(peer: Peer, part: ChildPart = {}) {
  const {
    change = same,
    spi = 0x0a00_0002,
    rekeys,
    group,
    groups = group === undefined ? [] : [group],
    nonce = peer.random(32),
  } = part;
  const { tsi = [everything(4)], tsr = [everything(4)] } = part;
  const pair = group === undefined ? undefined : keyPair(peer, group);
  const payloads: Payload[] = [
    ...(rekeys === undefined ? [] : [rekeySa(rekeys)]),
    { kind: 'SA', proposals: [espProposal(spi, groups)] },
    { kind: 'NONCE', data: nonce },
    ...(pair ? [{ kind: 'KE', group: group ?? 0, data: pair.publicValue } as const] : []),
    { kind: 'TSi', selectors: tsi },
    { kind: 'TSr', selectors: tsr },
  ];
  const conclude = (answer: Heard | undefined): MadeChild => {
    const [nr, ke] = [payload(answer, 'NONCE'), payload(answer, 'KE')];
    if (!nr || !peer.keys) return { answer, keys: undefined };
    const shared = pair && ke ? pair.conclude(pair.privateKey, ke.data) : undefined;
    return { answer, keys: childKeys(crypto, ESP, peer.suite.prf, peer.keys.d, nonce, nr.data, shared) };
  };
  return { payloads: change(payloads), conclude };
}

/** HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr}  -->  and what comes back. */
export function createChild(peer: Peer, part: ChildPart = {}): MadeChild {
  const { payloads, conclude } = childRequest(peer, part);
  return conclude(peer.request(Exchange.CREATE_CHILD_SA, payloads));
}

/** <--  HDR, SK {SA, Nr, [KEr,] TSi, TSr}   to a request of the subject, without sending it. */
export function childAnswer(
  peer: Peer,
  request: Heard | undefined,
  part: ChildPart = {},
): { payloads: readonly Payload[]; keys: ChildKeys } {
  const { change = same, spi = 0x0b00_0002, nonce = peer.random(32) } = part;
  const [ni, ke, tsi, tsr] = [
    payload(request, 'NONCE'),
    payload(request, 'KE'),
    payload(request, 'TSi'),
    payload(request, 'TSr'),
  ];
  if (!ni || !tsi || !tsr || !peer.keys) throw new Error('not a request for a child');
  const group = ke?.group ?? Ke.NONE;
  const pair = ke && keyPair(peer, group);
  const shared = pair?.conclude(pair.privateKey, ke?.data ?? new Uint8Array());
  const payloads: Payload[] = [
    { kind: 'SA', proposals: [espProposal(spi, part.groups ?? (ke ? [group] : []))] },
    { kind: 'NONCE', data: nonce },
    ...(pair ? [{ kind: 'KE', group, data: pair.publicValue } as const] : []),
    tsi,
    tsr,
  ];
  return { payloads: change(payloads), keys: childKeys(crypto, ESP, peer.suite.prf, peer.keys.d, ni.data, nonce, shared) };
}

/** Answers a request for a child; what the subject says to that comes back. */
export const answerChild = (peer: Peer, request: Heard | undefined, part: ChildPart = {}): Heard[] =>
  peer.answer(request ?? peer.header(0), childAnswer(peer, request, part).payloads);

export interface IkePart {
  readonly change?: Change;
  readonly spi?: string;
  readonly group?: number;
  readonly nonce?: Uint8Array;
}

/** HDR, SK {SA, Ni, KEi}, without sending it. */
export function ikeRequest(
  peer: Peer,
  { change = same, spi = hex(peer.random(8)), group = Ke.CURVE25519, nonce = peer.random(32) }: IkePart = {},
) {
  const pair = keyPair(peer, group);
  const payloads: Payload[] = [
    { kind: 'SA', proposals: [ikeProposal([group], unhex(spi))] },
    { kind: 'NONCE', data: nonce },
    { kind: 'KE', group, data: pair.publicValue },
  ];
  const conclude = (answer: Heard | undefined): { answer: Heard | undefined; next: Peer | undefined } => {
    const [sa, nr, ke] = [payload(answer, 'SA'), payload(answer, 'NONCE'), payload(answer, 'KE')];
    if (!sa || !nr || !ke) return { answer, next: undefined };
    const spis = { spiI: spi, spiR: hex(sa.proposals[0]?.spi ?? new Uint8Array()) };
    return { answer, next: successor(peer, 'initiator', spis, pair.conclude(pair.privateKey, ke.data), nonce, nr.data) };
  };
  return { payloads: change(payloads), conclude };
}

/** HDR, SK {SA, Ni, KEi}  -->  and what comes back, with the peer of the new SA. */
export function rekeyIke(peer: Peer, part: IkePart = {}) {
  const { payloads, conclude } = ikeRequest(peer, part);
  return conclude(peer.request(Exchange.CREATE_CHILD_SA, payloads));
}

/** <--  HDR, SK {SA, Nr, KEr}   to a request of the subject, without sending it, and the peer of the new SA. */
export function ikeAnswer(
  peer: Peer,
  request: Heard | undefined,
  part: IkePart = {},
): { payloads: readonly Payload[]; next: Peer } {
  const { change = same, spi = hex(peer.random(8)), nonce = peer.random(32) } = part;
  const [sa, ni, ke] = [payload(request, 'SA'), payload(request, 'NONCE'), payload(request, 'KE')];
  const theirs = sa?.proposals[0]?.spi;
  if (!theirs || !ni || !ke) throw new Error('not a request for a rekey of the IKE SA');
  const pair = keyPair(peer, ke.group);
  const payloads: Payload[] = [
    { kind: 'SA', proposals: [ikeProposal([ke.group], unhex(spi))] },
    { kind: 'NONCE', data: nonce },
    { kind: 'KE', group: ke.group, data: pair.publicValue },
  ];
  const shared = pair.conclude(pair.privateKey, ke.data);
  return {
    payloads: change(payloads),
    next: successor(peer, 'responder', { spiI: hex(theirs), spiR: spi }, shared, ni.data, nonce),
  };
}

function successor(
  old: Peer,
  role: Peer['role'],
  spis: { spiI: string; spiR: string },
  shared: Uint8Array,
  ni: Uint8Array,
  nr: Uint8Array,
): Peer {
  const peer = new Peer(old.subject, role, spis, old.path, old.random(1)[0] ?? 0);
  peer.suite = old.suite;
  peer.fragmentation = old.fragmentation;
  if (old.keys)
    peer.keys = ikeKeys(crypto, peer.suite, { from: 'rekey', oldD: old.keys.d, oldPrf: old.suite.prf, shared, ni, nr, ...spis });
  return peer;
}
