/** Where the peer of an SA is: an authentic message may come from elsewhere (RFC 7296 §2.11, §2.23). */
import { redirect } from './child.ts';
import type { Context } from './context.ts';
import type { SecuredSa } from './protection.ts';
import { type IkeSa, inPhase, type Path } from './sa.ts';
import { event, NOTHING, type Output, type Step, which } from './step.ts';
import type { Message } from './wire/message.ts';

/** An authentic message: the peer lives, and perhaps it is elsewhere now. */
export function heardFrom(
  sa: SecuredSa,
  message: Message,
  path: Path,
  ctx: Context,
): { sa: SecuredSa; outputs: readonly Output[] } {
  // RFC 7296 §2.23: after the first exchange the initiator may have moved to port 4500.
  if (inPhase(sa, 'halfOpen')) return { sa: { ...sa, path }, outputs: NOTHING };
  if (!inPhase(sa, 'established')) return { sa, outputs: NOTHING };
  const heard = { ...sa, phase: { ...sa.phase, heardAt: ctx.now } };
  const step = message.response ? { sa: heard, outputs: NOTHING } : moved(heard, path);
  return { sa: (step.sa ?? heard) as SecuredSa, outputs: step.outputs };
}

/** RFC 7296 §2.23: a peer behind a NAT may get another address from it; the side that is not behind one follows. Never the client. */
export function moved(sa: IkeSa & { readonly phase: { readonly name: 'established' } }, path: Path | undefined): Step {
  if (!inPhase(sa, 'established') || !path || path.remote === sa.path.remote || sa.connection || !sa.phase.nat.remote)
    return { sa, outputs: NOTHING };
  const next = { ...sa, path };
  return {
    sa: next,
    outputs: [...redirect(sa.phase.children, path), event({ name: 'moved', from: sa.path.remote, ...which(next) })],
  };
}
