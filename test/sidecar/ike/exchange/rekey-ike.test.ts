import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Intent } from '../../../../sidecar/ike/established.ts';
import { EMPTY, hex, u32Bytes } from '../../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload } from '../../../../sidecar/ike/wire/payload.ts';
import { Exchange, Ke, Notify, Protocol } from '../../../../sidecar/ike/wire/registry.ts';
import { accept } from '../../../harness/answering.ts';
import { createChild, type IkePart, ikeAnswer, ikeRequest, rekeyIke } from '../../../harness/create-child-sa.ts';
import { connect, ikeProposal, innerIn, without } from '../../../harness/handshake.ts';
import { type Heard, kinds, notifies, notifyData, Peer, payload, requests } from '../../../harness/peer.ts';
import { config, connection } from '../../../harness/policy.ts';
import { clientOf, gatewayOf } from '../../../harness/subject.ts';

const endIke: Payload = { kind: 'D', protocol: Protocol.IKE, spis: [] };
const end = (spi: number): Payload => ({ kind: 'D', protocol: Protocol.ESP, spis: [u32Bytes(spi)] });
const quiet = config({ ike: { deadPeerMs: 0 } });

function joined(options: Parameters<typeof gatewayOf>[0] = { config: quiet }) {
  const gateway = gatewayOf(options);
  const peer = Peer.towards(gateway);
  const inner = innerIn(connect(peer)) ?? EMPTY;
  const { spi } = gateway.session();
  const begin = (): Heard => peer.hear(gateway.want({ kind: 'rekeyIke' }, spi))[0] ?? assert.fail('no request');
  /** SPIs of the sessions that have children, with these. */
  const families = () =>
    gateway.sessions().flatMap(({ spiI, children }) => (children.length > 0 ? [[spiI, children.length]] : []));
  return { gateway, peer, inner, spi, begin, families };
}
const alive = (peer: Peer | undefined): boolean => peer?.request(Exchange.INFORMATIONAL, []) !== undefined;

describe('the IKE SA anew, the responder', () => {
  it('makes a new one with keys of its own, to which the children and the inner address pass', () => {
    const { gateway, peer, inner, families } = joined();
    // HDR, SK {SA(SPIi'), Ni, KEi}  -->      <--  HDR, SK {SA(SPIr'), Nr, KEr}
    const { answer, next } = rekeyIke(peer, { spi: '00112233aabbccdd' });
    assert.deepEqual(kinds(answer), ['SA', 'NONCE', 'KE']);
    assert.deepEqual(families(), [['00112233aabbccdd', 1]]);
    assert.deepEqual(
      [gateway.phases(), gateway.session().inner, gateway.children.size],
      [['replaced', 'established'], [inner], 1],
    );
    // HDR', SK {}  -->      <--  HDR', SK {}      ids begin with zero again, under the new keys
    assert.equal(next?.next, 0);
    assert.ok(alive(next));
    const [request] = next?.hear(gateway.want({ kind: 'liveness' })) ?? [];
    assert.deepEqual([request?.messageId, request?.initiator], [0, false]);
    // HDR, SK {D}  -->      <--  HDR, SK {}      the old one goes, and nothing with it
    assert.deepEqual(peer.request(Exchange.INFORMATIONAL, [endIke])?.payloads, []);
    assert.deepEqual([gateway.endings(), gateway.children.size], [['rekeyed'], 1]);
    assert.deepEqual(
      gateway.named('ike-rekeyed').map(({ newSpiI }) => newSpiI),
      ['00112233aabbccdd'],
    );
  });

  it('keeps the inner address for the new one', () => {
    const { gateway, peer, inner } = joined();
    rekeyIke(peer);
    peer.request(Exchange.INFORMATIONAL, [endIke]);
    gateway.pass(60_000);
    const other = innerIn(connect(Peer.towards(gateway, { seed: 500 }), { wanted: inner, spi: 0x0a00_0009 }));
    assert.ok(other);
    assert.notDeepEqual(other, inner);
  });

  it('does not make the authentication any younger', () => {
    const { gateway, peer } = joined();
    const { reauthenticateBy, authenticatedAt } = gateway.session();
    gateway.pass(10_000);
    rekeyIke(peer);
    assert.deepEqual(
      [gateway.session().reauthenticateBy, gateway.session().authenticatedAt],
      [reauthenticateBy, authenticatedAt],
    );
  });

  it('can be repeated, by either side, with the roles turned around', () => {
    const { gateway, peer, families } = joined();
    const { next: second } = rekeyIke(peer);
    peer.request(Exchange.INFORMATIONAL, [endIke]);
    const [request] = second?.hear(gateway.want({ kind: 'rekeyIke' })) ?? [];
    const { payloads, next: third } = ikeAnswer(second ?? peer, request, { spi: '1111111111111111' });
    second?.answer(request ?? peer.header(0), payloads);
    assert.ok(alive(third));
    assert.equal(gateway.session().spiR, '1111111111111111');
    const { next: fourth } = rekeyIke(third ?? peer, { spi: '2222222222222222' });
    assert.deepEqual(families(), [['2222222222222222', 1]]);
    assert.ok(alive(fourth));
  });

  it('leaves the old SA to answer only, until the peer deletes it or 30 seconds are over', () => {
    const { gateway, peer } = joined();
    rekeyIke(peer);
    assert.deepEqual(notifies(createChild(peer).answer), [Notify.TEMPORARY_FAILURE]);
    assert.deepEqual(peer.request(Exchange.INFORMATIONAL, [])?.payloads, []);
    assert.deepEqual(notifies(rekeyIke(peer).answer), [Notify.TEMPORARY_FAILURE]);
    gateway.pass(30_000);
    assert.deepEqual([gateway.phases(), gateway.endings(), gateway.children.size], [['established'], ['rekeyed'], 1]);
  });

  it('answers the same request with the same bytes and one new SA', () => {
    const { gateway, peer } = joined();
    const datagrams = peer.sealed(Exchange.CREATE_CHILD_SA, ikeRequest(peer).payloads);
    const [answer] = peer.send(datagrams);
    for (let times = 0; times < 3; times++) assert.deepEqual(peer.send(datagrams)[0]?.datagrams, answer?.datagrams);
    assert.equal(gateway.sessions().length, 1);
  });

  it('asks for another group', () => {
    const { gateway, peer } = joined();
    const both = (all: readonly Payload[]): Payload[] =>
      all.map((one) =>
        one.kind === 'SA' ? { ...one, proposals: [ikeProposal([Ke.MODP_2048, Ke.ECP_256], new Uint8Array(8).fill(1))] } : one,
      );
    const { answer } = rekeyIke(peer, { group: Ke.MODP_2048, change: both });
    assert.deepEqual(notifyData(answer, Notify.INVALID_KE_PAYLOAD), Uint8Array.of(0, Ke.ECP_256));
    assert.deepEqual(gateway.phases(), ['established']);
    assert.ok(alive(rekeyIke(peer, { group: Ke.ECP_256 }).next));
  });

  for (const [what, change, error] of [
    [
      'algorithms that it does not accept',
      (all) =>
        all.map((one) =>
          one.kind === 'SA' ? { ...one, proposals: [ikeProposal([Ke.CURVE25519], new Uint8Array(8), 128)] } : one,
        ),
      Notify.NO_PROPOSAL_CHOSEN,
    ],
    [
      'a proposal without an SPI',
      (all) => all.map((one) => (one.kind === 'SA' ? { ...one, proposals: [ikeProposal()] } : one)),
      Notify.NO_PROPOSAL_CHOSEN,
    ],
    ['no KE payload', without('KE'), Notify.INVALID_KE_PAYLOAD],
  ] as const satisfies readonly (readonly [string, NonNullable<IkePart['change']>, number])[])
    it(`refuses ${what}, and the old SA lives`, () => {
      const { gateway, peer } = joined();
      assert.deepEqual(notifies(rekeyIke(peer, { change }).answer), [error]);
      assert.deepEqual([gateway.phases(), gateway.session().children.length], [['established'], 1]);
      assert.ok(alive(rekeyIke(peer).next));
    });

  for (const [what, begin] of [
    ['creates', () => ({ kind: 'newChild' })],
    ['rekeys', (spiIn) => ({ kind: 'rekeyChild', spiIn })],
    ['closes', (spiIn) => ({ kind: 'deleteChild', spiIn })],
  ] as const satisfies readonly (readonly [string, (spiIn: number) => Intent])[])
    it(`is busy while it ${what} a child`, () => {
      const { gateway, peer } = joined();
      const [spiIn = 0] = gateway.session().children;
      gateway.want(begin(spiIn));
      // RFC 7296 §2.25.1
      assert.deepEqual(notifies(rekeyIke(peer).answer), [Notify.TEMPORARY_FAILURE]);
      assert.deepEqual(gateway.phases(), ['established']);
    });

  it('is busy while it closes the SA', () => {
    const { gateway, peer } = joined();
    gateway.want({ kind: 'deleteIke' });
    assert.deepEqual(notifies(rekeyIke(peer).answer), [Notify.TEMPORARY_FAILURE]);
  });

  it('goes on with what it waits for otherwise', () => {
    const { gateway, peer } = joined();
    gateway.want({ kind: 'liveness' });
    const { next } = rekeyIke(peer);
    assert.deepEqual(gateway.pass(20_000), [], 'the old SA asks nothing any more');
    assert.ok(alive(next));
  });
});

describe('the IKE SA anew, the initiator', () => {
  it('offers a new SPI and all its algorithms, and deletes the old SA when the new one is there', () => {
    const { gateway, peer, inner, begin } = joined();
    // <--  HDR, SK {SA(SPIi'), Ni, KEi}
    const request = begin();
    assert.deepEqual(kinds(request), ['SA', 'NONCE', 'KE']);
    assert.deepEqual(payload(request, 'SA')?.proposals[0]?.transforms, ikeProposal([Ke.CURVE25519, Ke.ECP_256]).transforms);
    // HDR, SK {SA(SPIr'), Nr, KEr}  -->      <--  HDR, SK {D}      HDR, SK {}  -->
    const { payloads, next } = ikeAnswer(peer, request);
    const [last] = peer.answer(request, payloads);
    assert.deepEqual([last?.payloads, last?.messageId], [[endIke], request.messageId + 1]);
    assert.deepEqual(
      [gateway.phases(), gateway.session().inner, gateway.session().children.length],
      [['closing', 'established'], [inner], 1],
    );
    assert.equal(gateway.session().role, 'initiator');
    assert.deepEqual(peer.answer(last ?? peer.header(0), []), []);
    assert.deepEqual([gateway.phases(), gateway.endings(), gateway.children.size], [['established'], ['rekeyed'], 1]);
    assert.ok(alive(next));
  });

  it('takes the group that the peer wants', () => {
    const { gateway, peer, begin } = joined();
    const [again] = peer.answer(begin(), [notify(Notify.INVALID_KE_PAYLOAD, Uint8Array.of(0, Ke.ECP_256))]);
    assert.equal(payload(again, 'KE')?.group, Ke.ECP_256);
    const { payloads, next } = ikeAnswer(peer, again);
    peer.answer(again ?? peer.header(0), payloads);
    assert.ok(alive(next));
    assert.equal(gateway.sessions().length, 1);
  });

  for (const error of [Notify.TEMPORARY_FAILURE, Notify.NO_ADDITIONAL_SAS, Notify.NO_PROPOSAL_CHOSEN])
    it(`tries again later, not at once, after ${error}`, () => {
      const { gateway, peer, begin } = joined();
      assert.deepEqual(peer.answer(begin(), [notify(error)]), []);
      assert.deepEqual(gateway.pass(9_000), []);
      assert.deepEqual(kinds(peer.hear(gateway.pass(11_500))[0]), ['SA', 'NONCE', 'KE']);
    });

  it('ends the SA when the answer names no SPI: there is no SA to go on with', () => {
    const { gateway, peer, begin } = joined();
    const request = begin();
    const { payloads } = ikeAnswer(peer, request, { spi: '' });
    const heard = peer.answer(request, payloads);
    assert.deepEqual(
      heard.map((one) => one.payloads),
      [[endIke]],
    );
    assert.deepEqual([gateway.sessions(), gateway.children.size], [[], 0]);
  });

  it('ends the SA when the answer is not within the offer: the peer has moved its children to an SA that nobody has', () => {
    const { gateway, peer, begin } = joined();
    const request = begin();
    const weak = { kind: 'SA', proposals: [ikeProposal([Ke.CURVE25519], new Uint8Array(8).fill(3), 128)] } as const;
    const { payloads } = ikeAnswer(peer, request, { change: (all) => [weak, ...without('SA')(all)] });
    const heard = peer.answer(request, payloads);
    assert.deepEqual(
      heard.map((one) => one.payloads),
      [[endIke]],
    );
    assert.deepEqual([gateway.phases(), gateway.endings(), gateway.children.size], [[], ['protocol error'], 0]);
  });

  it('lets the peer delete a child meanwhile', () => {
    const { gateway, peer, begin } = joined();
    const [spiIn = 0] = gateway.session().children;
    const request = begin();
    // RFC 7296 §2.25.2: "it SHOULD reply as usual, with a Delete payload".
    assert.deepEqual(peer.request(Exchange.INFORMATIONAL, [end(0x0a00_0001)])?.payloads, [end(spiIn)]);
    peer.answer(request, ikeAnswer(peer, request).payloads);
    assert.deepEqual([gateway.session().children, gateway.children.size], [[], 0]);
  });

  it('is forgotten when the peer closes the SA meanwhile', () => {
    const { gateway, peer, begin } = joined();
    begin();
    assert.deepEqual(peer.request(Exchange.INFORMATIONAL, [endIke])?.payloads, []);
    assert.deepEqual(gateway.pass(20_000), []);
    assert.deepEqual([gateway.phases(), gateway.endings(), gateway.children.size], [[], ['deleted by peer'], 0]);
  });

  it('of a client asks for a ticket in the same breath', () => {
    const [client, first] = clientOf(connection());
    const peer = Peer.of(client, first);
    accept(peer, first);
    const [request] = peer.hear(client.want({ kind: 'rekeyIke' }));
    assert.deepEqual(notifies(request), [Notify.TICKET_REQUEST]);
  });
});

describe('both sides at once (RFC 7296 §2.8.2)', () => {
  const nonce = (first: number): Uint8Array => new Uint8Array(32).fill(first);
  const MINE = '00000000aaaaaaaa';

  /**
   * <--  HDR, SK {SA, Ni1, KEi}      HDR, SK {SA, Ni2, KEi}  -->
   * <--  HDR, SK {SA, Nr2, KEr}      HDR, SK {SA, Nr1, KEr}  -->
   */
  function collision(asked: Uint8Array, answered: Uint8Array) {
    const all = joined();
    const { peer, gateway } = all;
    const request = all.begin();
    const { next: mine, answer } = rekeyIke(peer, { spi: MINE, nonce: asked });
    assert.ok(payload(answer, 'KE'), 'answered as usual');
    assert.deepEqual(
      gateway
        .sessions()
        .map(({ children }) => children.length)
        .sort(),
      [0, 1],
      'the children wait',
    );
    const { payloads, next: theirs } = ikeAnswer(peer, request, { nonce: answered });
    const sent = gateway.receive(
      peer.sealed(Exchange.CREATE_CHILD_SA, payloads, { messageId: request.messageId, response: true })[0] ?? EMPTY,
      peer.path,
    );
    return { ...all, mine: mine ?? assert.fail(), theirs, sent };
  }

  it('with the lowest nonce in the exchange of the peer, ours inherits, and we delete the old SA', () => {
    const { gateway, peer, inner, mine, theirs, sent, families } = collision(nonce(0), nonce(0xff));
    const [last] = peer.hear(sent);
    assert.deepEqual(last?.payloads, [endIke]);
    peer.answer(last ?? peer.header(0), []);
    // The peer deletes the one that it made.
    mine.request(Exchange.INFORMATIONAL, [endIke]);
    assert.deepEqual(families(), [[theirs.spiI, 1]]);
    assert.deepEqual([gateway.session().inner, gateway.children.size], [[inner], 1]);
    assert.ok(alive(theirs));
    gateway.pass(60_000);
    assert.deepEqual(gateway.phases(), ['established']);
  });

  it('the one that loses is deleted by us when its maker does not do it', () => {
    const { gateway, theirs } = collision(nonce(0x01), nonce(0x80));
    const loser = () => gateway.sessions().some(({ spiI }) => spiI === MINE);
    gateway.pass(9_000);
    assert.ok(loser());
    gateway.pass(1_500);
    assert.ok(!gateway.sessions().some(({ spiI, phase }) => spiI === MINE && phase === 'established'));
    assert.ok(alive(theirs));
    gateway.pass(60_000);
    assert.ok(!loser());
    assert.deepEqual([gateway.session().children.length, gateway.session().inner.length], [1, 1]);
  });

  it('with the lowest nonce in our exchange, the one of the peer inherits, and we delete the one that we made', () => {
    const { gateway, peer, inner, mine, theirs, sent, families } = collision(nonce(0xff), nonce(0));
    assert.deepEqual(peer.hear(sent), [], 'the old SA is the peer’s to delete');
    const [last] = theirs.hear(sent);
    assert.deepEqual([last?.payloads, last?.messageId], [[endIke], 0]);
    theirs.answer(last ?? peer.header(0), []);
    peer.request(Exchange.INFORMATIONAL, [endIke]);
    assert.deepEqual(families(), [[MINE, 1]]);
    assert.deepEqual([gateway.session().inner, gateway.children.size], [[inner], 1]);
    assert.ok(alive(mine));
  });

  it('the peer may be done before our request reaches it: its DELETE of the old SA tells', () => {
    const { gateway, peer, inner, begin, families } = joined();
    // <--  HDR, SK {SA, Ni1, KEi}  (lost)      HDR, SK {SA, Ni2, KEi}  -->      HDR, SK {D}  -->
    begin();
    const { next } = rekeyIke(peer, { spi: MINE });
    assert.deepEqual(peer.request(Exchange.INFORMATIONAL, [endIke])?.payloads, []);
    assert.deepEqual(families(), [[MINE, 1]]);
    assert.deepEqual([gateway.session().inner, gateway.children.size], [[inner], 1]);
    assert.deepEqual(requests(peer.hear(gateway.pass(20_000))), [], 'our request is not repeated');
    assert.ok(alive(next));
  });

  it('the peer may be done before our request reaches it: TEMPORARY_FAILURE tells', () => {
    const { gateway, peer, begin, families } = joined();
    const request = begin();
    const { next } = rekeyIke(peer, { spi: MINE });
    assert.deepEqual(peer.answer(request, [notify(Notify.TEMPORARY_FAILURE)]), []);
    assert.deepEqual(families(), [[MINE, 1]]);
    peer.request(Exchange.INFORMATIONAL, [endIke]);
    assert.ok(alive(next));
    assert.deepEqual([gateway.sessions().length, gateway.children.size], [1, 1]);
  });

  it('we may be done before the request of the peer reaches us', () => {
    const { gateway, peer, begin, families } = joined();
    const { payloads: late } = ikeRequest(peer, { spi: MINE });
    const request = begin();
    const { payloads, next } = ikeAnswer(peer, request);
    peer.answer(request, payloads);
    assert.deepEqual(notifies(peer.request(Exchange.CREATE_CHILD_SA, late)), [Notify.TEMPORARY_FAILURE]);
    assert.deepEqual(families(), [[next.spiI, 1]]);
    assert.ok(gateway.sessions().every(({ spiI }) => spiI !== MINE));
  });

  it('and a ticket that was asked for on the way knows the inner address', () => {
    const { gateway, peer, begin, inner } = joined();
    const request = begin();
    const { answer } = rekeyIke(peer, { nonce: nonce(0xff), change: (all) => [...all, notify(Notify.TICKET_REQUEST)] });
    assert.ok(notifies(answer).includes(Notify.TICKET_LT_OPAQUE));
    peer.answer(request, ikeAnswer(peer, request, { nonce: nonce(0) }).payloads);
    assert.equal(hex(gateway.sessions().find(({ children }) => children.length > 0)?.inner[0] ?? EMPTY), hex(inner));
  });
});
