/** Which children the kernel must have, each as it is now: what an agent that comes is told. */
import type { DataplaneOrder, DataplaneReport, InstallOrder, Sequences } from '../../contract/dataplane.ts';

export class ChildList {
  readonly #children = new Map<number, InstallOrder>();
  /** Those that an agent may have installed: they may have sent more than it told us. */
  readonly #offered = new Set<number>();

  /** Answers whether the child is in the list, or was until now. */
  note(order: DataplaneOrder): boolean {
    if (order.order === 'remove') return this.delete(order.spiIn);
    if (order.order === 'move') return this.#change(order.spiIn, { path: order.path, encapsulated: order.encapsulated });
    this.#children.set(order.child.spiIn, order);
    return true;
  }

  delete(spiIn: number): boolean {
    this.#offered.delete(spiIn);
    return this.#children.delete(spiIn);
  }

  carried({ spiIn, sent, received }: Extract<DataplaneReport, { report: 'carried' }>): void {
    this.#change(spiIn, { sequences: { sent, received } });
  }

  /** An agent is about to have this one. */
  offer(spiIn: number): void {
    this.#offered.add(spiIn);
  }

  /**
   * RFC 4303 §3.3.3, RFC 4106 §3.1: no sequence number comes twice under one key, for it is the nonce too. An agent passes some over when
   * a child is known to have sent, so of each that may have sent unseen one packet at least is known.
   */
  forSync(): readonly InstallOrder[] {
    return Array.from(this.#children, ([spiIn, order]) => {
      const isOffered = this.#offered.has(spiIn);
      this.#offered.add(spiIn);
      return this.#waits(isOffered ? withSequences(order) : order);
    });
  }

  clear(): void {
    this.#children.clear();
    this.#offered.clear();
  }

  #change(spiIn: number, change: Partial<InstallOrder['child']>): boolean {
    const known = this.#children.get(spiIn);
    if (known) this.#children.set(spiIn, { ...known, child: { ...known.child, ...change } });
    return known !== undefined;
  }

  /** There is nothing to wait for when the child that goes on sending is gone. */
  #waits({ sendsAfter, ...order }: InstallOrder): InstallOrder {
    return sendsAfter !== undefined && this.#children.has(sendsAfter) ? { ...order, sendsAfter } : order;
  }
}

const withSequences = ({ child, ...order }: InstallOrder): InstallOrder => ({
  ...order,
  child: { ...child, sequences: begun(child.sequences) },
});

const begun = ({ sent, received }: Sequences): Sequences => ({ sent: Math.max(1, sent), received });
