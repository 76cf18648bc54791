/** The client from its first message to its farewell, against real cores on a simulated network. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClientOptions } from '../../../sidecar/client/options.ts';
import { TicketMemory } from '../../../sidecar/client/ticket-store.ts';
import { Secret } from '../../../sidecar/contract/secret.ts';
import { hex } from '../../../sidecar/ike/wire/bytes.ts';
import { policy, ring, ringKey } from '../../harness/policy.ts';
import { exchangeOf, INNER_GATEWAY, Network, podPolicy, SERVICE, type Sent, Subject } from './network.ts';

const IKE_SESSION_RESUME = 38;
const DEAD_PEER_MS = 2_000;

/** Two pods, a client with a session at the first, and its ticket. */
async function connected(part: Partial<ClientOptions> = {}, store = new TicketMemory()) {
  const network = new Network();
  const [first, second] = [network.pod(0), network.pod(1)];
  const subject = new Subject(network, { deadPeerMs: DEAD_PEER_MS, ...part }, store);
  void subject.client.connect();
  await network.clock.advance(100);
  assert.equal(first.sessions().length, 1);
  return { network, subject, first, second };
}

const resumptions = (network: Network): Sent[] =>
  network.sent.filter((datagram) => datagram.kind === 'ike' && exchangeOf(datagram) === IKE_SESSION_RESUME);

describe('a client that connects', () => {
  it('needs two round trips and one key exchange, gets an address and a ticket', async () => {
    const { subject } = await connected();
    assert.deepEqual(subject.names, ['connecting', 'half-open', 'established', 'ticket']);
    const { kind, roundTrips, keyExchanges, inner, routes, remoteId, outageMs } = subject.last('established');
    assert.deepEqual(
      { kind, roundTrips, keyExchanges, outageMs },
      { kind: 'full', roundTrips: 2, keyExchanges: 1, outageMs: undefined },
    );
    assert.equal(remoteId, 'vpn.example.com');
    assert.match(String(inner), /^10\.8\.\d+\.\d+$/);
    assert.deepEqual(routes, ['0.0.0.0/0']);
    assert.equal(subject.last('ticket').lifetimeMs, 3_600_000);
  });

  it('begins at the IKE port and goes on at the NAT port, from one socket', async () => {
    const { network, subject } = await connected();
    assert.deepEqual(
      network.sent.map(({ to }) => to),
      [`${SERVICE}:500`, `${SERVICE}:4500`],
    );
    assert.equal(new Set(network.sent.map(({ from }) => from)).size, 1);
    assert.equal(subject.last('established').gateway, `${SERVICE}:4500`);
  });

  it('takes a hand-off between pods as nothing special', async () => {
    const network = new Network();
    const pods = [network.pod(0), network.pod(1)];
    network.balance = (flow) => pods[flow.endsWith(':500') ? 0 : 1];
    const subject = new Subject(network);
    void subject.client.connect();
    await network.clock.advance(100);
    assert.deepEqual(
      pods.map((pod) => pod.sessions().length),
      [0, 1],
    );
    assert.equal(subject.last('established').roundTrips, 2);
  });

  it('asks for no ticket when it is to have none', async () => {
    const { subject } = await connected({ tickets: false });
    assert.deepEqual(subject.names, ['connecting', 'half-open', 'established']);
  });

  it('pings through the tunnel, and knows which pings nobody answered', async () => {
    const { network, subject } = await connected();
    const pings = [subject.client.ping(INNER_GATEWAY), subject.client.ping(Uint8Array.of(10, 8, 200, 200))];
    await network.clock.advance(3_000);
    assert.deepEqual(await Promise.all(pings), [
      { name: 'ping', address: '10.8.0.1', seq: 1, rttMs: 2 },
      { name: 'ping-lost', address: '10.8.200.200', seq: 2 },
    ]);
  });

  it('is refused with a wrong key, says so and tries again ever more rarely', async () => {
    const network = new Network();
    network.pod(0);
    const subject = new Subject(network, {
      authentication: { method: 'psk', secret: new Secret(new Uint8Array(20)) },
    });
    void subject.client.connect();
    await network.clock.advance(60_000);
    assert.equal(subject.last('refused').notify, 'AUTHENTICATION_FAILED');
    assert.equal(subject.named('unanswered').length, 0);
    const pauses = subject.named('waiting').map(({ waitMs }) => waitMs);
    assert.ok(pauses.length >= 3 && pauses.length <= 7, `${pauses}`);
    assert.ok((pauses.at(-1) ?? 0) > 3 * (pauses[0] ?? 0), `${pauses}`);
  });

  it('deletes a session that has no child, says why, and does not hurry to have another one', async () => {
    const network = new Network();
    const pod = network.pod(0);
    const chacha = { encryption: [{ id: 28, keyBits: 0 }], integrity: [], prf: [], keyExchange: [0], additionalKeyExchange: [] };
    const subject = new Subject(network, { esp: chacha });
    void subject.client.connect();
    await network.clock.advance(900);
    assert.deepEqual(pod.sessions(), []);
    assert.deepEqual(subject.names.slice(2), ['established', 'refused', 'ticket', 'ticket-void', 'closed', 'waiting']);
    assert.equal(subject.last('refused').notify, 'NO_PROPOSAL_CHOSEN');
    assert.equal(subject.last('closed').why, 'no child SA');
    assert.ok(subject.last('waiting').waitMs >= 1_000);
  });

  it('gives up after the first failure when it is to run once, and says why', async () => {
    const network = new Network();
    const subject = new Subject(network, { once: true });
    const failed = assert.rejects(subject.client.connect(), /attempt 1: no answer from vpn\.example\.com:500/);
    await network.clock.advance(5_000);
    await failed;
    assert.equal(network.clock.pending, 0);
    assert.deepEqual(network.open, []);
  });

  it('says what is wrong when it cannot even send, and tries again', async () => {
    const network = new Network();
    let failures = 0;
    const resolve = () => Promise.reject(new Error(`no address ${++failures}`));
    const subject = new Subject(network, {}, undefined, { ...network.ports(), resolve });
    void subject.client.connect();
    await network.clock.advance(5_000);
    assert.ok(failures > 3);
    assert.deepEqual(subject.events[0], { name: 'warning', message: 'no address 1' });
  });
});

describe('a client whose gateway dies', () => {
  it('resumes at another pod in two round trips without a key exchange, with its address, from a new port', async () => {
    const { network, subject, first, second } = await connected();
    const before = subject.last('established');
    first.kill();
    await network.clock.advance(2 * DEAD_PEER_MS);
    assert.equal(second.sessions().length, 1);
    const after = subject.last('established');
    assert.deepEqual(
      { kind: after.kind, roundTrips: after.roundTrips, keyExchanges: after.keyExchanges, inner: after.inner },
      { kind: 'resumed', roundTrips: 2, keyExchanges: 0, inner: before.inner },
    );
    assert.notEqual(after.local, before.local);
    assert.deepEqual(subject.names.slice(4), ['dead-peer', 'resuming', 'half-open', 'established', 'ticket']);
    const ping = subject.client.ping(INNER_GATEWAY);
    await network.clock.advance(10);
    assert.equal((await ping).name, 'ping');
  });

  it('resumes at the NAT port from the start, so that one flow is enough (RFC 7296 §2.23)', async () => {
    const { network, first } = await connected();
    const before = network.sent.length;
    first.kill();
    await network.clock.advance(2 * DEAD_PEER_MS);
    const back = network.sent.slice(before).filter(({ from }) => from !== network.sent[0]?.from);
    assert.deepEqual([...new Set(back.map(({ to }) => to))], [`${SERVICE}:4500`]);
  });

  it('finds out within the time it was given, traffic or none', async () => {
    for (const traffic of [false, true]) {
      const { network, subject, first } = await connected();
      first.kill();
      if (traffic) void subject.client.ping(INNER_GATEWAY);
      await network.clock.advance(1.2 * DEAD_PEER_MS);
      const { detectedAfterMs } = subject.last('dead-peer');
      assert.ok(detectedAfterMs <= 1.15 * DEAD_PEER_MS, `${detectedAfterMs}`);
      if (traffic) assert.ok(detectedAfterMs <= 0.95 * DEAD_PEER_MS, `${detectedAfterMs}`);
    }
  });

  it('presents no ticket twice over many deaths, and has a new one each time', async () => {
    const { network, subject } = await connected();
    for (let death = 0; death < 4; death++) {
      network.pods.find(({ alive }) => alive)?.kill();
      network.pod(death % 2);
      await network.clock.advance(2 * DEAD_PEER_MS);
    }
    assert.equal(subject.named('established').length, 5);
    assert.equal(subject.named('ticket').length, 5);
    const presented = resumptions(network).map(({ bytes }) => hex(bytes));
    assert.equal(presented.length, 4);
    assert.equal(new Set(presented).size, 4);
  });

  it('tries a new port for each attempt, because the flow of the old one may lead to the dead pod for ever', async () => {
    const { network, subject, first, second } = await connected();
    first.kill();
    let flows = 0;
    network.balance = () => (++flows <= 2 ? first : second);
    await network.clock.advance(4 * DEAD_PEER_MS);
    assert.equal(subject.last('established').kind, 'resumed');
    const ports = subject.named('resuming').map(({ local }) => local);
    assert.equal(ports.length, 3);
    assert.equal(new Set(ports).size, 3);
    assert.deepEqual(network.open, [subject.last('established').local]);
  });

  it('does a full exchange when its ticket is refused, within the same attempt', async () => {
    const { network, subject, first, second } = await connected();
    second.configure(policy({ ring: ring({ keys: [ringKey(2, 'active')] }), config: podPolicy().config }));
    first.kill();
    await network.clock.advance(2 * DEAD_PEER_MS);
    assert.deepEqual(subject.names.slice(4), ['dead-peer', 'resuming', 'nacked', 'half-open', 'established', 'ticket']);
    const { kind, roundTrips, keyExchanges } = subject.last('established');
    assert.deepEqual({ kind, roundTrips, keyExchanges }, { kind: 'full', roundTrips: 3, keyExchanges: 1 });
  });

  it('does a full exchange when resumptions stay unanswered, from yet another port', async () => {
    const { network, subject, first } = await connected();
    network.lost = (datagram) => exchangeOf(datagram) === IKE_SESSION_RESUME;
    first.kill();
    await network.clock.advance(10 * DEAD_PEER_MS);
    assert.equal(subject.named('resuming').length, 3);
    assert.equal(subject.last('established').kind, 'full');
    assert.equal(subject.named('nacked').length, 0);
  });

  it('does not give up, and comes back by its ticket when the gateway is there again after minutes', async () => {
    const { network, subject, first, second } = await connected();
    first.kill();
    second.kill();
    await network.clock.advance(600_000);
    const attempts = subject.named('resuming').length + subject.named('connecting').length;
    assert.ok(attempts < 50, `${attempts} attempts in ten minutes`);
    const { waitMs } = subject.last('waiting');
    assert.ok(waitMs >= 15_000 && waitMs <= 30_000, `${waitMs}`);
    network.pod(0);
    await network.clock.advance(120_000);
    assert.equal(subject.named('established').length, 2);
  });

  it('does not present a ticket past its lifetime', async () => {
    const { network, subject, first, second } = await connected();
    const expiry = network.clock.now() + subject.last('ticket').lifetimeMs;
    first.kill();
    second.kill();
    await network.clock.advance(3_600_000 + 600_000);
    assert.ok(resumptions(network).every(({ at }) => at < expiry));
    assert.ok(network.sent.some(({ at }) => at > expiry + 500_000));
    network.pod(0);
    await network.clock.advance(120_000);
    assert.equal(subject.last('established').kind, 'full');
  });

  it('does not present a ticket again that led to a session, though the gateway gave no other', async () => {
    const store = new TicketMemory();
    const { network, subject } = await connected({}, store);
    await subject.client.suspend();
    const next = new Subject(network, { tickets: false, deadPeerMs: DEAD_PEER_MS }, store, network.ports(8));
    void next.client.connect();
    await network.clock.advance(100);
    assert.equal(next.last('established').kind, 'resumed');
    assert.equal(await next.client.suspend(), false);
    const last = new Subject(network, {}, store, network.ports(9));
    void last.client.connect();
    await network.clock.advance(100);
    assert.equal(last.last('established').kind, 'full');
    assert.equal(resumptions(network).length, 1);
  });

  it('does not believe anybody who says so without proof', async () => {
    const { network, subject } = await connected();
    const { local, spiI, spiR } = subject.last('established');
    const invalidSpi = Uint8Array.from(Buffer.from(`${spiI}${spiR}29202520000000000000002400000008010000040000`, 'hex'));
    for (const bytes of [invalidSpi, new Uint8Array(28), new Uint8Array(400).fill(7)]) {
      for (const kind of ['ike', 'esp'] as const) network.deliver({ kind, bytes, from: `${SERVICE}:4500`, to: local });
    }
    await network.clock.advance(10 * DEAD_PEER_MS);
    assert.deepEqual(subject.names, ['connecting', 'half-open', 'established', 'ticket']);
    assert.deepEqual(network.open, [local]);
  });
});

describe('a client whose session is ended', () => {
  it('forgets the ticket when the gateway deletes the SA, and connects anew', async () => {
    const { network, subject, first } = await connected();
    first.loop.handle({ type: 'want', spi: first.sessions()[0] ?? '', intent: { kind: 'deleteIke' } });
    await network.clock.advance(10_000);
    assert.deepEqual(subject.names.slice(4, 8), ['ticket-void', 'closed', 'waiting', 'connecting']);
    assert.equal(resumptions(network).length, 0);
    assert.equal(subject.last('established').kind, 'full');
  });

  it('asks for a new ticket when the SA is rekeyed, and resumes with that', async () => {
    const { network, subject, first } = await connected();
    first.loop.handle({ type: 'want', spi: first.sessions()[0] ?? '', intent: { kind: 'rekeyIke' } });
    await network.clock.advance(500);
    assert.deepEqual(subject.names.slice(4), ['rekeyed', 'ticket-void', 'ticket']);
    first.kill();
    await network.clock.advance(2 * DEAD_PEER_MS);
    assert.equal(subject.last('established').kind, 'resumed');
  });

  it('deletes the SA and the ticket when it closes', async () => {
    const store = new TicketMemory();
    const network = new Network();
    const pod = network.pod(0);
    const subject = new Subject(network, {}, store);
    void subject.client.connect();
    await network.clock.advance(100);
    const closed = subject.client.close();
    await network.clock.advance(100);
    await closed;
    assert.deepEqual(pod.sessions(), []);
    assert.equal(store.take(network.now()), undefined);
    assert.deepEqual(subject.names.slice(4), ['ticket-void', 'closed']);
    assert.deepEqual(network.open, []);
  });

  it('does not wait for ever for a dead gateway when it closes', async () => {
    const { network, subject, first } = await connected();
    first.kill();
    const closed = subject.client.close();
    await network.clock.advance(2_100);
    await closed;
    assert.deepEqual(network.open, []);
  });

  it('keeps the ticket when it is suspended, and resumes with it at its next start', async () => {
    const store = new TicketMemory();
    const network = new Network();
    const pod = network.pod(0);
    const subject = new Subject(network, {}, store);
    void subject.client.connect();
    await network.clock.advance(100);
    assert.equal(await subject.client.suspend(), true);
    assert.equal(pod.sessions().length, 1, 'the gateway was told nothing');
    assert.deepEqual(subject.names.slice(4), ['suspended']);

    const next = new Subject(network, {}, store, network.ports(8));
    void next.client.connect();
    await network.clock.advance(100);
    const { kind, roundTrips, keyExchanges, inner } = next.last('established');
    assert.deepEqual({ kind, roundTrips, keyExchanges }, { kind: 'resumed', roundTrips: 2, keyExchanges: 0 });
    assert.deepEqual(inner, subject.last('established').inner);
    assert.equal(pod.sessions().length, 1, 'the old SA went silently (RFC 5723 §4.3.4)');
  });

  it('puts the ticket back when it is suspended before it could come back', async () => {
    const { network, subject, first, second } = await connected();
    first.kill();
    second.kill();
    await network.clock.advance(2 * DEAD_PEER_MS);
    assert.ok(subject.named('resuming').length > 0);
    const suspended = subject.client.suspend();
    await network.clock.advance(10);
    assert.equal(await suspended, true);
  });

  it('rejects whoever waits for a session when it is closed before', async () => {
    const network = new Network();
    const subject = new Subject(network);
    const failed = assert.rejects(subject.client.connect(), /closed before there was a session/);
    await network.clock.advance(10);
    void subject.client.close();
    await network.clock.advance(10);
    await failed;
    assert.equal(network.clock.pending, 0);
  });
});

describe('the way through a NAT', () => {
  it('is kept open by one byte when nothing else has been sent for twenty seconds', async () => {
    const { network } = await connected({ deadPeerMs: 600_000 });
    await network.clock.advance(120_000);
    const outside = network.sent.filter(({ to }) => to === `${SERVICE}:4500`);
    const silences = outside.slice(1).map(({ at }, index) => at - (outside[index]?.at ?? 0));
    assert.ok(Math.max(...silences) <= 20_010, `${silences}`);
    assert.ok(outside.filter(({ kind }) => kind === 'keepalive').length >= 3);
  });

  it('needs no such byte while there is traffic', async () => {
    const { network, subject } = await connected({ deadPeerMs: 600_000 });
    for (let second = 0; second < 60; second += 10) {
      void subject.client.ping(INNER_GATEWAY);
      await network.clock.advance(10_000);
    }
    assert.deepEqual(
      network.sent.filter(({ kind }) => kind === 'keepalive'),
      [],
    );
  });
});
