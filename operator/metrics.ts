/** What the operator counts, with names and units by the conventions of Prometheus. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Controller } from './controller.ts';
import { RESOURCE_KINDS, type ResourceKind } from './resource.ts';

export interface OperatorMetrics {
  readonly registry: Registry;
  reconciled(kind: ResourceKind, outcome: 'success' | 'error', seconds: number): void;
  watchFailed(kind: string): void;
  leading(leading: boolean): void;
  /** Whose queues are measured. */
  follow(controller: Controller): void;
}

export function operatorMetrics(): OperatorMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  let controller: Controller | undefined;
  const reconciles = new Counter({
    name: 'rekindle_operator_reconciles_total',
    help: 'Times that a resource was observed, planned and acted upon.',
    labelNames: ['kind', 'outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'rekindle_operator_reconcile_duration_seconds',
    help: 'How long that took.',
    labelNames: ['kind'],
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    registers,
  });
  const failures = new Counter({
    name: 'rekindle_operator_watch_failures_total',
    help: 'Lists and watches that the API server refused or broke off.',
    labelNames: ['kind'],
    registers,
  });
  const leads = new Gauge({ name: 'rekindle_operator_leading', help: '1 while this operator may write.', registers });
  new Gauge({
    name: 'rekindle_operator_queue_length',
    help: 'Resources that wait to be looked at now.',
    labelNames: ['kind'],
    registers,
    collect() {
      for (const kind of RESOURCE_KINDS) this.set({ kind }, controller?.depth(kind) ?? 0);
    },
  });
  return {
    registry,
    reconciled: (kind, outcome, seconds) => {
      reconciles.inc({ kind, outcome });
      duration.observe({ kind }, seconds);
    },
    watchFailed: (kind) => failures.inc({ kind }),
    leading: (leading) => leads.set(leading ? 1 : 0),
    follow: (followed) => {
      controller = followed;
    },
  };
}
