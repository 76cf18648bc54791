/** What time does to an SA: retransmission, expiry, liveness, rekeys (RFC 7296 §2.4, §2.8). */
import type { Child } from './child.ts';
import { wanting } from './child-exchange.ts';
import type { Context } from './context.ts';
import type { Established, Intent } from './established.ts';
import { type IkeSa, type InPhase, type Instant, inPhase, isUnproven, later, NEVER, ownSpi } from './sa.ts';
import type { ClosedWhy, Deadline, Step } from './step.ts';
import { yieldTo } from './succession.ts';
import { termsOf } from './terms.ts';
import { retransmit } from './window.ts';

/** The earliest instant at which time does something to this SA. */
export function deadlineOf(sa: IkeSa, ctx: Pick<Context, 'policy'>): Deadline {
  let earliest: Deadline = { at: sa.window.sent?.due ?? NEVER, why: 'retransmit' };
  const consider = (at: Instant, why: string): void => {
    if (at < earliest.at) earliest = { at, why };
  };
  if (sa.window.fragments) consider(sa.window.fragments.until, 'discard fragments');
  const { phase } = sa;
  if ('until' in phase) consider(phase.until, 'expire');
  if (phase.name !== 'established') return earliest;
  if (!phase.wanted.some(({ kind }) => kind === 'deleteIke')) {
    consider(phase.reauthenticateBy, 'reauthenticate');
    if (phase.endsBy) consider(phase.endsBy.at, 'end');
  }
  if (phase.childAgain) consider(phase.childAgain.at, 'ask for a child again');
  if (phase.awaited) consider(phase.awaited.until, 'forget a key exchange');
  if (leaves(phase, ctx)) consider(phase.since, 'redirect');
  consider(phase.rekeyAt, 'rekey the IKE SA');
  for (const child of phase.children) {
    consider(child.rekeyAt, 'rekey a child');
    if (child.replacedUntil !== undefined) consider(child.replacedUntil, 'delete a replaced child');
  }
  if (isIdle(sa)) consider(livenessAt(sa as InPhase<'established'>, ctx), 'liveness');
  return earliest;
}

/** Time has come for something. */
export function expire(sa: IkeSa, ctx: Context): Step {
  if (sa.window.sent && sa.window.sent.due <= ctx.now) return retransmit(sa, ctx) ?? abandoned(sa, ctx);
  if (sa.window.fragments && sa.window.fragments.until <= ctx.now)
    return { sa: { ...sa, window: { ...sa.window, fragments: undefined } }, outputs: [] };
  const { phase } = sa;
  if ('until' in phase && phase.until <= ctx.now) return { sa: undefined, outputs: [], closes: outlived(phase) };
  return { sa: inPhase(sa, 'established') ? mature(sa, ctx) : sa, outputs: [] };
}

function outlived(phase: IkeSa['phase']): ClosedWhy {
  if (isUnproven(phase)) return 'half-open too long';
  return phase.name === 'replaced' ? 'rekeyed' : 'handshake failed';
}

function abandoned(sa: IkeSa, ctx: Context): Step {
  const exchange = inPhase(sa, 'established') ? sa.phase.exchange : undefined;
  // The peer's own rekey did arrive, so it is the new SA that tells whether the peer lives.
  const yielded = inPhase(sa, 'established') && exchange?.kind === 'rekeyIke' && yieldTo(exchange.rival, sa, ctx);
  return yielded || { sa: undefined, outputs: [], closes: unanswered(sa) };
}

/** Nobody answers: the peer is dead to us. No DELETE, so that its ticket stays good. */
function unanswered({ phase }: IkeSa): ClosedWhy {
  if (phase.name === 'established') return 'peer dead';
  return phase.name === 'closing' ? phase.why : 'handshake failed';
}

/** RFC 5685 §5: the policy sends everybody elsewhere, and this client can follow. One whose turn it is already waits for the window. */
const leaves = ({ redirectable, wanted }: Established, { policy }: Pick<Context, 'policy'>): boolean =>
  redirectable && policy?.config.redirect?.when === 'always' && !wanted.some(({ kind }) => kind === 'redirect');

function mature(sa: InPhase<'established'>, ctx: Context): InPhase<'established'> {
  const { phase } = sa;
  const intents: Intent[] = [];
  // RFC 5723 §6.2 and RFC 7296 §2.8.3: authenticating anew means a new IKE SA, by the client.
  if (phase.reauthenticateBy <= ctx.now) intents.push({ kind: 'deleteIke', why: 'authentication too old' });
  else if (phase.endsBy && phase.endsBy.at <= ctx.now) intents.push({ kind: 'deleteIke', why: phase.endsBy.why });
  // A list that came after the session revokes it too: looked at whenever time does something to an SA.
  else if (isRevoked(sa, ctx)) intents.push({ kind: 'deleteIke', why: 'certificate revoked' });
  if (leaves(phase, ctx)) intents.push({ kind: 'redirect' });
  if (phase.rekeyAt <= ctx.now) intents.push({ kind: 'rekeyIke' });
  if (phase.childAgain && phase.childAgain.at <= ctx.now) intents.push({ kind: 'newChild' });
  for (const child of phase.children) intents.push(...childIntents(child, ctx));
  if (isIdle(sa) && livenessAt(sa, ctx) <= ctx.now) intents.push({ kind: 'liveness' });
  const next = {
    ...phase,
    awaited: phase.awaited && phase.awaited.until <= ctx.now ? undefined : phase.awaited,
    // What was begun is not due any more; a refusal sets a new instant.
    rekeyAt: phase.rekeyAt <= ctx.now ? NEVER : phase.rekeyAt,
    childAgain: phase.childAgain && phase.childAgain.at <= ctx.now ? { ...phase.childAgain, at: NEVER } : phase.childAgain,
    children: phase.children.map((child) => begun(child, ctx)),
  };
  return wanting({ ...sa, phase: next }, ...intents);
}

function isRevoked({ connection, phase }: InPhase<'established'>, { policy, now }: Context): boolean {
  const { certificate } = phase.credential;
  return !connection && certificate !== undefined && policy?.credentials.trust.revokes(certificate.chain, now) === true;
}

function childIntents({ spiIn, rekeyAt, replacedUntil }: Child, ctx: Context): Intent[] {
  if (replacedUntil !== undefined) return replacedUntil <= ctx.now ? [{ kind: 'deleteChild', spiIn }] : [];
  return rekeyAt <= ctx.now ? [{ kind: 'rekeyChild', spiIn }] : [];
}

function begun(child: Child, ctx: Context): Child {
  const rekeyAt = child.rekeyAt <= ctx.now ? NEVER : child.rekeyAt;
  const replacedUntil = child.replacedUntil !== undefined && child.replacedUntil <= ctx.now ? NEVER : child.replacedUntil;
  return { ...child, rekeyAt, replacedUntil };
}

/** RFC 7296 §2.4: when nothing authentic has come for a while, ask. */
function livenessAt(sa: InPhase<'established'>, ctx: Pick<Context, 'policy'>): Instant {
  const { deadPeerMs } = termsOf(sa, ctx);
  // Spread by SPI, so that sessions that came in one burst are not asked in one.
  const spread = 1 - Number.parseInt(ownSpi(sa).slice(-2), 16) / 2_560;
  return deadPeerMs === 0 ? NEVER : later(sa.phase.heardAt, Math.round(deadPeerMs * spread));
}

const isIdle = (sa: IkeSa): boolean => inPhase(sa, 'established') && !sa.window.sent && sa.phase.wanted.length === 0;
