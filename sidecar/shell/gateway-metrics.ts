/** All metrics of a gateway, in Prometheus' text format. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { ROLES } from './credential-files.ts';
import { EventMetrics } from './event-metrics.ts';
import type { FileRole } from './policy-files.ts';
import { RadiusMetrics } from './radius-metrics.ts';
import { type State, stateMetrics } from './state-metrics.ts';

export class GatewayMetrics {
  readonly events: EventMetrics;
  readonly radius: RadiusMetrics;
  /** Takes over what is true now. */
  readonly refresh: (state: State) => void;
  readonly #registry = new Registry();
  readonly #reloads: Counter<'file' | 'outcome'>;
  readonly #state: () => State;

  constructor(version: string, state: () => State) {
    const registers = [this.#registry];
    this.#state = state;
    this.events = new EventMetrics(this.#registry);
    this.radius = new RadiusMetrics(this.#registry);
    this.refresh = stateMetrics(this.#registry);
    this.#reloads = new Counter({
      name: 'rekindle_reloads_total',
      help: 'Times that a file was loaded or refused.',
      labelNames: ['file', 'outcome'],
      registers,
    });
    for (const file of ['config', 'key_ring', ...ROLES])
      for (const outcome of ['loaded', 'refused']) this.#reloads.inc({ file, outcome }, 0);
    new Gauge({ name: 'rekindle_build_info', help: 'Always 1.', labelNames: ['version', 'node'], registers }).set(
      { version, node: process.version },
      1,
    );
    collectDefaultMetrics({ register: this.#registry });
  }

  reloaded(file: FileRole, outcome: 'loaded' | 'refused'): void {
    this.#reloads.inc({ file, outcome });
  }

  async render(): Promise<{ readonly type: string; readonly body: string }> {
    this.refresh(this.#state());
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }
}
