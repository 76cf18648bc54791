/** The whole protocol behind one function: an input and the time go in, things to do come out. */
import type { DataplaneReport } from '../contract/dataplane.ts';
import { AddressPools } from './addresses.ts';
import { carried, wanting } from './child-exchange.ts';
import { Commitment } from './commitment.ts';
import type { Context, Member, Policy } from './context.ts';
import type { Cryptography } from './crypto/cryptography.ts';
import { Deadlines } from './deadlines.ts';
import * as dispatch from './dispatch.ts';
import type { EapAnswer } from './eap.ts';
import { ProtocolError } from './error.ts';
import { failure, NOT_READY, type Stage, UNKNOWN_SPI } from './failure.ts';
import { NO_DATAPLANE } from './first-exchange.ts';
import { gone } from './gone.ts';
import { expire } from './lifetime.ts';
import { lost } from './lost-child.ts';
import { canRoam, roam } from './mobike.ts';
import { newOwnedEspSpi, newOwnedSpi } from './owned-spi.ts';
import { heardEsp, heardFrom } from './peer-path.ts';
import type { SecuredSa } from './protection.ts';
import { receive } from './reception.ts';
import { type IkeSa, type Instant, inPhase, ownSpi, type Path } from './sa.ts';
import { SaTable } from './sa-table.ts';
import { isOfSession } from './session-move.ts';
import { type SessionSummary, summaryOf } from './session-summary.ts';
import { Siblings } from './siblings.ts';
import { SpentTickets } from './spent-tickets.ts';
import { type Deadline, event, type Input, NOTHING, type Output, type Step } from './step.ts';
import { Strain } from './strain.ts';
import { decidedBy } from './succession.ts';
import { answer, concluded, headerOf, isFirstExchange, repeat } from './window.ts';
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
  readonly #steps: Commitment;
  #policy: Policy | undefined;
  #carrying = true;

  /** `sas`: where SAs are kept; one that holds SAs already goes on with them. */
  constructor({ crypto, random, member, sas = new SaTable() }: GatewayParts) {
    this.#crypto = crypto;
    this.#random = random;
    this.#member = member;
    this.#sas = sas;
    this.#siblings = new Siblings(member);
    this.#steps = new Commitment(sas, this.#deadlines, this.#siblings);
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
        return this.#steps.commit(undefined, dispatch.connect(input.connection, input.ticket, ctx), ctx);
      case 'configure':
        return this.#configure(input.policy, now);
      case 'want':
        return this.#want(input.spi, (sa) => wanting(sa, input.intent), ctx);
      case 'roam':
        return this.#roam(input.path, ctx);
      case 'report':
        return this.#report(input.report, ctx);
      case 'dataplane':
        this.#carrying = input.available;
        return NOTHING;
      case 'asked':
        return this.#asked(input.question, input.bytes, ctx);
      case 'answered':
        return this.#answered(input.question, input.bytes, ctx);
      case 'eap-answered':
        return this.#eapAnswered(input.conversation, input.answer, ctx);
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
      if (error instanceof ProtocolError) return this.#steps.commit(stage.sa, failure(error, stage, ctx), ctx);
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
    if (known && inPhase(known, 'halfOpen') && equalBytes(known.phase.first.initiator, datagram))
      return known.window.expected === 1 ? repeat(known, path) : NOTHING; // a copy that comes late
    const moved = this.#siblings.firstResponse(message.spiI, datagram, path, ctx.now);
    if (moved) return moved;
    if (!this.#siblings.settled(ctx.now)) throw new ProtocolError('drop', Notify.TEMPORARY_FAILURE, NOT_READY);
    return this.#steps.commit(undefined, dispatch.respondFirst(message, datagram, path, ctx), ctx);
  }

  #concludeFirst(sa: Parameters<typeof dispatch.concludeFirst>[0], message: Message, datagram: Bytes, ctx: Context): Outputs {
    const asked = sa.phase.name === 'initSent' ? Exchange.IKE_SA_INIT : Exchange.IKE_SESSION_RESUME;
    if (!message.response || message.messageId !== 0 || message.exchange !== asked)
      throw new ProtocolError('drop', Notify.INVALID_SYNTAX, dispatch.UNEXPECTED);
    return this.#steps.commit(sa, dispatch.concludeFirst(sa, message, datagram, ctx), ctx);
  }

  #protected(sa: SecuredSa, message: Message, stage: Stage, ctx: Context): Outputs {
    // The gateway may be sure of us before we are of it: what it asks then comes again, or comes to nothing.
    if (inPhase(sa, 'intermediateSent', 'authSent', 'eapHeard', 'eapSaid', 'eapAuthSent') && !message.response)
      throw new ProtocolError('drop', Notify.INVALID_SYNTAX, dispatch.UNEXPECTED);
    // The peer repeats the request that waits for its answer.
    if (inPhase(sa, 'eapAsked')) throw new ProtocolError('drop', Notify.INVALID_SYNTAX, dispatch.UNEXPECTED);
    // Not an error to the peer (see `admit`): it repeats itself, and what it has proved already is not lost.
    if (!ctx.carrying && inPhase(sa, 'halfOpen', 'eapSent', 'eapProven') && message.exchange === Exchange.IKE_AUTH)
      throw new ProtocolError('drop', Notify.TEMPORARY_FAILURE, NO_DATAPLANE);
    const reception = receive(sa, message, ctx);
    if (reception.is === 'repetition') return repeat(sa, stage.path);
    if (reception.is === 'fragment') return this.#steps.commit(sa, { sa: reception.sa, outputs: NOTHING }, ctx);
    stage.authentic = sa;
    const payloads = decodePayloads(reception.first, new Reader(reception.bytes));
    const { sa: heard, outputs } = heardFrom(sa, message, stage.path, ctx);
    stage.authentic = heard;
    stage.outputs = outputs;
    if (message.response)
      return [...outputs, ...this.#steps.commit(sa, dispatch.conclude(concluded(heard), payloads, ctx, reception), ctx)];
    const asked = this.#decided(heard, payloads, stage, ctx);
    const reply = dispatch.respond(asked, message.exchange, payloads, ctx, stage.path, reception);
    return [...stage.outputs, ...this.#steps.commit(asked, this.#reply(asked, message, stage.path, reply, ctx), ctx)];
  }

  /** The SA as it is once the request itself has shown which of two rekeys that met is the one that stays. */
  #decided(heard: SecuredSa, payloads: readonly Payload[], stage: Stage, ctx: Context): SecuredSa {
    const decision = decidedBy(heard, payloads, ctx);
    if (!decision) return heard;
    this.#steps.put(heard, ctx);
    stage.outputs = [...stage.outputs, ...this.#steps.commit(decision.old, decision.step, ctx)];
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
    if (!payloads) return step;
    const answered = answer(sa, step.sa ?? gone(sa, ctx), { ...message, path }, payloads, ctx);
    // A child is there before it is promised.
    return { ...step, sa: answered.sa, outputs: [...step.outputs, ...answered.outputs] };
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
    return [bug, ...this.#steps.commit(sa, { sa: undefined, outputs: NOTHING, closes: 'internal error' }, ctx)];
  }

  #expire(ctx: Context): Outputs {
    const outputs = this.#deadlines.take(ctx.now, MAX_DUE_AT_ONCE).flatMap((spi) => {
      const sa = this.#sas.get(spi); // as those before it have left it
      return sa ? this.#steps.commit(sa, expire(sa, ctx), ctx) : NOTHING;
    });
    return [...outputs, ...this.#siblings.expire(ctx)];
  }

  #configure(policy: Policy, now: Instant): Outputs {
    const first = this.#policy === undefined;
    const trust = this.#policy?.credentials.trust;
    this.#policy = policy;
    if (trust && trust !== policy.credentials.trust) this.#doubtCertificates(now);
    this.#addresses.configure(policy.config.pools, policy.config.slices, this.#member.ordinal, new Reader(this.#random(4)).u32());
    this.#spent.configure(policy.config.tickets.maxSpent);
    if (first) return this.#siblings.begin(this.#context(now));
    const ctx = this.#context(now);
    this.#siblings.configured(ctx);
    // Sessions that are there go elsewhere too, in the order of their timers.
    if (policy.config.redirect?.when === 'always') for (const sa of this.#sas.values()) this.#steps.put(sa, ctx);
    return NOTHING;
  }

  /** Each is looked at in its turn: not all in this step. */
  #doubtCertificates(now: Instant): void {
    for (const sa of this.#sas.values())
      if (inPhase(sa, 'established') && sa.phase.credential.certificate)
        this.#deadlines.set(ownSpi(sa), { at: now, why: 'look at certificates' });
  }

  #want(spi: string, change: (sa: IkeSa & { phase: { name: 'established' } }) => IkeSa, ctx: Context): Outputs {
    const sa = this.#sas.get(spi);
    return sa && inPhase(sa, 'established') ? this.#steps.commit(sa, { sa: change(sa), outputs: NOTHING }, ctx) : NOTHING;
  }

  #roam(path: Path, ctx: Context): Outputs {
    return [...this.#sas.values()].filter(canRoam).flatMap((sa) => this.#steps.commit(sa, roam(sa, path), ctx));
  }

  #report(report: DataplaneReport, ctx: Context): Outputs {
    const sa = this.#sas.byChild(report.spiIn);
    if (!sa || !inPhase(sa, 'established')) return NOTHING;
    if (report.report === 'carried') {
      this.#steps.put(carried(sa, report), ctx);
      return NOTHING;
    }
    if (report.report === 'expiring')
      return this.#steps.commit(sa, { sa: wanting(sa, { kind: 'rekeyChild', spiIn: report.spiIn }), outputs: NOTHING }, ctx);
    if (report.report === 'lost') return this.#steps.commit(sa, lost(sa, report, ctx), ctx);
    return this.#steps.commit(sa, heardEsp(sa, report.path, ctx), ctx);
  }

  #asked(question: string, bytes: Bytes, ctx: Context): Outputs {
    return this.#guarded(words(bytes), ctx, () => {
      const { outputs, ends, tells } = this.#siblings.asked(question, bytes, ctx);
      const ended = ends.flatMap(({ spi, why }) => this.#steps.end(spi, why, ctx));
      return [...ended, ...tells.flatMap(({ spi, why }) => this.#steps.tell(spi, why, ctx)), ...outputs];
    });
  }

  #answered(question: string, bytes: Bytes | undefined, ctx: Context): Outputs {
    return this.#guarded(words(bytes ?? EMPTY), ctx, () => {
      const { sa, waiting, outputs, closes } = this.#siblings.answered(question, bytes, ctx);
      const told = closes.flatMap((spi) => this.#want(spi, (one) => wanting(one, { kind: 'deleteIke' }), ctx));
      const taken = sa ? this.#steps.commit(undefined, { sa, outputs: NOTHING }, ctx) : NOTHING;
      return [
        ...outputs,
        ...told,
        ...taken,
        ...waiting.flatMap(({ path, bytes: datagram }) => this.#receive(datagram, path, ctx)),
      ];
    });
  }

  #eapAnswered(conversation: string, given: EapAnswer, ctx: Context): Outputs {
    const sa = this.#sas.get(conversation);
    // It has timed out meanwhile, for instance.
    if (!sa || !inPhase(sa, 'eapAsked', 'eapHeard')) return NOTHING;
    const response = sa.phase.name === 'eapHeard';
    const header = headerOf(sa, Exchange.IKE_AUTH, response ? sa.window.next - 1 : sa.window.expected, response);
    const message = { ...header, payloads: [], encrypted: undefined };
    const stage: Stage = { path: sa.path, datagram: EMPTY, message, sa, authentic: sa, outputs: NOTHING };
    return this.#guarded(stage, ctx, () => this.#steps.commit(sa, dispatch.eapAnswered(sa, given, ctx), ctx));
  }

  #shutdown(tell: boolean, ctx: Context): Outputs {
    const all = Array.from(this.#sas.values());
    return all.flatMap((sa) => {
      if (tell && inPhase(sa, 'established'))
        return this.#steps.commit(sa, { sa: wanting(sa, { kind: 'deleteIke' }), outputs: NOTHING }, ctx);
      return this.#steps.end(ownSpi(sa), 'shutdown', ctx);
    });
  }

  #context(now: Instant): Context {
    const policy = this.#policy;
    const keys = policy && { ring: policy.ring, crypto: this.#crypto, audience: policy.config.audience };
    const { ordinal } = this.#member;
    return {
      ...{ now, policy, random: this.#random, crypto: this.#crypto, member: this.#member, carrying: this.#carrying },
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
      hasChild: (spiIn) => this.#sas.byChild(spiIn) !== undefined,
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

/** RFC 7383 §2.5, RFC 7296 §3.14: a protected request of an SA that is not here holds one payload, an encrypted one. */
const mayBeSiblings = ({ response, exchange, initiator, messageId }: Header, datagram: Bytes): boolean =>
  !response && (isOfSession(exchange) || (initiator && messageId === 1)) && (datagram[16] === SK || datagram[16] === SKF);

/** Words of a sibling belong to no SA yet. */
const words = (datagram: Bytes): Stage => ({
  ...{ path: NO_PATH, datagram, message: undefined, sa: undefined, authentic: undefined, outputs: NOTHING },
});
const NO_PATH: Path = { local: '', remote: '' };
