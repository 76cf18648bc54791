/** Established sessions that go on at another pod, when their client changes its address behind a balancer. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { notify, type Payload } from '../../../sidecar/ike/wire/payload.ts';
import { Exchange, Notify, Protocol } from '../../../sidecar/ike/wire/registry.ts';
import { createChild } from '../../harness/create-child-sa.ts';
import { adding, connect, ikeSaInit, innerIn, resume, ticketIn } from '../../harness/handshake.ts';
import { type Heard, NAT_PATH, notifyData, Peer, payload, requests } from '../../harness/peer.ts';
import { Pods, type Question } from '../../harness/pods.ts';
import { config, policy, ring, ringKey } from '../../harness/policy.ts';

const UPDATE = notify(Notify.UPDATE_SA_ADDRESSES);
const elsewhere = (pod: number, host = 9) => ({ local: `10.0.0.${10 + pod}:4500`, remote: `203.0.113.${host}:4500` });

/** A client that is established at pod 0. */
function joined(count = 2, seed = 100) {
  const pods = new Pods(count);
  const peer = Peer.towards(pods.get(0), { seed });
  const answer = connect(peer, { behindNat: true, change: adding(notify(Notify.MOBIKE_SUPPORTED)) });
  const [spiIn = 0] = pods.get(0).session().children;
  /** A request that reaches that pod; what came of it in the end. */
  const ask = (pod: number, payloads: readonly Payload[], path = elsewhere(pod), exchange: number = Exchange.INFORMATIONAL) => {
    peer.subject = pods.get(pod);
    const now = peer.send(peer.sealed(exchange, payloads), path);
    const heard = [...now, ...peer.hear(pods.talk())];
    if (heard.some((one) => one.response && one.messageId === peer.next)) peer.next += 1;
    return heard;
  };
  const prove = (asked: Heard | undefined, pod: number, path = elsewhere(pod)) => {
    peer.subject = pods.get(pod);
    return peer.answer(asked as Heard, [notify(Notify.COOKIE2, notifyData(asked, Notify.COOKIE2))], { path });
  };
  return { pods, peer, answer, spiIn, ask, prove };
}
/** The client's request reaches pod 1; what that asks. */
function asked(pods: Pods, peer: Peer): Question {
  peer.subject = pods.get(1);
  peer.send(peer.sealed(Exchange.INFORMATIONAL, []), elsewhere(1));
  const [question, ...others] = pods.questions();
  return question && others.length === 0 ? question : assert.fail(`${others.length} other questions`);
}
/** All keys are revoked at once, as far as this pod knows. */
function revokeKeys(pods: Pods, ordinal: number): void {
  const revoked = [{ id: ringKey(1, 'active').id, until: 1e15 }];
  const changed = ring({ generation: 2, keys: [ringKey(2, 'active')], revoked });
  const whole = config({ peers: { replicas: 2 }, ike: { deadPeerMs: 0 } });
  pods.get(ordinal).do({ type: 'configure', policy: policy({ config: whole, ring: changed }) });
}
const installed = (pods: Pods, pod: number) => [...pods.get(pod).children.keys()];

describe('a session whose client reaches another pod', () => {
  it('goes on there with its address and its children, whose packets follow once the client has shown that it is there', () => {
    const { pods, answer, spiIn, ask, prove } = joined();
    const heard = ask(1, [UPDATE]); //   HDR, SK {N(UPDATE_SA_ADDRESSES)}  -->  pod 1
    assert.deepEqual(
      heard.map(({ path }) => path),
      [elsewhere(1), elsewhere(1)],
    );
    assert.deepEqual([pods.get(0).sessions(), installed(pods, 0), pods.get(0).endings()], [[], [], ['handed over']]);
    const { inner, children, path } = pods.get(1).session();
    assert.deepEqual([inner, children, path], [[innerIn(answer)], [spiIn], elsewhere(1)]);
    const { remote, authenticatedAt } = pods.get(1).session();
    assert.deepEqual(pods.get(1).named('taken-over')[0]?.session, { remote, inner, authenticatedAt, accounting: undefined });
    assert.equal(pods.get(1).children.get(spiIn)?.path.remote, NAT_PATH.remote);
    prove(requests(heard)[0], 1);
    assert.deepEqual(
      pods.get(1).orders.flatMap((one) => (one.order === 'move' ? [one.path] : [])),
      [elsewhere(1)],
    );
  });

  it('uses no sequence number that the former pod may have used, and takes no packet that was received there', () => {
    const { pods, spiIn, ask } = joined();
    pods.get(0).do({ type: 'report', report: { report: 'carried', spiIn, sent: 5_000, received: 77 } });
    ask(1, [UPDATE]);
    const { sent = 0, received } = pods.get(1).children.get(spiIn)?.sequences ?? {};
    assert.ok(sent >= 5_000 + 1_000_000, `${sent}`);
    assert.equal(received, 77);
  });

  it('answers there what was asked there: a child, a rekey, a delete', () => {
    const { pods, peer } = joined();
    peer.subject = pods.get(1);
    peer.path = elsewhere(1);
    const deleted = peer.sealed(Exchange.INFORMATIONAL, [{ kind: 'D', protocol: Protocol.IKE, spis: [] }]);
    assert.deepEqual(peer.send(deleted), []);
    const [answer] = peer.hear(pods.talk());
    assert.deepEqual([answer?.response, answer?.payloads], [true, []]);
    assert.deepEqual(pods.get(1).endings(), ['deleted by peer']);
    assert.deepEqual([installed(pods, 0), installed(pods, 1)], [[], []]);
  });

  it('comes back, and goes on to a third pod that asks the one which the SPI names', () => {
    const { pods, spiIn, ask } = joined(3);
    for (const pod of [1, 2, 0, 2, 1, 0, 1]) {
      ask(pod, [UPDATE], elsewhere(pod, 20 + pod));
      assert.deepEqual([pods.get(pod).session().path.local, installed(pods, pod)], [elsewhere(pod).local, [spiIn]]);
      for (const other of [0, 1, 2]) if (other !== pod) assert.deepEqual(installed(pods, other), [], `${other}`);
    }
  });

  it('is found by every pod however often it has moved', () => {
    const { pods, ask } = joined(4);
    for (const pod of [1, 2, 3, 1, 3, 2]) ask(pod, []);
    ask(1, []);
    assert.equal(pods.get(1).sessions().length, 1);
  });

  it('stays where it is for a recording and for what is not authentic; the recorded request is answered once more', () => {
    const { pods, peer, ask } = joined();
    const [recorded] = peer.sealed(Exchange.INFORMATIONAL, []);
    assert.ok(recorded);
    peer.send([recorded], NAT_PATH);
    peer.next += 1;
    const pod = pods.get(1);
    peer.subject = pod;
    pod.receive(recorded, elsewhere(1));
    const again = peer.hear(pods.talk());
    assert.deepEqual(
      again.map(({ messageId, path }) => [messageId, path]),
      [[peer.next - 1, elsewhere(1)]],
    );
    const [mangled] = peer.sealed(Exchange.INFORMATIONAL, [UPDATE]);
    mangled?.set([1], mangled.length - 1);
    pod.receive(mangled as Uint8Array, elsewhere(1));
    assert.deepEqual([pods.talk(), pod.sessions().length, pods.get(0).sessions().length], [[], 0, 1]);
    ask(1, []); // and it is not held against the peer
    assert.equal(pod.sessions().length, 1);
  });

  it('moves for a true request that waits behind a forged one', () => {
    const { pods, peer } = joined();
    const pod = pods.get(1);
    const [forged, honest] = [peer.sealed(Exchange.INFORMATIONAL, [])[0]?.slice(), peer.sealed(Exchange.INFORMATIONAL, [])[0]];
    forged?.set([0xff], forged.length - 1);
    pod.receive(forged as Uint8Array, elsewhere(1, 66));
    pod.receive(honest as Uint8Array, elsewhere(1));
    peer.subject = pod;
    assert.equal(peer.hear(pods.talk())[0]?.messageId, peer.next);
    assert.equal(pod.sessions().length, 1);
  });

  it('is not lost when the answer is lost', () => {
    const { pods, peer } = joined();
    const pod = pods.get(1);
    peer.subject = pod;
    peer.send(peer.sealed(Exchange.INFORMATIONAL, []), elsewhere(1));
    for (const question of pods.questions()) {
      pods.ask(question);
      pods.answer(question, undefined);
    }
    assert.equal(pods.get(0).sessions().length, 0);
    assert.equal(peer.hear(pods.talk())[0]?.messageId, peer.next);
    assert.equal(pod.sessions().length, 1);
  });

  it('is not lost when the key that its answer was sealed with is revoked on the way: the question is put again, and answered by the new key', () => {
    const { pods, peer } = joined();
    const pod = pods.get(1);
    const question = asked(pods, peer);
    const late = pods.ask(question);
    for (const ordinal of [0, 1]) revokeKeys(pods, ordinal);
    assert.deepEqual(pods.answer(question, late), []);
    assert.deepEqual([pod.phases(), pod.drops()], [[], ['malformed']], 'what a revoked key sealed says nothing');
    assert.equal(peer.hear(pods.talk())[0]?.messageId, peer.next);
    assert.deepEqual([pods.get(0).sessions().length, pod.sessions().length], [0, 1]);
  });

  it('is not lost either when its former pod hears of the new key a moment later: the client repeats its request', () => {
    const { pods, peer } = joined();
    const pod = pods.get(1);
    const question = asked(pods, peer);
    const late = pods.ask(question);
    revokeKeys(pods, 1);
    assert.deepEqual([pods.answer(question, late), pods.talk()], [[], []]);
    assert.deepEqual(
      pod.named('hand-off-failed').map(({ reason }) => reason),
      ['silent'],
    );
    pods.pass(3_000);
    revokeKeys(pods, 0);
    peer.send(peer.sealed(Exchange.INFORMATIONAL, []), elsewhere(1));
    assert.equal(peer.hear(pods.talk())[0]?.messageId, peer.next);
    assert.deepEqual([pods.get(0).sessions().length, pod.sessions().length], [0, 1]);
  });

  it('stays where it is when the key is revoked while the question is on its way, and moves for the next one', () => {
    const { pods, peer } = joined();
    const question = asked(pods, peer);
    for (const ordinal of [0, 1]) revokeKeys(pods, ordinal);
    assert.equal(pods.ask(question), undefined);
    assert.deepEqual([pods.get(0).sessions().length, pods.get(0).drops()], [1, ['malformed']]);
    pods.answer(question, undefined);
    assert.equal(peer.hear(pods.talk())[0]?.messageId, peer.next);
    assert.deepEqual([pods.get(0).sessions().length, pods.get(1).sessions().length], [0, 1]);
  });

  it('takes our own unanswered request along', () => {
    const { pods, peer, ask } = joined();
    pods.get(0).want({ kind: 'liveness' });
    ask(1, [UPDATE]);
    const [repeated] = requests(peer.hear(pods.get(1).pass(1_000)));
    assert.deepEqual([repeated?.messageId, repeated?.path], [0, elsewhere(1)]);
    assert.deepEqual(pods.get(0).pass(60_000), []);
  });

  it('goes on after a rekey by the gateway, when the SPI that names the pod is the first one', () => {
    const { pods, peer, ask } = joined();
    const made = createChild(peer);
    assert.ok(payload(made.answer, 'SA'));
    ask(1, [UPDATE]);
    assert.equal(pods.get(1).session().children.length, 2);
  });

  it('keeps its address when somebody else of its slice asks for one, and gives it back to its own pod', () => {
    const { pods, answer, ask, prove } = joined();
    prove(requests(ask(1, [UPDATE]))[0], 1);
    for (let tens = 0; tens < 12; tens++) pods.pass(10_000); // leases are told again and again
    const inner = innerIn(answer);
    const other = Peer.towards(pods.get(0), { seed: 500 });
    connect(other, { wanted: inner ?? new Uint8Array(4) });
    assert.notDeepEqual(pods.get(0).session().inner[0], inner);
    assert.deepEqual(pods.get(1).session().inner[0], inner);
  });

  it('is resumed at a third pod as if it had always been there', () => {
    const { pods, peer, answer, ask } = joined(3);
    const held = ticketIn(peer, answer);
    ask(1, [UPDATE]);
    const again = Peer.towards(pods.get(2), { seed: 700 });
    assert.deepEqual(innerIn(resume(again, held)), innerIn(answer));
    pods.talk();
    assert.deepEqual([pods.get(1).sessions(), installed(pods, 1)], [[], []]);
  });

  it('is resumed at the pod where it began, which is the owner of its address too, and lives nowhere else', () => {
    const { pods, peer, answer, ask } = joined();
    const held = ticketIn(peer, answer);
    ask(1, [UPDATE]);
    const again = Peer.towards(pods.get(0), { seed: 700 });
    assert.deepEqual(innerIn(resume(again, held)), innerIn(answer));
    pods.talk();
    assert.deepEqual([pods.get(1).sessions(), installed(pods, 1)], [[], []]);
  });

  it('asks nothing for responses, unknown exchanges and SPIs that no sibling made', () => {
    const { pods, peer } = joined();
    const pod = pods.get(1);
    const ask = (datagrams: readonly Uint8Array[]) => {
      for (const one of datagrams) pod.receive(one, elsewhere(1));
      return pods.questions().length;
    };
    assert.equal(ask(peer.sealed(Exchange.INFORMATIONAL, [], { response: true })), 0);
    assert.equal(ask(peer.sealed(240, [])), 0);
    peer.spiR = '0000aabbccdd0102';
    assert.equal(ask(peer.sealed(Exchange.INFORMATIONAL, [])), 0);
  });

  it('does not move a half-open SA for a request of an established one', () => {
    const pods = new Pods(2);
    const peer = Peer.towards(pods.get(0));
    ikeSaInit(peer);
    peer.subject = pods.get(1);
    peer.send(peer.sealed(Exchange.INFORMATIONAL, [UPDATE], { messageId: 1 }), elsewhere(1));
    pods.talk();
    assert.deepEqual([pods.get(0).phases(), pods.get(1).phases()], [['halfOpen'], []]);
  });
});
