/** A gateway whose data plane loses children, or is away: what its peers hear of it, and what they do not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { u32Bytes } from '../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload } from '../../../sidecar/ike/wire/payload.ts';
import { Exchange, Notify, Protocol } from '../../../sidecar/ike/wire/registry.ts';
import { answerChild, createChild, rekeyIke } from '../../harness/create-child-sa.ts';
import { converse, proofFor } from '../../harness/eap-handshake.ts';
import {
  adding,
  authPayloads,
  connect,
  ikeAuth,
  ikeSaInit,
  ikeSessionResume,
  resume,
  ticketIn,
} from '../../harness/handshake.ts';
import { type Heard, kinds, NAT_PATH, notifies, Peer, payload, requests } from '../../harness/peer.ts';
import { Pods } from '../../harness/pods.ts';
import { config, eapRule, fqdn } from '../../harness/policy.ts';
import { gatewayOf, type Subject } from '../../harness/subject.ts';

/** The peer's SPIs: of the child of IKE_AUTH, and of the one that comes after it. */
const [OLD, NEW] = [0x0a00_0001, 0x0a00_0002];
const quiet = config({ ike: { deadPeerMs: 0 } });

function joined() {
  const gateway = gatewayOf({ config: quiet });
  const peer = Peer.towards(gateway);
  const answer = connect(peer);
  const [spiIn = 0] = gateway.session().children;
  const lose = (spi = spiIn): Heard[] =>
    peer.hear(gateway.do({ type: 'report', report: { report: 'lost', spiIn: spi, reason: 'no such algorithm' } }));
  return { gateway, peer, spiIn, lose, held: ticketIn(peer, answer) };
}
const carry = (gateway: Subject, available: boolean) => gateway.do({ type: 'dataplane', available });
const end = (...spis: readonly number[]): Payload => ({ kind: 'D', protocol: Protocol.ESP, spis: spis.map(u32Bytes) });
/** Our SPI of the child that has this one of the peer. */
const ours = (gateway: Subject, spiOut: number): number =>
  [...gateway.children.values()].find((child) => child.spiOut === spiOut)?.spiIn ?? 0;

describe('a child that the data plane lost', () => {
  it('is deleted; the IKE SA and the ticket stay, and another child is asked for after a while', () => {
    const { gateway, peer, spiIn, lose } = joined();
    const [told] = lose(); //   <--  HDR, SK {D(ESP)}
    assert.deepEqual([told?.exchange, told?.payloads], [Exchange.INFORMATIONAL, [end(spiIn)]]);
    assert.deepEqual([gateway.children.size, gateway.session().children], [0, []]);
    assert.deepEqual(gateway.orders.at(-1), { order: 'remove', spiIn });
    const [event] = gateway.named('child-lost');
    assert.deepEqual([event?.spiIn, event?.reason], [spiIn, 'no such algorithm']);
    assert.deepEqual(gateway.named('child-removed').length, 1);
    peer.answer(told as Heard, [end(OLD)]); //   HDR, SK {D(ESP)}  -->
    assert.deepEqual(gateway.pass(9_999), []);
    const [asked] = peer.hear(gateway.pass(10_001)); //   <--  HDR, SK {SA, Ni, TSi, TSr}
    assert.deepEqual([asked?.exchange, kinds(asked)], [Exchange.CREATE_CHILD_SA, ['SA', 'NONCE', 'TSi', 'TSr']]);
    answerChild(peer, asked, { spi: NEW });
    assert.ok(ours(gateway, NEW));
    assert.deepEqual([gateway.endings(), gateway.pass(60_000)], [[], []]);
  });

  it('is not asked for again when a newer one has taken its place, or another one is there', () => {
    const { gateway, peer, spiIn, lose } = joined();
    createChild(peer, { spi: NEW, rekeys: OLD });
    assert.deepEqual(lose()[0]?.payloads, [end(spiIn)]);
    assert.deepEqual(
      [...gateway.children.values()].map(({ spiOut }) => spiOut),
      [NEW],
    );
    peer.answer({ exchange: Exchange.INFORMATIONAL, messageId: 0 }, []);
    assert.deepEqual(gateway.pass(30_000), []);
  });

  it('is not asked for again while we rekey it: the new one comes of that', () => {
    const { gateway, peer, spiIn, lose } = joined();
    const [asked] = peer.hear(gateway.want({ kind: 'rekeyChild', spiIn }));
    assert.deepEqual(lose(), []); // the window is taken
    const [told] = requests(answerChild(peer, asked, { spi: NEW })); //   <--  HDR, SK {D(ESP)}
    assert.deepEqual(told?.payloads, [end(spiIn)]);
    peer.answer(told as Heard, [end(OLD)]);
    assert.deepEqual([[...gateway.children.values()].map(({ spiOut }) => spiOut), gateway.pass(30_000)], [[NEW], []]);
  });

  it('is told once when we are deleting it anyway', () => {
    const { gateway, peer, spiIn, lose } = joined();
    const [told] = peer.hear(gateway.want({ kind: 'deleteChild', spiIn }));
    lose();
    assert.deepEqual(peer.answer(told as Heard, [end(OLD)]), []);
    assert.deepEqual(gateway.named('child-removed').length, 1);
  });

  it('is news of a child that we do not have: nothing happens', () => {
    const { gateway, lose } = joined();
    assert.deepEqual([lose(0x0123_4567), gateway.named('child-lost')], [[], []]);
  });
});

describe('who begins to send on a child that is made anew', () => {
  it('is the old one until the initiator has shown that it has the new one, when that is the peer', () => {
    const { gateway, peer, spiIn } = joined();
    createChild(peer, { spi: NEW, rekeys: OLD });
    createChild(peer, { spi: 0x0a00_0003 });
    const orders = gateway.orders.flatMap((one) => (one.order === 'install' ? [one.sendsAfter] : []));
    assert.deepEqual(orders, [undefined, spiIn, undefined]);
  });

  it('is the new one at once, when that is us', () => {
    const { gateway, peer, spiIn } = joined();
    const [asked] = peer.hear(gateway.want({ kind: 'rekeyChild', spiIn }));
    answerChild(peer, asked, { spi: NEW });
    assert.deepEqual(
      gateway.orders.map((one) => one.order === 'install' && 'sendsAfter' in one),
      [false, false],
    );
  });

  it('is installed before the answer that promises it goes out', () => {
    const gateway = gatewayOf({ config: quiet });
    const peer = Peer.towards(gateway);
    ikeSaInit(peer);
    const [bytes] = peer.sealed(Exchange.IKE_AUTH, authPayloads(peer));
    assert.ok(bytes);
    const outputs = gateway.gateway.handle({ type: 'datagram', bytes, path: peer.path }, gateway.now);
    assert.deepEqual(
      outputs.flatMap(({ type }) => (type === 'event' ? [] : [type])),
      ['dataplane', 'send'],
    );
  });
});

describe('while there is no data plane', () => {
  it('a first request gets no answer, and one when the data plane is back', () => {
    const gateway = gatewayOf();
    carry(gateway, false);
    const peer = Peer.towards(gateway);
    assert.equal(ikeSaInit(peer), undefined);
    assert.deepEqual([gateway.drops(), gateway.phases()], [['not-ready'], []]);
    carry(gateway, true);
    assert.ok(payload(connect(peer), 'SA'));
  });

  it('a first request of a client that can follow is sent elsewhere, if there is such a place', () => {
    const gateway = gatewayOf({ config: config({ redirect: { to: fqdn('other.example.com'), when: 'overloaded' } }) });
    carry(gateway, false);
    const answer = ikeSaInit(Peer.towards(gateway), { change: adding(notify(Notify.REDIRECT_SUPPORTED)) });
    assert.deepEqual(notifies(answer), [Notify.REDIRECT]);
  });

  it('a ticket gets no answer, above all no TICKET_NACK, and resumes when the data plane is back', () => {
    const { gateway, held } = joined();
    carry(gateway, false);
    const peer = Peer.towards(gateway, { seed: 300 });
    assert.equal(ikeSessionResume(peer, held), undefined);
    assert.deepEqual(gateway.named('ticket-refused'), []);
    carry(gateway, true);
    assert.ok(payload(resume(Peer.towards(gateway, { seed: 301 }), held), 'SA'));
    assert.equal(gateway.session().kind, 'resumed');
  });

  it('IKE_AUTH gets no answer, and its repetition one when the data plane is back', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer);
    carry(gateway, false);
    const request = peer.sealed(Exchange.IKE_AUTH, authPayloads(peer));
    assert.deepEqual([peer.send(request), gateway.phases(), gateway.drops()], [[], ['halfOpen'], ['not-ready']]);
    carry(gateway, true);
    assert.ok(payload(peer.send(request)[0], 'SA'));
  });

  it('EAP waits too', () => {
    const gateway = gatewayOf({ config: config({ authentication: [eapRule()] }) });
    const peer = Peer.towards(gateway);
    converse(peer);
    carry(gateway, false);
    const request = peer.sealed(Exchange.IKE_AUTH, [proofFor(peer)]);
    assert.deepEqual([peer.send(request), gateway.phases()], [[], ['eapProven']]);
    carry(gateway, true);
    assert.ok(payload(peer.send(request)[0], 'SA'));
  });

  it('CREATE_CHILD_SA for a child is refused for now, and the IKE SA is rekeyed as ever', () => {
    const { gateway, peer } = joined();
    carry(gateway, false);
    for (const part of [{ spi: NEW }, { spi: NEW, rekeys: OLD }])
      assert.deepEqual(notifies(createChild(peer, part).answer), [Notify.TEMPORARY_FAILURE]);
    assert.equal(gateway.children.size, 1);
    rekeyIke(peer);
    assert.equal(gateway.named('ike-rekeyed').length, 1);
  });

  it('we begin no child, and do so soon after the data plane is back', () => {
    const { gateway, peer, spiIn, lose } = joined();
    carry(gateway, false);
    assert.deepEqual([gateway.want({ kind: 'rekeyChild', spiIn }), gateway.pass(120_000)], [[], []]);
    peer.answer(lose()[0] as Heard, []);
    assert.deepEqual(gateway.pass(120_000), []);
    carry(gateway, true);
    const [asked] = peer.hear(gateway.pass(20_000));
    assert.deepEqual([asked?.exchange, kinds(asked)], [Exchange.CREATE_CHILD_SA, ['SA', 'NONCE', 'TSi', 'TSr']]);
  });

  it('liveness, deletion and the rest of an established session go on', () => {
    const { gateway, peer, spiIn } = joined();
    carry(gateway, false);
    assert.deepEqual(peer.request(Exchange.INFORMATIONAL, [])?.payloads, []);
    assert.deepEqual(peer.request(Exchange.INFORMATIONAL, [end(OLD)])?.payloads, [end(spiIn)]);
  });

  it('no session is taken over from a sibling, and one that is given is handed over', () => {
    const pods = new Pods(2);
    const peer = Peer.towards(pods.get(0));
    connect(peer, { behindNat: true });
    const elsewhere = { ...NAT_PATH, local: '10.0.0.11:4500' };
    carry(pods.get(1), false);
    peer.subject = pods.get(1);
    assert.deepEqual(peer.send(peer.sealed(Exchange.INFORMATIONAL, []), elsewhere), []);
    assert.deepEqual([pods.questions(), pods.get(1).drops()], [[], ['not-ready']]);
    carry(pods.get(1), true);
    carry(pods.get(0), false);
    peer.send(peer.sealed(Exchange.INFORMATIONAL, []), elsewhere);
    pods.talk();
    assert.deepEqual([pods.get(0).sessions().length, pods.get(1).sessions().length], [0, 1]);
  });

  it('a half-open SA is left where it is', () => {
    const pods = new Pods(2);
    const peer = Peer.towards(pods.get(0));
    ikeSaInit(peer);
    carry(pods.get(1), false);
    peer.subject = pods.get(1);
    assert.equal(ikeAuth(peer, { path: { ...NAT_PATH, local: '10.0.0.11:4500' } }), undefined);
    assert.deepEqual([pods.questions(), pods.get(0).phases()], [[], ['halfOpen']]);
  });
});
