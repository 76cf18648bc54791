/** The whole protocol behind one function: an input and the time go in, things to do come out. */
import type { DataplaneReport } from '../contract/dataplane.ts';
import { AddressPools } from './addresses.ts';
import { carried, wanting } from './child-exchange.ts';
import { Commitment } from './commitment.ts';
import type { Context, Member, Policy } from './context.ts';
import type { Cryptography } from './crypto/cryptography.ts';
import { DatagramRoute } from './datagram-route.ts';
import { Deadlines } from './deadlines.ts';
import * as dispatch from './dispatch.ts';
import type { EapAnswer } from './eap.ts';
import type { Stage } from './failure.ts';
import { contextOf, type GatewayState } from './gateway-state.ts';
import { expire } from './lifetime.ts';
import { lost } from './lost-child.ts';
import { canRoam, roam } from './mobike.ts';
import { heardEsp } from './peer-path.ts';
import { type IkeSa, type Instant, inPhase, ownSpi, type Path } from './sa.ts';
import { SaTable } from './sa-table.ts';
import { type SessionSummary, summaryOf } from './session-summary.ts';
import { Siblings } from './siblings.ts';
import { SpentTickets } from './spent-tickets.ts';
import { type Deadline, type Input, NOTHING, type Output } from './step.ts';
import { Strain } from './strain.ts';
import { headerOf } from './window.ts';
import { type Bytes, EMPTY, Reader } from './wire/bytes.ts';
import { Exchange } from './wire/registry.ts';

type Outputs = readonly Output[];

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
  readonly #state: GatewayState;
  readonly #deadlines = new Deadlines();
  readonly #siblings: Siblings;
  readonly #steps: Commitment;
  readonly #datagrams: DatagramRoute;

  /** `sas`: where SAs are kept; one that holds SAs already goes on with them. */
  constructor({ sas = new SaTable(), ...parts }: GatewayParts) {
    const owned = { addresses: new AddressPools(), spent: new SpentTickets(), strain: new Strain() };
    this.#state = { ...parts, ...owned, sas, policy: undefined, carrying: true };
    this.#siblings = new Siblings(parts.member);
    this.#steps = new Commitment(sas, this.#deadlines, this.#siblings);
    this.#datagrams = new DatagramRoute(sas, this.#siblings, this.#steps);
    for (const sa of sas.values()) this.#deadlines.set(ownSpi(sa), { at: 0 as Instant, why: 'go on' });
  }

  handle(input: Input, now: Instant): Outputs {
    const ctx = contextOf(this.#state, now);
    this.#state.spent.prune(now);
    switch (input.type) {
      case 'datagram':
        return this.#datagrams.receive(input.bytes, input.path, ctx);
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
        this.#state.carrying = input.available;
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
    return Array.from(this.#state.sas.values(), summaryOf);
  }

  counts(): { halfOpen: number; established: number; spentTickets: number; forgottenTickets: number } {
    const { halfOpen, established } = this.#state.sas;
    return { halfOpen, established, spentTickets: this.#state.spent.size, forgottenTickets: this.#state.spent.forgotten };
  }

  #expire(ctx: Context): Outputs {
    const outputs = this.#deadlines.take(ctx.now, MAX_DUE_AT_ONCE).flatMap((spi) => {
      const sa = this.#state.sas.get(spi); // as those before it have left it
      return sa ? this.#steps.commit(sa, expire(sa, ctx), ctx) : NOTHING;
    });
    return [...outputs, ...this.#siblings.expire(ctx)];
  }

  #configure(policy: Policy, now: Instant): Outputs {
    const state = this.#state;
    const first = state.policy === undefined;
    const trust = state.policy?.credentials.trust;
    state.policy = policy;
    if (trust && trust !== policy.credentials.trust) this.#doubtCertificates(now);
    const { pools, slices, tickets } = policy.config;
    state.addresses.configure(pools, slices, state.member.ordinal, new Reader(state.random(4)).u32());
    state.spent.configure(tickets.maxSpent);
    if (first) return this.#siblings.begin(contextOf(state, now));
    const ctx = contextOf(state, now);
    this.#siblings.configured(ctx);
    // Sessions that are there go elsewhere too, in the order of their timers.
    if (policy.config.redirect?.when === 'always') for (const sa of state.sas.values()) this.#steps.put(sa, ctx);
    return NOTHING;
  }

  /** Each is looked at in its turn: not all in this step. */
  #doubtCertificates(now: Instant): void {
    for (const sa of this.#state.sas.values())
      if (inPhase(sa, 'established') && sa.phase.credential.certificate)
        this.#deadlines.set(ownSpi(sa), { at: now, why: 'look at certificates' });
  }

  #want(spi: string, change: (sa: IkeSa & { phase: { name: 'established' } }) => IkeSa, ctx: Context): Outputs {
    const sa = this.#state.sas.get(spi);
    return sa && inPhase(sa, 'established') ? this.#steps.commit(sa, { sa: change(sa), outputs: NOTHING }, ctx) : NOTHING;
  }

  #roam(path: Path, ctx: Context): Outputs {
    return [...this.#state.sas.values()].filter(canRoam).flatMap((sa) => this.#steps.commit(sa, roam(sa, path), ctx));
  }

  #report(report: DataplaneReport, ctx: Context): Outputs {
    const sa = this.#state.sas.byChild(report.spiIn);
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
    return this.#steps.guarded(words(bytes), ctx, () => {
      const { outputs, ends, tells } = this.#siblings.asked(question, bytes, ctx);
      const ended = ends.flatMap(({ spi, why }) => this.#steps.end(spi, why, ctx));
      return [...ended, ...tells.flatMap(({ spi, why }) => this.#steps.tell(spi, why, ctx)), ...outputs];
    });
  }

  #answered(question: string, bytes: Bytes | undefined, ctx: Context): Outputs {
    return this.#steps.guarded(words(bytes ?? EMPTY), ctx, () => {
      const { sa, waiting, outputs, closes } = this.#siblings.answered(question, bytes, ctx);
      const told = closes.flatMap((spi) => this.#want(spi, (one) => wanting(one, { kind: 'deleteIke' }), ctx));
      const taken = sa ? this.#steps.commit(undefined, { sa, outputs: NOTHING }, ctx) : NOTHING;
      return [
        ...outputs,
        ...told,
        ...taken,
        ...waiting.flatMap(({ path, bytes: datagram }) => this.#datagrams.receive(datagram, path, ctx)),
      ];
    });
  }

  #eapAnswered(conversation: string, given: EapAnswer, ctx: Context): Outputs {
    const sa = this.#state.sas.get(conversation);
    // It has timed out meanwhile, for instance.
    if (!sa || !inPhase(sa, 'eapAsked', 'eapHeard')) return NOTHING;
    const response = sa.phase.name === 'eapHeard';
    const header = headerOf(sa, Exchange.IKE_AUTH, response ? sa.window.next - 1 : sa.window.expected, response);
    const message = { ...header, payloads: [], encrypted: undefined };
    const stage: Stage = { path: sa.path, datagram: EMPTY, message, sa, authentic: sa, outputs: NOTHING };
    return this.#steps.guarded(stage, ctx, () => this.#steps.commit(sa, dispatch.eapAnswered(sa, given, ctx), ctx));
  }

  #shutdown(tell: boolean, ctx: Context): Outputs {
    const all = Array.from(this.#state.sas.values());
    return all.flatMap((sa) => {
      if (tell && inPhase(sa, 'established'))
        return this.#steps.commit(sa, { sa: wanting(sa, { kind: 'deleteIke' }), outputs: NOTHING }, ctx);
      return this.#steps.end(ownSpi(sa), 'shutdown', ctx);
    });
  }
}

/** Words of a sibling belong to no SA yet. */
const words = (datagram: Bytes): Stage => ({
  ...{ path: NO_PATH, datagram, message: undefined, sa: undefined, authentic: undefined, outputs: NOTHING },
});
const NO_PATH: Path = { local: '', remote: '' };
