/**
 * What becomes of an SA whose children cannot be carried, or not now.
 *
 * A child that the data plane lost is deleted (RFC 7296 §1.4.1) and the IKE SA stays: it is whole, may be without children (§1.2, §1.3.1),
 * and deleting it would void the client's ticket (RFC 5723 §6.2). Many clients do not ask for a child that was deleted, so we ask for
 * another one when it was the last; not at once, for whatever took this one may take the next, and as long as the SA lives.
 */
import type { DataplaneReport } from '../contract/dataplane.ts';
import { uninstall } from './child.ts';
import { retryAt, wanting, withChildren } from './child-exchange.ts';
import type { Context } from './context.ts';
import type { Intent, OwnExchange } from './established.ts';
import type { InPhase } from './sa.ts';
import { event, type Step, which } from './step.ts';

/** The peer learns of it in an exchange of its own, with the first free place in the window. */
export function lost(
  sa: InPhase<'established'>,
  { spiIn, reason = 'the data plane has it no more' }: Extract<DataplaneReport, { report: 'lost' }>,
  ctx: Context,
): Step {
  const { children, exchange } = sa.phase;
  const others = children.filter((child) => child.spiIn !== spiIn);
  const succeeded = others.some(({ replacedUntil }) => replacedUntil === undefined);
  const isBeingRekeyed = exchange !== undefined && rekeys(exchange) === spiIn;
  const without = withChildren(sa, others);
  const next = succeeded || isBeingRekeyed ? without : askingAgain(without, ctx);
  // A DELETE that is on its way already says the same.
  const isTold = exchange?.kind === 'deleteChild' && exchange.spiIn === spiIn;
  return {
    sa: isTold ? next : wanting(next, { kind: 'disown', spiIn }),
    outputs: [event({ name: 'child-lost', spiIn, reason, ...which(sa) }), ...uninstall(sa, spiIn)],
  };
}

/** Our SPI of the child that an exchange of ours makes anew. */
function rekeys(exchange: OwnExchange): number | undefined {
  if (exchange.kind === 'rekeyChild') return exchange.old;
  return exchange.kind === 'followup' && exchange.followup.of.kind === 'child' ? exchange.followup.of.old : undefined;
}

/** The same SA, which begins it later, when it would make a child that nothing could carry; undefined: it may begin now. */
export function postponed(sa: InPhase<'established'>, intent: Intent, ctx: Context): InPhase<'established'> | undefined {
  if (intent.kind === 'newChild') return askingAgain(sa, ctx);
  if (intent.kind !== 'rekeyChild') return undefined;
  const rekeyAt = retryAt(ctx);
  return withChildren(
    sa,
    sa.phase.children.map((child) => (child.spiIn === intent.spiIn ? { ...child, rekeyAt } : child)),
  );
}

/** It costs the peer nothing of its patience (`tries`): what failed was on our side. */
const askingAgain = (sa: InPhase<'established'>, ctx: Context): InPhase<'established'> => ({
  ...sa,
  phase: { ...sa.phase, childAgain: { at: retryAt(ctx), tries: sa.phase.childAgain?.tries ?? 0 } },
});
