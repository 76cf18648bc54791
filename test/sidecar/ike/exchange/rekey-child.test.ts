import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { prefixSelector } from '../../../../sidecar/ike/traffic.ts';
import { EMPTY, u32Bytes } from '../../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload } from '../../../../sidecar/ike/wire/payload.ts';
import { Exchange, Ke, Notify, Protocol } from '../../../../sidecar/ike/wire/registry.ts';
import { answerChild, childAnswer, childRequest, createChild } from '../../../harness/create-child-sa.ts';
import { connect, innerIn } from '../../../harness/handshake.ts';
import { type Heard, kinds, notifies, Peer, payload } from '../../../harness/peer.ts';
import { config, ESP, policy } from '../../../harness/policy.ts';
import { configure, gatewayOf, type Subject } from '../../../harness/subject.ts';

/** The peer's SPIs: of the child of IKE_AUTH, of the one that it makes, of the one that the gateway makes. */
const [OLD, MINE, THEIRS] = [0x0a00_0001, 0x0a00_0002, 0x0a00_0003];

/** The peer stays silent when nothing happens, so nobody asks whether it lives. */
const quiet = { deadPeerMs: 0 };

function joined(options: Parameters<typeof gatewayOf>[0] = { config: config({ ike: quiet }) }) {
  const gateway = gatewayOf(options);
  const peer = Peer.towards(gateway);
  const inner = innerIn(connect(peer));
  const spiIn = gateway.session().children[0] ?? 0;
  const begin = (): Heard => peer.hear(gateway.want({ kind: 'rekeyChild', spiIn }))[0] ?? assert.fail('no request');
  return { gateway, peer, spiIn, inner, begin };
}
const end = (spi: number): Payload => ({ kind: 'D', protocol: Protocol.ESP, spis: [u32Bytes(spi)] });
/** The peer's SPIs of the children that the gateway has. */
const children = (gateway: Subject): number[] => [...gateway.children.values()].map(({ spiOut }) => spiOut);
const ours = (gateway: Subject, spiOut: number): number =>
  [...gateway.children.values()].find((child) => child.spiOut === spiOut)?.spiIn ?? 0;
const deleteOf = (peer: Peer, spi: number) => peer.request(Exchange.INFORMATIONAL, [end(spi)]);

describe('a child anew, the responder', () => {
  it('makes a new one beside the old one, which the peer deletes', () => {
    const { gateway, peer, spiIn } = joined();
    // HDR, SK {N(REKEY_SA), SA, Ni, TSi, TSr}  -->      <--  HDR, SK {SA, Nr, TSi, TSr}
    const { answer, keys } = createChild(peer, { spi: MINE, rekeys: OLD });
    assert.deepEqual(kinds(answer), ['SA', 'NONCE', 'TSi', 'TSr']);
    assert.deepEqual(children(gateway), [OLD, MINE]);
    assert.deepEqual([...gateway.children.values()][1]?.keyIn, keys?.initiator);
    assert.equal(gateway.named('child-rekeyed').length, 1);
    // HDR, SK {D(old)}  -->      <--  HDR, SK {D(old)}
    assert.deepEqual(deleteOf(peer, OLD)?.payloads, [end(spiIn)]);
    assert.deepEqual(children(gateway), [MINE]);
  });

  it('does so with perfect forward secrecy', () => {
    const { gateway, peer } = joined({ config: config({ esp: { algorithms: { ...ESP, keyExchange: [Ke.CURVE25519] } } }) });
    const { answer, keys } = createChild(peer, { spi: MINE, rekeys: OLD, group: Ke.CURVE25519 });
    assert.ok(payload(answer, 'KE'));
    assert.deepEqual([...gateway.children.values()][1]?.keyIn, keys?.initiator);
  });

  it('does not know a child by its own SPI, only by the one that the peer expects packets with', () => {
    const { gateway, peer, spiIn } = joined();
    for (const unknown of [spiIn, 0x0a00_0099]) {
      // HDR, SK {N(REKEY_SA), SA, Ni, TSi, TSr}  -->      <--  HDR, SK {N(CHILD_SA_NOT_FOUND)}
      const { answer } = createChild(peer, { spi: MINE, rekeys: unknown });
      assert.deepEqual(answer?.payloads, [
        notify(Notify.CHILD_SA_NOT_FOUND, undefined, { protocol: Protocol.ESP, spi: u32Bytes(unknown) }),
      ]);
    }
    assert.deepEqual(children(gateway), [OLD]);
  });

  it('keeps the old one, and the IKE SA, when the new one is refused', () => {
    const { gateway, peer } = joined();
    const { answer } = createChild(peer, { spi: MINE, rekeys: OLD, tsi: [prefixSelector('192.0.2.0/24')] });
    assert.deepEqual(notifies(answer), [Notify.TS_UNACCEPTABLE]);
    assert.deepEqual(children(gateway), [OLD]);
    assert.ok(payload(createChild(peer, { spi: MINE, rekeys: OLD }).answer, 'SA'));
  });

  it('carries in the new one whatever the old one carried, though the routes have changed since', () => {
    const { gateway, peer } = joined();
    const before = [...gateway.children.values()][0];
    configure(gateway, policy({ config: config({ routes: ['10.1.0.0/16'] }) }));
    createChild(peer, { spi: MINE, rekeys: OLD });
    const after = [...gateway.children.values()][1];
    // RFC 7296 §2.9.2: "The responder MUST NOT narrow down the Traffic Selectors narrower than the scope currently in use".
    assert.deepEqual([after?.local, after?.remote], [before?.local, before?.remote]);
  });

  it('deletes the old one itself when the peer does not', () => {
    const { gateway, peer, spiIn } = joined();
    createChild(peer, { spi: MINE, rekeys: OLD });
    gateway.pass(59_000);
    assert.deepEqual(children(gateway), [OLD, MINE]);
    const [request] = peer.hear(gateway.pass(1_100));
    assert.deepEqual(request?.payloads, [end(spiIn)]);
  });

  it('does not rekey what it is about to delete, nor what has a successor', () => {
    const { gateway, peer, spiIn } = joined();
    createChild(peer, { spi: MINE, rekeys: OLD });
    assert.deepEqual(notifies(createChild(peer, { spi: THEIRS, rekeys: OLD }).answer), [Notify.TEMPORARY_FAILURE]);
    assert.deepEqual(gateway.want({ kind: 'rekeyChild', spiIn }), []);
    gateway.want({ kind: 'deleteChild', spiIn: ours(gateway, MINE) });
    assert.deepEqual(notifies(createChild(peer, { spi: THEIRS, rekeys: MINE }).answer), [Notify.TEMPORARY_FAILURE]);
  });
});

describe('a child anew, the initiator', () => {
  it('names the old one, carries the same traffic, and deletes the old one when the new one is there', () => {
    const { gateway, peer, spiIn, begin } = joined();
    // <--  HDR, SK {N(REKEY_SA), SA, Ni, TSi, TSr}
    const request = begin();
    assert.deepEqual(kinds(request), ['N', 'SA', 'NONCE', 'TSi', 'TSr']);
    assert.deepEqual(request.payloads[0], notify(Notify.REKEY_SA, undefined, { protocol: Protocol.ESP, spi: u32Bytes(spiIn) }));
    const [before] = gateway.children.values();
    assert.deepEqual([payload(request, 'TSi')?.selectors, payload(request, 'TSr')?.selectors], [before?.local, before?.remote]);
    // HDR, SK {SA, Nr, TSi, TSr}  -->      <--  HDR, SK {D(old)}      HDR, SK {D(old)}  -->
    const { payloads, keys } = childAnswer(peer, request, { spi: THEIRS, groups: [Ke.NONE] });
    const [next] = peer.answer(request, payloads);
    assert.deepEqual(children(gateway), [OLD, THEIRS]);
    assert.deepEqual([...gateway.children.values()][1]?.keyOut, keys.initiator);
    assert.deepEqual(next?.payloads, [end(spiIn)]);
    peer.answer(next ?? peer.header(0), [end(OLD)]);
    assert.deepEqual(children(gateway), [THEIRS]);
    const orders = gateway.orders.map(({ order }) => order);
    assert.deepEqual(orders, ['install', 'install', 'remove'], 'the new one before the old one goes');
  });

  it('takes the group that the peer wants', () => {
    const { gateway, peer, begin } = joined({
      config: config({ esp: { algorithms: { ...ESP, keyExchange: [Ke.CURVE25519, Ke.ECP_256] } } }),
    });
    const [again] = peer.answer(begin(), [notify(Notify.INVALID_KE_PAYLOAD, Uint8Array.of(0, Ke.ECP_256))]);
    assert.equal(payload(again, 'KE')?.group, Ke.ECP_256);
    assert.ok(notifies(again).includes(Notify.REKEY_SA));
    answerChild(peer, again, { spi: THEIRS });
    assert.deepEqual(children(gateway), [OLD, THEIRS]);
  });

  for (const error of [Notify.TEMPORARY_FAILURE, Notify.NO_ADDITIONAL_SAS, Notify.NO_PROPOSAL_CHOSEN])
    it(`tries again later, not at once, after ${error}`, () => {
      const { gateway, peer, begin } = joined();
      assert.deepEqual(peer.answer(begin(), [notify(error)]), []);
      assert.deepEqual(gateway.pass(9_000), []);
      const [again] = peer.hear(gateway.pass(11_500));
      assert.ok(notifies(again).includes(Notify.REKEY_SA));
      assert.deepEqual(children(gateway), [OLD]);
    });

  it('tries again later when the answer was not within the offer, and has the peer delete what it made', () => {
    const { gateway, peer, begin } = joined();
    const request = begin();
    const offered = payload(request, 'SA')?.proposals[0]?.spi ?? EMPTY;
    const change = (all: readonly Payload[]) =>
      all.map((one) => (one.kind === 'TSr' ? { ...one, selectors: [prefixSelector('::/0')] } : one));
    const [next] = answerChild(peer, request, { spi: THEIRS, change });
    assert.deepEqual(next?.payloads, [{ kind: 'D', protocol: Protocol.ESP, spis: [offered] }]);
    peer.answer(next ?? peer.header(0), []);
    assert.ok(notifies(peer.hear(gateway.pass(21_000))[0]).includes(Notify.REKEY_SA));
    assert.deepEqual(children(gateway), [OLD]);
  });

  it('makes a child from scratch when the peer does not know the old one', () => {
    const { gateway, peer, begin } = joined();
    // <--  HDR, SK {N(REKEY_SA), ...}      HDR, SK {N(CHILD_SA_NOT_FOUND)}  -->      <--  HDR, SK {SA, Ni, TSi, TSr}
    const [next] = peer.answer(begin(), [notify(Notify.CHILD_SA_NOT_FOUND)]);
    assert.deepEqual([children(gateway), kinds(next)], [[], ['SA', 'NONCE', 'TSi', 'TSr']]);
    answerChild(peer, next, { spi: THEIRS, groups: [Ke.NONE] });
    assert.deepEqual(children(gateway), [THEIRS]);
  });

  it('forgets about it when the peer deletes the child meanwhile', () => {
    const { gateway, peer, spiIn, begin } = joined();
    const request = begin();
    // RFC 7296 §2.25.1: "it SHOULD reply as usual, with a Delete payload".
    assert.deepEqual(deleteOf(peer, OLD)?.payloads, [end(spiIn)]);
    assert.deepEqual(peer.answer(request, [notify(Notify.CHILD_SA_NOT_FOUND)]), []);
    assert.deepEqual([children(gateway), gateway.sessions().length], [[], 1]);
  });
});

describe('both sides at once (RFC 7296 §2.8.1)', () => {
  /** Nonces that begin with these bytes, so that the order among them is known. */
  const nonce = (first: number): Uint8Array => new Uint8Array(32).fill(first);

  /**
   * <--  HDR, SK {N(REKEY_SA), SA(SPIb2), Ni1}      HDR, SK {N(REKEY_SA), SA(SPIa2), Ni2}  -->
   * <--  HDR, SK {SA(SPIb3), Nr2}                   HDR, SK {SA(SPIa3), Nr1}  -->
   */
  function collision(mine: { asked: Uint8Array; answered: Uint8Array }) {
    const all = joined();
    const request = all.begin();
    const { answer } = createChild(all.peer, { spi: MINE, rekeys: OLD, nonce: mine.asked });
    assert.ok(payload(answer, 'SA'), 'answered as usual');
    const next = answerChild(all.peer, request, { spi: THEIRS, nonce: mine.answered, groups: [Ke.NONE] });
    assert.deepEqual(children(all.gateway), [OLD, MINE, THEIRS]);
    return { ...all, next: next[0] };
  }

  it('with the lowest nonce in the exchange of the peer, that deletes its own, and we delete the old one', () => {
    const { gateway, peer, spiIn, next } = collision({ asked: nonce(0), answered: nonce(0xff) });
    assert.deepEqual(next?.payloads, [end(spiIn)]);
    peer.answer(next ?? peer.header(0), [end(OLD)]);
    deleteOf(peer, MINE);
    assert.deepEqual(children(gateway), [THEIRS]);
    gateway.pass(70_000);
    assert.deepEqual(children(gateway), [THEIRS]);
  });

  it('with the lowest nonce in our exchange, we delete the child that we made, and the peer the old one', () => {
    // Of our exchange the answering nonce is the lowest of all four.
    const { gateway, peer, next } = collision({ asked: nonce(0xff), answered: nonce(0) });
    assert.deepEqual(next?.payloads, [end(ours(gateway, THEIRS))]);
    peer.answer(next ?? peer.header(0), [end(THEIRS)]);
    deleteOf(peer, OLD);
    assert.deepEqual(children(gateway), [MINE]);
    gateway.pass(70_000);
    assert.deepEqual(children(gateway), [MINE]);
  });

  it('a nonce that is the beginning of another one is the lower one', () => {
    const [short, long] = [new Uint8Array(16), new Uint8Array(17)];
    const lost = collision({ asked: long, answered: short });
    assert.deepEqual(lost.next?.payloads, [end(ours(lost.gateway, THEIRS))]);
    const won = collision({ asked: short, answered: long });
    assert.deepEqual(won.next?.payloads, [end(won.spiIn)]);
  });

  it('the peer may be done before it learns of our request: then our request means nothing', () => {
    const { gateway, peer, spiIn, begin } = joined();
    // <--  HDR, SK {N(REKEY_SA), ...}  (lost)
    const request = begin();
    createChild(peer, { spi: MINE, rekeys: OLD });
    assert.deepEqual(deleteOf(peer, OLD)?.payloads, [end(spiIn)]);
    // HDR, SK {N(CHILD_SA_NOT_FOUND)}  -->   to its repetition
    assert.deepEqual(peer.answer(request, [notify(Notify.CHILD_SA_NOT_FOUND)]), []);
    assert.deepEqual(children(gateway), [MINE]);
    assert.deepEqual(gateway.pass(20_000), []);
  });

  it('the peer may be done before it learns of our request, and its DELETE late', () => {
    const { gateway, peer, begin } = joined();
    const request = begin();
    createChild(peer, { spi: MINE, rekeys: OLD });
    assert.deepEqual(peer.answer(request, [notify(Notify.CHILD_SA_NOT_FOUND)]), []);
    assert.deepEqual(children(gateway), [OLD, MINE], 'no further child is asked for');
    deleteOf(peer, OLD);
    assert.deepEqual(children(gateway), [MINE]);
  });

  it('we may be done before we learn of the request of the peer', () => {
    const { gateway, peer, begin } = joined();
    const { payloads } = childRequest(peer, { spi: MINE, rekeys: OLD });
    const [next] = answerChild(peer, begin(), { spi: THEIRS, groups: [Ke.NONE] });
    // The request of the peer comes while we delete the old one, or after that.
    assert.deepEqual(notifies(peer.request(Exchange.CREATE_CHILD_SA, payloads)), [Notify.TEMPORARY_FAILURE]);
    peer.answer(next ?? peer.header(0), [end(OLD)]);
    assert.deepEqual(notifies(peer.request(Exchange.CREATE_CHILD_SA, payloads)), [Notify.CHILD_SA_NOT_FOUND]);
    assert.deepEqual(children(gateway), [THEIRS]);
  });

  it('of different children is no collision', () => {
    const { gateway, peer, begin } = joined();
    createChild(peer, { spi: 0x0a00_0009 });
    const request = begin();
    assert.ok(payload(createChild(peer, { spi: MINE, rekeys: 0x0a00_0009 }).answer, 'SA'));
    answerChild(peer, request, { spi: THEIRS, groups: [Ke.NONE], nonce: nonce(0) });
    assert.deepEqual(children(gateway), [OLD, 0x0a00_0009, MINE, THEIRS]);
  });
});
