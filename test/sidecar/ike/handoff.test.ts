/** Half-open SAs that go on at another pod: each port of a client may reach another one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newOwnedSpi } from '../../../sidecar/ike/owned-spi.ts';
import { openAnswer, openQuestion, sealAnswer } from '../../../sidecar/ike/peer-channel.ts';
import { type IkeSa, later } from '../../../sidecar/ike/sa.ts';
import { decodeSa, encodeSa, SA_VERSION } from '../../../sidecar/ike/sa-encoding.ts';
import { EMPTY, hex } from '../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload } from '../../../sidecar/ike/wire/payload.ts';
import { Exchange, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { connect, ikeAuth, ikeSaInit, ikeSessionResume, ticketIn } from '../../harness/handshake.ts';
import { crypto, type Heard, NAT_PATH, notifies, PATH, Peer, payload } from '../../harness/peer.ts';
import { Pods, type Question } from '../../harness/pods.ts';
import { config, policy, ring, ringKey } from '../../harness/policy.ts';
import { seeded } from '../../harness/random.ts';
import { gatewayOf, Subject } from '../../harness/subject.ts';

const keys = { ring: ring(), crypto, audience: 'audience' };
const random = seeded(77);
/** An SPI that the pod with this ordinal could have chosen. */
const spiOf = (ordinal: number): string => newOwnedSpi(ordinal, random, keys);

/** A peer that has done its first exchange with pod 0. */
function begun(pods: Pods, seed = 100): Peer {
  const peer = Peer.towards(pods.get(0), { seed });
  ikeSaInit(peer, { behindNat: true });
  return peer;
}
/** IKE_AUTH goes to that pod; what it says at once comes back. */
function authenticate(peer: Peer, pod: Subject, part: Parameters<typeof ikeAuth>[1] = {}): Heard | undefined {
  peer.subject = pod;
  peer.next = 1;
  return ikeAuth(peer, { path: NAT_PATH, ...part });
}
function only(questions: readonly Question[]): Question {
  const [question, ...others] = questions;
  return question && others.length === 0 ? question : assert.fail(`${questions.length} questions`);
}
/** The IKE_AUTH request in pieces, not sent. */
function inFragments(peer: Peer): readonly Uint8Array[] {
  let payloads: readonly Payload[] = [];
  const change = (all: readonly Payload[]): readonly Payload[] => {
    payloads = all;
    throw new Error('not to be sent');
  };
  assert.throws(() => ikeAuth(peer, { change }));
  return peer.sealed(Exchange.IKE_AUTH, payloads, { messageId: 1, limit: 200 });
}
/** Questions arrive, and their answers are lost; how many there were. */
function loseAll(pods: Pods): number {
  let count = 0;
  for (let asked = pods.questions(); asked.length > 0; asked = pods.questions())
    for (const question of asked) {
      pods.ask(question);
      pods.answer(question, undefined);
      count += 1;
    }
  return count;
}
/** A half-open SA, as a sibling would give it. */
function template(pods: Pods): IkeSa {
  const peer = begun(pods, 103);
  authenticate(peer, pods.get(1));
  const question = only(pods.questions());
  const { answer } = openAnswer(keys, openQuestion(keys, question.bytes), pods.ask(question) ?? EMPTY);
  return answer.kind === 'sa' ? decodeSa(answer.sa) : assert.fail(answer.kind);
}
const failures = (pod: Subject): string[] => pod.named('hand-off-failed').map(({ reason }) => reason);

describe('an SA whose IKE_AUTH reaches another pod', () => {
  it('is not taken over before that pod knows which of its addresses its siblings hold', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    pods.replace(1, gatewayOf({ config: config({ peers: { replicas: 2 } }) }, { ordinal: 1, seed: 40 }));
    assert.equal(authenticate(peer, pods.get(1)), undefined);
    assert.deepEqual(pods.get(1).drops(), ['not-ready']);
    pods.talk(); // HDR(A,B,1), SK {IDi, AUTH, ...}  -->  pod 1, once more
    authenticate(peer, pods.get(1));
    assert.ok(payload(peer.hear(pods.talk())[0], 'AUTH'));
  });

  it('is fetched from the pod that its SPI names, and goes on here; the other one has it no more', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    // HDR(A,B,1), SK {IDi, AUTH, ...}  -->  pod 1      pod 1  -->  pod 0: fetch      pod 0  -->  pod 1: the SA
    assert.equal(authenticate(peer, pods.get(1)), undefined);
    assert.equal(pods.get(1).gateway.counts().halfOpen, 0);
    const [answer] = peer.hear(pods.talk());
    // <--  HDR(A,B,1), SK {IDr, AUTH, ...}
    assert.ok(payload(answer, 'AUTH') && payload(answer, 'SA'));
    assert.deepEqual(answer?.path, NAT_PATH);
    assert.deepEqual([pods.get(0).phases(), pods.get(1).phases()], [[], ['established']]);
    assert.deepEqual([pods.get(0).endings(), pods.get(1).endings()], [['handed over'], []]);
    assert.equal(pods.get(0).named('handed-over')[0]?.to, 1);
    assert.equal(pods.get(1).named('taken-over')[0]?.from, 0);
    assert.ok(peer.request(Exchange.INFORMATIONAL, []));
  });

  it('goes on after a resumption too', () => {
    const pods = new Pods(2);
    const first = Peer.towards(pods.get(0));
    const held = ticketIn(first, connect(first));
    const peer = Peer.towards(pods.get(0), { seed: 300 });
    ikeSessionResume(peer, held);
    assert.equal(authenticate(peer, pods.get(1)), undefined);
    assert.ok(payload(peer.hear(pods.talk())[0], 'AUTH'));
    assert.equal(pods.get(1).session().kind, 'resumed');
    assert.deepEqual(pods.get(0).endings(), ['handed over', 'superseded by resumption'], 'the old SA is told of as well');
  });

  it('goes on with the fragments of IKE_AUTH that have arrived before', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    const fragments = inFragments(peer);
    assert.ok(fragments.length > 1);
    peer.subject = pods.get(1);
    assert.deepEqual(peer.send(fragments.slice(0, 1), NAT_PATH), []);
    assert.deepEqual(pods.talk(), []);
    assert.deepEqual(pods.get(1).phases(), ['halfOpen']);
    assert.ok(payload(peer.send(fragments.slice(1), NAT_PATH)[0], 'AUTH'));
  });

  it('asks one question, whatever arrives meanwhile', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    authenticate(peer, pods.get(1));
    const [request = EMPTY] = peer.sealed(Exchange.IKE_AUTH, [], { messageId: 1 });
    for (let times = 0; times < 30; times++) pods.get(1).receive(request, NAT_PATH);
    const question = only(pods.questions());
    const sent = pods.answer(question, pods.ask(question));
    assert.ok(sent.length <= 16 && sent.length > 1, 'a few wait for the answer');
    assert.equal(new Set(sent.map(({ bytes }) => hex(bytes))).size, 1);
    assert.equal(pods.get(1).sessions().length, 1);
  });

  it('has as long as before to authenticate', () => {
    const pods = new Pods(2, { ike: { halfOpenMs: 10_000 } });
    const peer = begun(pods);
    peer.subject = pods.get(1);
    peer.send(
      [peer.sealedRaw(Exchange.IKE_AUTH, 35, new Uint8Array(10), { messageId: 1, fragment: { number: 1, total: 2 } })],
      NAT_PATH,
    );
    pods.talk();
    pods.pass(9_999);
    assert.deepEqual(pods.get(1).phases(), ['halfOpen']);
    pods.pass(1);
    assert.deepEqual([pods.get(1).phases(), pods.get(1).endings()], [[], ['half-open too long']]);
  });
});

describe('a first request that is repeated to the pod that has given the SA away', () => {
  it('gets the same answer as before, as long as the handshake may last', () => {
    const pods = new Pods(2, { ike: { halfOpenMs: 30_000 } });
    const peer = begun(pods);
    const { initiator, responder } = peer.first ?? assert.fail();
    authenticate(peer, pods.get(1));
    pods.talk();
    const again = () => pods.get(0).receive(initiator, { ...PATH, remote: PATH.remote });
    assert.deepEqual(
      again().map(({ bytes }) => bytes),
      [responder],
    );
    assert.deepEqual(pods.get(0).phases(), []);
    pods.pass(30_000);
    assert.notDeepEqual(
      again().map(({ bytes }) => bytes),
      [responder],
    );
    assert.deepEqual(pods.get(0).phases(), ['halfOpen'], 'it begins something new');
  });

  it('is a new one when it is not the same, or from elsewhere', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    authenticate(peer, pods.get(1));
    pods.talk();
    pods.get(0).receive(peer.first?.initiator ?? EMPTY, { ...PATH, remote: '192.0.2.99:500' });
    assert.deepEqual(pods.get(0).phases(), ['halfOpen']);
  });
});

describe('an answer that is lost', () => {
  it('loses no SA: the same question gets the same answer', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    authenticate(peer, pods.get(1));
    const question = only(pods.questions());
    const [lost, again] = [pods.ask(question), pods.ask({ ...question, question: 'asked again' })];
    const said = [lost, again].map((bytes) => openAnswer(keys, openQuestion(keys, question.bytes), bytes ?? EMPTY));
    assert.deepEqual(said[1], said[0]);
    assert.equal(pods.get(0).endings().length, 1);
    assert.ok(payload(peer.hear(pods.answer(question, again))[0], 'AUTH'));
  });

  it('does not make the SA be given twice: another question is told where it is', () => {
    const pods = new Pods(3);
    const peer = begun(pods);
    authenticate(peer, pods.get(1));
    const lost = only(pods.questions());
    pods.ask(lost);
    authenticate(peer, pods.get(2));
    const other = only(pods.questions());
    const { answer } = openAnswer(keys, openQuestion(keys, other.bytes), pods.ask(other) ?? EMPTY);
    assert.deepEqual(answer, { kind: 'moved', to: 1 });
  });

  it('makes the asker repeat its question as it was, and take the SA from the answer to that', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    authenticate(peer, pods.get(1));
    const lost = only(pods.questions());
    pods.ask(lost);
    assert.deepEqual(pods.answer(lost, undefined), []);
    const again = only(pods.questions());
    assert.deepEqual(openQuestion(keys, again.bytes), openQuestion(keys, lost.bytes));
    assert.ok(payload(peer.hear(pods.answer(again, pods.ask(again)))[0], 'AUTH'));
    assert.deepEqual(failures(pods.get(1)), []);
  });

  it('three times loses no SA either: the question is put again when the client repeats itself', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    authenticate(peer, pods.get(1));
    assert.equal(loseAll(pods), 3);
    assert.deepEqual(failures(pods.get(1)), ['silent']);
    pods.get(1).pass(1_500);
    authenticate(peer, pods.get(1));
    assert.ok(payload(peer.hear(pods.talk())[0], 'AUTH'));
    assert.equal(pods.get(1).sessions().length, 1);
  });

  it('for longer than the giver remembers means that the client begins anew, and may', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    authenticate(peer, pods.get(1));
    loseAll(pods);
    pods.get(1).pass(8_000);
    authenticate(peer, pods.get(1));
    pods.talk();
    assert.deepEqual(failures(pods.get(1)), ['silent', 'gone']);
    authenticate(peer, pods.get(1));
    assert.equal(pods.questions().length, 1, 'a forward to ourselves does not mean that nobody has it');
    const next = begun(pods, 101);
    authenticate(next, pods.get(1));
    assert.ok(payload(next.hear(pods.talk())[0], 'AUTH'));
  });
});

describe('an SA that has moved', () => {
  /** Pod 1 has it, and waits for the rest of IKE_AUTH. */
  function halfway(pods: Pods): { peer: Peer; rest: Uint8Array[] } {
    const peer = begun(pods);
    const rest = [...inFragments(peer)];
    peer.subject = pods.get(1);
    peer.send(rest.splice(0, 1), NAT_PATH);
    pods.talk();
    return { peer, rest };
  }

  it('is fetched from where it is now', () => {
    const pods = new Pods(3);
    const { peer, rest } = halfway(pods);
    peer.subject = pods.get(2);
    assert.deepEqual(peer.send(rest, NAT_PATH), []);
    const asked: number[] = [];
    const sent = [];
    for (let questions = pods.questions(); questions.length > 0; questions = pods.questions())
      for (const question of questions) {
        asked.push(question.ordinal);
        sent.push(...pods.answer(question, pods.ask(question)));
      }
    assert.deepEqual(asked, [0, 1]);
    assert.ok(payload(peer.hear(sent)[0], 'AUTH'));
    assert.deepEqual(
      [0, 1, 2].map((ordinal) => pods.get(ordinal).phases()),
      [[], [], ['established']],
    );
  });

  it('can come back', () => {
    const pods = new Pods(2);
    const { peer, rest } = halfway(pods);
    peer.subject = pods.get(0);
    assert.deepEqual(peer.send(rest, NAT_PATH), []);
    assert.ok(payload(peer.hear(pods.talk())[0], 'AUTH'));
    assert.deepEqual([pods.get(0).phases(), pods.get(1).phases()], [['established'], []]);
  });

  it('moves three times at most', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    const fragment = peer.sealedRaw(Exchange.IKE_AUTH, 35, new Uint8Array(10), {
      messageId: 1,
      fragment: { number: 1, total: 9 },
    });
    const where: number[] = [];
    for (const ordinal of [1, 0, 1, 0]) {
      peer.subject = pods.get(ordinal);
      peer.send([fragment], NAT_PATH);
      pods.talk();
      where.push([0, 1].findIndex((one) => pods.get(one).phases().length > 0));
    }
    assert.deepEqual(where, [1, 0, 1, 1]);
  });

  it('has no more time than before, however often it moves, and whatever the clocks say', () => {
    const pods = new Pods(2, { ike: { halfOpenMs: 30_000 } });
    pods.get(1).now = later(pods.get(1).now, 60_000);
    const { peer, rest } = halfway(pods);
    pods.pass(20_000);
    peer.subject = pods.get(0);
    peer.send(rest.slice(0, 1), NAT_PATH);
    pods.talk();
    assert.deepEqual(pods.get(0).phases(), ['halfOpen']);
    pods.pass(9_999);
    assert.deepEqual(pods.get(0).phases(), ['halfOpen']);
    pods.pass(1);
    assert.deepEqual([pods.get(0).phases(), pods.get(0).endings().at(-1)], [[], 'half-open too long']);
  });

  it('is not given away any more once it is established', () => {
    const pods = new Pods(3);
    const peer = begun(pods);
    authenticate(peer, pods.get(1));
    pods.talk();
    const [request = EMPTY] = peer.sealed(Exchange.IKE_AUTH, [], { messageId: 1 });
    pods.get(2).receive(request, NAT_PATH);
    assert.deepEqual(pods.talk(), []);
    assert.deepEqual([failures(pods.get(2)), pods.get(1).phases()], [['gone'], ['established']]);
  });
});

describe('an owner that is gone', () => {
  it('costs three questions, and silence; the client repeats itself and is asked for again', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    authenticate(peer, pods.get(1));
    for (let tries = 0; tries < 3; tries++) assert.deepEqual(pods.answer(only(pods.questions()), undefined), []);
    assert.deepEqual(pods.questions(), []);
    assert.deepEqual(failures(pods.get(1)), ['silent']);
    assert.equal(peer.send(peer.sealed(Exchange.IKE_AUTH, [], { messageId: 1 }), NAT_PATH).length, 0);
    assert.equal(pods.questions().length, 1);
  });

  it('may never answer at all: after two seconds the question is put again', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    authenticate(peer, pods.get(1));
    pods.questions();
    pods.get(1).pass(1_999);
    authenticate(peer, pods.get(1));
    assert.deepEqual(pods.questions(), []);
    pods.get(1).pass(1);
    authenticate(peer, pods.get(1));
    assert.equal(pods.questions().length, 1);
  });

  it('that was restarted knows nothing, which is remembered for a short while', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    pods.replace(0, gatewayOf(policy({ config: config({ peers: { replicas: 2 } }) }), { ordinal: 0, seed: 99 }));
    pods.talk();
    const attempt = (): number => {
      authenticate(peer, pods.get(1));
      const questions = pods.questions();
      for (const question of questions) pods.answer(question, pods.ask(question));
      return questions.length;
    };
    assert.deepEqual([attempt(), attempt(), attempt()], [1, 0, 0]);
    assert.deepEqual(failures(pods.get(1)), ['gone']);
    pods.get(1).pass(5_000);
    assert.equal(attempt(), 1);
  });
});

describe('what is not worth a question', () => {
  function asks(change: (peer: Peer) => Uint8Array): number {
    const pods = new Pods(2);
    const peer = begun(pods);
    pods.get(1).receive(change(peer), NAT_PATH);
    return pods.questions().length;
  }
  const request = (peer: Peer, part: Parameters<Peer['sealed']>[2] = {}, exchange: number = Exchange.IKE_AUTH): Uint8Array =>
    peer.sealed(exchange, [], { messageId: 1, ...part })[0] ?? EMPTY;

  it('is a response, or a request that no SA can be waiting for', () => {
    assert.equal(
      asks((peer) => request(peer)),
      1,
    );
    assert.equal(
      asks((peer) => request(peer, {}, Exchange.IKE_INTERMEDIATE)),
      1,
    );
    assert.equal(
      asks((peer) => request(peer, { response: true })),
      0,
    );
    assert.equal(
      asks((peer) => request(peer, { messageId: 0 })),
      0,
    );
    assert.equal(
      asks((peer) => request(peer, { messageId: 2 })),
      0,
    );
    assert.equal(
      asks((peer) => request(peer, {}, Exchange.INFORMATIONAL)),
      1,
    );
    assert.equal(
      asks((peer) => request(peer, {}, Exchange.CREATE_CHILD_SA)),
      1,
    );
    assert.equal(
      asks((peer) => peer.clear(Exchange.IKE_AUTH, [notify(Notify.COOKIE)], { messageId: 1 })),
      0,
    );
  });

  it('is an SPI of an ordinal that the gateway does not have, or of this pod itself', () => {
    for (const [ordinal, expected] of [
      [0, 1],
      [3, 1],
      [4, 0],
      [200, 0],
      [1, 0],
    ] as const)
      assert.equal(
        asks((peer) => request(Object.assign(peer, { spiR: spiOf(ordinal) }))),
        expected,
        `ordinal ${ordinal}`,
      );
  });

  it('is a flood of random SPIs', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    for (let times = 0; times < 2_000; times++) {
      peer.spiR = hex(random(8));
      pods.get(1).receive(request(peer), NAT_PATH);
    }
    // The MAC in an SPI has sixteen bits.
    assert.ok(pods.questions().length <= 1);
    assert.equal(pods.get(1).gateway.counts().halfOpen, 0);
  });

  it('is what comes faster than questions may be asked: whoever came first is served', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    authenticate(peer, pods.get(1));
    const genuine = only(pods.questions());
    const stranger = begun(pods, 102);
    const flood = (count: number): number => {
      for (let times = 0; times < count; times++) {
        stranger.spiR = spiOf(0);
        pods.get(1).receive(request(stranger), NAT_PATH);
      }
      return pods.questions().length;
    };
    assert.equal(flood(1_000), 499);
    assert.equal(failures(pods.get(1)).filter((reason) => reason === 'crowded').length, 501);
    pods.get(1).now = later(pods.get(1).now, 100);
    assert.equal(flood(1_000), 200, 'two thousand a second');
    assert.ok(payload(peer.hear(pods.answer(genuine, pods.ask(genuine)))[0], 'AUTH'));
  });

  it('is more than there is room for: what waits is bounded in bytes', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    for (let times = 0; times < 80; times++) {
      peer.spiR = spiOf(0);
      const long = peer.sealedRaw(Exchange.IKE_AUTH, 35, new Uint8Array(60_000), { messageId: 1 });
      for (let copies = 0; copies < 3; copies++) pods.get(1).receive(long, NAT_PATH);
    }
    const questions = pods.questions();
    const sa = template(pods);
    const received = questions.map((question) => {
      const asked = openQuestion(keys, question.bytes);
      const { spiI, spiR } = asked.kind === 'fetch' ? asked : assert.fail(asked.kind);
      const given = { kind: 'sa', sa: encodeSa({ ...sa, spiI, spiR }), leftMs: 1_000 } as const;
      const before = pods.get(1).drops().length;
      pods.answer(question, sealAnswer({ ...keys, random }, asked, new Uint8Array(16), given));
      return pods.get(1).drops().length - before;
    });
    assert.equal(Math.max(...received), 1, 'one of such a length for each');
    const total = received.reduce((sum, one) => sum + one, 0);
    assert.ok(total * 60_000 <= 4 * 1024 * 1024 && total > 60, `${total} of 80 waited`);
  });

  it('is an SA for which there is no place: no more half-open ones than may begin here', () => {
    const pods = new Pods(2, { ike: { maxHalfOpen: 4 } });
    for (const seed of [1, 2]) ikeSaInit(Peer.towards(pods.get(1), { seed, path: { ...PATH, remote: `203.0.113.${seed}:500` } }));
    for (const seed of [3, 4])
      ikeSaInit(Peer.towards(pods.get(1), { seed, path: { ...PATH, remote: `198.51.100.${seed}:500` } }));
    assert.equal(pods.get(1).gateway.counts().halfOpen, 4);
    const peer = begun(pods);
    authenticate(peer, pods.get(1));
    assert.deepEqual(pods.questions(), []);
    assert.deepEqual(pods.get(1).drops(), ['half-open-limit']);
    assert.deepEqual(pods.get(0).phases(), ['halfOpen'], 'it stays where it is');
  });
});

describe('words that are not what they should be', () => {
  /** A question of pod 1 about an SA that pod 0 has. */
  function asked(): { pods: Pods; peer: Peer; question: Question } {
    const pods = new Pods(3);
    const peer = begun(pods);
    authenticate(peer, pods.get(1));
    return { pods, peer, question: only(pods.questions()) };
  }

  it('questions that no sibling sealed, or that are for another pod, get no answer', () => {
    const { pods, question } = asked();
    const forged = question.bytes.map((byte, at) => (at === 50 ? byte ^ 1 : byte));
    for (const wrong of [
      { ...question, bytes: forged },
      { ...question, bytes: EMPTY },
      { ...question, ordinal: 2 },
    ])
      assert.equal(pods.ask(wrong), undefined);
    const stranger = gatewayOf(policy({ ring: ring({ keys: [ringKey(9, 'active')] }) }), { ordinal: 0 });
    stranger.do({ type: 'asked', question: 'q', bytes: question.bytes });
    assert.deepEqual(stranger.answers, []);
    assert.deepEqual(pods.get(0).phases(), ['halfOpen'], 'it is still there');
    assert.deepEqual(pods.get(0).drops(), ['malformed', 'malformed']);
  });

  it('answers that are forged, or fit another question, are dropped', () => {
    const { pods, question } = asked();
    const other = begun(pods, 555);
    authenticate(other, pods.get(1));
    const second = only(pods.questions());
    const foreign = pods.ask(second);
    assert.deepEqual(pods.answer(question, foreign), []);
    assert.deepEqual(pods.get(1).phases(), []);
    assert.deepEqual(pods.get(1).drops(), ['malformed']);
  });

  it('an answer that nobody waits for is ignored', () => {
    const { pods, question } = asked();
    const answer = pods.ask(question);
    pods.answer(question, answer);
    const before = pods.get(1).events.length;
    assert.deepEqual(pods.answer(question, answer), []);
    assert.equal(pods.get(1).events.length, before);
  });

  it('an SA of another version cannot be read, and says so', () => {
    const { pods, question } = asked();
    const sa = encodeSa({} as never);
    sa[0] = SA_VERSION + 1;
    const answer = sealAnswer({ ...keys, random }, openQuestion(keys, question.bytes), new Uint8Array(16), {
      ...{ kind: 'sa', sa, leftMs: 1_000 },
    });
    assert.deepEqual(pods.answer(question, answer), []);
    assert.deepEqual([failures(pods.get(1)), pods.get(1).phases()], [['unreadable'], []]);
  });

  it('an SA is given for its pair of SPIs only', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    peer.spiI = '0101010101010101';
    authenticate(peer, pods.get(1));
    pods.talk();
    assert.deepEqual([failures(pods.get(1)), pods.get(0).phases()], [['gone'], ['halfOpen']]);
  });

  it('what a stranger says of one of the two SPIs is in nobody’s way', () => {
    const pods = new Pods(2);
    const peer = begun(pods);
    const { spiI } = peer;
    for (const stays of [true, false]) {
      peer.spiI = stays ? '0101010101010101' : '0202020202020202';
      authenticate(peer, pods.get(1));
      if (stays) pods.talk();
    }
    peer.spiI = spiI;
    authenticate(peer, pods.get(1));
    assert.ok(payload(peer.hear(pods.talk())[0], 'AUTH'));
  });

  it('a question to a pod that is not configured yet gets no answer', () => {
    const { question } = asked();
    const fresh = new Subject({ ordinal: 0 });
    fresh.do({ type: 'asked', question: 'q', bytes: question.bytes });
    assert.deepEqual([fresh.answers, fresh.drops()], [[], ['not-ready']]);
  });

  it('go on while the key of the ring changes', () => {
    const { pods, peer, question } = asked();
    const rotated = policy({
      config: config({ peers: { replicas: 3 }, ike: { deadPeerMs: 0 } }),
      ring: ring({ generation: 2, keys: [ringKey(2, 'active'), ringKey(1, 'retired')] }),
    });
    pods.get(0).do({ type: 'configure', policy: rotated });
    pods.get(1).do({ type: 'configure', policy: rotated });
    assert.ok(payload(peer.hear(pods.answer(question, pods.ask(question)))[0], 'AUTH'));
  });
});

it('a handshake that fails after the move is refused here', () => {
  const pods = new Pods(2);
  const peer = begun(pods);
  authenticate(peer, pods.get(1), { psk: new Uint8Array(32) });
  assert.deepEqual(notifies(peer.hear(pods.talk())[0]), [Notify.AUTHENTICATION_FAILED]);
  assert.deepEqual([pods.get(0).sessions(), pods.get(1).sessions()], [[], []]);
});
