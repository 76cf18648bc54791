/** Peers that move (RFC 4555): what IKE_AUTH agrees on, and what a request of the peer says of its addresses. */
import { childPath, redirect } from './child.ts';
import type { Context } from './context.ts';
import { parseEndpoint } from './endpoint.ts';
import type { Established, Intent, Mobility } from './established.ts';
import { capabilities, findNotify, type Notifies, natOf } from './first-exchange.ts';
import { compareAddresses, parsePrefix, prefixRange } from './ip-address.ts';
import { type IkeSa, type InPhase, inPhase, type Path } from './sa.ts';
import { event, NOTHING, type Output, which } from './step.ts';
import { inForce } from './terms.ts';
import type { EstablishedSa } from './ticket-request.ts';
import { type Bytes, concat, equalBytes, Writer } from './wire/bytes.ts';
import { notify, type Payload } from './wire/payload.ts';
import { Notify } from './wire/registry.ts';

/** Of the peer's other addresses, so many are remembered. */
const MAX_ADDITIONAL = 8;

/** Client: MOBIKE_SUPPORTED in IKE_AUTH. Only with NAT traversal: without it every update would have to forbid NATs (§3.9). */
export const offersMobility = (nat: Established['nat'], wanted: boolean): Payload[] =>
  wanted && (nat.local || nat.remote) ? [notify(Notify.MOBIKE_SUPPORTED)] : [];

/** What both said in IKE_AUTH (§3.2, §3.4), after a resumption anew (RFC 5723 §4.3.3). `wanted`: that we said it, or will. */
export const mobilityOf = (notifies: Notifies, wanted = true): Mobility | undefined =>
  wanted && findNotify(notifies, Notify.MOBIKE_SUPPORTED)
    ? { additional: additionalIn(notifies), former: undefined, seen: undefined }
    : undefined;

/** §3.9: the request must come from where its sender says, and to where. */
export function crossedNat(notifies: Notifies, { local, remote }: Path): boolean {
  const forbidden = findNotify(notifies, Notify.NO_NATS_ALLOWED);
  if (!forbidden) return false;
  const [source, destination] = [parseEndpoint(remote), parseEndpoint(local)];
  const ports = new Writer(4).u16(source.port).u16(destination.port).finish();
  return !equalBytes(forbidden.data, concat(source.address, destination.address, ports));
}

interface Located {
  readonly sa: InPhase<'established'>;
  readonly payloads: readonly Payload[];
  readonly outputs: readonly Output[];
}

/** What an INFORMATIONAL request says of addresses; `from` is its own way. The window of one keeps updates in order (§3.5). */
export function locate(sa: InPhase<'established'>, notifies: Notifies, from: Path, ctx: Context): Located {
  const echo = echoCookie2(notifies);
  if (!sa.phase.mobility) return { sa, payloads: echo, outputs: NOTHING };
  const refused = (error: Notify): Located => ({ sa, payloads: [notify(error), ...echo], outputs: NOTHING });
  if (crossedNat(notifies, from)) return refused(Notify.UNEXPECTED_NAT_DETECTED);
  // §3.5: it is the side that began the first IKE SA that says which addresses are used.
  const update = !sa.connection && findNotify(notifies, Notify.UPDATE_SA_ADDRESSES) !== undefined;
  if (update && !isAcceptable(from, ctx)) return refused(Notify.UNACCEPTABLE_ADDRESSES);
  const told = withAdditional(sa, notifies);
  const moved = update ? relocate(withNat(told, notifies, from, ctx), from) : { sa: told, outputs: NOTHING };
  return { ...moved, payloads: [...natAnswer(sa, notifies, from, ctx), ...echo] };
}

/** §3.7: "the recipient of an INFORMATIONAL request MUST copy the notification as-is to the response". */
export const echoCookie2 = (notifies: Notifies): Payload[] => {
  const cookie = findNotify(notifies, Notify.COOKIE2);
  // §4.2.5: 8 to 64 bytes.
  return cookie && cookie.data.length >= 8 && cookie.data.length <= 64 ? [notify(Notify.COOKIE2, cookie.data)] : [];
};

/** The peer is there now. Its children's packets follow at once to another port, but only after a proof to another address. */
export function relocate(sa: InPhase<'established'>, path: Path): { sa: InPhase<'established'>; outputs: readonly Output[] } {
  const { mobility } = sa.phase;
  const proven = childPath(sa);
  const former = !mobility || sameAddress(proven.remote, path.remote) ? undefined : proven;
  const next = { ...sa, path, phase: { ...sa.phase, mobility: mobility && { ...mobility, former } } };
  const news = path.remote === sa.path.remote ? [] : [event({ name: 'moved', from: sa.path.remote, ...which(next) })];
  return { sa: verifying(next), outputs: [...(former ? [] : redirect(next)), ...news] };
}

/** An unproven address is verified before anything else is begun. */
export const verifying = <Sa extends EstablishedSa>(sa: Sa): Sa =>
  sa.phase.mobility?.former ? wantingFirst(sa, { kind: 'verifyPath' }) : sa;

export function wantingFirst<Sa extends EstablishedSa>(sa: Sa, intent: Intent): Sa {
  const wanted = [intent, ...sa.phase.wanted.filter(({ kind }) => kind !== intent.kind)];
  return { ...sa, phase: { ...sa.phase, wanted } };
}

/** Client: NAT detection in a liveness check, since a NAT may have given us another address (§3.8). */
export const natQuestion = (sa: EstablishedSa, ctx: Context): Payload[] =>
  sa.connection && sa.phase.mobility ? natDetections(sa, sa.path, sa.connection.forceEncapsulation, ctx) : [];

/** Client: what the gateway sees of us. Another address than before is told to it. */
export function noticeNat(sa: InPhase<'established'>, notifies: Notifies): InPhase<'established'> {
  const { mobility } = sa.phase;
  const seen = findNotify(notifies, Notify.NAT_DETECTION_DESTINATION_IP)?.data.slice();
  if (!sa.connection || !mobility || !seen) return sa;
  const noted = { ...sa, phase: { ...sa.phase, mobility: { ...mobility, seen } } };
  const differs = mobility.seen !== undefined && !equalBytes(mobility.seen, seen);
  return differs ? wantingFirst(noted, { kind: 'updateAddresses' }) : noted;
}

/** NAT_DETECTION_* of this SA for a message of ours on that path. */
export const natDetections = (sa: Pick<IkeSa, 'spiI' | 'spiR'>, path: Path, feigned: boolean, ctx: Context): Payload[] =>
  capabilities(sa.spiI, sa.spiR, path, feigned, ctx).slice(0, 2);

/** §3.5: NAT traversal is turned on or off by what the message says; without NAT detection in it nothing is known anew. */
export function withNat(sa: InPhase<'established'>, notifies: Notifies, path: Path, ctx: Context): InPhase<'established'> {
  if (!findNotify(notifies, Notify.NAT_DETECTION_SOURCE_IP)) return sa;
  return { ...sa, phase: { ...sa.phase, nat: natOf(notifies, sa, path, feigns(sa, ctx), ctx) } };
}

/** §3.8: "if the request includes them, the responder MUST also include them in the response". */
const natAnswer = (sa: InPhase<'established'>, notifies: Notifies, from: Path, ctx: Context): Payload[] =>
  findNotify(notifies, Notify.NAT_DETECTION_SOURCE_IP) || findNotify(notifies, Notify.NAT_DETECTION_DESTINATION_IP)
    ? natDetections(sa, from, feigns(sa, ctx), ctx)
    : [];

const feigns = ({ connection }: IkeSa, ctx: Context): boolean =>
  connection?.forceEncapsulation ?? inForce(ctx).config.esp.forceEncapsulation;

/** §3.5, local policy: an address out of our own pools would send the tunnel through itself. */
function isAcceptable({ remote }: Path, ctx: Context): boolean {
  const { address } = parseEndpoint(remote);
  return !inForce(ctx).config.pools.some(({ cidr }) => {
    const { start, end } = prefixRange(parsePrefix(cidr));
    return start.length === address.length && compareAddresses(start, address) <= 0 && compareAddresses(address, end) <= 0;
  });
}

const ADDRESS_NOTIFIES: readonly number[] = [
  Notify.ADDITIONAL_IP4_ADDRESS,
  Notify.ADDITIONAL_IP6_ADDRESS,
  Notify.NO_ADDITIONAL_ADDRESSES,
];

/** §3.6: "the complete list is sent every time". */
function withAdditional(sa: InPhase<'established'>, notifies: Notifies): InPhase<'established'> {
  const { mobility } = sa.phase;
  if (!mobility || !notifies.some((one) => ADDRESS_NOTIFIES.includes(one.notify))) return sa;
  return { ...sa, phase: { ...sa.phase, mobility: { ...mobility, additional: additionalIn(notifies) } } };
}

const additionalIn = (notifies: Notifies): Bytes[] =>
  notifies
    .filter((one) => lengthOf(one.notify) === one.data.length)
    .slice(0, MAX_ADDITIONAL)
    .map(({ data }) => data.slice());

const lengthOf = (type: number): number | undefined => {
  if (type === Notify.ADDITIONAL_IP4_ADDRESS) return 4;
  return type === Notify.ADDITIONAL_IP6_ADDRESS ? 16 : undefined;
};

const sameAddress = (one: string, other: string): boolean => equalBytes(parseEndpoint(one).address, parseEndpoint(other).address);

/** The client is elsewhere (§3.5): everything goes out from there at once, and the gateway is told as soon as the window allows. */
export function roam(sa: InPhase<'established'>, path: Path): { sa: InPhase<'established'>; outputs: readonly Output[] } {
  const moved = { ...sa, path };
  const again = (sa.window.sent?.datagrams ?? []).map((bytes) => ({ type: 'send', path, bytes }) as const);
  const news = event({ name: 'moved', from: sa.path.local, ...which(moved) });
  return { sa: wantingFirst(moved, { kind: 'updateAddresses' }), outputs: [...redirect(moved), ...again, news] };
}

export const canRoam = (sa: IkeSa): sa is InPhase<'established'> =>
  inPhase(sa, 'established') && sa.connection !== undefined && sa.phase.mobility !== undefined;
