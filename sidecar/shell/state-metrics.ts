/** What is true now, or was counted elsewhere, read when Prometheus asks. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Problem } from '../contract/agent-protocol.ts';
import type { DataplaneStats } from '../dataplane/dataplane.ts';
import type { Policy } from '../ike/context.ts';
import type { DataplaneKind } from './gateway-dataplane.ts';
import type { UdpCounts } from './udp.ts';

/** Undefined parts: not there yet. */
export interface State {
  readonly policy: Policy | undefined;
  readonly counts: Readonly<Record<'halfOpen' | 'established', number>> &
    Partial<Record<'spentTickets' | 'forgottenTickets', number>>;
  readonly udp: UdpCounts | undefined;
  readonly receiveBufferBytes: number | undefined;
  readonly esp: DataplaneStats | undefined;
  readonly dataplane: DataplaneKind | undefined;
  readonly dataplaneProblems: readonly Problem[];
  /** Undefined: there is no agent. */
  readonly agentReconnects: number | undefined;
  readonly ready: boolean;
}

/** Answers what to call before each scrape. */
export function stateMetrics(registry: Registry): (state: State) => void {
  const gauge = <L extends string = never>(name: string, help: string, ...labelNames: L[]): Gauge<L> =>
    new Gauge({ name: `rekindle_${name}`, help, labelNames, registers: [registry] });
  const counter = <L extends string = never>(name: string, help: string, ...labelNames: L[]): Counter<L> =>
    new Counter({ name: `rekindle_${name}`, help, labelNames, registers: [registry] });

  const sessions = gauge('sessions', 'Established sessions.');
  const halfOpen = gauge('half_open', 'Handshakes under way.');
  const ready = gauge('ready', 'Whether /readyz answers 200.');
  const spent = gauge('spent_tickets', 'Ticket ids that are remembered as used.');
  const forgotten = counter('forgotten_spent_tickets_total', 'Used ticket ids that had to be forgotten before they expired.');
  const configGeneration = gauge('config_generation', 'Generation of the configuration in force.');
  const ringGeneration = gauge('key_ring_generation', 'Generation of the key ring in force.');
  const policyEnabled = gauge('policy_enabled', 'Policies that relax or tighten the protocol.', 'policy');
  const datagrams = counter('udp_datagrams_total', 'UDP datagrams on the IKE and NAT traversal ports.', 'direction');
  const sendErrors = counter('udp_send_errors_total', 'UDP datagrams that could not be sent.', 'code');
  const udpDrops = counter('udp_dropped_datagrams_total', 'UDP datagrams that went no further than the socket.', 'reason');
  const buffer = gauge('udp_receive_buffer_bytes', 'Receive buffer that the kernel granted to a socket.');
  const packets = counter('esp_packets_total', 'Inner packets carried.', 'direction');
  const bytes = counter('esp_bytes_total', 'Bytes of the inner packets carried.', 'direction');
  const drops = counter('esp_dropped_packets_total', 'Packets that the data plane dropped.', 'reason');

  const dataplane = gauge('dataplane_info', 'Always 1.', 'kind');
  const problems = gauge('dataplane_problems', 'What keeps the data plane from its work, or is not as it should be.', 'severity');
  const reconnects = counter('agent_reconnects_total', 'Times that an agent came after another had gone.');

  return ({ policy, counts, udp, receiveBufferBytes, esp, ready: isReady, ...carrier }) => {
    if (carrier.dataplane) dataplane.set({ kind: carrier.dataplane }, 1);
    for (const severity of ['blocking', 'warning'] as const)
      problems.set({ severity }, carrier.dataplaneProblems.filter((one) => one.severity === severity).length);
    total(reconnects, [[{}, carrier.agentReconnects ?? 0]]);
    sessions.set(counts.established);
    halfOpen.set(counts.halfOpen);
    ready.set(isReady ? 1 : 0);
    spent.set(counts.spentTickets ?? 0);
    total(forgotten, [[{}, counts.forgottenTickets ?? 0]]);
    if (policy) {
      configGeneration.set(policy.config.generation);
      ringGeneration.set(policy.ring.generation);
      policyEnabled.set({ policy: 'accept_libreswan_auth' }, policy.config.tickets.acceptLibreswanAuth ? 1 : 0);
      policyEnabled.set({ policy: 'revoke_on_delete' }, policy.config.tickets.revokeOnDelete ? 1 : 0);
    }
    if (udp) {
      total(datagrams, inAndOut(udp.received, udp.sent));
      total(
        sendErrors,
        Object.entries(udp.failed).map(([code, value]) => [{ code }, value]),
      );
      total(
        udpDrops,
        Object.entries(udp.dropped).map(([reason, value]) => [{ reason }, value]),
      );
    }
    if (receiveBufferBytes !== undefined) buffer.set(receiveBufferBytes);
    if (esp) {
      total(packets, inAndOut(esp.totals.packetsIn, esp.totals.packetsOut));
      total(bytes, inAndOut(esp.totals.bytesIn, esp.totals.bytesOut));
      total(
        drops,
        Object.entries(esp.drops).map(([reason, value]) => [{ reason }, value]),
      );
    }
  };
}

const inAndOut = (received: number, sent: number): readonly (readonly [{ direction: string }, number])[] => [
  [{ direction: 'in' }, received],
  [{ direction: 'out' }, sent],
];

/** The whole count is kept elsewhere. */
function total<L extends string>(counter: Counter<L>, values: readonly (readonly [Partial<Record<L, string>>, number])[]): void {
  counter.reset();
  for (const [labels, value] of values) counter.inc(labels, value);
}
