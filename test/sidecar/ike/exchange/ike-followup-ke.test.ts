/** IKE_FOLLOWUP_KE with a peer that derives keys by itself (harness/intermediate.ts). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { concat, hex, unhex } from '../../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload } from '../../../../sidecar/ike/wire/payload.ts';
import { Exchange, Ke, Notify } from '../../../../sidecar/ike/wire/registry.ts';
import { answerChild, childRequest, ikeRequest } from '../../../harness/create-child-sa.ts';
import { ikeAuth, ikeSaInit, keyPair } from '../../../harness/handshake.ts';
import { ikeIntermediate, prf, prfPlus, withAdditional } from '../../../harness/intermediate.ts';
import { type Heard, kinds, notifies, notifyData, Peer, payload } from '../../../harness/peer.ts';
import { AEAD, config, connection, ESP, policy } from '../../../harness/policy.ts';
import { gatewayOf, type Subject } from '../../../harness/subject.ts';
import { type Node, World } from '../../../harness/world.ts';

const METHODS = [Ke.ML_KEM_512, Ke.ML_KEM_768];
const ike = { ...AEAD, additionalKeyExchange: METHODS };
const esp = { ...ESP, keyExchange: [Ke.CURVE25519, Ke.NONE], additionalKeyExchange: METHODS };

function established(): { gateway: Subject; peer: Peer } {
  const gateway = gatewayOf({ config: config({ ike: { algorithms: ike, deadPeerMs: 0 }, esp: { algorithms: esp } }) });
  const peer = Peer.towards(gateway);
  ikeSaInit(peer, { change: withAdditional([Ke.ML_KEM_512]) });
  ikeIntermediate(peer, Ke.ML_KEM_512);
  ikeAuth(peer);
  assert.equal(gateway.sessions().length, 1);
  return { gateway, peer };
}

/** Without N(INTERMEDIATE_EXCHANGE_SUPPORTED), which is none of this exchange. */
const offering =
  (...rounds: readonly (readonly number[])[]) =>
  (payloads: readonly Payload[]): readonly Payload[] =>
    withAdditional(...rounds)(payloads).slice(0, -1);

const linkIn = (heard: Heard | undefined): Uint8Array | undefined => notifyData(heard, Notify.ADDITIONAL_KEY_EXCHANGE);

/** HDR, SK {KEi(n), N(ADDITIONAL_KEY_EXCHANGE)}  -->  and what comes back, with the secret. */
function followup(peer: Peer, method: number, link: Uint8Array | undefined) {
  const pair = keyPair(peer, method);
  const answer = peer.request(Exchange.IKE_FOLLOWUP_KE, [
    { kind: 'KE', group: method, data: pair.publicValue },
    ...(link ? [notify(Notify.ADDITIONAL_KEY_EXCHANGE, link)] : []),
  ]);
  const ke = payload(answer, 'KE');
  return { answer, secret: ke ? pair.conclude(pair.privateKey, ke.data) : new Uint8Array() };
}

/** HDR, SK {SA, Ni, KEi, TSi, TSr} with a key pair of our own. */
function child(peer: Peer, rekeys?: number, ...rounds: readonly (readonly number[])[]) {
  const pair = keyPair(peer, Ke.CURVE25519);
  const ni = peer.random(32);
  const { payloads } = childRequest(peer, {
    ...{ group: Ke.CURVE25519, nonce: ni, spi: 0x0a00_0077, change: offering(...rounds) },
    ...(rekeys === undefined ? {} : { rekeys }),
  });
  const sent = payloads.map((one) => (one.kind === 'KE' ? { ...one, data: pair.publicValue } : one));
  const answer = peer.request(Exchange.CREATE_CHILD_SA, sent);
  const ke = payload(answer, 'KE');
  return { answer, ni, shared: ke ? pair.conclude(pair.privateKey, ke.data) : new Uint8Array() };
}

describe('IKE_FOLLOWUP_KE, the responder', () => {
  it('makes a child when all are done, of KEYMAT = prf+(SK_d, SK(0) | Ni | Nr | SK(1) | SK(2))', () => {
    const { gateway, peer } = established();
    // HDR, SK {SA, Ni, KEi, TSi, TSr}  -->    <--  HDR, SK {SA, Nr, KEr, TSi, TSr, N(ADDITIONAL_KEY_EXCHANGE)(link1)}
    const { answer, ni, shared } = child(peer, undefined, [Ke.ML_KEM_512], [Ke.ML_KEM_768]);
    assert.deepEqual(kinds(answer), ['SA', 'NONCE', 'KE', 'TSi', 'TSr', 'N']);
    assert.equal(gateway.children.size, 1);
    // HDR, SK {KEi(1), N(link1)}  -->    <--  HDR, SK {KEr(1), N(link2)}
    const first = followup(peer, Ke.ML_KEM_512, linkIn(answer));
    assert.deepEqual(kinds(first.answer), ['KE', 'N']);
    assert.equal(gateway.children.size, 1);
    // HDR, SK {KEi(2), N(link2)}  -->    <--  HDR, SK {KEr(2)}
    const second = followup(peer, Ke.ML_KEM_768, linkIn(first.answer));
    assert.deepEqual(kinds(second.answer), ['KE']);
    const nr = payload(answer, 'NONCE')?.data ?? new Uint8Array();
    const keymat = prfPlus(peer.keys!.d, concat(shared, ni, nr, first.secret, second.secret), 72);
    const made = [...gateway.children.values()].find(({ spiOut }) => spiOut === 0x0a00_0077);
    assert.deepEqual(
      [hex(made?.keyIn.encr ?? ni), hex(made?.keyOut.encr ?? ni)],
      [hex(keymat.slice(0, 36)), hex(keymat.slice(36))],
    );
  });

  it('rekeys a child: the old one goes when its peer deletes it', () => {
    const { gateway, peer } = established();
    const { answer } = child(peer, 0x0a00_0001, [Ke.ML_KEM_768]);
    followup(peer, Ke.ML_KEM_768, linkIn(answer));
    assert.equal(gateway.named('child-rekeyed').length, 1);
    assert.equal(gateway.children.size, 2);
  });

  it('makes a new IKE SA of SKEYSEED = prf(SK_d, SK(0) | Ni | Nr | SK(1))', () => {
    const { gateway, peer } = established();
    const pair = keyPair(peer, Ke.CURVE25519);
    const [spi, ni] = ['1122334455667788', peer.random(32)];
    const { payloads } = ikeRequest(peer, { spi, nonce: ni, change: offering([Ke.ML_KEM_768]) });
    const sent = payloads.map((one) => (one.kind === 'KE' ? { ...one, data: pair.publicValue } : one));
    const answer = peer.request(Exchange.CREATE_CHILD_SA, [...sent, notify(Notify.TICKET_REQUEST)]);
    assert.ok(notifies(answer).includes(Notify.TICKET_ACK));
    assert.equal(gateway.sessions().length, 1);
    const { answer: last, secret } = followup(peer, Ke.ML_KEM_768, linkIn(answer));
    assert.deepEqual(kinds(last), ['KE']);
    const [ke, nr] = [payload(answer, 'KE')!, payload(answer, 'NONCE')!.data];
    const spiR = hex(payload(answer, 'SA')!.proposals[0]!.spi);
    const skeyseed = prf(peer.keys!.d, pair.conclude(pair.privateKey, ke.data), ni, nr, secret);
    const keymat = prfPlus(skeyseed, concat(ni, nr, unhex(spi), unhex(spiR)), 168);
    const next = new Peer(gateway, 'initiator', { spiI: spi, spiR }, peer.path, 9);
    const [d, ei, er, pi, pr] = [
      [0, 32],
      [32, 68],
      [68, 104],
      [104, 136],
      [136, 168],
    ].map(([from, to]) => keymat.slice(from, to));
    next.keys = { d, ei, er, pi, pr, ai: new Uint8Array(), ar: new Uint8Array() } as NonNullable<Peer['keys']>;
    assert.deepEqual(kinds(next.request(Exchange.INFORMATIONAL, [])), []);
    assert.equal(gateway.session().spi, spiR);
    assert.equal(gateway.session().postQuantum, true);
  });

  it('answers STATE_NOT_FOUND to a link that it does not know, to none, and after half a minute', () => {
    const { gateway, peer } = established();
    assert.deepEqual(notifies(followup(peer, Ke.ML_KEM_768, new Uint8Array(8)).answer), [Notify.STATE_NOT_FOUND]);
    const link = linkIn(child(peer, undefined, [Ke.ML_KEM_768]).answer);
    assert.deepEqual(notifies(followup(peer, Ke.ML_KEM_768, undefined).answer), [Notify.STATE_NOT_FOUND]);
    gateway.pass(29_000);
    assert.ok(linkIn(child(peer, undefined, [Ke.ML_KEM_768]).answer));
    assert.deepEqual(notifies(followup(peer, Ke.ML_KEM_768, link).answer), [Notify.STATE_NOT_FOUND], 'an older one');
    const other = linkIn(child(peer, undefined, [Ke.ML_KEM_768]).answer);
    gateway.pass(30_000);
    assert.deepEqual(notifies(followup(peer, Ke.ML_KEM_768, other).answer), [Notify.STATE_NOT_FOUND]);
    assert.equal(gateway.children.size, 1);
  });

  it('answers STATE_NOT_FOUND while the IKE SA is being deleted, which is no reason for the peer to end anything', () => {
    const { gateway, peer } = established();
    const link = linkIn(child(peer, undefined, [Ke.ML_KEM_768]).answer);
    gateway.want({ kind: 'deleteIke' });
    assert.deepEqual(gateway.phases(), ['closing']);
    assert.deepEqual(notifies(followup(peer, Ke.ML_KEM_768, link).answer), [Notify.STATE_NOT_FOUND]);
    assert.deepEqual(gateway.phases(), ['closing']);
  });

  it('ends when another method comes than was agreed on, of whatever length', () => {
    const { gateway, peer } = established();
    const link = linkIn(child(peer, undefined, [Ke.ML_KEM_768]).answer) ?? assert.fail('no link');
    const { publicValue } = keyPair(peer, Ke.ML_KEM_768);
    const answer = peer.request(Exchange.IKE_FOLLOWUP_KE, [
      { kind: 'KE', group: Ke.ML_KEM_512, data: publicValue },
      notify(Notify.ADDITIONAL_KEY_EXCHANGE, link),
    ]);
    assert.deepEqual([notifies(answer), gateway.sessions()], [[Notify.INVALID_SYNTAX], []]);
  });

  it('makes a session post-quantum by a rekey, and by no rekey less so', () => {
    const rekey = (peer: Peer, ...rounds: readonly (readonly number[])[]) => {
      const { payloads } = ikeRequest(peer, { spi: '1122334455667788', change: offering(...rounds) });
      return peer.request(Exchange.CREATE_CHILD_SA, payloads);
    };
    const algorithms = { ...ike, additionalKeyExchange: [...METHODS] };
    const gateway = gatewayOf({ config: config({ ike: { algorithms, deadPeerMs: 0 } }) });
    const peer = Peer.towards(gateway);
    ikeSaInit(peer);
    ikeAuth(peer);
    assert.equal(gateway.session().postQuantum, false);
    followup(peer, Ke.ML_KEM_768, linkIn(rekey(peer, [Ke.ML_KEM_768])));
    assert.equal(gateway.session().postQuantum, true);
    const other = established();
    rekey(other.peer);
    assert.equal(other.gateway.session().postQuantum, true);
  });

  it('begins no rekey of its own meanwhile, and does so afterwards', () => {
    const { gateway, peer } = established();
    const { answer } = child(peer, undefined, [Ke.ML_KEM_768]);
    assert.deepEqual(gateway.want({ kind: 'rekeyIke' }), []);
    followup(peer, Ke.ML_KEM_768, linkIn(answer));
    assert.deepEqual(
      gateway.pass(600).map(({ bytes }) => bytes[18]),
      [Exchange.CREATE_CHILD_SA],
    );
  });
});

describe('IKE_FOLLOWUP_KE, the initiator', () => {
  /** HDR, SK {N(REKEY_SA), SA, Ni, KEi, TSi, TSr}  -->    <--  HDR, SK {SA, Nr, KEr, TSi, TSr, N(link)}    HDR, SK {KEi(1), N(link)}  --> */
  function following() {
    const { gateway, peer } = established();
    const spiIn = gateway.session().children[0] ?? 0;
    const [request] = peer.hear(gateway.want({ kind: 'rekeyChild', spiIn }));
    const link = notify(Notify.ADDITIONAL_KEY_EXCHANGE, new Uint8Array(8).fill(7));
    const [asked] = answerChild(peer, request, { change: (all) => [...offering([Ke.ML_KEM_768])(all), link] });
    assert.deepEqual([asked?.exchange, payload(asked, 'KE')?.group], [Exchange.IKE_FOLLOWUP_KE, Ke.ML_KEM_768]);
    return { gateway, peer, asked: asked ?? assert.fail('no IKE_FOLLOWUP_KE') };
  }

  it('gives up what the gateway has forgotten, keeps the child, and begins anew a little later', () => {
    const { gateway, peer, asked } = following();
    assert.deepEqual(peer.answer(asked, [notify(Notify.STATE_NOT_FOUND)]), []);
    assert.deepEqual([gateway.sessions().length, gateway.children.size], [1, 1]);
    const [again] = peer.hear(gateway.pass(21_000));
    assert.equal(again?.exchange, Exchange.CREATE_CHILD_SA);
  });

  it('ends when another method comes back than was asked for, of whatever length', () => {
    const { gateway, peer, asked } = following();
    peer.answer(asked, [{ kind: 'KE', group: Ke.ML_KEM_512, data: new Uint8Array(1_088) }]);
    assert.deepEqual([gateway.sessions(), gateway.children.size], [[], 0]);
  });
});

describe('two of ours', () => {
  const pair = () => {
    const world = new World(3);
    const [pod, client] = [world.pod(0), world.client('client')];
    world.do(pod, {
      type: 'configure',
      policy: policy({ config: config({ ike: { algorithms: ike }, esp: { algorithms: esp } }) }),
    });
    world.do(client, { type: 'connect', connection: connection({ ike, esp }), ticket: undefined });
    world.run(50);
    return { world, pod, client };
  };
  const want = (world: World, node: Node, kind: 'rekeyIke' | 'rekeyChild' | 'newChild'): void => {
    const [session] = node.sessions();
    const spiIn = session?.children[0] ?? 0;
    world.do(node, { type: 'want', spi: session?.spi ?? '', intent: kind === 'rekeyChild' ? { kind, spiIn } : { kind } });
  };
  const exchanges = (world: World): number => world.sent.filter(({ bytes }) => bytes[18] === Exchange.IKE_FOLLOWUP_KE).length;
  const consistent = ({ world, pod, client }: ReturnType<typeof pair>, children: number): void => {
    for (const node of [pod, client]) {
      assert.deepEqual(
        Array.from(node.sas.values(), ({ phase }) => phase.name),
        ['established'],
        node.name,
      );
      assert.equal(node.children.size, children);
      assert.equal(node.sessions()[0]?.postQuantum, true);
    }
    assert.ok(exchanges(world) >= 2);
    for (const { spiIn, keyIn } of client.children.values())
      assert.ok([...pod.children.values()].some((other) => other.spiOut === spiIn && hex(other.keyOut.encr) === hex(keyIn.encr)));
  };

  for (const side of ['client', 'pod'] as const)
    for (const kind of ['rekeyIke', 'rekeyChild', 'newChild'] as const)
      it(`end a ${kind} of the ${side} with the same keys, after one more exchange`, () => {
        const all = pair();
        want(all.world, all[side], kind);
        all.world.run(20_000);
        consistent(all, kind === 'newChild' ? 2 : 1);
      });

  for (const kind of ['rekeyIke', 'rekeyChild'] as const)
    it(`come to one end when both begin a ${kind} at once`, () => {
      const all = pair();
      want(all.world, all.client, kind);
      want(all.world, all.pod, kind);
      all.world.run(90_000);
      consistent(all, 1);
    });

  it('has a new ticket after a rekey, of which a post-quantum session comes again', () => {
    const { world, client, pod } = pair();
    want(world, client, 'rekeyIke');
    world.run(20_000);
    const ticket = client.named('ticket').at(-1)?.ticket;
    assert.equal(ticket?.postQuantum, true);
    world.do(client, { type: 'shutdown', tell: false });
    world.do(client, { type: 'connect', connection: connection({ ike, esp }), ticket });
    world.run(1_000);
    assert.deepEqual(
      client.named('established').map(({ kind }) => kind),
      ['full', 'resumed'],
    );
    assert.deepEqual(
      [client, pod].map((node) => node.sessions()[0]?.postQuantum),
      [true, true],
    );
  });
});
