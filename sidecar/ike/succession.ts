/** What passes from an IKE SA to the one that a rekey made of it (RFC 7296 §2.8, §2.8.2). */
import { childPath, redirect } from './child.ts';
import { wanting } from './child-exchange.ts';
import type { Context } from './context.ts';
import { verifying } from './mobike.ts';
import { type IkeSa, type InPhase, inPhase, later, ownSpi } from './sa.ts';
import type { Step } from './step.ts';
import { type EstablishedSa, revokeTicket, voidTicket } from './ticket-request.ts';
import type { Payload } from './wire/payload.ts';
import { Protocol } from './wire/registry.ts';

/** How long the peer that rekeyed has to delete the old SA. */
const REPLACED_MS = 30_000;

/** Takes over what the old SA had: children, addresses, and what was still to be done with the children. */
export function inherit(heir: EstablishedSa, old: InPhase<'established'>): EstablishedSa {
  const wanted = old.phase.wanted.filter(({ kind }) => kind !== 'rekeyIke' && kind !== 'liveness' && kind !== 'requestTicket');
  return verifying({
    ...heir,
    phase: {
      ...heir.phase,
      children: [...heir.phase.children, ...old.phase.children],
      inner: old.phase.inner,
      childAgain: old.phase.childAgain,
      wanted: [...heir.phase.wanted, ...wanted],
    },
  });
}

/** RFC 5723 §4.1, §6.2: after a rekey that the gateway began, the client asks for a new ticket. */
export const wantTicket = (sa: EstablishedSa): EstablishedSa =>
  sa.connection?.tickets ? wanting(sa, { kind: 'requestTicket' }) : sa;

/** Keeps the keys to answer the peer with, until that has deleted it. */
export function retire(sa: InPhase<'established'>, ctx: Context): IkeSa {
  revokeTicket(sa, ctx);
  const { suite, keys, nat, fragmentation } = sa.phase;
  return {
    ...sa,
    window: { ...sa.window, sent: undefined },
    phase: { name: 'replaced', suite, keys, nat, fragmentation, until: later(ctx.now, REPLACED_MS) },
  };
}

/**
 * The peer says something on an SA that it made by a rekey, while our own rekey of the same SA is not answered yet: it has
 * decided for this one, or else the first thing on it would be its DELETE. Answers the old SA, and what becomes of it.
 */
export function decidedBy(sa: IkeSa, payloads: readonly Payload[], ctx: Context): { old: IkeSa; step: Step } | undefined {
  if (!inPhase(sa, 'established') || sa.phase.children.length > 0 || sa.phase.inner.length > 0) return undefined;
  if (payloads.some((one) => one.kind === 'D' && one.protocol === Protocol.IKE)) return undefined;
  for (const old of ctx.sessionsOf(sa.phase.remote)) {
    const exchange = inPhase(old, 'established') ? old.phase.exchange : undefined;
    if (!inPhase(old, 'established') || exchange?.kind !== 'rekeyIke' || exchange.rival?.spi !== ownSpi(sa)) continue;
    const step = yieldTo(exchange.rival, old, ctx);
    return step && { old, step };
  }
  return undefined;
}

/** Both rekeyed at once, and the SA that the peer began is the one that stays. Undefined when there is none. */
export function yieldTo(rival: { readonly spi: string } | undefined, sa: InPhase<'established'>, ctx: Context) {
  const winner = rival && ctx.find(rival.spi);
  if (!winner || !inPhase(winner, 'established')) return undefined;
  // The peer is where it was heard last, on whichever of the two.
  const { path, phase } = winner.phase.heardAt < sa.phase.heardAt ? sa : winner;
  const { nat, mobility } = phase;
  const heir = wantTicket(inherit({ ...winner, path, phase: { ...winner.phase, nat, mobility } }, sa));
  const redirected = childPath(heir).remote === childPath(sa).remote ? [] : redirect(heir);
  const outputs = [...redirected, ...voidTicket(sa, 'the IKE SA was rekeyed')];
  return { sa: retire(sa, ctx), born: [heir], outputs } satisfies Step;
}
