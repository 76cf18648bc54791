/** What the demo shows, in order: every step asserts what it claims. */
import assert from 'node:assert/strict';
import type { Demo, Step } from './demo.ts';

/** Where the gateway's own inner address answers pings. */
const INNER_GATEWAY = '10.8.0.1';
/** As long as a lost node would be away; the client must find another pod. */
const AWAY_MS = 6_000;

export const story: readonly Step[] = [
  { title: 'manifests applied, two gateway pods ready', run: begin },
  { title: 'client connects: begins on port 500, moves to 4500 on another pod', run: connect },
  { title: 'its pod is killed: the session goes on at another pod', run: loseItsPodAndResume },
  { title: 'the key rotates: two phases, every pod acknowledges', run: rotate },
  { title: 'pod killed again: a ticket of the retired key still opens', run: resumeByRetiredKey },
  { title: 'scaled to three pods and back, the session undisturbed', run: scale },
  { title: 'all tickets revoked, pod killed: refused, full handshake follows', run: revoke },
];

async function begin(demo: Demo) {
  await demo.startCluster();
  await demo.readyPods(2);
  const { address, ikePort, natPort } = demo.cluster.service('office');
  demo.report.say(`gateway office serves at ${address}, UDP ${ikePort} and ${natPort}`);
  const ring = await ringStatus(demo);
  return { pods: 2, keys: ring.keys.length, generation: ring.generation };
}

async function connect(demo: Demo) {
  const client = demo.startClient(['--ping', INNER_GATEWAY, '--interval', '200ms', '--dead-peer', '2s']);
  const established = await client.next('established', 0);
  assert.equal(established.kind, 'full');
  assert.ok(established.gateway.endsWith(`:${demo.cluster.service('office').natPort}`), `still at ${established.gateway}`);
  const ping = await client.next('ping', 0);
  await client.next('ticket', 0);
  const handOffs = await demo.metric('rekindle_hand_offs_total', 'outcome="taken"');
  assert.ok(handOffs >= 1, 'ports 500 and 4500 met the same pod, so nothing was handed off');
  demo.report.say(`inner address ${established.inner.join(', ')}, at pod ${await demo.home()}`);
  return {
    ...{ handshake: 'full', 'round trips': established.roundTrips, 'key exchanges': established.keyExchanges },
    ...{ ms: established.durationMs, 'ping ms': ping.rttMs.toFixed(1), 'hand-offs': handOffs },
  };
}

/** SIGKILL to the pod of the session; the client finds out, and comes back elsewhere. */
async function loseItsPod(demo: Demo, kind: 'resumed' | 'full') {
  const { client, cluster } = demo;
  await demo.readyPods(cluster.pods().length);
  const lost = await demo.home();
  const since = client.now;
  const handOffsBefore = await demo.metric('rekindle_hand_offs_total', 'outcome="taken"');
  assert.ok(cluster.kill(lost, 'SIGKILL', { holdMs: AWAY_MS }), `${lost} has no process`);
  demo.report.say(`SIGKILL to ${lost}, which stays away for ${AWAY_MS / 1_000} s`);
  const dead = await client.next('dead-peer', since);
  demo.report.say(`client found it dead ${dead.detectedAfterMs} ms after its last sign of life`);
  const established = await client.next('established', since);
  const index = client.now;
  const traffic = await client.next('ping', index - 1);
  assert.equal(established.kind, kind);
  const now = await demo.home();
  assert.notEqual(now, lost, 'the session is at the pod that was killed');
  demo.report.say(
    `${kind === 'resumed' ? 'resumed' : 'established anew'} at ${now}, inner address ${established.inner.join(', ')}`,
  );
  const handOffs = (await demo.metric('rekindle_hand_offs_total', 'outcome="taken"')) - handOffsBefore;
  return {
    ...{ from: lost, to: now, handshake: established.kind },
    ...{ 'round trips': established.roundTrips, 'key exchanges': established.keyExchanges, ms: established.durationMs },
    ...{
      'detected after ms': dead.detectedAfterMs,
      'detection to traffic ms': Math.round(traffic.at - dead.at),
      'hand-offs': Math.max(0, handOffs),
    },
    attempts: client.count('resuming', since) + client.count('connecting', since),
  };
}

async function loseItsPodAndResume(demo: Demo) {
  const facts = await loseItsPod(demo, 'resumed');
  assert.deepEqual([facts['round trips'], facts['key exchanges']], [2, 0]);
  return facts;
}

async function rotate(demo: Demo) {
  const before = await ringStatus(demo);
  demo.cluster.edit('TicketKey', 'office', { spec: { rotationToken: 'demo' } });
  const after = await demo.cluster.waitFor('a new active key, acknowledged', async () => {
    const status = await ringStatus(demo);
    const retired = status.keys.find(({ id }) => id === before.activeKey);
    return status.activeKey !== before.activeKey && retired?.openUntil !== undefined && status;
  });
  return { from: before.activeKey, to: after.activeKey, generation: after.generation };
}

async function resumeByRetiredKey(demo: Demo) {
  const retired = (await ringStatus(demo)).keys.find(({ state }) => state === 'retired');
  assert.ok(retired, 'there is no retired key');
  const facts = await loseItsPod(demo, 'resumed');
  const opened = await demo.metric('rekindle_tickets_opened_total', `key_id="${retired.id}"`);
  assert.ok(opened >= 1, `no ticket of the retired key ${retired.id} was opened`);
  assert.deepEqual([facts['round trips'], facts['key exchanges']], [2, 0]);
  return { ...facts, 'opened by retired key': opened };
}

async function scale(demo: Demo) {
  const { client, cluster } = demo;
  await demo.readyPods(2);
  const [since, pingsBefore] = [client.now, client.count('ping')];
  cluster.edit('VpnGateway', 'office', { spec: { replicas: 3 } });
  await demo.readyPods(3);
  demo.report.say('three pods ready');
  cluster.edit('VpnGateway', 'office', { spec: { replicas: 2 } });
  await demo.readyPods(2);
  await client.next('ping', client.now);
  assert.equal(client.count('dead-peer', since), 0, 'the session was lost');
  return { replicas: '2 → 3 → 2', pings: client.count('ping') - pingsBefore, lost: client.count('ping-lost', since) };
}

async function revoke(demo: Demo) {
  const { client, cluster } = demo;
  const since = client.now;
  const before = await ringStatus(demo);
  cluster.edit('TicketKey', 'office', { spec: { revocation: { before: new Date().toISOString() } } });
  await cluster.waitFor('the revocation to reach every pod', async () => {
    const { keys, generation } = await ringStatus(demo);
    const gone = !keys.some(({ id }) => id === before.activeKey);
    const loaded = await Promise.all(cluster.pods().map(({ name }) => cluster.status(name)));
    return gone && loaded.every((status) => status?.keyRing?.generation === generation);
  });
  const facts = await loseItsPod(demo, 'full');
  const nacked = await client.next('nacked', since);
  return { ...facts, refused: nacked.why };
}

interface RingStatus {
  readonly generation: number;
  readonly activeKey: string;
  readonly keys: readonly { readonly id: string; readonly state: string; readonly openUntil?: string }[];
}

async function ringStatus(demo: Demo): Promise<RingStatus> {
  return demo.cluster.waitFor('a key ring', () => {
    const status = demo.cluster.object('TicketKey', 'office')?.['status'] as Partial<RingStatus> | undefined;
    return status?.keys && status.activeKey ? ({ generation: 0, ...status } as RingStatus) : undefined;
  });
}
