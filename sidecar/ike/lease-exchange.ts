/** Inner addresses across pods: a session that resumes elsewhere keeps its address under a lease that the owner of the slice learns of. */
import { type Announcement, type ForeignLease, identityKey } from './addresses.ts';
import type { Context } from './context.ts';
import type { Established } from './established.ts';
import type { Answer, LeaseNotice, Question } from './peer-channel.ts';
import { type IkeSa, type Instant, inPhase, later, ownSpi } from './sa.ts';
import type { Words } from './siblings.ts';
import type { Deadline, Step } from './step.ts';
import { type Bytes, hex } from './wire/bytes.ts';

type Ends = NonNullable<Step['ends']>;
type LeaseQuestion = Extract<Question, { kind: 'lease' | 'leases?' }>;

export interface Telling {
  readonly to: number;
  readonly words: Words;
}

/** What is told of one owner's addresses, batch by batch. */
interface Renewal {
  readonly rest: Bytes[];
  /** Of the batch that is under way. */
  leases: readonly LeaseNotice[];
  since: Instant;
}

/** A lease that is not told again within this time has ended; so the owner may be told late or miss one telling. */
export const LEASE_MS = 90_000;
const RENEW_MS = 30_000;
/** A sibling that says nothing for this long after our start holds nothing that we wait for. */
const SETTLE_MS = 2_000;
/** What one question or answer tells: its words must pass in one piece. */
const MAX_NOTICES = 256;
const MAX_NOTICE_BYTES = 48 * 1024;
/** Keys, numbers and lengths of one notice in CBOR, and the SPI. */
const NOTICE_OVERHEAD = 80;

export class LeaseExchange {
  /** Ordinals that have not yet told all that they hold of our slice. */
  readonly #awaited = new Set<number>();
  readonly #renewals = new Map<number, Renewal>();
  #settledBy: Instant | undefined;
  #renewAt: Instant | undefined;

  begin(others: readonly number[], now: Instant): Telling[] {
    for (const other of others) this.#awaited.add(other);
    this.#settledBy = later(now, SETTLE_MS);
    return others.map((to) => ({ to, words: { kind: 'leases?', after: undefined } }));
  }

  settled = (now: Instant): boolean => this.#settledBy !== undefined && (this.#awaited.size === 0 || now >= this.#settledBy);

  deadline = (): Deadline | undefined => (this.#renewAt === undefined ? undefined : { at: this.#renewAt, why: 'renew leases' });

  /** An SA has changed. One that is new here is told of at once. */
  announce(sa: IkeSa & { readonly phase: Established }, isNew: boolean, ctx: Context): Telling[] {
    if (ctx.addresses.foreignCount > 0) this.#renewAt ??= later(ctx.now, RENEW_MS);
    const { replaces, inner, remote } = sa.phase;
    if (!isNew || replaces === undefined) return [];
    const owners = ctx.addresses.foreignOf(ownSpi(sa)).map(({ ordinal }) => ordinal);
    // Its ticket knows where the replaced session began; where it moved to is known to the owner of its address.
    const formers = [replaces.pod, ...ctx.addresses.formersOf(ownSpi(sa))];
    const told = new Set([...owners, ...formers.filter((pod) => pod !== undefined)]);
    if (ctx.member.ordinal !== undefined) told.delete(ctx.member.ordinal);
    const identity = identityKey(remote);
    const ageMs = ctx.now - sa.phase.since;
    const leases = inner.map((address) => ({ address, identity, forMs: LEASE_MS, ageMs, oldSpi: replaces.spiR }));
    return [...told].map((to) => ({ to, words: { kind: 'lease', leases } }));
  }

  /** The slices may have moved. */
  configured({ addresses, now }: Context): void {
    if (addresses.foreignCount > 0) this.#renewAt = now;
  }

  /** Again and again, as long as the sessions live: to every owner one batch after the other. */
  renew(ctx: Context): Telling[] {
    if (this.#renewAt === undefined || this.#renewAt > ctx.now) return [];
    const byOwner = Map.groupBy(ctx.addresses.foreign(), ({ ordinal }) => ordinal);
    this.#renewAt = byOwner.size > 0 ? later(ctx.now, RENEW_MS) : undefined;
    return [...byOwner].flatMap(([to, held]) => {
      const known = this.#renewals.get(to);
      if (known && ctx.now - known.since < RENEW_MS) return []; // the last round goes on
      this.#renewals.set(to, { rest: held.map(({ address }) => address), leases: [], since: ctx.now });
      return this.#next(to, ctx);
    });
  }

  #next(to: number, ctx: Context): Telling[] {
    const renewal = this.#renewals.get(to);
    if (!renewal) return [];
    const held = (address: Bytes): ForeignLease | undefined => {
      const lease = ctx.addresses.foreignAt(address);
      return lease?.ordinal === to ? lease : undefined; // it may have ended meanwhile
    };
    const { batch, count } = batchOf(renewal.rest, held, ctx);
    renewal.rest.splice(0, count);
    if (batch.length === 0) {
      this.#renewals.delete(to);
      return [];
    }
    renewal.leases = batch;
    renewal.since = ctx.now;
    return [{ to, words: { kind: 'lease', leases: batch } }];
  }

  /** A sibling tells, or asks. Whose SA was replaced ends silently (RFC 5723 §4.3.4). */
  answer(question: LeaseQuestion, ctx: Context): { answer: Answer; ends: Ends; tell: readonly Telling[] } {
    if (question.kind === 'leases?') return { answer: page(question, ctx), ends: [], tell: [] };
    const { from, at } = question;
    const ended = new Set<string>();
    const tell: Telling[] = [];
    const refused = question.leases.filter((lease) => {
      const told = announcement(lease, at, replacedBy(lease, at, ctx), ctx);
      for (const spi of told.replaces) ended.add(spi);
      const former = ctx.addresses.announcedBy(lease.address);
      const taken = ctx.addresses.announce(told, from, ctx.now) === 'taken';
      // The session that this one replaces had moved to a third pod, which its ticket does not know.
      if (!taken && lease.oldSpi !== undefined && former !== undefined && former !== from)
        tell.push({ to: former, words: { kind: 'lease', leases: [lease] } });
      return taken;
    });
    const ends = [...ended].map((spi) => ({ spi, why: 'superseded by resumption' }) as const);
    return { answer: { kind: 'leased', refused: refused.map(({ address }) => address) }, ends, tell };
  }

  /** What a sibling answered; undefined: nothing. `closes`: our SPIs of sessions that have lost their address. */
  conclude(
    question: LeaseQuestion,
    answer: Answer | undefined,
    ctx: Context,
  ): { closes: readonly string[]; tell: readonly Telling[] } {
    if (question.kind === 'leases?') return { closes: [], tell: this.#told(question, answer, ctx) };
    const isRenewal = this.#renewals.get(question.to)?.leases === question.leases;
    const tell = isRenewal ? this.#next(question.to, ctx) : [];
    if (answer?.kind !== 'leased') return { closes: [], tell };
    // The owner has given the address to somebody else meanwhile: that session keeps it, and the client of this one is told.
    const losers = answer.refused.flatMap((address) => ctx.addresses.foreignAt(address) ?? []);
    return { closes: [...new Set(losers.map(({ holder }) => holder))], tell };
  }

  /** A sibling has told some or all of what it holds of our slice. */
  #told({ to: sibling, at }: LeaseQuestion, answer: Answer | undefined, ctx: Context): Telling[] {
    const leases = answer?.kind === 'leases' ? answer.leases : [];
    for (const lease of leases) ctx.addresses.announce(announcement(lease, at, [], ctx), sibling, ctx.now);
    const after = leases.at(-1)?.address;
    if (answer?.kind === 'leases' && answer.more && after)
      return [{ to: sibling, words: { kind: 'leases?', after: after.slice() } }];
    this.#awaited.delete(sibling);
    return [];
  }
}

/** `at`: when it was said, or asked for. */
const announcement = (
  { address, identity, forMs, ageMs }: LeaseNotice,
  at: Instant,
  replaces: readonly string[],
  ctx: Context,
): Announcement => ({ address, identity, until: later(ctx.now, forMs), began: later(at, -ageMs), replaces });

/** Our SPIs of the SAs that a session at a sibling replaces: by the SPI, or by the address after a rekey and when that was not heard. */
function replacedBy({ oldSpi, identity, address, ageMs }: LeaseNotice, at: Instant, ctx: Context): string[] {
  const holder = ctx.addresses.holderOf(address);
  const isOld = (spi: string): boolean => {
    const sa = ctx.find(spi);
    if (!sa || !inPhase(sa, 'established') || identityKey(sa.phase.remote) !== identity) return false;
    // An SPI names one SA alone; an address may have come back to us since.
    return spi === oldSpi || sa.phase.since <= at - ageMs;
  };
  return [...new Set([oldSpi, holder])].filter((spi) => spi !== undefined).filter(isOld);
}

/** In the order of addresses, so that the next question can go on where this answer ends. */
function page({ from, after }: Extract<Question, { kind: 'leases?' }>, ctx: Context): Answer {
  const start = after === undefined ? '' : orderOf(after);
  const held = ctx.addresses
    .foreign()
    .filter(({ ordinal }) => ordinal === from)
    .map((lease) => ({ lease, order: orderOf(lease.address) }))
    .filter(({ order }) => order > start)
    .sort((a, b) => (a.order < b.order ? -1 : 1));
  const { batch, count } = batchOf(held, ({ lease }) => lease, ctx);
  return { kind: 'leases', leases: batch, more: count < held.length };
}

function ageOf(spi: string, ctx: Context): number {
  const sa = ctx.find(spi);
  return sa && inPhase(sa, 'established') ? ctx.now - sa.phase.since : ctx.now; // one that is closing claims nothing
}

/** IPv4 before IPv6. */
const orderOf = (address: Bytes): string => (address.length === 4 ? '4' : '6') + hex(address);

/** As many as one message may tell, and how many of `from` that were. */
function batchOf<T>(
  from: readonly T[],
  leaseOf: (one: T) => ForeignLease | undefined,
  ctx: Context,
): { batch: LeaseNotice[]; count: number } {
  const batch: LeaseNotice[] = [];
  let [count, bytes] = [0, 0];
  for (const one of from) {
    const lease = leaseOf(one);
    if (lease) {
      bytes += lease.identity.length + NOTICE_OVERHEAD;
      if (batch.length === MAX_NOTICES || (bytes > MAX_NOTICE_BYTES && batch.length > 0)) break;
      const { address, identity, holder } = lease;
      batch.push({ address, identity, forMs: LEASE_MS, ageMs: ageOf(holder, ctx), oldSpi: undefined });
    }
    count += 1;
  }
  return { batch, count };
}
