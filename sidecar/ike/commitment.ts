/** What makes a step true: the table of SAs, their timers, their addresses, and the word to the siblings. */
import { uninstall } from './child.ts';
import { wanting } from './child-exchange.ts';
import type { Context } from './context.ts';
import type { Deadlines } from './deadlines.ts';
import * as dispatch from './dispatch.ts';
import { ProtocolError } from './error.ts';
import { failure, type Stage } from './failure.ts';
import { deadlineOf } from './lifetime.ts';
import { type IkeSa, inPhase, later, ownSpi } from './sa.ts';
import type { SaTable } from './sa-table.ts';
import type { Siblings } from './siblings.ts';
import { type ClosedWhy, event, NOTHING, type Output, type Step, which } from './step.ts';

type Outputs = readonly Output[];

export class Commitment {
  readonly #sas: SaTable;
  readonly #deadlines: Deadlines;
  readonly #siblings: Siblings;

  constructor(sas: SaTable, deadlines: Deadlines, siblings: Siblings) {
    this.#sas = sas;
    this.#deadlines = deadlines;
    this.#siblings = siblings;
  }

  /** The one place where errors are caught. */
  guarded(stage: Stage, ctx: Context, run: () => Outputs): Outputs {
    try {
      return run();
    } catch (error) {
      if (error instanceof ProtocolError) return this.commit(stage.sa, failure(error, stage, ctx), ctx);
      return this.#broken(error, stage, ctx);
    }
  }

  #broken(error: unknown, { sa, datagram, message }: Stage, ctx: Context): Outputs {
    const bug = event({ name: 'internal-error', error, length: datagram.length, spi: message?.spiR ?? '' });
    return [bug, ...this.commit(sa, { sa: undefined, outputs: NOTHING, closes: 'internal error' }, ctx)];
  }

  /** `before`: the SA that the step began with; undefined when there was none. */
  commit(before: IkeSa | undefined, step: Step, ctx: Context): Outputs {
    const { sa, outputs } = step.sa ? dispatch.pursue(step.sa, ctx) : step;
    const all = [...step.outputs, ...(step.sa ? outputs : [])];
    if (before) all.push(...this.#depart(before, sa, step.closes, ctx));
    if (sa) this.put(sa, ctx);
    if (before && speaksEap(before) && !(sa && speaksEap(sa))) all.push({ type: 'eap-forget', conversation: ownSpi(before) });
    for (const one of step.born ?? []) all.push(...this.#bear(before, one, ctx));
    for (const { spi, why } of step.ends ?? []) all.push(...this.end(spi, why, ctx));
    for (const { spi, why } of step.tells ?? []) all.push(...this.tell(spi, why, ctx));
    if (step.begin) all.push(...this.commit(undefined, dispatch.connectAnew(step.begin, ctx), ctx));
    return [...all, ...this.#siblings.changed(before, sa, step.supersedes, ctx)];
  }

  /** An IKE rekey: the new SA, which may have taken over the addresses of the old one. */
  #bear(before: IkeSa | undefined, born: IkeSa, ctx: Context): Outputs {
    if (before && inPhase(born, 'established') && born.phase.inner.length > 0) ctx.addresses.rename(ownSpi(before), ownSpi(born));
    const { sa, outputs } = dispatch.pursue(born, ctx);
    if (sa) this.put(sa, ctx);
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
    ctx.addresses.release(ownSpi(sa), ctx.now, later(ctx.now, ctx.policy?.config.tickets.lifetimeMs ?? 0));
    const children = phase.name === 'established' ? phase.children.flatMap(({ spiIn }) => uninstall(sa, spiIn)) : [];
    return [...children, event({ name: 'closed', why, remote, connection: connection?.name, ...which(sa) })];
  }

  /** Silently: nothing is sent. */
  end(spi: string, why: ClosedWhy, ctx: Context): Outputs {
    const sa = this.#sas.get(spi);
    return sa ? this.commit(sa, { sa: undefined, outputs: NOTHING, closes: why }, ctx) : NOTHING;
  }

  /** With a DELETE, as soon as the window lets it. */
  tell(spi: string, why: ClosedWhy, ctx: Context): Outputs {
    const sa = this.#sas.get(spi);
    if (!sa || !inPhase(sa, 'established')) return NOTHING;
    return this.commit(sa, { sa: wanting(sa, { kind: 'deleteIke', why }), outputs: NOTHING }, ctx);
  }

  put(sa: IkeSa, ctx: Context): void {
    this.#sas.put(sa);
    this.#deadlines.set(ownSpi(sa), deadlineOf(sa, ctx));
  }

  #drop(spi: string): void {
    this.#sas.delete(spi);
    this.#deadlines.delete(spi);
  }
}

const speaksEap = ({ phase }: IkeSa): boolean => 'rounds' in phase;
