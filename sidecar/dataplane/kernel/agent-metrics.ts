/** What the agent answers over HTTP, if it is asked to: probes and metrics. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { plainText, type Route } from '../../process/http-server.ts';
import type { Readiness } from '../../process/readiness.ts';
import type { Agent } from './agent.ts';

export function agentRoutes(agent: Pick<Agent, 'status' | 'attended'>, readiness: Readiness): Readonly<Record<string, Route>> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = <L extends string = never>(name: string, help: string, ...labelNames: L[]): Gauge<L> =>
    new Gauge({ name: `rekindle_agent_${name}`, help, labelNames, registers: [registry] });
  const ready = gauge('ready', 'Whether /readyz answers 200.');
  const attended = gauge('sidecar_connected', 'Whether a sidecar is connected.');
  const children = gauge('children', 'Child SAs in the kernel.');
  const dataplane = gauge('dataplane', 'Which data plane serves here.', 'dataplane');
  const drops = new Counter({
    name: 'rekindle_agent_dropped_packets_total',
    help: 'Packets that kernel or packet filter dropped.',
    labelNames: ['reason'],
    registers: [registry],
  });
  const observe = (): void => {
    const { status } = agent;
    ready.set(readiness.ready ? 1 : 0);
    attended.set(agent.attended ? 1 : 0);
    if (!status) return;
    children.set(status.children);
    dataplane.set({ dataplane: status.dataplane }, 1);
    drops.reset();
    for (const [reason, count] of Object.entries(status.drops)) drops.inc({ reason }, count);
  };
  return {
    '/healthz': () => plainText(200, 'ok'),
    '/readyz': () => (readiness.ready ? plainText(200, 'ready') : plainText(503, readiness.reasons().join('\n'))),
    '/metrics': async () => {
      observe();
      return { status: 200, type: registry.contentType, body: await registry.metrics() };
    },
  };
}
