/** A client that changes its address, and one that is sent to another gateway (RFC 4555, RFC 5685), against real cores on a simulated network. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClientOptions } from '../../../sidecar/client/options.ts';
import type { ClientPorts } from '../../../sidecar/client/ports.ts';
import { config, fqdn, policy } from '../../harness/policy.ts';
import { INNER_GATEWAY, Network, type Pod, SERVICE, Subject } from './network.ts';

const ELSEWHERE = '192.0.2.9';
const OTHER = '198.51.100.2';

/** A client with a session at the first of two pods, which can tell where its way begins. */
async function roaming({ mobike = true, ...part }: Partial<ClientOptions> = {}, change: Partial<ClientPorts> = {}) {
  const network = new Network();
  const pod = network.pod(0);
  pod.configure(policy({ config: config({ peers: { host: 'pod-{ordinal}', replicas: 1 }, mobike }) }));
  const ports = { ...network.ports(), sourceTowards: async () => network.home, ...change };
  const subject = new Subject(network, { deadPeerMs: 30_000, ...part }, undefined, ports);
  void subject.client.connect();
  await network.clock.advance(100);
  const [spi] = pod.sessions();
  const [{ local: before, inner }] = [subject.last('established')];
  return { network, pod, subject, ports, spi, before, inner };
}

async function pings({ network, subject }: { network: Network; subject: Subject }): Promise<string> {
  const ping = subject.client.ping(INNER_GATEWAY);
  await network.clock.advance(2_000);
  return (await ping).name;
}

describe('a client whose way to the gateway begins at another address', () => {
  it('takes its session along, from a socket there, and closes the one that it had', async () => {
    const one = await roaming();
    one.network.home = ELSEWHERE;
    await one.network.clock.advance(1_100);
    const [local = ''] = one.network.open;
    assert.match(local, /^192\.0\.2\.9:/);
    assert.deepEqual(one.network.open, [local]);
    assert.deepEqual(one.subject.last('moved'), { name: 'moved', from: one.before, to: local });
    assert.deepEqual([one.pod.sessions(), one.subject.names.includes('dead-peer')], [[one.spi], false]);
    const targets = one.network.sent.flatMap(({ from, to }) => (from === local ? [to] : []));
    assert.deepEqual(new Set(targets), new Set([`${SERVICE}:4500`]), 'RFC 4555 §3.3: where NATs may be');
    assert.equal(await pings(one), 'ping');
  });

  it('moves again and again, and back', async () => {
    const one = await roaming();
    for (const home of [ELSEWHERE, '192.0.2.1', ELSEWHERE]) {
      one.network.home = home;
      await one.network.clock.advance(2_000);
    }
    assert.deepEqual([one.subject.named('moved').length, one.network.open.length, one.pod.sessions()], [3, 1, [one.spi]]);
    assert.equal(await pings(one), 'ping');
  });

  it('comes back at once with its ticket and its inner address when the gateway cannot move the session', async () => {
    const one = await roaming({ mobike: false });
    one.network.home = ELSEWHERE;
    await one.network.clock.advance(1_200);
    const { kind, inner, local } = one.subject.last('established');
    assert.deepEqual([kind, inner, one.subject.named('moved')], ['resumed', one.inner, []]);
    assert.deepEqual(one.network.open, [local]);
    assert.ok(local.startsWith(ELSEWHERE));
    assert.equal(one.pod.sessions().length, 1);
  });

  it('stays at the address that it was told to use', async () => {
    const one = await roaming({ source: '192.0.2.1' });
    one.network.home = ELSEWHERE;
    await one.network.clock.advance(5_000);
    assert.deepEqual([one.network.open, one.subject.named('moved')], [[one.before], []]);
  });

  it('keeps what it has when there is no socket to be had, and tries again', async () => {
    const one = await roaming();
    const { openSocket } = one.ports;
    one.ports.openSocket = () => Promise.reject(new Error('no route'));
    one.network.home = ELSEWHERE;
    await one.network.clock.advance(3_000);
    assert.deepEqual([one.network.open, one.subject.named('moved')], [[one.before], []]);
    one.ports.openSocket = openSocket;
    await one.network.clock.advance(1_100);
    assert.equal(one.subject.named('moved').length, 1);
  });

  it('looks no more once it is closed', async () => {
    const one = await roaming();
    const closed = one.subject.client.close();
    await one.network.clock.advance(100);
    await closed;
    one.pod.kill();
    assert.equal(one.network.clock.pending, 0);
  });

  it('leaves no socket behind when its session ends while another one is opened', async () => {
    const one = await roaming();
    const { openSocket } = one.ports;
    const gate = Promise.withResolvers<void>();
    one.ports.openSocket = async (request) => {
      await gate.promise;
      return openSocket(request);
    };
    one.network.home = ELSEWHERE;
    await one.network.clock.advance(1_100);
    const closed = one.subject.client.close();
    await one.network.clock.advance(3_000);
    gate.resolve();
    await one.network.clock.advance(100);
    await closed;
    assert.deepEqual(one.network.open, []);
  });
});

const policyOf = (part: Parameters<typeof config>[0]) =>
  policy({ config: config({ peers: { host: 'pod-{ordinal}', replicas: 2 }, identity: fqdn('gateways.example.com'), ...part }) });

/** Two gateways with a key ring in common; `when` says which of them send their clients to the other, and when. */
async function redirecting(
  when: readonly ('always' | 'overloaded')[],
  part: Partial<ClientOptions> = {},
  network = new Network(),
) {
  network.hosts.set('b.example.com', OTHER);
  const pods: readonly [Pod, Pod] = [network.pod(0), network.pod(1)];
  pods[1].service = OTHER;
  for (const [at, pod] of pods.entries()) {
    const to = fqdn(at === 0 ? 'b.example.com' : 'vpn.example.com');
    pod.configure(policyOf(when[at] ? { redirect: { to, when: when[at] } } : {}));
  }
  const subject = new Subject(network, { deadPeerMs: 2_000, ...part });
  const connected = subject.client.connect();
  connected.catch(() => {});
  await network.clock.advance(100);
  const sendAway = (pod: Pod): void => {
    for (const spi of pod.sessions()) pod.loop.handle({ type: 'want', spi, intent: { kind: 'redirect' } });
  };
  const sessions = () => pods.map((pod) => pod.sessions().length);
  return { network, subject, pods, connected, sendAway, sessions };
}

describe('a client that is sent to another gateway', () => {
  it('is there at once, and says from where to where', async () => {
    const { network, subject, sessions } = await redirecting(['always']);
    assert.deepEqual(subject.named('redirected'), [{ name: 'redirected', from: `${SERVICE}:500`, to: 'b.example.com' }]);
    assert.deepEqual([sessions(), subject.last('established').gateway], [[0, 1], `${OTHER}:4500`]);
    assert.deepEqual([subject.named('waiting'), subject.named('unanswered'), network.open.length], [[], [], 1]);
  });

  it('takes its ticket along when it is sent out of its session, and keeps its inner address', async () => {
    const { network, subject, pods, sendAway, sessions } = await redirecting(['overloaded']);
    const before = subject.last('established');
    assert.deepEqual(sessions(), [1, 0]);
    sendAway(pods[0]);
    await network.clock.advance(100);
    const { kind, inner, gateway, outageMs = Number.NaN } = subject.last('established');
    assert.deepEqual([kind, inner, gateway, sessions()], ['resumed', before.inner, `${OTHER}:4500`, [0, 1]]);
    assert.ok(outageMs < 100, `${outageMs}`);
    assert.deepEqual([subject.named('waiting'), subject.named('closed')], [[], []]);
  });

  it('comes back to the gateway that is configured when the other one does not answer', async () => {
    const { network, subject, pods, sendAway, sessions } = await redirecting(['overloaded']);
    pods[1].kill();
    sendAway(pods[0]);
    await network.clock.advance(10_000);
    assert.match(subject.last('warning').message, /does not serve us: back to the one that is configured/);
    assert.deepEqual([sessions()[0], subject.last('established').gateway], [1, `${SERVICE}:4500`]);
  });

  it('goes in circles five times, then says so and waits before it begins at the configured gateway again', async () => {
    const { subject } = await redirecting(['always', 'always']);
    assert.deepEqual(
      subject.named('redirected').map(({ to }) => to),
      ['b.example.com', 'vpn.example.com', 'b.example.com', 'vpn.example.com', 'b.example.com'],
    );
    const message = `sent from gateway to gateway too often, at last by ${OTHER}:500 to vpn.example.com`;
    assert.deepEqual([subject.last('warning').message, subject.names.at(-1)], [message, 'waiting']);
  });

  it('is there too when it took several attempts to be sent there', async () => {
    const network = new Network();
    network.lost = () => true;
    const { subject, sessions } = await redirecting(['always'], {}, network);
    await network.clock.advance(2_000);
    assert.ok(subject.named('unanswered').length > 1);
    network.lost = () => false;
    await network.clock.advance(5_000);
    assert.deepEqual([sessions(), subject.named('warning')], [[0, 1], []]);
  });

  it('says who sent it, so that it is not sent back (RFC 5685 §9.3)', async () => {
    const { pods, network, subject, sessions } = await redirecting(['overloaded']);
    const toFirst = { idType: 1, data: Uint8Array.of(198, 51, 100, 1) };
    pods[1].configure(policyOf({ redirect: { to: toFirst, when: 'always' } }));
    pods[0].configure(policyOf({ redirect: { to: fqdn('b.example.com'), when: 'always' } }));
    pods[0].loop.handle({ type: 'want', spi: pods[0].sessions()[0] ?? '', intent: { kind: 'redirect' } });
    await network.clock.advance(100);
    assert.deepEqual([subject.named('redirected').length, sessions()], [1, [0, 1]]);
  });

  it('goes nowhere once it was told to close', async () => {
    const { network, subject, pods, sendAway } = await redirecting(['overloaded']);
    sendAway(pods[0]);
    const closed = subject.client.close();
    await network.clock.advance(3_000);
    await closed;
    assert.deepEqual([subject.named('redirected'), subject.names.at(-1), network.open], [[], 'closed', []]);
  });

  it('follows also when it may try once only: to be sent on is no failure', async () => {
    const { connected, sessions } = await redirecting(['always'], { once: true });
    await connected;
    assert.deepEqual(sessions(), [0, 1]);
  });

  it('has failed when it may try once only and is sent in circles', async () => {
    const { connected } = await redirecting(['always', 'always'], { once: true });
    await assert.rejects(connected, /redirected too often/);
  });

  it('stays when it is told to follow nobody', async () => {
    const { subject, sessions } = await redirecting(['always'], { redirects: false });
    assert.deepEqual([sessions(), subject.named('redirected')], [[1, 0], []]);
  });
});
