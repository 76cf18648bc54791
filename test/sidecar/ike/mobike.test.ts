/** Peers that move (RFC 4555), at the gateway and at the client. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { natDetection } from '../../../sidecar/ike/nat.ts';
import { concat } from '../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload } from '../../../sidecar/ike/wire/payload.ts';
import { Exchange, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { accept } from '../../harness/answering.ts';
import { adding, connect, ikeAuth, ikeSaInit, resume, ticketIn } from '../../harness/handshake.ts';
import { crypto, type Heard, NAT_PATH, notifies, notifyData, Peer, requests } from '../../harness/peer.ts';
import { config, connection } from '../../harness/policy.ts';
import { clientOf, gatewayOf } from '../../harness/subject.ts';

const SPEAKS = notify(Notify.MOBIKE_SUPPORTED);
const UPDATE = notify(Notify.UPDATE_SA_ADDRESSES);
const COOKIE2 = new Uint8Array(24).fill(7);
const ELSEWHERE = { ...NAT_PATH, remote: '203.0.113.9:4500' };
const FURTHER = { ...NAT_PATH, remote: '203.0.113.77:4500' };
const OTHER_PORT = { ...NAT_PATH, remote: '192.0.2.1:61234' };

const detections = ({ spiI, spiR }: Peer, { local, remote }: typeof NAT_PATH): Payload[] => [
  notify(Notify.NAT_DETECTION_SOURCE_IP, natDetection(crypto, spiI, spiR, remote)),
  notify(Notify.NAT_DETECTION_DESTINATION_IP, natDetection(crypto, spiI, spiR, local)),
];

function joined({ mobike = true, behindNat = false } = {}) {
  const gateway = gatewayOf({ config: config({ ike: { deadPeerMs: 0 } }) });
  const peer = Peer.towards(gateway);
  const answer = connect(peer, { behindNat, ...(mobike ? { change: adding(SPEAKS) } : {}) });
  const moves = () => gateway.orders.flatMap((one) => (one.order === 'move' ? [one.path.remote] : []));
  /** Our INFORMATIONAL from there: its answer, and what the gateway asks. */
  const inform = (payloads: readonly Payload[], path = ELSEWHERE): { answer: Heard | undefined; asked: Heard[] } => {
    const heard = peer.send(peer.sealed(Exchange.INFORMATIONAL, payloads), path);
    peer.next += 1;
    return { answer: heard.find(({ response }) => response), asked: requests(heard) };
  };
  return { gateway, peer, answer, moves, inform };
}

const cookieOf = (asked: Heard | undefined): Payload =>
  notify(Notify.COOKIE2, notifyData(asked, Notify.COOKIE2) ?? new Uint8Array(8));

describe('a gateway that speaks MOBIKE', () => {
  it('says so to whoever says it, after a resumption too, and to nobody else', () => {
    const { gateway, peer, answer } = joined();
    assert.ok(notifies(answer).includes(Notify.MOBIKE_SUPPORTED));
    assert.ok(!notifies(joined({ mobike: false }).answer).includes(Notify.MOBIKE_SUPPORTED));
    const again = Peer.towards(gateway, { seed: 300 });
    assert.ok(notifies(resume(again, ticketIn(peer, answer), { change: adding(SPEAKS) })).includes(Notify.MOBIKE_SUPPORTED));
  });

  it('sends the packets of children to a new address once the peer has shown that it receives there', () => {
    const { gateway, peer, moves, inform } = joined();
    const { answer, asked } = inform([UPDATE]); //            HDR, SK {N(UPDATE_SA_ADDRESSES)}  -->
    assert.deepEqual(answer?.path, ELSEWHERE); //                                               <--  HDR, SK {}
    assert.deepEqual(gateway.session().path, ELSEWHERE);
    assert.deepEqual(moves(), []);
    assert.deepEqual(asked.map(notifies), [[Notify.COOKIE2]]); //                               <--  HDR, SK {N(COOKIE2)}
    assert.deepEqual(asked[0]?.path, ELSEWHERE);
    peer.answer(asked[0] as Heard, [cookieOf(asked[0])], { path: ELSEWHERE }); // HDR, SK {N(COOKIE2)} -->
    assert.deepEqual(moves(), [ELSEWHERE.remote]);
  });

  it('follows to another port of the same address at once', () => {
    const { moves, inform } = joined();
    const { asked } = inform([UPDATE], OTHER_PORT);
    assert.deepEqual([moves(), asked], [[OTHER_PORT.remote], []]);
  });

  it('closes the SA when the COOKIE2 comes back changed, or not at all', () => {
    for (const wrong of [[notify(Notify.COOKIE2, COOKIE2)], []]) {
      const { gateway, peer, moves, inform } = joined();
      const { asked } = inform([UPDATE]);
      peer.answer(asked[0] as Heard, wrong, { path: ELSEWHERE });
      assert.deepEqual([gateway.endings(), moves()], [['protocol error'], []]);
    }
  });

  it('asks again at the last address when the peer moved on meanwhile', () => {
    const { peer, moves, inform } = joined();
    const { asked } = inform([UPDATE]);
    inform([UPDATE], FURTHER);
    const [second] = requests(peer.answer(asked[0] as Heard, [cookieOf(asked[0])], { path: FURTHER }));
    assert.deepEqual([moves(), second?.path], [[], FURTHER]);
    peer.answer(second as Heard, [cookieOf(second)], { path: FURTHER });
    assert.deepEqual(moves(), [FURTHER.remote]);
  });

  it('asks nothing of a peer that is back where it was', () => {
    const { peer, moves, inform } = joined();
    const { asked } = inform([UPDATE]);
    inform([UPDATE], NAT_PATH);
    assert.deepEqual(moves(), [NAT_PATH.remote]);
    assert.deepEqual(peer.answer(asked[0] as Heard, [cookieOf(asked[0])], { path: NAT_PATH }), []);
    assert.deepEqual(moves(), [NAT_PATH.remote]);
  });

  it('copies COOKIE2, and answers NAT detection with NAT detection', () => {
    const { peer, inform } = joined();
    const { answer } = inform([notify(Notify.COOKIE2, COOKIE2), ...detections(peer, NAT_PATH)], NAT_PATH);
    assert.deepEqual(notifyData(answer, Notify.COOKIE2), COOKIE2);
    const seen = notifyData(answer, Notify.NAT_DETECTION_DESTINATION_IP);
    assert.deepEqual(seen, natDetection(crypto, peer.spiI, peer.spiR, NAT_PATH.remote));
  });

  it('turns UDP encapsulation on and off as the update shows NATs', () => {
    const { gateway, peer, inform } = joined();
    const encapsulated = () => gateway.orders.flatMap((one) => (one.order === 'move' ? [one.encapsulated] : []));
    inform([UPDATE, ...detections(peer, { ...OTHER_PORT, remote: '10.1.1.1:4500' })], OTHER_PORT);
    inform([UPDATE, ...detections(peer, OTHER_PORT)], OTHER_PORT);
    assert.deepEqual(encapsulated(), [true, false]);
  });

  it('moves nothing when a request without an update comes from elsewhere, NAT or not', () => {
    const { gateway, moves, inform } = joined({ behindNat: true });
    const before = gateway.session().path;
    const { answer } = inform([]);
    assert.deepEqual([answer?.path, gateway.session().path, moves()], [ELSEWHERE, before, []]);
  });

  it('refuses an update that met a NAT where none is allowed, and the SA lives', () => {
    const { gateway, inform } = joined();
    const said = concat(Uint8Array.of(192, 0, 2, 1, 10, 0, 0, 10), Uint8Array.of(0x11, 0x94, 0x11, 0x94));
    const refused = inform([UPDATE, notify(Notify.NO_NATS_ALLOWED, said)]);
    assert.deepEqual([notifies(refused.answer), refused.answer?.path], [[Notify.UNEXPECTED_NAT_DETECTED], ELSEWHERE]);
    assert.notDeepEqual(gateway.session().path, ELSEWHERE);
    assert.deepEqual(notifies(inform([UPDATE, notify(Notify.NO_NATS_ALLOWED, said)], NAT_PATH).answer), []);
  });

  it('refuses an IKE_AUTH that met a NAT where none is allowed', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer);
    const answer = ikeAuth(peer, { change: adding(SPEAKS, notify(Notify.NO_NATS_ALLOWED, new Uint8Array(12))) });
    assert.deepEqual([notifies(answer), gateway.sessions()], [[Notify.UNEXPECTED_NAT_DETECTED], []]);
  });

  it('refuses an outer address out of its own pools', () => {
    const { answer, asked } = joined().inform([UPDATE], { ...NAT_PATH, remote: '10.8.3.4:4500' });
    assert.deepEqual([notifies(answer), asked], [[Notify.UNACCEPTABLE_ADDRESSES], []]);
  });

  it('ignores updates of a peer that never said that it moves', () => {
    const { gateway, inform } = joined({ mobike: false });
    const before = gateway.session().path;
    inform([UPDATE]);
    assert.deepEqual(gateway.session().path, before);
  });

  it('verifies the new address on the SA that a rekey made meanwhile', () => {
    const { gateway, peer, moves, inform } = joined();
    gateway.want({ kind: 'liveness' });
    inform([UPDATE]); // the window is taken: the proof waits
    const [asked] = requests(peer.answer({ exchange: Exchange.INFORMATIONAL, messageId: 0 }, [], { path: ELSEWHERE }));
    assert.deepEqual([notifies(asked), moves()], [[Notify.COOKIE2], []]);
  });
});

const ROAMED = { local: '192.0.2.200:4500', remote: '198.51.100.1:4500' };

function client(part = {}) {
  const [subject, first] = clientOf(connection({ deadPeerMs: 10_000, forceEncapsulation: true, ...part }));
  const gateway = Peer.of(subject, first);
  accept(gateway, first, { change: adding(SPEAKS) });
  return { subject, gateway };
}

describe('a client that speaks MOBIKE', () => {
  it('tells the gateway of its new address from there, and moves its children at once', () => {
    const { subject, gateway } = client();
    const [asked] = requests(gateway.hear(subject.do({ type: 'roam', path: ROAMED })));
    assert.deepEqual(asked?.path, ROAMED);
    assert.deepEqual(notifies(asked), [
      Notify.UPDATE_SA_ADDRESSES,
      Notify.NAT_DETECTION_SOURCE_IP,
      Notify.NAT_DETECTION_DESTINATION_IP,
      Notify.COOKIE2,
    ]);
    assert.deepEqual(subject.orders.filter(({ order }) => order === 'move').length, 1);
    gateway.answer(asked as Heard, [cookieOf(asked)]);
    assert.deepEqual([subject.sessions().length, subject.endings()], [1, []]);
  });

  it('repeats from there what is not answered yet, and then tells it', () => {
    const { subject, gateway } = client();
    const [liveness] = requests(gateway.hear(subject.want({ kind: 'liveness' })));
    const [again, ...more] = requests(gateway.hear(subject.do({ type: 'roam', path: ROAMED })));
    assert.deepEqual([again?.messageId, again?.path, more.length], [liveness?.messageId, ROAMED, 0]);
    const [update] = requests(gateway.answer(again as Heard, []));
    assert.ok(notifies(update).includes(Notify.UPDATE_SA_ADDRESSES));
  });

  it('asks anew when it moved on before the answer, whatever that said', () => {
    const { subject, gateway } = client();
    const [first] = requests(gateway.hear(subject.do({ type: 'roam', path: ROAMED })));
    subject.do({ type: 'roam', path: { ...ROAMED, local: '192.0.2.201:4500' } });
    const [second] = requests(gateway.answer(first as Heard, [cookieOf(first), notify(Notify.UNACCEPTABLE_ADDRESSES)]));
    assert.deepEqual([second?.path.local, subject.endings()], ['192.0.2.201:4500', []]);
  });

  it('ends a session whose new address the gateway refuses', () => {
    const { subject, gateway } = client();
    const [asked] = requests(gateway.hear(subject.do({ type: 'roam', path: ROAMED })));
    gateway.answer(asked as Heard, [notify(Notify.UNACCEPTABLE_ADDRESSES), cookieOf(asked)]);
    assert.deepEqual(subject.endings(), ['address refused']);
  });

  it('tells its address when a liveness check shows that a NAT gave it another one', () => {
    const { subject, gateway } = client();
    const seen = (byte: number) => notify(Notify.NAT_DETECTION_DESTINATION_IP, new Uint8Array(20).fill(byte));
    const check = (byte: number): Heard[] => {
      const [asked] = requests(gateway.hear(subject.want({ kind: 'liveness' })));
      assert.ok(notifies(asked).includes(Notify.NAT_DETECTION_SOURCE_IP));
      return requests(gateway.answer(asked as Heard, [seen(byte)]));
    };
    assert.deepEqual([check(1), check(1)], [[], []]);
    assert.ok(notifies(check(2)[0]).includes(Notify.UPDATE_SA_ADDRESSES));
  });

  it('does not move an SA with a gateway that cannot, and copies its COOKIE2', () => {
    const [subject, first] = clientOf(connection({ forceEncapsulation: true }));
    const gateway = Peer.of(subject, first);
    accept(gateway, first);
    assert.deepEqual(subject.do({ type: 'roam', path: ROAMED }), []);
    const answer = gateway.request(Exchange.INFORMATIONAL, [notify(Notify.COOKIE2, COOKIE2)]);
    assert.deepEqual(notifyData(answer, Notify.COOKIE2), COOKIE2);
  });
});
