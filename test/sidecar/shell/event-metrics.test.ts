/** What the events of a session's life are in metrics and in the log. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIdentity } from '../../../sidecar/contract/identity.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import type { ClosedWhy, Event } from '../../../sidecar/ike/step.ts';
import { createLog, type LogLevel } from '../../../sidecar/process/log.ts';
import { eventLine } from '../../../sidecar/shell/event-line.ts';
import { eventLog } from '../../../sidecar/shell/event-log.ts';
import { GatewayMetrics } from '../../../sidecar/shell/gateway-metrics.ts';

const path = { local: '192.0.2.1:4500', remote: '198.51.100.7:40000' };
const which = { spiI: '0000000000000001', spiR: '0000000000000002', path };
const alice = parseIdentity('alice@example.com');
const halfOpen = (kind: 'full' | 'resumed'): Event => ({ name: 'half-open', kind, ...which });
const established = (kind: 'full' | 'resumed'): Event => ({
  ...{ name: 'established', kind, local: parseIdentity('vpn.example.com'), remote: alice, inner: [Uint8Array.of(10, 8, 0, 2)] },
  ...{ accounting: undefined, authenticatedAt: 0 as Instant, rule: 'psk', resolvers: undefined, postQuantum: false },
  ...{ durationMs: 40, roundTrips: undefined, keyExchanges: 0, connection: undefined, ...which },
});
const closed = (why: ClosedWhy, remote: typeof alice | undefined): Event => ({
  name: 'closed',
  why,
  remote,
  connection: undefined,
  ...which,
});
const handedOver: Event = { name: 'handed-over', to: 1, ...which };

async function scraped(
  events: readonly Event[],
  prepare?: (metrics: GatewayMetrics) => void,
): Promise<(series: string) => string | undefined> {
  const metrics = new GatewayMetrics('0.1.0', () => ({
    ...{ policy: undefined, udp: undefined, receiveBufferBytes: undefined, esp: undefined, ready: true },
    ...{ dataplane: 'kernel', dataplaneProblems: [{ severity: 'warning', text: 'slow' }], agentReconnects: 2 },
    counts: { halfOpen: 2, established: 3 },
  }));
  prepare?.(metrics);
  for (const event of events) metrics.events.observe(event);
  const { body } = await metrics.render();
  return (series) =>
    body
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length + 1);
}

describe('metrics', () => {
  it('count a handshake by how it came and what became of it', async () => {
    const of = await scraped([
      ...[halfOpen('full'), established('full'), closed('deleted by peer', alice)],
      ...[halfOpen('resumed'), established('resumed')],
      ...[halfOpen('full'), closed('authentication failed', undefined)],
      ...[halfOpen('full'), closed('half-open too long', undefined)],
      ...[halfOpen('resumed'), handedOver, closed('handed over', undefined)],
      ...[halfOpen('full'), handedOver],
      closed('handshake failed', undefined),
    ]);
    assert.equal(of('rekindle_handshakes_total{kind="full",outcome="established"}'), '1');
    assert.equal(of('rekindle_handshakes_total{kind="resumed",outcome="established"}'), '1');
    assert.equal(of('rekindle_handshakes_total{kind="full",outcome="authentication_failed"}'), '1');
    assert.equal(of('rekindle_handshakes_total{kind="full",outcome="timed_out"}'), '1');
    assert.equal(of('rekindle_handshakes_total{kind="resumed",outcome="handed_over"}'), '1');
    assert.equal(of('rekindle_handshakes_total{kind="full",outcome="handed_over"}'), '1');
    assert.equal(of('rekindle_handshakes_total{kind="full",outcome="failed"}'), '0');
    assert.equal(of('rekindle_resumptions_total{outcome="resumed"}'), '1');
    assert.equal(of('rekindle_sessions_closed_total{why="deleted_by_peer"}'), '1');
    assert.equal(of('rekindle_sessions_established_total{post_quantum="no"}'), '2');
    assert.equal(of('rekindle_hand_offs_total{outcome="given"}'), '2');
    assert.equal(of('rekindle_handshake_duration_seconds_sum{kind="full"}'), '0.04');
    assert.equal(of('rekindle_handshake_duration_seconds_bucket{le="0.05",kind="resumed"}'), '1');
    assert.equal(of('rekindle_sessions'), '3');
    assert.equal(of('rekindle_half_open'), '2');
  });

  it('count tickets by key, and forget a key that leaves the ring', async () => {
    const sealed = (keyId: string): Event => ({ name: 'ticket-sealed', keyId, lifetimeMs: 1, ...which });
    const of = await scraped([], ({ events }) => {
      events.useKeys(['aa', 'bb']);
      for (const keyId of ['aa', 'bb', 'bb', 'cc']) events.observe(sealed(keyId));
      events.observe({ name: 'ticket-opened', keyId: 'bb', path });
      events.useKeys(['bb', 'dd']);
      events.observe(sealed('bb'));
    });
    assert.equal(of('rekindle_tickets_sealed_total{key_id="bb"}'), '3');
    assert.equal(of('rekindle_tickets_opened_total{key_id="bb"}'), '1');
    assert.equal(of('rekindle_tickets_sealed_total{key_id="dd"}'), '0');
    for (const gone of ['aa', 'cc']) assert.equal(of(`rekindle_tickets_sealed_total{key_id="${gone}"}`), undefined);
  });

  it('have no label that a stranger chooses', async () => {
    const refused = (notify: string): Event => ({
      name: 'refused',
      by: 'peer',
      exchange: 'IKE_AUTH',
      notify,
      reason: '',
      ...which,
    });
    const of = await scraped([refused('AUTHENTICATION_FAILED'), refused('12345'), refused('x"} 1')]);
    assert.equal(of('rekindle_refusals_total{by="peer",notify="AUTHENTICATION_FAILED"}'), '1');
    assert.equal(of('rekindle_refusals_total{by="peer",notify="other"}'), '2');
  });

  it('begin at zero, so that the first increase is one', async () => {
    const of = await scraped([]);
    for (const series of [
      'rekindle_dropped_datagrams_total{reason="malformed"}',
      'rekindle_resumptions_total{outcome="unknown-key"}',
      'rekindle_reloads_total{file="key_ring",outcome="refused"}',
      'rekindle_retransmits_total',
    ]) {
      assert.equal(of(series), '0', series);
    }
  });
});

describe('the log of events', () => {
  const logged = (
    level: LogLevel,
    events: readonly (readonly [now: number, event: Event])[],
  ): readonly Record<string, unknown>[] => {
    const lines: string[] = [];
    let now = 0;
    const write = eventLog(createLog({ level, base: {}, to: { write: (line) => void lines.push(line) } }), () => now);
    for (const [at, event] of events) {
      now = at;
      write(event);
    }
    return lines.map((line) => JSON.parse(line));
  };

  it('has one line for a session, with peer, SPIs and identity', () => {
    const [line] = logged('info', [[0, established('resumed')]]);
    assert.deepEqual(
      { ...line, time: '' },
      {
        ...{ level: 'info', time: '', event: 'established', msg: 'session established' },
        ...{ peer: path.remote, local: path.local, spiI: which.spiI, spiR: which.spiR },
        ...{ kind: 'resumed', identity: 'alice@example.com', inner: ['10.8.0.2'], postQuantum: false, durationMs: 40 },
      },
    );
  });

  it('warns of refusals, whispers what any stranger can cause', () => {
    const level = (event: Event): string | undefined => eventLine(event)?.level;
    assert.equal(
      level({ name: 'refused', by: 'us', exchange: 'IKE_AUTH', notify: 'AUTHENTICATION_FAILED', reason: '', ...which }),
      'warn',
    );
    assert.equal(level({ name: 'ticket-refused', reason: 'expired', keyId: undefined, path }), 'warn');
    assert.equal(level({ name: 'dropped', reason: 'malformed', detail: '', path }), 'debug');
    assert.equal(level(closed('peer dead', alice)), 'info');
    assert.equal(level(closed('half-open too long', undefined)), 'debug');
  });

  it('holds a flood of warnings back, and says how many', () => {
    const refused: Event = { name: 'ticket-refused', reason: 'spent', keyId: 'aa', path };
    const lines = logged('info', [...Array.from({ length: 50 }, () => [0, refused] as const), [10_000, refused]]);
    assert.equal(lines.length, 21);
    assert.equal(lines.at(-1)?.['heldBack'], 30);
    assert.equal(
      logged(
        'info',
        Array.from({ length: 50 }, () => [0, established('full')]),
      ).length,
      50,
    );
  });

  it('never sees a ticket of a client', () => {
    const voided: Event = { name: 'ticket-void', connection: 'c', why: 'refused' };
    assert.equal(eventLine(voided), undefined);
  });

  it('shows what a peer called itself without any character that could forge a line', () => {
    const event: Event = {
      name: 'address-refused',
      remote: { idType: 2, data: new TextEncoder().encode('a"\n{"level":"info"}') },
    };
    assert.match(String(eventLine(event)?.fields['identity']), /^id:2:[0-9a-f]+$/);
  });
});
