/** IKE_INTERMEDIATE with a peer that derives keys and what AUTH covers by itself (harness/intermediate.ts). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { receivedContent } from '../../../../sidecar/ike/intermediate-auth.ts';
import { concat, u32Bytes, utf8 } from '../../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload } from '../../../../sidecar/ike/wire/payload.ts';
import { Exchange, Ke, Notify, TransformType } from '../../../../sidecar/ike/wire/registry.ts';
import { answerAuth, answerInit } from '../../../harness/answering.ts';
import { type Change, ikeAuth, ikeSaInit, type same } from '../../../harness/handshake.ts';
import { answerIntermediate, ikeIntermediate, intermediateRequest, withAdditional } from '../../../harness/intermediate.ts';
import { type Heard, kinds, notifies, Peer, payload } from '../../../harness/peer.ts';
import { Pods } from '../../../harness/pods.ts';
import { AEAD, config, connection } from '../../../harness/policy.ts';
import { clientOf, gatewayOf, type Subject } from '../../../harness/subject.ts';

const NONE = Ke.NONE;
const algorithms = { ...AEAD, additionalKeyExchange: [Ke.ML_KEM_768, Ke.ML_KEM_512] };
const postQuantum = (fragmentBytes = 1_200) => gatewayOf({ config: config({ ike: { algorithms, fragmentBytes } }) });
const further = (answer: Heard | undefined): number[] =>
  (payload(answer, 'SA')?.proposals[0]?.transforms ?? []).filter(({ type }) => type >= TransformType.ADDKE1).map(({ id }) => id);

describe('further key exchanges, the responder', () => {
  for (const method of [Ke.ML_KEM_768, Ke.ML_KEM_512])
    it(`establishes an SA whose keys come of a second exchange of method ${method}, and says that it is post-quantum`, () => {
      const gateway = postQuantum();
      const peer = Peer.towards(gateway);
      // HDR(A,0), SAi1(ADDKE1), KEi, Ni, N(INTERMEDIATE_EXCHANGE_SUPPORTED)  -->    <--  the same
      const init = ikeSaInit(peer, { change: withAdditional([method]) });
      assert.deepEqual(further(init), [method]);
      assert.ok(notifies(init).includes(Notify.INTERMEDIATE_EXCHANGE_SUPPORTED));
      // HDR(A,B), SK {KEi(1)}  -->    <--  HDR(A,B), SK {KEr(1)}
      const answer = ikeIntermediate(peer, method);
      assert.deepEqual(kinds(answer), ['KE']);
      // HDR(A,B), SK(1) {IDi, AUTH, ..}  -->    <--  HDR(A,B), SK(1) {IDr, AUTH, ..}
      const auth = ikeAuth(peer);
      assert.equal(auth?.messageId, 2);
      assert.ok(payload(auth, 'AUTH'));
      assert.equal(gateway.sessions().length, 1);
      assert.equal(gateway.session().postQuantum, true);
    });

  it('covers every exchange by AUTH, each under the keys of before', () => {
    const gateway = postQuantum();
    const peer = Peer.towards(gateway);
    assert.deepEqual(further(ikeSaInit(peer, { change: withAdditional([Ke.ML_KEM_512], [Ke.ML_KEM_768, NONE]) })), [35, 36]);
    ikeIntermediate(peer, Ke.ML_KEM_512);
    ikeIntermediate(peer, Ke.ML_KEM_768);
    assert.ok(payload(ikeAuth(peer), 'AUTH'));
  });

  it('stays post-quantum when an exchange of the old kind follows', () => {
    const mixed = { ...AEAD, additionalKeyExchange: [Ke.ML_KEM_512, Ke.ECP_256] };
    const gateway = gatewayOf({ config: config({ ike: { algorithms: mixed } }) });
    const peer = Peer.towards(gateway);
    ikeSaInit(peer, { change: withAdditional([Ke.ML_KEM_512], [Ke.ECP_256]) });
    ikeIntermediate(peer, Ke.ML_KEM_512);
    ikeIntermediate(peer, Ke.ECP_256);
    ikeAuth(peer);
    assert.equal(gateway.session().postQuantum, true);
  });

  it('refuses an AUTH that covers IKE_SA_INIT alone', () => {
    const gateway = postQuantum();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer, { change: withAdditional([Ke.ML_KEM_512]) });
    ikeIntermediate(peer, Ke.ML_KEM_512);
    if (peer.first) peer.first = { ...peer.first, intermediate: { ...peer.first.intermediate!, exchanges: 0 } };
    assert.deepEqual(notifies(ikeAuth(peer)), [Notify.AUTHENTICATION_FAILED]);
  });

  it('puts fragments together and covers the whole message, whichever form it came in', () => {
    const gateway = postQuantum(400);
    const peer = Peer.towards(gateway);
    ikeSaInit(peer, { change: withAdditional([Ke.ML_KEM_768]) });
    const answer = ikeIntermediate(peer, Ke.ML_KEM_768, { limit: 300 });
    assert.ok((answer?.datagrams.length ?? 0) > 2);
    assert.ok(payload(ikeAuth(peer), 'AUTH'));
  });

  it('answers a repeated request with the same bytes, although the keys are others by then', () => {
    const gateway = postQuantum();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer, { change: withAdditional([Ke.ML_KEM_512]) });
    const { payloads, conclude } = intermediateRequest(peer, Ke.ML_KEM_512);
    const datagrams = peer.sealed(Exchange.IKE_INTERMEDIATE, payloads);
    const [first] = peer.send(datagrams);
    const again = datagrams.flatMap((bytes) => gateway.receive(bytes, peer.path));
    assert.deepEqual(
      again.map(({ bytes }) => bytes),
      first?.datagrams,
    );
    peer.next += 1;
    conclude(first);
    assert.ok(payload(ikeAuth(peer), 'AUTH'));
  });

  it('keeps silent to a copy of IKE_SA_INIT that comes after IKE_INTERMEDIATE', () => {
    const gateway = postQuantum();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer, { change: withAdditional([Ke.ML_KEM_512]) });
    ikeIntermediate(peer, Ke.ML_KEM_512);
    assert.deepEqual(gateway.receive(peer.first!.initiator, peer.path), []);
    assert.equal(gateway.gateway.counts().halfOpen, 1);
  });

  it('chooses none with a peer that does not say that it can, or that leaves the choice', () => {
    const plain = ikeSaInit(Peer.towards(postQuantum()));
    assert.deepEqual([further(plain), notifies(plain).includes(Notify.INTERMEDIATE_EXCHANGE_SUPPORTED)], [[], false]);
    const silent = ikeSaInit(Peer.towards(postQuantum()), {
      change: (payloads) =>
        withAdditional([Ke.ML_KEM_768, NONE])(payloads).filter(
          (one) => one.kind !== 'N' || one.notify !== Notify.INTERMEDIATE_EXCHANGE_SUPPORTED,
        ),
    });
    assert.deepEqual(further(silent), [NONE]);
    const none = ikeSaInit(Peer.towards(gatewayOf()), { change: withAdditional([Ke.ML_KEM_768, NONE]) });
    assert.deepEqual(further(none), [NONE]);
  });

  it('refuses a peer that demands what it may not do, and one that demands the same twice', () => {
    for (const rounds of [[[Ke.ML_KEM_1024]], [[Ke.ML_KEM_768], [Ke.ML_KEM_768]]])
      assert.deepEqual(notifies(ikeSaInit(Peer.towards(postQuantum()), { change: withAdditional(...rounds) })), [
        Notify.NO_PROPOSAL_CHOSEN,
      ]);
  });

  it('gives each of two rounds a method of its own, also when the first wish of one would take that of the other', () => {
    const rounds = [[Ke.ML_KEM_768, Ke.ML_KEM_512], [Ke.ML_KEM_768]];
    assert.deepEqual(further(ikeSaInit(Peer.towards(postQuantum()), { change: withAdditional(...rounds) })), [35, 36]);
  });

  const ends = (step: (peer: Peer) => Heard | undefined): void => {
    const gateway = postQuantum();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer, { change: withAdditional([Ke.ML_KEM_512]) });
    assert.deepEqual(notifies(step(peer)), [Notify.INVALID_SYNTAX]);
    assert.deepEqual([gateway.phases(), gateway.endings()], [['gone'], ['handshake failed']]);
  };

  it('ends when another method comes, a value of a wrong length, one that is not reduced, or none', () => {
    ends((peer) => ikeIntermediate(peer, Ke.ML_KEM_768));
    const renamed: Change = (payloads) => payloads.map((one) => (one.kind === 'KE' ? { ...one, group: Ke.ML_KEM_768 } : one));
    ends((peer) => ikeIntermediate(peer, Ke.ML_KEM_512, { change: renamed }));
    for (const data of [new Uint8Array(799), new Uint8Array(800).fill(255)])
      ends((peer) => ikeIntermediate(peer, Ke.ML_KEM_512, { change: () => [{ kind: 'KE', group: Ke.ML_KEM_512, data }] }));
    ends((peer) => ikeIntermediate(peer, Ke.ML_KEM_512, { change: () => [] }));
  });

  const init = (gateway: Subject, seed: number, method?: number): { peer: Peer; answer: Heard | undefined } => {
    const peer = Peer.towards(gateway, { seed });
    return { peer, answer: ikeSaInit(peer, method === undefined ? {} : { change: withAdditional([method]) }) };
  };
  const guarded = () => gatewayOf({ config: config({ ike: { algorithms, cookieThreshold: 4 } }) });

  it('counts values that nothing can be made of, and soon asks for cookies before any key exchange', () => {
    const gateway = guarded();
    const bad: Change = () => [{ kind: 'KE', group: Ke.ML_KEM_512, data: new Uint8Array(800).fill(255) }];
    const asked = [0, 1, 2].map((number) => {
      const { peer, answer } = init(gateway, 100 + number, Ke.ML_KEM_512);
      if (payload(answer, 'KE')) ikeIntermediate(peer, Ke.ML_KEM_512, { change: bad });
      return notifies(answer).includes(Notify.COOKIE);
    });
    // Two that ended badly, and are remembered as such for a while, weigh as much as four that might still come to something.
    assert.deepEqual(asked, [false, false, true]);
  });

  it('counts none of which a session comes', () => {
    const gateway = guarded();
    for (let number = 0; number < 12; number++) {
      const { peer } = init(gateway, 100 + number, Ke.ML_KEM_512);
      ikeIntermediate(peer, Ke.ML_KEM_512);
      ikeAuth(peer);
    }
    assert.ok(payload(init(gateway, 200).answer, 'KE'));
  });

  it('ends when IKE_AUTH comes before what was agreed on', () => ends((peer) => ikeAuth(peer)));

  it('ends when there is one exchange more than was agreed on', () => {
    const gateway = postQuantum();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer, { change: withAdditional([Ke.ML_KEM_512]) });
    ikeIntermediate(peer, Ke.ML_KEM_512);
    assert.deepEqual(notifies(ikeIntermediate(peer, Ke.ML_KEM_512)), [Notify.INVALID_SYNTAX]);
  });

  it('does ML-KEM in IKE_SA_INIT as well, where the policy names it', () => {
    const first = { ...AEAD, keyExchange: [Ke.ML_KEM_512] };
    const gateway = gatewayOf({ config: config({ ike: { algorithms: first } }) });
    const peer = Peer.towards(gateway);
    ikeSaInit(peer, { group: Ke.ML_KEM_512 });
    assert.ok(payload(ikeAuth(peer), 'AUTH'));
    assert.equal(gateway.session().postQuantum, true);
  });
});

describe('further key exchanges, the initiator', () => {
  const ike = { ...AEAD, additionalKeyExchange: [Ke.ML_KEM_768] };
  const begin = () => {
    const [client, first] = clientOf(connection({ ike }));
    return { client, first, peer: Peer.of(client, first) };
  };

  it('offers proposals with one and without, and goes on with IKE_INTERMEDIATE when one is chosen', () => {
    const { client, first, peer } = begin();
    const offers = payload(peer.hear([first])[0], 'SA')?.proposals ?? [];
    const ofAdditional = offers.map(({ transforms }) => transforms.filter(({ type }) => type > 5).map(({ id }) => id));
    assert.deepEqual(ofAdditional, [[Ke.ML_KEM_768], []]);
    const [request] = answerInit(peer, first, { change: withAdditional([Ke.ML_KEM_768]) });
    assert.deepEqual([request?.exchange, request?.messageId, kinds(request)], [Exchange.IKE_INTERMEDIATE, 1, ['KE']]);
    const [auth] = answerIntermediate(peer, request);
    assert.deepEqual([auth?.exchange, auth?.messageId], [Exchange.IKE_AUTH, 2]);
    answerAuth(peer, auth);
    assert.equal(client.session().postQuantum, true);
    assert.deepEqual(
      client.named('established').map(({ roundTrips, keyExchanges }) => [roundTrips, keyExchanges]),
      [[3, 2]],
    );
  });

  it('goes on as ever with a gateway that knows nothing of this', () => {
    const { client, first, peer } = begin();
    const plain: typeof same = (payloads) =>
      payloads.map((one) =>
        one.kind === 'SA' ? { ...one, proposals: one.proposals.map((offer) => ({ ...offer, number: 2 })) } : one,
      );
    const [auth] = answerInit(peer, first, { change: plain });
    answerAuth(peer, auth);
    assert.equal(client.session().postQuantum, false);
  });

  it('does not believe a gateway that chooses one and cannot do IKE_INTERMEDIATE', () => {
    const { client, first, peer } = begin();
    const half: typeof same = (payloads) => withAdditional([Ke.ML_KEM_768])(payloads).slice(0, -1);
    assert.deepEqual(answerInit(peer, first, { change: half }), []);
    assert.deepEqual(client.drops(), ['malformed']);
  });

  it('gives up when the answer is an error, another method or of another length', () => {
    const answers: Payload[][] = [
      [notify(Notify.INVALID_SYNTAX)],
      [{ kind: 'KE', group: Ke.ML_KEM_512, data: new Uint8Array(1_088) }],
      [{ kind: 'KE', group: Ke.ML_KEM_512, data: new Uint8Array(768) }],
      [{ kind: 'KE', group: Ke.ML_KEM_768, data: new Uint8Array(1_087) }],
      [],
    ];
    for (const payloads of answers) {
      const { client, first, peer } = begin();
      const [request] = answerInit(peer, first, { change: withAdditional([Ke.ML_KEM_768]) });
      peer.answer(request ?? peer.header(0), payloads);
      assert.deepEqual(client.phases(), []);
      assert.deepEqual(client.endings(), ['handshake failed']);
    }
  });

  it('tells which error it was', () => {
    const { client, first, peer } = begin();
    const [request] = answerInit(peer, first, { change: withAdditional([Ke.ML_KEM_768]) });
    peer.answer(request ?? peer.header(0), [notify(Notify.TEMPORARY_FAILURE)]);
    assert.equal(client.named('refused')[0]?.notify, 'TEMPORARY_FAILURE');
  });

  it('fails at IKE_AUTH when somebody between has put another secret in', () => {
    const { client, first, peer } = begin();
    const [request] = answerInit(peer, first, { change: withAdditional([Ke.ML_KEM_768]) });
    const ke = { kind: 'KE', group: Ke.ML_KEM_768, data: new Uint8Array(1_088) } as const;
    assert.throws(() => answerIntermediate(peer, request, { change: () => [ke] }), /not authentic/);
    assert.equal(client.sessions().length, 0);
  });
});

describe('what AUTH covers of a message that came in fragments', () => {
  it('is as if it had come whole, with what preceded the encrypted payload in clear (RFC 9242 §3.3.2)', () => {
    const ids = new Uint8Array(16);
    const header = (next: number, length: number) => concat(ids, Uint8Array.of(next, 0x20, 43, 8), u32Bytes(1), u32Bytes(length));
    const clear = (next: number) => Uint8Array.of(next, 0, 0, 8, 0, 0, 0x40, 0); // N
    const inner = utf8('payloads');
    // SKF with Next Payload 34 (KE), 1 of 2, of any length
    const head = concat(header(41, 999), clear(53), Uint8Array.of(34, 0, 1, 0, 0, 1, 0, 2));
    const whole = concat(header(41, 48), clear(46), Uint8Array.of(34, 0, 0, 12), inner);
    assert.deepEqual(receivedContent({ head, bytes: inner }), whole);
  });
});

describe('an SA that moves to another pod before IKE_INTERMEDIATE', () => {
  it('goes on there, in fragments too', () => {
    const pods = new Pods(2, { ike: { algorithms } });
    const peer = Peer.towards(pods.get(0));
    ikeSaInit(peer, { change: withAdditional([Ke.ML_KEM_768]), behindNat: true });
    const { payloads, conclude } = intermediateRequest(peer, Ke.ML_KEM_768);
    const datagrams = peer.sealed(Exchange.IKE_INTERMEDIATE, payloads, { limit: 500 });
    assert.ok(datagrams.length > 2);
    peer.subject = pods.get(1);
    assert.deepEqual(peer.send(datagrams), []);
    const [answer] = peer.hear(pods.talk());
    assert.deepEqual(kinds(answer), ['KE']);
    conclude(answer);
    peer.next = 2;
    assert.ok(payload(ikeAuth(peer), 'AUTH'));
    assert.deepEqual([pods.get(0).phases(), pods.get(1).session().postQuantum], [[], true]);
  });
});
