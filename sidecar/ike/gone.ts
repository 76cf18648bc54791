/** What is left of an SA that has died: for a while it says its last answer again. */
import type { Context } from './context.ts';
import type { SecuredSa } from './protection.ts';
import { type IkeSa, isUnproven, later } from './sa.ts';

/** How long a dead SA still answers its last request. */
const GONE_MS = 10_000;

export function gone(sa: SecuredSa, ctx: Pick<Context, 'now'>): IkeSa {
  const { suite, keys, nat, fragmentation } = sa.phase;
  const window = { ...sa.window, sent: undefined, fragments: undefined };
  const proven = !isUnproven((sa as IkeSa).phase);
  return { ...sa, window, phase: { name: 'gone', suite, keys, nat, fragmentation, proven, until: later(ctx.now, GONE_MS) } };
}
