/** Where the peer of an SA is: an authentic message may come from elsewhere (RFC 7296 §2.11, §2.23, RFC 4555 §3.8). */
import type { Context } from './context.ts';
import { relocate } from './mobike.ts';
import type { SecuredSa } from './protection.ts';
import { type InPhase, inPhase, type Path } from './sa.ts';
import { NOTHING, type Output, type Step } from './step.ts';
import type { Message } from './wire/message.ts';

/** An authentic message: the peer lives, and perhaps it is elsewhere now. */
export function heardFrom(
  sa: SecuredSa,
  message: Message,
  path: Path,
  ctx: Context,
): { sa: SecuredSa; outputs: readonly Output[] } {
  // RFC 7296 §2.23: after the first exchange the initiator may have moved to port 4500.
  if (inPhase(sa, 'halfOpen', 'eapSent', 'eapProven')) return { sa: { ...sa, path }, outputs: NOTHING };
  if (!inPhase(sa, 'established')) return { sa, outputs: NOTHING };
  const heard = { ...sa, phase: { ...sa.phase, heardAt: ctx.now } };
  // RFC 4555 §3.8: "MUST NOT use these dynamic updates for IKEv2 packets"; an update says where the peer is.
  return message.response || sa.phase.mobility ? { sa: heard, outputs: NOTHING } : moved(heard, path);
}

/** Authentic ESP; `path` when it came from elsewhere than the data plane believes. */
export function heardEsp(sa: InPhase<'established'>, path: Path | undefined, ctx: Context): Step {
  // RFC 4555 §3.12: what comes from elsewhere shows no peer that knows of its address.
  const astray = sa.phase.mobility && path && path.remote !== sa.path.remote && !sa.phase.nat.remote;
  return astray ? { sa, outputs: NOTHING } : moved({ ...sa, phase: { ...sa.phase, heardAt: ctx.now } }, path);
}

/** RFC 7296 §2.23: a peer behind a NAT may get another address from it; the side that is not behind one follows. Never the client. */
function moved(sa: InPhase<'established'>, path: Path | undefined): { sa: InPhase<'established'>; outputs: readonly Output[] } {
  if (!path || path.remote === sa.path.remote || sa.connection || !sa.phase.nat.remote) return { sa, outputs: NOTHING };
  return relocate(sa, path);
}
