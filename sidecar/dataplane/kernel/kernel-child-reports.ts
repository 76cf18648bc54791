/** What is told of children: at once where someone waits for it, otherwise about once a second and together. */
import type { DataplaneReport } from '../../contract/dataplane.ts';
import type { KernelChild } from './kernel-child.ts';
import { readDrops } from './kernel-child-drops.ts';
import type { KernelObserver } from './kernel-port.ts';

const INTERVAL_MS = 1000;

export class ChildReports {
  readonly #observer: KernelObserver;
  readonly #moved = new Set<KernelChild>();
  readonly #alive = new Set<KernelChild>();
  readonly #expiring = new WeakSet<KernelChild>();
  readonly #timer: NodeJS.Timeout;
  #drops: Readonly<Record<string, number>> = {};

  constructor(observer: KernelObserver) {
    this.#observer = observer;
    this.#timer = setInterval(() => void this.#tick(), INTERVAL_MS).unref();
  }

  carried(child: KernelChild, way: 'in' | 'out'): void {
    this.#moved.add(child);
    if (way === 'in') this.#alive.add(child);
  }

  /** Once for a child. */
  expiring(child: KernelChild): void {
    if (this.#expiring.has(child)) return;
    this.#expiring.add(child);
    this.#observer.reports([{ report: 'expiring', spiIn: child.spiIn }]);
  }

  lost(spiIn: number): void {
    this.#observer.reports([{ report: 'lost', spiIn }]);
  }

  /** An authentic packet came from elsewhere. */
  elsewhere(child: KernelChild, remote: string): void {
    this.#observer.reports([{ report: 'alive', spiIn: child.spiIn, path: { local: child.child.path.local, remote } }]);
  }

  forget(child: KernelChild): void {
    this.#moved.delete(child);
    this.#alive.delete(child);
  }

  /** Tells what there is to be told. */
  give(): void {
    const moved = [...this.#moved];
    const reports = moved.flatMap((child): DataplaneReport[] => {
      const carried: DataplaneReport = { report: 'carried', spiIn: child.spiIn, ...child.sequences() };
      return this.#alive.has(child) ? [carried, { report: 'alive', spiIn: child.spiIn }] : [carried];
    });
    this.#moved.clear();
    this.#alive.clear();
    if (reports.length === 0) return;
    this.#observer.reports(reports);
    this.#observer.traffic(
      moved.map((child) => child.traffic()),
      this.#drops,
    );
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #tick(): Promise<void> {
    const drops = await readDrops();
    const changed = JSON.stringify(drops) !== JSON.stringify(this.#drops);
    this.#drops = drops;
    if (changed && this.#moved.size === 0) this.#observer.traffic([], drops);
    this.give();
  }
}
