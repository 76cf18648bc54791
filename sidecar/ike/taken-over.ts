/** An SA that a sibling gave us goes on here: by our clock, with its addresses and its children. */
import { install } from './child.ts';
import type { Context } from './context.ts';
import type { Telling } from './lease-exchange.ts';
import { ownerOf } from './owned-spi.ts';
import type { PeerKeys } from './peer-channel.ts';
import { type IkeSa, type InPhase, inPhase, later, ownSpi, type Path, type SpiPair } from './sa.ts';
import { decodeSa, SA_VERSION } from './sa-encoding.ts';
import { isSession, resettled, type SessionSa } from './session-move.ts';
import { event, type Output, type TakenSession, which } from './step.ts';
import { inForce } from './terms.ts';
import type { Bytes } from './wire/bytes.ts';

/** An SA in one of the phases in which it may move. */
type MovingSa = InPhase<'halfOpen'> | SessionSa;

interface Arrival {
  readonly from: number;
  /** Where its peer's datagram came. */
  readonly path: Path | undefined;
  /** How much of its time as half-open is left. */
  readonly leftMs: number;
}

interface TakenOver {
  readonly sa: IkeSa;
  readonly tell?: readonly Telling[];
  /** Our SPIs of SAs that have lost their address. */
  readonly closes?: readonly string[];
  readonly outputs: readonly Output[];
}

/** What the former data plane may have sent since its last report: so many numbers are passed over (RFC 4303 §3.3.3: none comes twice). */
const SEQUENCE_GAP = 2 ** 24;

/** The SA of these SPIs; undefined when a sibling sent anything else. */
export function decodeMoving(encoded: Bytes, { spiI, spiR }: SpiPair): MovingSa | undefined {
  const sa = encoded[0] === SA_VERSION ? decodeSa(encoded) : undefined;
  if (!sa || sa.spiI !== spiI || sa.spiR !== spiR) return undefined;
  return inPhase(sa, 'halfOpen') || isSession(sa) ? sa : undefined;
}

export function takeOver(sa: MovingSa, arrival: Arrival, keys: PeerKeys, ctx: Context): TakenOver {
  if (!inPhase(sa, 'halfOpen')) return takeSession(sa, arrival, ownerOf(ownSpi(sa), keys), ctx);
  return {
    sa: withTimeLeft(sa, arrival.leftMs, ctx),
    outputs: [event({ name: 'taken-over', from: arrival.from, session: undefined, ...which(sa) })],
  };
}

/** Moving prolongs nothing, and by the clock of the pod where it now is. */
function withTimeLeft(sa: InPhase<'halfOpen'>, leftMs: number, ctx: Context): InPhase<'halfOpen'> {
  const { phase } = sa;
  const until = later(ctx.now, Math.min(leftMs, inForce(ctx).config.ike.halfOpenMs));
  const since = later(until, phase.since - phase.until);
  return { ...sa, phase: { ...phase, since, until, moves: phase.moves + 1 } };
}

/** `owner`: the pod that its SPI names. */
function takeSession(sa: SessionSa, { from, path }: Arrival, owner: number | undefined, ctx: Context): TakenOver {
  const { spiI, spiR } = sa;
  const taken = resettled(sa, { from, path, gap: SEQUENCE_GAP }, ctx);
  const established = inPhase(taken, 'established') ? taken : undefined;
  const lost = established?.phase.inner.some(
    (address) => !ctx.addresses.takeOver(address, established.phase.remote, ownSpi(taken), ctx.now),
  );
  const children = established ? established.phase.children.flatMap((child) => install(established, child)) : [];
  const isOwners = owner === undefined || owner === from || owner === ctx.member.ordinal;
  return {
    ...{ sa: taken, closes: lost ? [ownSpi(taken)] : [] },
    tell: isOwners ? [] : [{ to: owner, words: { kind: 'settled', spiI, spiR } }],
    outputs: [event({ name: 'taken-over', from, session: established && counted(established), ...which(taken) }), ...children],
  };
}

const counted = ({ phase: { remote, inner, accounting, authenticatedAt } }: InPhase<'established'>): TakenSession => ({
  ...{ remote, inner, accounting, authenticatedAt },
});
