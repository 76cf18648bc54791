/**
 * Sessions at other pods that a new one takes the place of (RFC 7296 §2.4, RFC 5723 §4.3.4, uniqueness `replace`): the siblings are
 * told, some of them together and as well as it goes. One that does not hear keeps a session that its peer does not know any more,
 * until it asks whether that lives.
 */
import type { Context } from './context.ts';
import { type Identity, type IkeSa, type InPhase, type Instant, inPhase, later, ownSpi } from './sa.ts';
import { heldBy } from './session-move.ts';
import type { Step } from './step.ts';

/** What the new session means for others: `old` is the one SA that a resumption replaces, else all of this identity are meant that are older. */
export type Supersedes =
  | { readonly why: 'superseded by resumption'; readonly old: { readonly spiI: string; readonly spiR: string } }
  | { readonly why: 'superseded by initial contact' | 'replaced by another session' };

/** As a sibling hears it. A span and no instant: two pods' clocks need not agree. */
export interface SupersededNotice {
  readonly identity: Identity;
  /** How long ago the new session began. */
  readonly ageMs: number;
  readonly why: Supersedes['why'];
  readonly old: { readonly spiI: string; readonly spiR: string } | undefined;
}

type Ended = Pick<Required<Step>, 'ends' | 'tells'>;
type News = Omit<SupersededNotice, 'ageMs'> & { readonly began: Instant };

/** They are told faster than they come; beyond this many the oldest are dropped. */
const MAX_NEWS = 4_096;
/** What one message may tell: its words must pass in one piece. */
const MAX_NOTICES = 384;
const MAX_BYTES = 48 * 1024;
/** Keys and numbers of one notice in CBOR, and the SPIs. */
const OVERHEAD = 160;
/** No identity of the field is as long as that. */
const MAX_IDENTITY_BYTES = 4_096;

export class SupersededNews {
  #news: News[] = [];

  add(sa: InPhase<'established'>, all: readonly Supersedes[]): void {
    const { remote: identity, since: began } = sa.phase;
    if (identity.data.length > MAX_IDENTITY_BYTES) return;
    for (const one of all) this.#news.push({ identity, began, why: one.why, old: 'old' in one ? one.old : undefined });
    if (this.#news.length > MAX_NEWS) this.#news = this.#news.slice(-MAX_NEWS);
  }

  get isEmpty(): boolean {
    return this.#news.length === 0;
  }

  /** The oldest, as many as one message may tell. */
  take(now: Instant): readonly SupersededNotice[] {
    let [count, bytes] = [0, 0];
    for (const { identity } of this.#news) {
      bytes += identity.data.length + OVERHEAD;
      if (count === MAX_NOTICES || bytes > MAX_BYTES) break;
      count += 1;
    }
    return this.#news.splice(0, count).map(({ began, ...news }) => ({ ...news, ageMs: now - began }));
  }
}

/** What ends here by what a sibling says; `at`: when it said so, by its own clock. */
export function endedBy(notices: readonly SupersededNotice[], at: Instant, ctx: Context): Ended {
  const ends = new Map<string, Ended['ends'][number]>();
  const tells: Ended['tells'][number][] = [];
  for (const { identity, ageMs, why, old } of notices) {
    const [known] = old ? [heldBy(old, ctx)] : [];
    if (known && inPhase(known, 'established')) ends.set(ownSpi(known), { spi: ownSpi(known), why });
    if (old) continue;
    // Words that come late, or were recorded, end nothing that began since.
    const before = later(at < ctx.now ? at : ctx.now, -ageMs);
    for (const sa of ctx.sessionsOf(identity).filter((one) => isOlder(one, before))) {
      if (why === 'replaced by another session') tells.push({ spi: ownSpi(sa), why });
      else ends.set(ownSpi(sa), { spi: ownSpi(sa), why });
    }
  }
  return { ends: [...ends.values()], tells: tells.filter(({ spi }) => !ends.has(spi)) };
}

const isOlder = (sa: IkeSa, than: Instant): boolean => inPhase(sa, 'established') && sa.phase.since < than;
