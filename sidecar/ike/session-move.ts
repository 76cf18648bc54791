/** An established SA that goes on at another pod: what proves that its peer is there, when it may leave, what changes when it arrives. */
import type { Child } from './child.ts';
import { wanting } from './child-exchange.ts';
import type { Context } from './context.ts';
import { ProtocolError } from './error.ts';
import type { SecuredSa } from './protection.ts';
import { receive } from './reception.ts';
import { type IkeSa, type InPhase, inPhase, later, ownSpi, type Path, type SpiPair } from './sa.ts';
import { retransmitOf } from './terms.ts';
import type { Bytes } from './wire/bytes.ts';
import { decodeMessage } from './wire/message.ts';
import { Exchange } from './wire/registry.ts';

/** Whose peer has authenticated itself. */
export type SessionSa = InPhase<'established' | 'replaced' | 'closing'>;
export const isSession = (sa: IkeSa): sa is SessionSa => inPhase(sa, 'established', 'replaced', 'closing');

/** What a peer asks for on an SA that is there. */
export const isOfSession = (exchange: number): boolean =>
  exchange === Exchange.INFORMATIONAL || exchange === Exchange.CREATE_CHILD_SA;

/** The SA of these SPIs that is here, whichever of them is ours. */
export function heldBy({ spiI, spiR }: SpiPair, ctx: Context): SecuredSa | undefined {
  const sa = [ctx.find(spiR), ctx.find(spiI)].find((one) => one?.spiI === spiI && one.spiR === spiR);
  return sa && 'keys' in sa.phase ? { ...sa, phase: sa.phase } : undefined;
}

/** What a datagram that came to a sibling is to this SA: the next request, or part of it; the last one again; or nothing that moves it. */
export function judge(sa: SecuredSa, datagram: Bytes, ctx: Context): 'new' | 'repeated' | undefined {
  try {
    const message = decodeMessage(datagram);
    if (message.response || message.spiI !== sa.spiI || message.spiR !== sa.spiR) return undefined;
    if (message.initiator !== (sa.role === 'responder')) return undefined;
    return receive(sa, message, ctx).is === 'repetition' ? 'repeated' : 'new';
  } catch (error) {
    // The one error that is an answer: a stranger's datagram is no proof, and the sibling must hear so.
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** An SA that another one of this pod depends on stays, until their rekeys that met are decided (RFC 7296 §2.8.2). */
export function isSettled(sa: SecuredSa, ctx: Context): sa is SessionSa {
  if (!isSession(sa)) return false;
  if (!inPhase(sa, 'established')) return true;
  const rivalOf = (one: IkeSa): string | undefined =>
    inPhase(one, 'established') && one.phase.exchange?.kind === 'rekeyIke' ? one.phase.exchange.rival?.spi : undefined;
  return rivalOf(sa) === undefined && !ctx.sessionsOf(sa.phase.remote).some((one) => rivalOf(one) === ownSpi(sa));
}

interface Arrival {
  readonly from: number;
  /** Where its peer's datagram came; undefined when that is not known any more. */
  readonly path: Path | undefined;
  /** Sequence numbers of each child that are passed over. */
  readonly gap: number;
}

/** As it goes on here: by our own address and clock, and with sequence numbers that were never used. */
export function resettled(sa: SessionSa, { from, path, gap }: Arrival, ctx: Context): SessionSa {
  const local = path?.local ?? sa.path.local;
  const { sent, fragments } = sa.window;
  const due = later(ctx.now, retransmitOf(sa, ctx).firstMs);
  const window = { ...sa.window, sent: sent && { ...sent, due }, fragments: fragments && { ...fragments, until: due } };
  const here = { ...sa, path: { ...sa.path, local }, window };
  if (!inPhase(here, 'established')) return here;
  const { mobility, children } = here.phase;
  const former = mobility?.former && { ...mobility.former, local };
  // An SPI that a child of another session has here, as it once moved here too.
  const taken = children.filter(({ spiIn }) => ctx.hasChild(spiIn));
  const kept = children.filter((child) => !taken.includes(child));
  const arrived: InPhase<'established'> = {
    ...here,
    phase: {
      ...here.phase,
      heardAt: ctx.now,
      // The owners of its addresses are told where it is, as after a resumption.
      replaces: { spiR: ownSpi(sa), pod: from },
      mobility: mobility && { ...mobility, former },
      children: kept.map((child) => passedOver(child, gap)),
    },
  };
  return wanting(arrived, ...taken.map(({ spiIn }) => ({ kind: 'disown', spiIn }) as const));
}

const passedOver = (child: Child, gap: number): Child => ({
  ...child,
  sequences: { ...child.sequences, sent: child.sequences.sent + gap },
});
