/** A child SA (RFC 7296 §1.3.1, §2.9, §2.17): its state, the offer it comes from, and how both sides agree on it. */
import type { ChildSa, Selector, Sequences } from '../contract/dataplane.ts';
import { keyExchangeOf } from './algorithms.ts';
import type { Context } from './context.ts';
import { childKeys } from './crypto/keymat.ts';
import type { EspSuite } from './crypto/suite.ts';
import { ProtocolError } from './error.ts';
import type { Established } from './established.ts';
import { NONCE_BYTES } from './first-exchange.ts';
import type { KeyPair } from './handshake-phase.ts';
import { acceptedEsp, chooseEsp, demandKe, espProposals } from './proposal.ts';
import type { SecuredSa } from './protection.ts';
import { type IkeSa, type Instant, NEVER, type Path } from './sa.ts';
import { event, type Output, which } from './step.ts';
import { routesOf, termsOf } from './terms.ts';
import { addressSelector, contains, narrow, prefixSelectors } from './traffic.ts';
import { jittered } from './window.ts';
import { type Bytes, u32Bytes } from './wire/bytes.ts';
import type { Payload, PayloadOf, Proposal } from './wire/payload.ts';
import { Ke, Notify } from './wire/registry.ts';

export interface Child {
  readonly spiIn: number;
  readonly spiOut: number;
  readonly suite: EspSuite;
  readonly keyIn: { readonly encr: Bytes; readonly integ: Bytes };
  readonly keyOut: { readonly encr: Bytes; readonly integ: Bytes };
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
  readonly rekeyAt: Instant;
  /** A newer child took over; whoever made that one deletes this one, at the latest we do at this instant. */
  readonly replacedUntil: Instant | undefined;
  /** How far its data plane has come, as it said last. */
  readonly sequences: Sequences;
}

/** What an initiator remembers of a child that it asked for. */
export interface ChildOffer {
  readonly spiIn: number;
  readonly nonce: Bytes;
  /** Undefined without perfect forward secrecy, and in IKE_AUTH. */
  readonly ke: KeyPair | undefined;
  readonly proposals: readonly Proposal[];
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
}

export interface Traffic {
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
}

/** In IKE_AUTH there is no Diffie-Hellman of the child's own (RFC 7296 §1.2); `group` asks for another one than the first. */
export function offerChild(
  sa: SecuredSa,
  traffic: Traffic,
  use: { readonly inAuth: boolean; readonly group?: number },
  ctx: Context,
): ChildOffer {
  const { esp } = termsOf(sa, ctx);
  const group = use.inAuth ? Ke.NONE : (use.group ?? esp.keyExchange[0] ?? Ke.NONE);
  const spiIn = ctx.newEspSpi();
  const ke = group === Ke.NONE ? undefined : { id: group, ...keyExchangeOf(ctx.crypto, group).generate(ctx.random) };
  // A peer that did one for the IKE SA knows what is meant.
  const additional = 'postQuantum' in sa.phase && sa.phase.postQuantum === true;
  const proposals = espProposals(esp, u32Bytes(spiIn), { pfs: !use.inAuth, additional });
  return { ...traffic, spiIn, nonce: use.inAuth ? new Uint8Array() : ctx.random(NONCE_BYTES), ke, proposals };
}

export function offerPayloads({ proposals, nonce, ke, local, remote }: ChildOffer): Payload[] {
  return [
    { kind: 'SA', proposals },
    ...(nonce.length > 0 ? [{ kind: 'NONCE', data: nonce } as const] : []),
    ...(ke ? [{ kind: 'KE', group: ke.id, data: ke.publicValue } as const] : []),
    { kind: 'TSi', selectors: local },
    { kind: 'TSr', selectors: remote },
  ];
}

/** What an initiator asks for; `ni` and `ke` stand in CREATE_CHILD_SA only. */
export interface AskedChild {
  readonly sa: PayloadOf<'SA'>;
  readonly ke: PayloadOf<'KE'> | undefined;
  readonly tsi: PayloadOf<'TSi'>;
  readonly tsr: PayloadOf<'TSr'>;
}

/** All but what the keys come of when there is more (RFC 9370). */
export interface ChildAgreement extends Pick<Child, 'spiIn' | 'spiOut' | 'suite' | 'local' | 'remote'> {
  readonly side: 'initiator' | 'responder';
  readonly additional: readonly number[];
  readonly ni: Bytes;
  readonly nr: Bytes;
  readonly shared: Bytes | undefined;
}

export interface Agreed {
  readonly agreement: ChildAgreement;
  readonly payloads: readonly Payload[];
}
export interface Refused {
  readonly refused: Notify;
  readonly data?: Bytes;
  readonly reason: string;
}

/**
 * The responder's half. `inAuth` tells that the nonces are those of the first exchange and must not be sent again; there is no KE
 * then, so only CREATE_CHILD_SA can fail for one. @throws ProtocolError (refuse, INVALID_KE_PAYLOAD)
 */
export function acceptChild(
  sa: SecuredSa,
  asked: AskedChild,
  allowed: Traffic,
  nonces: { readonly ni: Bytes; readonly nr: Bytes; readonly inAuth: boolean },
  ctx: Context,
): Agreed | Refused {
  const terms = termsOf(sa, ctx);
  const chosen = chooseEsp(asked.sa.proposals, terms.esp, { pfs: !nonces.inAuth, preferredKe: asked.ke?.group });
  if (!chosen) return { refused: Notify.NO_PROPOSAL_CHOSEN, reason: 'no ESP proposal that we accept' };
  const { suite } = chosen;
  // RFC 7296 §3.3.6: with NONE a KE payload is ignored.
  const ke = suite.ke === Ke.NONE ? undefined : demandKe(suite.ke, asked.ke);
  const local = narrow(asked.tsr.selectors, allowed.local);
  const narrowed = narrow(asked.tsi.selectors, allowed.remote);
  // Not RFC 7296 §2.9: libreswan proposes an address of its own beside CFG_REQUEST, and takes the one that it is given.
  const remote = narrowed.length === 0 && nonces.inAuth ? ofFamilies(allowed.remote, asked.tsi.selectors) : narrowed;
  if (local.length === 0 || remote.length === 0)
    return { refused: Notify.TS_UNACCEPTABLE, reason: 'no traffic selectors in common' };
  const own = ke && keyExchangeOf(ctx.crypto, suite.ke).respond(ke.data, ctx.random);
  const spiIn = ctx.newEspSpi();
  const { ni, nr } = nonces;
  const agreement: ChildAgreement = {
    ...{ spiIn, spiOut: chosen.peerSpi, suite, side: 'responder', local, remote },
    ...{ additional: chosen.additional, ni, nr, shared: own?.shared },
  };
  const payloads: Payload[] = [
    { kind: 'SA', proposals: [{ ...chosen.proposal, spi: u32Bytes(spiIn) }] },
    ...(nonces.inAuth ? [] : [{ kind: 'NONCE', data: nonces.nr } as const]),
    ...(own ? [{ kind: 'KE', group: suite.ke, data: own.publicValue } as const] : []),
    { kind: 'TSi', selectors: remote },
    { kind: 'TSr', selectors: local },
  ];
  return { agreement, payloads };
}

const ofFamilies = (selectors: readonly Selector[], asked: readonly Selector[]): readonly Selector[] =>
  selectors.filter(({ start }) => asked.some((one) => one.start.length === start.length));

/** The initiator's half. @throws ProtocolError (refuse) when the answer is not within the offer. */
export function concludeChild(
  offer: ChildOffer,
  answer: AskedChild,
  { ni, nr }: { readonly ni: Bytes; readonly nr: Bytes },
  ctx: Context,
): ChildAgreement {
  const { peerSpi, suite, additional } = acceptedEsp(answer.sa.proposals, offer.proposals);
  // RFC 7296 §3.3.6: with NONE, where we offered that too, a KE payload does not matter.
  if (suite.ke !== Ke.NONE && (suite.ke !== offer.ke?.id || suite.ke !== answer.ke?.group)) throw unasked('another key exchange');
  const local = answer.tsi.selectors;
  const remote = answer.tsr.selectors;
  // RFC 7296 §2.9: "the responder ... narrows"; it cannot widen.
  if (!within(local, offer.local) || !within(remote, offer.remote)) throw unasked('traffic selectors beyond the offer');
  const shared =
    suite.ke !== Ke.NONE && offer.ke && answer.ke
      ? keyExchangeOf(ctx.crypto, suite.ke).conclude(offer.ke.privateKey, answer.ke.data)
      : undefined;
  return { spiIn: offer.spiIn, spiOut: peerSpi, suite, side: 'initiator', local, remote, additional, ni, nr, shared };
}

/** With all that its keys come of; `further`: what came of further key exchanges. */
export function madeChild(sa: SecuredSa, agreement: ChildAgreement, further: readonly Bytes[], ctx: Context): Child {
  const { side, ni, nr, shared, spiIn, spiOut, suite, local, remote } = agreement;
  const keys = childKeys(ctx.crypto, suite, sa.phase.suite.prf, sa.phase.keys.d, ni, nr, shared, further);
  const rekeyMs = termsOf(sa, ctx).childRekeyMs;
  const [keyOut, keyIn] = side === 'initiator' ? [keys.initiator, keys.responder] : [keys.responder, keys.initiator];
  return {
    ...{ spiIn, spiOut, suite, local, remote },
    keyIn,
    keyOut,
    rekeyAt: jittered(rekeyMs, ctx, NEVER),
    replacedUntil: undefined,
    sequences: { sent: 0, received: 0 },
  };
}

const within = (inner: readonly Selector[], outer: readonly Selector[]): boolean =>
  inner.length > 0 && inner.every((one) => contains(outer, one));

const unasked = (what: string): ProtocolError => new ProtocolError('refuse', Notify.TS_UNACCEPTABLE, `the peer chose ${what}`);

/** What an established SA may carry: a gateway's routes and the client's inner addresses. */
export function trafficOf(sa: IkeSa & { readonly phase: Established }, ctx: Context): Traffic {
  const inner = sa.phase.inner.map(addressSelector);
  const { connection } = sa;
  if (!connection) {
    const routes = prefixSelectors(routesOf(sa, ctx));
    return { local: routes.filter(({ start }) => inner.some((one) => one.start.length === start.length)), remote: inner };
  }
  return { local: inner.length > 0 ? inner : connection.localTraffic, remote: connection.remoteTraffic };
}

/**
 * Traffic flows through this child from now on. `replaces`: the child that it is a rekeying of by the peer, which goes on sending until
 * the peer has shown that it has the new one (RFC 7296 §2.8: "the responder continues to send traffic on the old SA").
 */
export function install(sa: IkeSa & { readonly phase: Established }, child: Child, replaces?: number): Output[] {
  const { spiIn, spiOut, suite, keyIn, keyOut, local, remote, sequences } = child;
  const { encr, keyBits, integ, esn } = suite;
  const { nat, remote: peer } = sa.phase;
  const encapsulated = nat.local || nat.remote;
  const order: ChildSa = {
    spiIn,
    spiOut,
    suite: { encr, keyBits, integ, esn },
    keyIn,
    keyOut,
    local,
    remote,
    path: childPath(sa),
    encapsulated,
    peer,
    sequences,
  };
  return [
    { type: 'dataplane', order: { order: 'install', child: order, ...(replaces !== undefined && { sendsAfter: replaces }) } },
    event({ name: 'child-installed', spiIn, ...which(sa) }),
  ];
}

/** Which way the packets of an SA's children go. */
export const childPath = (sa: IkeSa & { readonly phase: Established }): Path => sa.phase.mobility?.former ?? sa.path;

/** The packets of its children go where the SA is now, in UDP or not as NATs demand. */
export function redirect(sa: IkeSa & { readonly phase: Established }): Output[] {
  const { nat, children } = sa.phase;
  const path = childPath(sa);
  const encapsulated = nat.local || nat.remote;
  return children.map(({ spiIn }) => ({ type: 'dataplane', order: { order: 'move', spiIn, path, encapsulated } }));
}

export const uninstall = (sa: IkeSa, spiIn: number): Output[] => [
  { type: 'dataplane', order: { order: 'remove', spiIn } },
  event({ name: 'child-removed', spiIn, ...which(sa) }),
];
