/** First exchanges and IKE_AUTH of a hand-driven peer, in both roles; every message can be changed before it goes out. */
import type { Selector } from '../../sidecar/contract/dataplane.ts';
import { libreswanResumptionAuth, resumptionAuth, sharedKeyAuth } from '../../sidecar/ike/auth.ts';
import type { HeldTicket } from '../../sidecar/ike/connection.ts';
import { natDetection } from '../../sidecar/ike/nat.ts';
import { type Identity, type Instant, later } from '../../sidecar/ike/sa.ts';
import { everything } from '../../sidecar/ike/traffic.ts';
import { EMPTY, Reader, u32Bytes } from '../../sidecar/ike/wire/bytes.ts';
import { NO_SPI } from '../../sidecar/ike/wire/message.ts';
import { notify, type Payload, type Proposal } from '../../sidecar/ike/wire/payload.ts';
import {
  AuthMethod,
  CfgAttribute,
  CfgType,
  Encr,
  Esn,
  Exchange,
  Ke,
  Notify,
  Prf,
  Protocol,
  TransformType,
} from '../../sidecar/ike/wire/registry.ts';
import { crypto, type Heard, NAT_PATH, notifyData, type Peer, payload } from './peer.ts';
import { ALICE, GATEWAY, PSK } from './policy.ts';

export type Change = (payloads: readonly Payload[]) => readonly Payload[];
export const same: Change = (payloads) => payloads;

export const without =
  (...kinds: readonly string[]): Change =>
  (payloads) =>
    payloads.filter(({ kind }) => !kinds.includes(kind));

export const withoutNotify =
  (type: number): Change =>
  (payloads) =>
    payloads.filter((one) => one.kind !== 'N' || one.notify !== type);

export const adding =
  (...more: readonly Payload[]): Change =>
  (payloads) => [...payloads, ...more];

export const ikeProposal = (groups: readonly number[] = [Ke.CURVE25519], spi: Uint8Array = EMPTY, keyBits = 256): Proposal => ({
  number: 1,
  protocol: Protocol.IKE,
  spi,
  transforms: [
    { type: TransformType.ENCR, id: Encr.AES_GCM_16, keyBits },
    { type: TransformType.PRF, id: Prf.HMAC_SHA2_256 },
    ...groups.map((id) => ({ type: TransformType.KE, id })),
  ],
});

export const espProposal = (spi: number, groups: readonly number[] = [], keyBits = 256): Proposal => ({
  number: 1,
  protocol: Protocol.ESP,
  spi: u32Bytes(spi),
  transforms: [
    { type: TransformType.ENCR, id: Encr.AES_GCM_16, keyBits },
    ...groups.map((id) => ({ type: TransformType.KE, id })),
    { type: TransformType.ESN, id: Esn.ESN },
  ],
});

/** What this peer is, told to whoever asks about NATs; `behindNat`: it thinks that it sends from elsewhere. */
export function capabilities({ spiI, spiR, path }: Peer, { behindNat = false, fragments = true } = {}): Payload[] {
  const source = behindNat ? '172.16.0.1:500' : path.remote;
  return [
    notify(Notify.NAT_DETECTION_SOURCE_IP, natDetection(crypto, spiI, spiR, source)),
    notify(Notify.NAT_DETECTION_DESTINATION_IP, natDetection(crypto, spiI, spiR, path.local)),
    ...(fragments ? [notify(Notify.IKEV2_FRAGMENTATION_SUPPORTED)] : []),
  ];
}

export interface InitPart {
  readonly change?: Change;
  readonly group?: number;
  readonly groups?: readonly number[];
  readonly behindNat?: boolean;
  readonly fragments?: boolean;
}

export const keyPair = (peer: Peer, group: number) => {
  const exchange = crypto.keyExchange(group);
  if (!exchange) throw new Error(`no group ${group}`);
  return { ...exchange.generate(peer.random), conclude: exchange.conclude, respond: exchange.respond };
};

/** HDR, SAi1, KEi, Ni, N+  -->  and what comes back. */
export function ikeSaInit(
  peer: Peer,
  { change = same, group = Ke.CURVE25519, groups = [group], ...told }: InitPart = {},
): Heard | undefined {
  const pair = keyPair(peer, group);
  const ni = peer.random(32);
  peer.spiR = NO_SPI;
  const bytes = peer.clear(
    Exchange.IKE_SA_INIT,
    change([
      { kind: 'SA', proposals: [ikeProposal(groups)] },
      { kind: 'KE', group, data: pair.publicValue },
      { kind: 'NONCE', data: ni },
      ...capabilities(peer, told),
    ]),
  );
  const answer = conclude(peer, bytes, ni, told);
  const ke = payload(answer, 'KE');
  const nr = payload(answer, 'NONCE');
  if (ke && nr) {
    peer.suite = { ...peer.suite, ke: group };
    peer.derive({ from: 'full', shared: pair.conclude(pair.privateKey, ke.data) }, ni, nr.data);
  }
  return answer;
}

/** HDR, Ni, N(TICKET_OPAQUE), N+  -->  and what comes back. */
export function ikeSessionResume(
  peer: Peer,
  held: Pick<HeldTicket, 'ticket' | 'suite' | 'skD'>,
  part: InitPart = {},
): Heard | undefined {
  const { change = same, ...told } = part;
  const ni = peer.random(32);
  peer.spiR = NO_SPI;
  const bytes = peer.clear(
    Exchange.IKE_SESSION_RESUME,
    change([{ kind: 'NONCE', data: ni }, notify(Notify.TICKET_OPAQUE, held.ticket), ...capabilities(peer, told)]),
  );
  const answer = conclude(peer, bytes, ni, told);
  const nr = payload(answer, 'NONCE');
  peer.resumed = nr !== undefined;
  peer.suite = held.suite;
  if (nr) peer.derive({ from: 'resumption', oldD: held.skD }, ni, nr.data);
  return answer;
}

function conclude(
  peer: Peer,
  bytes: Uint8Array,
  ni: Uint8Array,
  { behindNat = false, fragments = true }: InitPart,
): Heard | undefined {
  const [answer] = peer.send([bytes]);
  const nr = payload(answer, 'NONCE');
  peer.fragmentation = fragments;
  if (!answer || !nr) return answer;
  peer.spiR = answer.spiR;
  peer.first = { initiator: bytes, responder: answer.datagrams[0] ?? EMPTY, ni, nr: nr.data };
  peer.next = 1;
  if (behindNat) peer.path = NAT_PATH;
  return answer;
}

export interface AuthPart {
  readonly change?: Change;
  readonly identity?: Identity;
  readonly psk?: Uint8Array;
  readonly proof?: 'rfc' | 'libreswan';
  /** The peer's SPI of the child. */
  readonly spi?: number;
  readonly wanted?: Uint8Array;
  readonly ticket?: boolean;
  readonly limit?: number;
  readonly path?: Peer['path'];
}

/** The AUTH of this peer, by its role and by what came before. */
export function proofOf(peer: Peer, identity: Identity, psk = PSK, form: 'rfc' | 'libreswan' = 'rfc'): Uint8Array {
  const { first, keys, suite, role } = peer;
  if (!first || !keys) throw new Error('nothing to prove yet');
  const proof = { first, keys, suite };
  if (!peer.resumed) return sharedKeyAuth(proof, role, identity, psk, { crypto });
  return form === 'rfc' ? resumptionAuth(proof, role, identity, { crypto }) : libreswanResumptionAuth(proof, role, { crypto });
}

export const configuration = (wanted: Uint8Array = EMPTY): Payload => ({
  kind: 'CP',
  cfgType: CfgType.CFG_REQUEST,
  attributes: [{ type: CfgAttribute.INTERNAL_IP4_ADDRESS, value: wanted }],
});

export const childOffer = (
  spi: number,
  { tsi = [everything(4)], tsr = [everything(4)] }: { tsi?: readonly Selector[]; tsr?: readonly Selector[] } = {},
): Payload[] => [
  { kind: 'SA', proposals: [espProposal(spi)] },
  { kind: 'TSi', selectors: tsi },
  { kind: 'TSr', selectors: tsr },
];

/** IDi, AUTH, CP, SAi2, TSi, TSr, [N(TICKET_REQUEST)] */
export function authPayloads(peer: Peer, part: AuthPart = {}): readonly Payload[] {
  const { change = same, identity = ALICE, psk = PSK, proof = 'rfc', spi = 0x0a00_0001, wanted, ticket = true } = part;
  return change([
    { kind: 'IDi', ...identity },
    { kind: 'AUTH', method: AuthMethod.SHARED_KEY, data: proofOf(peer, identity, psk, proof) },
    configuration(wanted),
    ...childOffer(spi),
    ...(ticket ? [notify(Notify.TICKET_REQUEST)] : []),
  ]);
}

/** HDR, SK {IDi, AUTH, CP, SAi2, TSi, TSr, [N(TICKET_REQUEST)]}  -->  and what comes back. */
export function ikeAuth(peer: Peer, part: AuthPart = {}): Heard | undefined {
  const { limit, path } = part;
  const sealing = { ...(limit !== undefined && { limit }), ...(path && { path }) };
  return peer.request(Exchange.IKE_AUTH, authPayloads(peer, part), sealing);
}

/** A whole full exchange. */
export function connect(peer: Peer, part: AuthPart & Pick<InitPart, 'behindNat' | 'fragments'> = {}): Heard | undefined {
  const { behindNat = false, fragments = true, ...auth } = part;
  ikeSaInit(peer, { behindNat, fragments });
  return ikeAuth(peer, auth);
}

/** A whole resumption. */
export function resume(peer: Peer, held: HeldTicket, part: AuthPart = {}): Heard | undefined {
  const first = ikeSessionResume(peer, held);
  return payload(first, 'NONCE') ? ikeAuth(peer, part) : first;
}

/** What a client would keep of TICKET_LT_OPAQUE in this message. */
export function ticketIn(peer: Peer, heard: Heard | undefined, inner: readonly Uint8Array[] = []): HeldTicket {
  const data = notifyData(heard, Notify.TICKET_LT_OPAQUE);
  if (!data || !peer.keys) throw new Error('no ticket');
  const reader = new Reader(data);
  const { now } = peer.subject;
  return {
    expiresAt: later(now, reader.u32() * 1_000),
    ticket: reader.rest().slice(),
    ...{ suite: peer.suite, skD: peer.keys.d, local: ALICE, remote: GATEWAY, inner },
    ...{ authenticatedAt: now, reauthenticateBy: later(now, 86_400_000) as Instant, postQuantum: false },
    form: 'rfc',
  };
}

/** The IPv4 address in a CFG_REPLY. */
export const innerIn = (heard: Heard | undefined): Uint8Array | undefined =>
  payload(heard, 'CP')?.attributes.find(({ type }) => type === CfgAttribute.INTERNAL_IP4_ADDRESS)?.value;
