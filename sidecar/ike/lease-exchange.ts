/** Inner addresses across pods: a session that resumes elsewhere keeps its address under a lease that the owner of the slice learns of. */
import { identityKey, type LeaseNotice } from './addresses.ts';
import type { Context } from './context.ts';
import type { Answer, Question } from './peer-channel.ts';
import { type Established, type IkeSa, type Instant, inPhase, later, ownSpi } from './sa.ts';
import type { Deadline, Step } from './step.ts';
import { hex } from './wire/bytes.ts';

type Ends = NonNullable<Step['ends']>;
type Notices = readonly { readonly to: number; readonly leases: readonly LeaseNotice[] }[];
type LeaseQuestion = Extract<Question, { kind: 'lease' | 'leases?' }>;

/** A lease that is not told again within this time has ended; so the owner may be told late or miss one telling. */
const LEASE_MS = 90_000;
const RENEW_MS = 30_000;
/** A sibling that says nothing for this long after our start holds nothing that we wait for. */
const SETTLE_MS = 2_000;
const MAX_NOTICES = 256;

export class LeaseExchange {
  /** Ordinals that have not yet told what they hold of our slice. */
  readonly #awaited = new Set<number>();
  #settledBy: Instant | undefined;
  #renewAt: Instant | undefined;
  /** Our SPIs of the sessions that have been announced. */
  readonly #announced = new Set<string>();

  begin(others: readonly number[], now: Instant): readonly number[] {
    for (const other of others) this.#awaited.add(other);
    this.#settledBy = later(now, SETTLE_MS);
    return others;
  }

  settled = (now: Instant): boolean => this.#settledBy !== undefined && (this.#awaited.size === 0 || now >= this.#settledBy);

  deadline = (): Deadline | undefined => (this.#renewAt === undefined ? undefined : { at: this.#renewAt, why: 'renew leases' });

  /** At once for a session that is new here. */
  announce(sa: IkeSa & { readonly phase: Established }, ctx: Context): Notices {
    const spi = ownSpi(sa);
    const { replaces, inner, remote } = sa.phase;
    if (replaces === undefined || this.#announced.has(spi)) return [];
    this.#announced.add(spi);
    const foreign = ctx.addresses.foreign().filter(({ holder }) => holder === spi);
    const former = replaces.pod === undefined || replaces.pod === ctx.member.ordinal ? [] : [replaces.pod];
    const told = new Set([...foreign.map(({ ordinal }) => ordinal), ...former]);
    if (foreign.length > 0) this.#renewAt ??= later(ctx.now, RENEW_MS);
    const leases = inner.map((address) => ({
      address,
      identity: identityKey(remote),
      until: later(ctx.now, LEASE_MS),
      oldSpi: replaces.spiR,
    }));
    return [...told].map((to) => ({ to, leases }));
  }

  /** Again and again, as long as the sessions live. */
  renew(ctx: Context): Notices {
    if (this.#renewAt === undefined || this.#renewAt > ctx.now) return [];
    for (const spi of this.#announced) if (!ctx.find(spi)) this.#announced.delete(spi);
    const byOwner = Map.groupBy(ctx.addresses.foreign(), ({ ordinal }) => ordinal);
    this.#renewAt = byOwner.size > 0 ? later(ctx.now, RENEW_MS) : undefined;
    return [...byOwner].flatMap(([to, held]) =>
      batches(
        held.map((lease) => notice(lease, ctx)),
        to,
      ),
    );
  }

  /** A sibling tells, or asks. Whose SA was replaced ends silently (RFC 5723 §4.3.4). */
  answer(question: LeaseQuestion, ctx: Context): { answer: Answer; ends: Ends } {
    const { from } = question;
    if (question.kind === 'leases?') {
      const held = ctx.addresses.foreign().filter(({ ordinal }) => ordinal === from);
      return { answer: { kind: 'leases', leases: held.slice(0, MAX_NOTICES).map((lease) => notice(lease, ctx)) }, ends: [] };
    }
    const ends = question.leases.flatMap((lease) => replacedBy(lease, ctx));
    const refused = question.leases
      .filter((lease) => ctx.addresses.announce(lease, from, ctx.now) === 'taken')
      .map(({ address }) => address);
    return { answer: { kind: 'leased', refused }, ends };
  }

  /** What a sibling answered; undefined: nothing. */
  conclude(question: LeaseQuestion, answer: Answer | undefined, ctx: Context): Ends {
    if (question.kind === 'leases?') {
      this.#awaited.delete(question.to);
      if (answer?.kind === 'leases') for (const lease of answer.leases) ctx.addresses.announce(lease, question.to, ctx.now);
      return [];
    }
    if (answer?.kind !== 'leased' || answer.refused.length === 0) return [];
    // The owner has given the address to somebody else meanwhile: that session keeps it.
    const refused = new Set(answer.refused.map(hex));
    const losers = ctx.addresses.foreign().filter(({ address }) => refused.has(hex(address)));
    return [...new Set(losers.map(({ holder }) => holder))].map((spi) => ({ spi, why: 'address taken' }));
  }
}

/** The SA that a session at a sibling replaces: by its SPI, or after a rekey by its address. */
function replacedBy({ oldSpi, identity, address }: LeaseNotice, ctx: Context): Ends {
  if (oldSpi === undefined) return [];
  const named = [oldSpi, ctx.addresses.holderOf(address)].flatMap((spi) => (spi === undefined ? [] : (ctx.find(spi) ?? [])));
  const old = named.filter((sa) => inPhase(sa, 'established') && identityKey(sa.phase.remote) === identity);
  return [...new Set(old.map(ownSpi))].map((spi) => ({ spi, why: 'superseded by resumption' }));
}

const notice = (
  { address, identity }: { readonly address: LeaseNotice['address']; readonly identity: string },
  ctx: Context,
): LeaseNotice => ({
  ...{ address, identity, until: later(ctx.now, LEASE_MS) },
  oldSpi: undefined,
});

function batches(leases: readonly LeaseNotice[], to: number): Notices {
  const count = Math.ceil(leases.length / MAX_NOTICES);
  return Array.from({ length: count }, (_, at) => ({ to, leases: leases.slice(at * MAX_NOTICES, (at + 1) * MAX_NOTICES) }));
}
