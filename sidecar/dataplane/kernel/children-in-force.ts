/** Orders of a sidecar on their way to the kernel: those that are allowed, in order, each with its outcome. */
import type { Outcome } from '../../contract/agent-protocol.ts';
import type { DataplaneOrder, DataplaneReport, InstallOrder, MoveOrder, Sequences } from '../../contract/dataplane.ts';
import type { Allowance } from './allowed.ts';
import type { KernelChildren } from './kernel-port.ts';

/** Why the kernel carries no children here. */
export interface Absent {
  readonly absent: string;
}

export class ChildrenInForce {
  #kernel: KernelChildren | Absent;
  #allowance: Allowance;
  /** Inbound SPIs of those that are installed or about to be. */
  readonly #living = new Set<number>();
  /** How far they were when the kernel last told: a sidecar that comes back may know less, and no sequence number comes twice. */
  readonly #carried = new Map<number, Sequences>();
  /** What comes after a reconciliation waits for it. */
  #reconciling: Promise<unknown> | undefined;

  constructor(kernel: KernelChildren | Absent, allowance: Allowance) {
    this.#kernel = kernel;
    this.#allowance = allowance;
  }

  /** From the next `reconcile` on. */
  set kernel(kernel: KernelChildren | Absent) {
    this.#kernel = kernel;
  }

  /** Children that there are stay until the next `reconcile`. */
  set allowance(allowance: Allowance) {
    this.#allowance = allowance;
  }

  get count(): number {
    return this.#living.size;
  }

  /** Whether they are just being made what a sidecar says that they are. */
  get reconciling(): boolean {
    return this.#reconciling !== undefined;
  }

  /** Begun at once and in order: whoever calls twice need not wait in between. */
  async carryOut(orders: readonly DataplaneOrder[]): Promise<readonly Outcome[]> {
    while (this.#reconciling) await this.#reconciling;
    return Promise.all(orders.map((order) => this.#carryOut(order)));
  }

  /** These and no others. What is refused, or more than there may be, is not among them. */
  async reconcile(children: readonly InstallOrder[]): Promise<readonly Outcome[]> {
    while (this.#reconciling) await this.#reconciling;
    const done = this.#reconcile(children);
    this.#reconciling = done.catch(() => {});
    try {
      return await done;
    } finally {
      this.#reconciling = undefined;
    }
  }

  async settle(): Promise<void> {
    while (this.#reconciling) await this.#reconciling;
    if (!('absent' in this.#kernel)) await this.#kernel.settle();
  }

  /** Removes all, and remembers how far they had come by the last report. */
  async flush(): Promise<void> {
    this.#living.clear();
    if (!('absent' in this.#kernel)) await this.#kernel.flush();
  }

  observe(reports: readonly DataplaneReport[]): void {
    for (const report of reports) {
      const { spiIn } = report;
      if (report.report === 'carried' && this.#living.has(spiIn)) this.#carried.set(spiIn, report);
      if (report.report === 'lost') this.#forget(spiIn);
    }
  }

  #forget(spiIn: number): void {
    this.#living.delete(spiIn);
    this.#carried.delete(spiIn);
  }

  #carryOut(order: DataplaneOrder): Promise<Outcome> | Outcome {
    const kernel = this.#kernel;
    if ('absent' in kernel) return order.order === 'remove' ? DONE : failed(kernel.absent);
    switch (order.order) {
      case 'install':
        return this.#install(order, kernel);
      case 'remove':
        this.#forget(order.spiIn);
        return outcomeOf(kernel.remove(order.spiIn).then((traffic) => ({ ok: true, traffic })));
      case 'move':
        return this.#move(order, kernel);
    }
  }

  #install(order: InstallOrder, kernel: KernelChildren): Promise<Outcome> | Outcome {
    const why = this.#refusal(order, this.#living);
    if (why !== undefined) return refused(why);
    const { spiIn } = order.child;
    this.#living.add(spiIn);
    return outcomeOf(
      kernel.install(order).then(
        () => DONE,
        (error: unknown) => {
          this.#living.delete(spiIn);
          throw error;
        },
      ),
    );
  }

  #move(order: MoveOrder, kernel: KernelChildren): Promise<Outcome> | Outcome {
    const why = this.#allowance.move(order);
    return why === undefined ? outcomeOf(kernel.move(order).then(() => DONE)) : refused(why);
  }

  async #reconcile(children: readonly InstallOrder[]): Promise<readonly Outcome[]> {
    const kernel = this.#kernel;
    if ('absent' in kernel) return children.map(() => failed(kernel.absent));
    const wanted = new Set<number>();
    const refusals = children.map((order) => {
      const why = wanted.has(order.child.spiIn) ? 'child.spiIn: named twice' : this.#refusal(order, wanted);
      if (why === undefined) wanted.add(order.child.spiIn);
      return why;
    });
    for (const spiIn of this.#carried.keys()) if (!wanted.has(spiIn)) this.#carried.delete(spiIn);
    const allowed = children.filter((_, index) => refusals[index] === undefined);
    const outcomes = (await kernel.reconcile(allowed.map((order) => this.#asFar(order)))).values();
    this.#living.clear();
    return children.map(({ child }, index) => {
      const why = refusals[index];
      const outcome = why === undefined ? (outcomes.next().value ?? failed('the kernel gave no answer')) : refused(why);
      if (outcome.ok) this.#living.add(child.spiIn);
      return outcome;
    });
  }

  /** At least as far as it was here. */
  #asFar(order: InstallOrder): InstallOrder {
    const { spiIn, sequences } = order.child;
    const known = this.#carried.get(spiIn);
    if (!known) return order;
    const sent = Math.max(sequences.sent, known.sent);
    const received = Math.max(sequences.received, known.received);
    return { ...order, child: { ...order.child, sequences: { sent, received } } };
  }

  #refusal(order: InstallOrder, among: ReadonlySet<number>): string | undefined {
    const { mostChildren } = this.#allowance;
    if (among.size >= mostChildren && !among.has(order.child.spiIn))
      return `child: there are ${among.size} already, and no more may be for pools of this size`;
    return this.#allowance.install(order);
  }
}

const DONE: Outcome = { ok: true };
const refused = (reason: string): Outcome => ({ ok: false, why: 'refused', reason });
const failed = (reason: string): Outcome => ({ ok: false, why: 'failed', reason });

async function outcomeOf(work: Promise<Outcome>): Promise<Outcome> {
  try {
    return await work;
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
}
