/** A session that takes the place of others at other pods (RFC 7296 §2.4, RFC 5723 §4.3.4, uniqueness `replace`): the siblings are told. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AuthenticationRule } from '../../../sidecar/contract/authentication.ts';
import { DEFAULT_RULES } from '../../../sidecar/contract/authentication-yaml.ts';
import { openQuestion, type Question } from '../../../sidecar/ike/peer-channel.ts';
import type { InPhase, Instant } from '../../../sidecar/ike/sa.ts';
import { SupersededNews } from '../../../sidecar/ike/superseded.ts';
import { hex, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { notify } from '../../../sidecar/ike/wire/payload.ts';
import { Notify, Protocol } from '../../../sidecar/ike/wire/registry.ts';
import { adding, connect, resume, ticketIn, without } from '../../harness/handshake.ts';
import { crypto, Peer, payload, requests } from '../../harness/peer.ts';
import { Pods } from '../../harness/pods.ts';
import { ALICE, config, email, PSK, policy, ring } from '../../harness/policy.ts';

const BOB = email('bob@example.com');
const users = new Map([ALICE, BOB].map(({ data }) => [hex(data), PSK]));
const ALONE = { change: adding(notify(Notify.INITIAL_CONTACT)) };

function podsBy(part: Partial<AuthenticationRule> = {}, count = 3): Pods {
  const authentication = DEFAULT_RULES.map((rule) => ({ ...rule, ...part }));
  const whole = { authentication, peers: { replicas: count }, ike: { deadPeerMs: 0 } };
  const pods = new Pods(count, whole);
  for (let pod = 0; pod < count; pod++) pods.get(pod).do({ type: 'configure', policy: policy({ config: config(whole), users }) });
  return pods;
}

/** Somebody comes to that pod, later than all before. */
function comes(pods: Pods, pod: number, seed: number, part: Parameters<typeof connect>[1] = {}) {
  for (const ordinal of [0, 1, 2]) pods.get(ordinal).pass(1_000);
  const peer = Peer.towards(pods.get(pod), { seed });
  const answer = connect(peer, { spi: 0x0a00_0000 + seed, ...part });
  assert.ok(payload(answer, 'AUTH'));
  return { peer, answer };
}
const endings = (pods: Pods) => [0, 1, 2].map((pod) => pods.get(pod).endings());
const opened = (one: { readonly bytes: Uint8Array }): Question =>
  openQuestion({ ring: ring(), crypto, audience: config().audience }, one.bytes);

describe('a peer that says that it has no other session', () => {
  it('has none at any pod from then on, and nobody else loses one', () => {
    const pods = podsBy();
    comes(pods, 0, 100);
    comes(pods, 1, 101);
    comes(pods, 1, 102, { identity: BOB });
    comes(pods, 2, 103, ALONE);
    pods.talk();
    assert.deepEqual(endings(pods), [['superseded by initial contact'], ['superseded by initial contact'], []]);
    assert.deepEqual([pods.get(1).sessions().length, pods.get(2).sessions().length], [1, 1]);
  });

  it('keeps the session that it began since, however late and often the words come', () => {
    const pods = podsBy();
    comes(pods, 2, 103, ALONE);
    const recorded = pods.questions();
    assert.ok(recorded.some((one) => opened(one).kind === 'superseded'));
    comes(pods, 0, 100);
    for (const question of recorded) pods.ask(question);
    pods.pass(20_000); // what was answered is forgotten, the words are still of this time
    for (const question of recorded) pods.ask(question);
    assert.deepEqual(endings(pods), [[], [], []]);
    assert.equal(pods.get(0).sessions().length, 1);
  });

  it('keeps the session that moved on before the words went out', () => {
    const pods = podsBy();
    comes(pods, 0, 99, { ...ALONE, identity: BOB }); // told at once, so that the next news wait
    const peer = Peer.towards(pods.get(0), { seed: 100 });
    connect(peer, { spi: 0x0a00_0100, ...ALONE });
    peer.subject = pods.get(1);
    peer.send(peer.sealed(37, []), { local: '10.0.0.11:4500', remote: '203.0.113.9:4500' });
    pods.talk();
    pods.pass(1_000);
    assert.equal(pods.get(1).sessions().length, 1);
    assert.deepEqual(endings(pods), [['handed over'], [], []]);
  });
});

describe('a rule that replaces', () => {
  it('ends the older sessions at other pods with a DELETE', () => {
    const pods = podsBy({ uniqueness: 'replace' });
    const { peer } = comes(pods, 0, 100);
    comes(pods, 1, 101);
    const [told] = requests(peer.hear(pods.talk()));
    assert.equal(payload(told, 'D')?.protocol, Protocol.IKE);
    peer.answer(told ?? assert.fail(), []);
    assert.deepEqual(endings(pods), [['replaced by another session'], [], []]);
  });

  it('lets several be where it keeps them, and counts for each pod alone where it bounds them', () => {
    const pods = podsBy({ maxSessions: 1 });
    for (const pod of [0, 1, 2]) comes(pods, pod, 100 + pod);
    pods.talk();
    assert.deepEqual(endings(pods), [[], [], []]);
  });
});

describe('a resumption', () => {
  it('ends the old SA wherever it has moved, also one that holds no address', () => {
    const pods = podsBy();
    const bare = { change: without('CP') };
    const { peer, answer } = comes(pods, 0, 100, bare);
    peer.subject = pods.get(1);
    peer.send(peer.sealed(37, []), { local: '10.0.0.11:4500', remote: '203.0.113.9:4500' });
    pods.talk();
    resume(Peer.towards(pods.get(2), { seed: 300 }), ticketIn(peer, answer), bare);
    pods.talk();
    assert.deepEqual(endings(pods), [['handed over'], ['superseded by resumption'], []]);
  });
});

describe('what is told of superseded sessions', () => {
  const sa = (data: Uint8Array) => ({ phase: { remote: { idType: 2, data }, since: 0 } }) as unknown as InPhase<'established'>;
  const why = 'superseded by initial contact';

  it('passes in one piece, and is forgotten beyond a bound, the oldest first', () => {
    const news = new SupersededNews();
    for (let number = 0; number < 10_000; number++) news.add(sa(utf8(`user ${number} ${'x'.repeat(number % 400)}`)), [{ why }]);
    news.add(sa(new Uint8Array(60_000)), [{ why }]);
    let [count, last] = [0, ''];
    while (!news.isEmpty) {
      const sessions = news.take(0 as Instant);
      assert.ok(sessions.reduce((sum, { identity }) => sum + identity.data.length + 150, 0) < 60_000 && sessions.length > 0);
      count += sessions.length;
      last = Buffer.from(sessions.at(-1)?.identity.data ?? []).toString();
    }
    assert.deepEqual([count, last.split(' ')[1]], [4_096, '9999']);
  });

  it('is told at once, and then together', () => {
    const pods = podsBy();
    const words = () =>
      pods
        .questions()
        .map(opened)
        .filter(({ kind }) => kind === 'superseded');
    comes(pods, 0, 100, ALONE);
    assert.equal(words().length, 2);
    for (let more = 1; more < 6; more++)
      connect(Peer.towards(pods.get(0), { seed: 200 + more }), { spi: 0x0b00_0000 + more, ...ALONE });
    assert.equal(words().length, 0);
    pods.get(0).pass(200);
    const told = words();
    assert.deepEqual(
      told.map((one) => (one.kind === 'superseded' ? one.sessions.length : 0)),
      [5, 5],
    );
  });
});
