/** Inner addresses of sessions that move between pods: kept by who resumes, given to nobody else meanwhile. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EMPTY, hex } from '../../../sidecar/ike/wire/bytes.ts';
import { Exchange } from '../../../sidecar/ike/wire/registry.ts';
import { connect, ikeSaInit, innerIn, resume, ticketIn } from '../../harness/handshake.ts';
import { Peer, payload } from '../../harness/peer.ts';
import { Pods } from '../../harness/pods.ts';
import { ALICE, config, email, PSK, policy } from '../../harness/policy.ts';
import { gatewayOf, type Subject } from '../../harness/subject.ts';

/** Six addresses in the slice of pod 0, seven in that of pod 1. */
const part = {
  pools: [{ cidr: '10.8.0.0/28' }],
  slices: 2,
  peers: { replicas: 2 },
  ike: { deadPeerMs: 0 },
  tickets: { lifetimeMs: 3_600_000 },
};
const BOB = email('bob@example.com');
const users = new Map([ALICE, BOB].map(({ data }) => [hex(data), PSK]));
const whole = { config: config(part), users };

function twoPods(): Pods {
  const pods = new Pods(2, part);
  for (const ordinal of [0, 1]) pods.get(ordinal).do({ type: 'configure', policy: policy(whole) });
  return pods;
}

/** Alice was at pod 0, which is gone or not, and has resumed at pod 1. */
function moved(pods: Pods, { talk = true } = {}): { old: Peer; peer: Peer; inner: Uint8Array } {
  const old = Peer.towards(pods.get(0));
  const answer = connect(old);
  const inner = innerIn(answer) ?? EMPTY;
  const peer = Peer.towards(pods.get(1), { seed: 300 });
  const resumed = resume(peer, ticketIn(old, answer, [inner]), { wanted: inner, spi: 0x0a00_0002 });
  assert.deepEqual(innerIn(resumed), inner);
  if (talk) pods.talk();
  return { old, peer, inner };
}

/** Bob takes whatever pod 0 has; answers the addresses. */
function crowd(pod: Subject, from = 400): string[] {
  return Array.from({ length: 7 }, (_, at) =>
    innerIn(connect(Peer.towards(pod, { seed: from + at }), { identity: BOB, spi: 0x0c00_0000 + at })),
  ).flatMap((inner) => (inner ? [hex(inner)] : []));
}

describe('an address in the slice of another pod', () => {
  it('stays with the client that resumes here, and its owner gives it to nobody', () => {
    const pods = twoPods();
    const { inner } = moved(pods);
    assert.deepEqual(pods.get(1).session().inner, [inner]);
    const given = crowd(pods.get(0));
    assert.equal(given.length, 5);
    assert.ok(!given.includes(hex(inner)));
  });

  it('stays there for as long as the session lives, since its owner is told of it again and again', () => {
    const pods = twoPods();
    const { inner } = moved(pods);
    for (let times = 0; times < 20; times++) pods.pass(30_000);
    assert.ok(!crowd(pods.get(0)).includes(hex(inner)));
  });

  for (const end of ['pod', 'session'] as const)
    it(`is free again when the ${end} that holds it is gone`, () => {
      const pods = twoPods();
      const { peer, inner } = moved(pods);
      if (end === 'session') peer.request(Exchange.INFORMATIONAL, [{ kind: 'D', protocol: 1, spis: [] }]);
      for (let times = 0; times < 4; times++) end === 'pod' ? pods.get(0).pass(30_000) : pods.pass(30_000);
      assert.ok(crowd(pods.get(0)).includes(hex(inner)));
    });

  it('is known to its owner after a restart: it asks before it gives anything', () => {
    const pods = twoPods();
    const { inner } = moved(pods);
    const fresh = gatewayOf(whole, { ordinal: 0, seed: 99 });
    pods.replace(0, fresh);
    assert.equal(ikeSaInit(Peer.towards(fresh, { seed: 301 })), undefined);
    assert.deepEqual(fresh.drops(), ['not-ready']);
    pods.talk();
    const given = crowd(fresh);
    assert.deepEqual([given.length, given.includes(hex(inner))], [5, false]);
  });

  it('is not waited for without end: siblings that are silent for two seconds hold nothing', () => {
    const pods = twoPods();
    moved(pods);
    const fresh = gatewayOf(whole, { ordinal: 0, seed: 99 });
    pods.replace(0, fresh);
    fresh.pass(1_999);
    assert.equal(ikeSaInit(Peer.towards(fresh, { seed: 301 })), undefined);
    fresh.pass(1);
    assert.ok(payload(ikeSaInit(Peer.towards(fresh, { seed: 301 })), 'KE'));
  });

  it('that its owner has given away meanwhile stays with whoever has it there', () => {
    const pods = twoPods();
    const { old, inner } = moved(pods, { talk: false });
    // What pod 1 told was lost, pod 0 lost Alice, and Bob came.
    pods.questions();
    old.request(Exchange.INFORMATIONAL, [{ kind: 'D', protocol: 1, spis: [] }]);
    const given = crowd(pods.get(0));
    assert.ok(given.includes(hex(inner)));
    assert.equal(pods.get(1).sessions().length, 1);
    for (let times = 0; times < 2; times++) pods.pass(31_000);
    assert.deepEqual(pods.get(1).sessions(), []);
    assert.ok(
      pods
        .get(0)
        .sessions()
        .some((session) => hex(session.inner[0] ?? EMPTY) === hex(inner)),
    );
  });
});

describe('the old session', () => {
  it('ends silently at the pod where it was, with its children', () => {
    const pods = twoPods();
    const { old } = moved(pods);
    assert.deepEqual([pods.get(0).endings(), pods.get(0).children.size], [['superseded by resumption'], 0]);
    assert.deepEqual(old.hear(pods.get(0).pass(60_000)), [], 'no DELETE');
    assert.equal(old.request(Exchange.INFORMATIONAL, []), undefined);
  });

  it('of somebody else does not end', () => {
    const pods = twoPods();
    connect(Peer.towards(pods.get(0), { seed: 350 }), { identity: BOB, spi: 0x0a00_0009 });
    moved(pods);
    assert.deepEqual(
      pods
        .get(0)
        .sessions()
        .map(({ remote }) => hex(remote?.data ?? EMPTY)),
      [hex(BOB.data)],
    );
  });
});
