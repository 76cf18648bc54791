/** How many sessions one identity may have (a policy of the rule), and which of them a new one takes the place of (RFC 7296 §2.4, RFC 5723 §4.3.4). */
import { failed, type Who } from './authentication.ts';
import type { Context } from './context.ts';
import { ProtocolError } from './error.ts';
import { findNotify, type Notifies, SESSION_LIMIT } from './first-exchange.ts';
import { type IkeSa, type InPhase, ownSpi } from './sa.ts';
import type { Step } from './step.ts';
import { inForce } from './terms.ts';
import { type Bytes, equalBytes } from './wire/bytes.ts';
import { Notify } from './wire/registry.ts';

export interface Admission {
  /** Those of the same peer that end silently, and those that are told so. */
  readonly ends: NonNullable<Step['ends']>;
  readonly tells: NonNullable<Step['tells']>;
  /** Inner addresses that the peer may have back. */
  readonly proven: readonly Bytes[];
  /** The same for the sessions of this peer at other pods, as far as those hear of it. */
  readonly supersedes: NonNullable<Step['supersedes']>;
}

/** `refuse` and the number of sessions are by what this pod has: siblings count for themselves. @throws ProtocolError (abort) when there is no place for one more. */
export function admitSession(sa: InPhase<'halfOpen'>, who: Who, notifies: Notifies, ctx: Context): Admission {
  const { config } = inForce(ctx);
  const { uniqueness, maxSessions } = who.rule;
  const sessions = ctx.sessionsOf(who.remote);
  const { ends, proven, supersedes } = superseded(sa, sessions, notifies);
  const others = sessions.filter((one) => !ends.some(({ spi }) => spi === ownSpi(one)));
  if (uniqueness === 'refuse' && others.length > 0) throw failed('another session of this identity');
  const tells =
    uniqueness === 'replace' ? others.map((one) => ({ spi: ownSpi(one), why: 'replaced by another session' }) as const) : [];
  // Here, where it is known which sessions go for this one.
  if (ctx.sessions - ends.length - tells.length >= config.ike.maxSessions)
    throw new ProtocolError('abort', Notify.TEMPORARY_FAILURE, SESSION_LIMIT);
  if (others.length - tells.length >= maxSessions)
    throw new ProtocolError('abort', Notify.TEMPORARY_FAILURE, 'too many sessions of this identity');
  const elsewhere: Admission['supersedes'] = uniqueness === 'replace' ? [{ why: 'replaced by another session' }] : [];
  return { ends, tells, proven, supersedes: [...supersedes, ...elsewhere] };
}

function superseded(
  { phase: { resumed } }: InPhase<'halfOpen'>,
  sessions: readonly IkeSa[],
  notifies: Notifies,
): Omit<Admission, 'tells'> {
  if (resumed) {
    // RFC 5723 §4.3.4: the old SA goes silently when it is still alive; after a rekey it is known by its addresses.
    const isOld = (one: IkeSa): boolean => one.spiI === resumed.spiI && one.spiR === resumed.spiR;
    const old = sessions.filter((one) => isOld(one) || holdsOneOf(one, resumed.inner));
    const why = 'superseded by resumption';
    const { spiI, spiR, inner } = resumed;
    return { ends: old.map((one) => ({ spi: ownSpi(one), why })), proven: inner, supersedes: [{ why, old: { spiI, spiR } }] };
  }
  // RFC 7296 §2.4: INITIAL_CONTACT: the peer knows of no other SA with us.
  if (!findNotify(notifies, Notify.INITIAL_CONTACT)) return { ends: [], proven: [], supersedes: [] };
  const proven = sessions.flatMap((one) => (one.phase.name === 'established' ? one.phase.inner : []));
  const why = 'superseded by initial contact';
  return { ends: sessions.map((one) => ({ spi: ownSpi(one), why })), proven, supersedes: [{ why }] };
}

const holdsOneOf = ({ phase }: IkeSa, addresses: readonly Bytes[]): boolean =>
  phase.name === 'established' && phase.inner.some((held) => addresses.some((address) => equalBytes(address, held)));
