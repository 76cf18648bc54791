/** The whole protocol behind one function: an input and the time go in, things to do come out. */
import type { DataplaneReport } from '../contract/dataplane.ts';
import { AddressPools } from './addresses.ts';
import { redirect, uninstall } from './child.ts';
import { wanting } from './child-exchange.ts';
import type { Context, Member, Policy } from './context.ts';
import type { Cryptography } from './crypto/cryptography.ts';
import { Deadlines } from './deadlines.ts';
import * as dispatch from './dispatch.ts';
import { ProtocolError } from './error.ts';
import { failure, gone, NOT_READY, type Stage, UNKNOWN_SPI } from './failure.ts';
import { deadlineOf, expire } from './lifetime.ts';
import { newOwnedEspSpi, newOwnedSpi } from './owned-spi.ts';
import type { SecuredSa } from './protection.ts';
import { receive } from './reception.ts';
import { type IkeSa, type Instant, inPhase, later, ownSpi, type Path } from './sa.ts';
import { SaTable } from './sa-table.ts';
import { type SessionSummary, summaryOf } from './session-summary.ts';
import { Siblings } from './siblings.ts';
import { SpentTickets } from './spent-tickets.ts';
import { type ClosedWhy, type Deadline, event, type Input, NOTHING, type Output, type Step, which } from './step.ts';
import { Strain } from './strain.ts';
import { decidedBy } from './succession.ts';
import { answer, concluded, isFirstExchange, repeat } from './window.ts';
import { type Bytes, EMPTY, equalBytes, Reader } from './wire/bytes.ts';
import { decodeHeader, decodeMessage, type Header, type Message, NO_SPI } from './wire/message.ts';
import { decodePayloads, type Payload, SK, SKF } from './wire/payload.ts';
import { Exchange, Notify } from './wire/registry.ts';

type Outputs = readonly Output[];

/** More than any first request needs, with room for key exchanges to come; it is kept until IKE_AUTH. */
const MAX_FIRST_BYTES = 8_192;
const TOO_LONG = 'a first request that is too long';
/** The rest is due at once again, after what has arrived meanwhile. */
const MAX_DUE_AT_ONCE = 256;

interface GatewayParts {
  readonly crypto: Cryptography;
  readonly random: (length: number) => Bytes;
  readonly member: Member;
  readonly sas?: SaTable;
}

/** A gateway, or a client: what it is told to `connect` makes the difference. Synchronous; never throws for what came from outside. */
export class Gateway {
  readonly #crypto: Cryptography;
  readonly #random: (length: number) => Bytes;
  readonly #member: Member;
  readonly #sas: SaTable;
  readonly #deadlines = new Deadlines();
  readonly #addresses = new AddressPools();
  readonly #spent = new SpentTickets();
  readonly #strain = new Strain();
  readonly #siblings: Siblings;
  #policy: Policy | undefined;

  /** `sas`: where SAs are kept; one that holds SAs already goes on with them. */
  constructor({ crypto, random, member, sas = new SaTable() }: GatewayParts) {
    this.#crypto = crypto;
    this.#random = random;
    this.#member = member;
    this.#sas = sas;
    this.#siblings = new Siblings(member);
    for (const sa of sas.values()) this.#deadlines.set(ownSpi(sa), { at: 0 as Instant, why: 'go on' });
  }

  handle(input: Input, now: Instant): Outputs {
    const ctx = this.#context(now);
    this.#spent.prune(now);
    switch (input.type) {
      case 'datagram':
        return this.#receive(input.bytes, input.path, ctx);
      case 'deadline':
        return this.#expire(ctx);
      case 'connect':
        return this.#commit(undefined, dispatch.connect(input.connection, input.ticket, ctx), ctx);
      case 'configure':
        return this.#configure(input.policy, now);
      case 'want':
        return this.#want(input.spi, (sa) => wanting(sa, input.intent), ctx);
      case 'report':
        return this.#report(input.report, ctx);
      case 'asked':
        return this.#asked(input.question, input.bytes, ctx);
      case 'answered':
        return this.#answered(input.question, input.bytes, ctx);
      case 'shutdown':
        return this.#shutdown(input.tell, ctx);
    }
  }

  /** When to call `handle` with a deadline, if nothing else happens first. */
  deadline(): Deadline | undefined {
    const [mine, siblings] = [this.#deadlines.next(), this.#siblings.deadline()];
    if (!mine || !siblings) return mine ?? siblings;
    return mine.at <= siblings.at ? mine : siblings;
  }

  sessions(): SessionSummary[] {
    return Array.from(this.#sas.values(), summaryOf);
  }

  counts(): { halfOpen: number; established: number; spentTickets: number; forgottenTickets: number } {
    const { halfOpen, established } = this.#sas;
    return { halfOpen, established, spentTickets: this.#spent.size, forgottenTickets: this.#spent.forgotten };
  }

  #receive(datagram: Bytes, path: Path, ctx: Context): Outputs {
    const stage: Stage = { path, datagram, message: undefined, sa: undefined, authentic: undefined, outputs: NOTHING };
    return this.#guarded(stage, ctx, () => this.#route(stage, ctx));
  }

  #route(stage: Stage, ctx: Context): Outputs {
    const { datagram, path } = stage;
    // Nothing is decoded before it is known that somebody may want it.
    const header = decodeHeader(datagram);
    const begins = header.spiR === NO_SPI && !header.response;
    stage.sa = begins ? undefined : this.#find(header);
    if (begins ? datagram.length > MAX_FIRST_BYTES : !stage.sa && !mayBeSiblings(header, datagram))
      throw new ProtocolError('drop', Notify.INVALID_IKE_SPI, begins ? TOO_LONG : UNKNOWN_SPI);
    const message = decodeMessage(datagram);
    stage.message = message;
    if (begins) return this.#first(message, stage, ctx);
    if (!stage.sa) return this.#unknown(message, datagram, path, ctx);
    if (inPhase(stage.sa, 'initSent', 'resumeSent')) return this.#concludeFirst(stage.sa, message, datagram, ctx);
    return this.#protected(stage.sa as SecuredSa, message, stage, ctx);
  }

  /** The one place where errors are caught. */
  #guarded(stage: Stage, ctx: Context, run: () => Outputs): Outputs {
    try {
      return run();
    } catch (error) {
      if (error instanceof ProtocolError) return this.#commit(stage.sa, failure(error, stage, ctx), ctx);
      return this.#broken(error, stage, ctx);
    }
  }

  /** A request that begins an SA, or its repetition. */
  #first(message: Message, stage: Stage, ctx: Context): Outputs {
    const { path, datagram } = stage;
    // RFC 7296 §3.1: the Initiator flag is set by whoever begins.
    if (!isFirstExchange(message.exchange) || message.messageId !== 0 || !message.initiator)
      throw new ProtocolError('drop', Notify.INVALID_IKE_SPI, UNKNOWN_SPI);
    // RFC 7296 §2.1: "the responder ... MUST ... retransmit its response".
    const known = this.#sas.byFirstRequest(message.spiI, path.remote);
    if (known && inPhase(known, 'halfOpen') && equalBytes(known.phase.first.initiator, datagram)) return repeat(known, path);
    const moved = this.#siblings.firstResponse(message.spiI, datagram, path, ctx.now);
    if (moved) return moved;
    if (!this.#siblings.settled(ctx.now)) throw new ProtocolError('drop', Notify.TEMPORARY_FAILURE, NOT_READY);
    return this.#commit(undefined, dispatch.respondFirst(message, datagram, path, ctx), ctx);
  }

  #concludeFirst(sa: Parameters<typeof dispatch.concludeFirst>[0], message: Message, datagram: Bytes, ctx: Context): Outputs {
    const asked = sa.phase.name === 'initSent' ? Exchange.IKE_SA_INIT : Exchange.IKE_SESSION_RESUME;
    if (!message.response || message.messageId !== 0 || message.exchange !== asked)
      throw new ProtocolError('drop', Notify.INVALID_SYNTAX, dispatch.UNEXPECTED);
    return this.#commit(sa, dispatch.concludeFirst(sa, message, datagram, ctx), ctx);
  }

  #protected(sa: SecuredSa, message: Message, stage: Stage, ctx: Context): Outputs {
    // The gateway may be sure of us before we are of it: what it asks then comes again, or comes to nothing.
    if (inPhase(sa, 'authSent') && !message.response) throw new ProtocolError('drop', Notify.INVALID_SYNTAX, dispatch.UNEXPECTED);
    const reception = receive(sa, message, ctx);
    if (reception.is === 'repetition') return repeat(sa, stage.path);
    if (reception.is === 'fragment') return this.#commit(sa, { sa: reception.sa, outputs: NOTHING }, ctx);
    stage.authentic = sa;
    const payloads = decodePayloads(reception.first, new Reader(reception.bytes));
    const { sa: heard, outputs } = heardFrom(sa, message, stage.path, ctx);
    stage.authentic = heard;
    stage.outputs = outputs;
    if (message.response) return [...outputs, ...this.#commit(sa, dispatch.conclude(concluded(heard), payloads, ctx), ctx)];
    const asked = this.#decided(heard, payloads, stage, ctx);
    const reply = dispatch.respond(asked, message.exchange, payloads, ctx);
    return [...stage.outputs, ...this.#commit(asked, this.#reply(asked, message, stage.path, reply, ctx), ctx)];
  }

  /** The SA as it is once the request itself has shown which of two rekeys that met is the one that stays. */
  #decided(heard: SecuredSa, payloads: readonly Payload[], stage: Stage, ctx: Context): SecuredSa {
    const decision = decidedBy(heard, payloads, ctx);
    if (!decision) return heard;
    this.#put(heard, ctx);
    stage.outputs = [...stage.outputs, ...this.#commit(decision.old, decision.step, ctx)];
    stage.sa = this.#sas.get(ownSpi(heard));
    stage.authentic = stage.sa as SecuredSa;
    return stage.authentic;
  }

  #reply(
    sa: SecuredSa,
    message: Message,
    path: Path,
    { payloads, ...step }: ReturnType<typeof dispatch.respond>,
    ctx: Context,
  ): Step {
    const answered = answer(sa, step.sa ?? gone(sa, ctx), { ...message, path }, payloads, ctx);
    return { ...step, sa: answered.sa, outputs: [...answered.outputs, ...step.outputs] };
  }

  /** RFC 7296 §2.1: the flag tells which of the two SPIs is ours. */
  #find(message: Header): IkeSa | undefined {
    const sa = this.#sas.get(message.initiator ? message.spiR : message.spiI);
    if (!sa || (sa.role === 'responder') !== message.initiator) return undefined;
    const peerSpi = sa.role === 'responder' ? sa.spiI === message.spiI : sa.spiR === NO_SPI || sa.spiR === message.spiR;
    return peerSpi ? sa : undefined;
  }

  /** Nobody here; perhaps a sibling has it. */
  #unknown(message: Message, datagram: Bytes, path: Path, ctx: Context): Outputs {
    // An SA that is taken over wants an address too.
    if (!this.#siblings.settled(ctx.now)) throw new ProtocolError('drop', Notify.TEMPORARY_FAILURE, NOT_READY);
    const asked = this.#siblings.receive(message, { path, bytes: datagram }, ctx);
    if (asked) return asked;
    throw new ProtocolError('drop', Notify.INVALID_IKE_SPI, UNKNOWN_SPI);
  }

  #broken(error: unknown, { sa, datagram, message }: Stage, ctx: Context): Outputs {
    const bug = event({ name: 'internal-error', error, length: datagram.length, spi: message?.spiR ?? '' });
    return [bug, ...this.#commit(sa, { sa: undefined, outputs: NOTHING, closes: 'internal error' }, ctx)];
  }

  #expire(ctx: Context): Outputs {
    const outputs = this.#deadlines.take(ctx.now, MAX_DUE_AT_ONCE).flatMap((spi) => {
      const sa = this.#sas.get(spi); // as those before it have left it
      return sa ? this.#commit(sa, expire(sa, ctx), ctx) : NOTHING;
    });
    return [...outputs, ...this.#siblings.expire(ctx)];
  }

  #configure(policy: Policy, now: Instant): Outputs {
    const first = this.#policy === undefined;
    this.#policy = policy;
    this.#addresses.configure(policy.config.pools, policy.config.slices, this.#member.ordinal, new Reader(this.#random(4)).u32());
    this.#spent.configure(policy.config.tickets.maxSpent);
    if (first) return this.#siblings.begin(this.#context(now));
    this.#siblings.configured(this.#context(now));
    return NOTHING;
  }

  #want(spi: string, change: (sa: IkeSa & { phase: { name: 'established' } }) => IkeSa, ctx: Context): Outputs {
    const sa = this.#sas.get(spi);
    return sa && inPhase(sa, 'established') ? this.#commit(sa, { sa: change(sa), outputs: NOTHING }, ctx) : NOTHING;
  }

  #report(report: DataplaneReport, ctx: Context): Outputs {
    const sa = this.#sas.byChild(report.spiIn);
    if (!sa || !inPhase(sa, 'established')) return NOTHING;
    if (report.report === 'expiring')
      return this.#commit(sa, { sa: wanting(sa, { kind: 'rekeyChild', spiIn: report.spiIn }), outputs: NOTHING }, ctx);
    return this.#commit(sa, moved({ ...sa, phase: { ...sa.phase, heardAt: ctx.now } }, report.path), ctx);
  }

  #asked(question: string, bytes: Bytes, ctx: Context): Outputs {
    return this.#guarded(words(bytes), ctx, () => {
      const { outputs, ends } = this.#siblings.asked(question, bytes, ctx);
      return [...ends.flatMap(({ spi, why }) => this.#end(spi, why, ctx)), ...outputs];
    });
  }

  #answered(question: string, bytes: Bytes | undefined, ctx: Context): Outputs {
    return this.#guarded(words(bytes ?? EMPTY), ctx, () => {
      const { sa, waiting, outputs, closes } = this.#siblings.answered(question, bytes, ctx);
      const told = closes.flatMap((spi) => this.#want(spi, (one) => wanting(one, { kind: 'deleteIke' }), ctx));
      const taken = sa ? this.#commit(undefined, { sa, outputs: NOTHING }, ctx) : NOTHING;
      return [
        ...outputs,
        ...told,
        ...taken,
        ...waiting.flatMap(({ path, bytes: datagram }) => this.#receive(datagram, path, ctx)),
      ];
    });
  }

  #shutdown(tell: boolean, ctx: Context): Outputs {
    const all = Array.from(this.#sas.values());
    return all.flatMap((sa) => {
      if (tell && inPhase(sa, 'established'))
        return this.#commit(sa, { sa: wanting(sa, { kind: 'deleteIke' }), outputs: NOTHING }, ctx);
      return this.#end(ownSpi(sa), 'shutdown', ctx);
    });
  }

  /** Makes a step true: the table of SAs, their timers, their addresses. */
  #commit(before: IkeSa | undefined, step: Step, ctx: Context): Outputs {
    const { sa, outputs } = step.sa ? dispatch.pursue(step.sa, ctx) : step;
    const all = [...step.outputs, ...(step.sa ? outputs : [])];
    if (before) all.push(...this.#depart(before, sa, step.closes, ctx));
    if (sa) this.#put(sa, ctx);
    for (const one of step.born ?? []) all.push(...this.#bear(before, one, ctx));
    for (const { spi, why } of step.ends ?? []) all.push(...this.#end(spi, why, ctx));
    if (step.begin) all.push(...this.#commit(undefined, dispatch.connectAnew(step.begin, ctx), ctx));
    return [...all, ...this.#siblings.changed(before, sa, ctx)];
  }

  /** An IKE rekey: the new SA, which may have taken over the addresses of the old one. */
  #bear(before: IkeSa | undefined, born: IkeSa, ctx: Context): Outputs {
    if (before && inPhase(born, 'established') && born.phase.inner.length > 0)
      this.#addresses.rename(ownSpi(before), ownSpi(born));
    const { sa, outputs } = dispatch.pursue(born, ctx);
    if (sa) this.#put(sa, ctx);
    return outputs;
  }

  /** What goes with the former state of an SA when it is gone, or has moved under another SPI of ours. */
  #depart(before: IkeSa, after: IkeSa | undefined, closes: ClosedWhy | undefined, ctx: Context): Outputs {
    const spi = ownSpi(before);
    if (after && ownSpi(after) !== spi) this.#drop(spi);
    if (after && after.phase.name !== 'gone') return NOTHING;
    if (!after) this.#drop(spi);
    return before.phase.name === 'gone' ? NOTHING : this.#closed(before, closes ?? 'handshake failed', ctx);
  }

  #closed(sa: IkeSa, why: ClosedWhy, ctx: Context): Outputs {
    const { phase, connection } = sa;
    const remote = inPhase(sa, 'established', 'closing') ? sa.phase.remote : undefined;
    this.#addresses.release(ownSpi(sa), ctx.now, later(ctx.now, this.#policy?.config.tickets.lifetimeMs ?? 0));
    const children = phase.name === 'established' ? phase.children.flatMap(({ spiIn }) => uninstall(sa, spiIn)) : [];
    return [...children, event({ name: 'closed', why, remote, connection: connection?.name, ...which(sa) })];
  }

  /** Silently: nothing is sent. */
  #end(spi: string, why: ClosedWhy, ctx: Context): Outputs {
    const sa = this.#sas.get(spi);
    return sa ? this.#commit(sa, { sa: undefined, outputs: NOTHING, closes: why }, ctx) : NOTHING;
  }

  #put(sa: IkeSa, ctx: Context): void {
    this.#sas.put(sa);
    this.#deadlines.set(ownSpi(sa), deadlineOf(sa, ctx));
  }

  #drop(spi: string): void {
    this.#sas.delete(spi);
    this.#deadlines.delete(spi);
  }

  #context(now: Instant): Context {
    const policy = this.#policy;
    const keys = policy && { ring: policy.ring, crypto: this.#crypto, audience: policy.config.audience };
    const { ordinal } = this.#member;
    return {
      ...{ now, policy, random: this.#random, crypto: this.#crypto, member: this.#member },
      ...{ addresses: this.#addresses, spent: this.#spent, strain: this.#strain },
      newIkeSpi: () =>
        unused(
          () => newOwnedSpi(ordinal, this.#random, keys),
          (spi) => this.#sas.get(spi) === undefined,
        ),
      newEspSpi: () =>
        unused(
          () => newOwnedEspSpi(ordinal, this.#random),
          (spi) => this.#sas.byChild(spi) === undefined,
        ),
      sessionsOf: (remote) => this.#sas.sessionsOf(remote),
      find: (spi) => this.#sas.get(spi),
      halfOpen: this.#sas.halfOpen,
      halfOpenFrom: (remote) => this.#sas.halfOpenFrom(remote),
      sessions: this.#sas.established,
    };
  }
}

function unused<T>(draw: () => T, isFree: (value: T) => boolean): T {
  for (let attempt = 0; attempt < 100; attempt++) {
    const drawn = draw();
    if (isFree(drawn)) return drawn;
  }
  throw new Error('no free SPI in a hundred draws: the random source is broken');
}

/** RFC 7383 §2.5, RFC 7296 §3.14: the first protected request of an SA that is not here holds one payload, an encrypted one. */
const mayBeSiblings = ({ response, initiator, messageId }: Header, datagram: Bytes): boolean =>
  !response && initiator && messageId === 1 && (datagram[16] === SK || datagram[16] === SKF);

/** Words of a sibling belong to no SA yet. */
const words = (datagram: Bytes): Stage => ({
  ...{ path: NO_PATH, datagram, message: undefined, sa: undefined, authentic: undefined, outputs: NOTHING },
});
const NO_PATH: Path = { local: '', remote: '' };

/** An authentic message: the peer lives, and perhaps it is elsewhere now. */
function heardFrom(sa: SecuredSa, message: Message, path: Path, ctx: Context): { sa: SecuredSa; outputs: Outputs } {
  // RFC 7296 §2.23: after the first exchange the initiator may have moved to port 4500.
  if (inPhase(sa, 'halfOpen')) return { sa: { ...sa, path }, outputs: NOTHING };
  if (!inPhase(sa, 'established')) return { sa, outputs: NOTHING };
  const heard = { ...sa, phase: { ...sa.phase, heardAt: ctx.now } };
  const step = message.response ? { sa: heard, outputs: NOTHING } : moved(heard, path);
  return { sa: (step.sa ?? heard) as SecuredSa, outputs: step.outputs };
}

/** RFC 7296 §2.23: a peer behind a NAT may get another address from it; the side that is not behind one follows. Never the client. */
function moved(sa: IkeSa & { readonly phase: { readonly name: 'established' } }, path: Path | undefined): Step {
  if (!inPhase(sa, 'established') || !path || path.remote === sa.path.remote || sa.connection || !sa.phase.nat.remote)
    return { sa, outputs: NOTHING };
  const next = { ...sa, path };
  return {
    sa: next,
    outputs: [...redirect(sa.phase.children, path), event({ name: 'moved', from: sa.path.remote, ...which(next) })],
  };
}
