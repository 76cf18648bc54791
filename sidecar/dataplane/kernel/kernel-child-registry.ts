/** All children in the kernel: by inbound SPI, and by the names of their states. */
import type { KernelChild, Way } from './kernel-child.ts';
import { stateName } from './kernel-child-match.ts';
import { Reqids } from './kernel-child-reqids.ts';
import type { StateId } from './xfrm-structures.ts';

export interface Installed {
  readonly child: KernelChild;
  readonly way: Way;
}

const WAYS = ['in', 'out'] as const;

export class ChildRegistry {
  readonly #children = new Map<number, KernelChild>();
  readonly #states = new Map<string, Installed>();
  readonly #names = new Map<KernelChild, readonly string[]>();
  readonly #successors = new Map<number, Set<KernelChild>>();
  /** States that tell of every packet, until they have told of the first. */
  readonly #fresh = new Set<string>();
  readonly #reqids = new Reqids();

  get(spiIn: number): KernelChild | undefined {
    return this.#children.get(spiIn);
  }

  /** Those that the kernel has whole. */
  standing(): readonly KernelChild[] {
    return [...this.#children.values()].filter(({ stands }) => stands);
  }

  byState(id: StateId): Installed | undefined {
    return this.#states.get(stateName(id));
  }

  /** Gives it a reqid, or takes the one that it has in the kernel. @throws Error when all are in use. */
  enter(child: KernelChild, reqid?: number): void {
    child.reqid = this.#reqids.take(child.reqidKeys, reqid);
    this.#children.set(child.spiIn, child);
    if (child.waitsFor !== undefined) {
      this.#successors.set(child.waitsFor, (this.#successors.get(child.waitsFor) ?? new Set()).add(child));
    }
    this.#name(child);
  }

  leave(child: KernelChild): void {
    this.#children.delete(child.spiIn);
    this.#reqids.give(child.reqidKeys, child.reqid);
    if (child.waitsFor !== undefined) this.#successors.get(child.waitsFor)?.delete(child);
    this.#unname(child);
  }

  /** Its addresses have changed. */
  rename(child: KernelChild): void {
    this.#unname(child);
    this.#name(child);
  }

  /** Who had `spiIn` to wait for; asked once, when that is removed. */
  waitingFor(spiIn: number): readonly KernelChild[] {
    const successors = [...(this.#successors.get(spiIn) ?? [])];
    this.#successors.delete(spiIn);
    return successors.filter(({ waitsFor }) => waitsFor === spiIn);
  }

  /** Whether this is the first word of a state. */
  isFresh(id: StateId): boolean {
    return this.#fresh.delete(stateName(id));
  }

  /** Answers what there was. */
  clear(): ReadonlyMap<number, KernelChild> {
    const before = new Map(this.#children);
    for (const all of [this.#children, this.#states, this.#names, this.#successors, this.#fresh, this.#reqids]) all.clear();
    return before;
  }

  #name(child: KernelChild): void {
    const names = WAYS.map((way) => stateName(child.idOf(way)));
    WAYS.forEach((way, at) => {
      const name = names[at] ?? '';
      // A peer may choose an SPI that another one at its address has; the kernel then refuses the second.
      if (this.#states.has(name)) return;
      this.#states.set(name, { child, way });
      this.#fresh.add(name);
    });
    this.#names.set(child, names);
  }

  #unname(child: KernelChild): void {
    for (const name of this.#names.get(child) ?? []) {
      if (this.#states.get(name)?.child !== child) continue;
      this.#states.delete(name);
      this.#fresh.delete(name);
    }
    this.#names.delete(child);
  }
}
