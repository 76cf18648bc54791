/** Reports that came while no sidecar was there, for the next one: of each child only what still matters, and of a bounded number of children. */
import type { DataplaneReport } from '../../contract/dataplane.ts';

const MOST_CHILDREN = 1 << 14;

export class ReportBacklog {
  /** By inbound SPI, then by kind: the latest. */
  readonly #children = new Map<number, Map<string, DataplaneReport>>();

  add(reports: readonly DataplaneReport[]): void {
    for (const report of reports) {
      const known = this.#children.get(report.spiIn);
      if (!known && this.#children.size >= MOST_CHILDREN) continue;
      const kinds = known ?? new Map<string, DataplaneReport>();
      const before = kinds.get(report.report);
      // Where the peer came from last counts, also when it lived on there quietly.
      const path = report.report === 'alive' && !report.path && before?.report === 'alive' ? before.path : undefined;
      kinds.set(report.report, path ? { ...report, ...{ path } } : report);
      this.#children.set(report.spiIn, kinds);
    }
  }

  /** All of them; then it is empty. */
  take(): readonly DataplaneReport[] {
    const all = [...this.#children.values()].flatMap((kinds) => [...kinds.values()]);
    this.#children.clear();
    return all;
  }
}
