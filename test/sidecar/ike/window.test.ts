/** Message ids, the window of one, repetition (RFC 7296 §2.1–§2.4). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EMPTY, hex } from '../../../sidecar/ike/wire/bytes.ts';
import { notify } from '../../../sidecar/ike/wire/payload.ts';
import { Exchange, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { connect } from '../../harness/handshake.ts';
import { notifies, PATH, Peer } from '../../harness/peer.ts';
import { config } from '../../harness/policy.ts';
import { gatewayOf } from '../../harness/subject.ts';

const ASK = notify(Notify.TICKET_REQUEST);

function joined() {
  const gateway = gatewayOf({ config: config({ ike: { deadPeerMs: 0 } }) });
  const peer = Peer.towards(gateway);
  connect(peer);
  return { gateway, peer };
}

describe('requests of the peer', () => {
  it('count up from the first one after IKE_AUTH', () => {
    const { peer } = joined();
    assert.deepEqual(
      [2, 3, 4].map((messageId) => peer.request(Exchange.INFORMATIONAL, [])?.messageId === messageId),
      [true, true, true],
    );
  });

  it('are answered once, and repetitions with the same bytes, to wherever they came from', () => {
    const { gateway, peer } = joined();
    const datagrams = peer.sealed(Exchange.INFORMATIONAL, [ASK]);
    const [answer] = peer.send(datagrams);
    for (const remote of ['192.0.2.1:500', '192.0.2.1:4711', '203.0.113.5:4500']) {
      const [again] = peer.send(datagrams, { ...PATH, remote });
      assert.deepEqual([again?.datagrams, again?.path.remote], [answer?.datagrams, remote]);
    }
    assert.equal(gateway.named('ticket-sealed').length, 2, 'one in IKE_AUTH, one here');
  });

  it('are silence when their id is too low or too high, whoever sent them', () => {
    const { gateway, peer } = joined();
    peer.request(Exchange.INFORMATIONAL, []);
    for (const messageId of [0, 1, 4, 5, 0xffff_ffff])
      assert.equal(peer.request(Exchange.INFORMATIONAL, [ASK], { messageId }), undefined);
    assert.deepEqual(gateway.drops(), new Array(5).fill('out-of-window'));
    assert.ok(peer.request(Exchange.INFORMATIONAL, [ASK], { messageId: 3 }), 'the window has not moved');
  });

  it('are silence when they are repeated but not authentic', () => {
    const { gateway, peer } = joined();
    const [datagram = EMPTY] = peer.sealed(Exchange.INFORMATIONAL, []);
    peer.send([datagram]);
    assert.deepEqual(peer.send([datagram.map((byte, at) => (at === datagram.length - 1 ? byte ^ 1 : byte))]), []);
    assert.deepEqual(gateway.drops(), ['not-authentic']);
  });

  it('may come while ours is under way', () => {
    const { gateway, peer } = joined();
    const [ours] = peer.hear(gateway.want({ kind: 'liveness' }));
    assert.deepEqual(notifies(peer.request(Exchange.INFORMATIONAL, [ASK])), [Notify.TICKET_LT_OPAQUE]);
    assert.deepEqual(peer.answer(ours ?? peer.header(0), []), []);
    assert.deepEqual(gateway.pass(20_000), []);
  });

  it('for another SA, or with the flags of the other side, are not ours', () => {
    const { gateway, peer } = joined();
    const [datagram = EMPTY] = peer.sealed(Exchange.INFORMATIONAL, [ASK]);
    for (const [at, bit] of [
      [0, 0x80],
      [8, 0x80],
      [19, 0x08],
      [19, 0x20],
    ] as const)
      assert.deepEqual(
        gateway.receive(
          datagram.map((byte, index) => (index === at ? byte ^ bit : byte)),
          PATH,
        ),
        [],
      );
    assert.equal(peer.send([datagram]).length, 1);
  });
});

describe('our requests', () => {
  it('count up from zero, one at a time', () => {
    const { gateway, peer } = joined();
    const ids: number[] = [];
    for (let times = 0; times < 3; times++) {
      const [request] = peer.hear(gateway.want({ kind: 'liveness' }));
      ids.push(request?.messageId ?? -1);
      peer.answer(request ?? peer.header(0), []);
    }
    assert.deepEqual(ids, [0, 1, 2]);
  });

  it('are repeated with the same bytes and growing pauses until they are answered', () => {
    const { gateway, peer } = joined();
    const [request] = peer.hear(gateway.want({ kind: 'liveness' }));
    const pauses: number[] = [];
    for (let times = 0; times < 3; times++) {
      const before = gateway.now;
      for (let again = gateway.pass(1); ; again = gateway.pass(1)) {
        if (again.length === 0) continue;
        assert.deepEqual(
          again.map(({ bytes }) => hex(bytes)),
          request?.datagrams.map(hex),
        );
        break;
      }
      pauses.push(gateway.now - before);
    }
    assert.equal(pauses[0], 500);
    assert.ok((pauses[1] ?? 0) >= 900 && (pauses[1] ?? 0) <= 1_100, `${pauses[1]}`);
    assert.ok((pauses[2] ?? 0) >= 1_800 && (pauses[2] ?? 0) <= 2_200, `${pauses[2]}`);
    assert.deepEqual(
      gateway.named('retransmit').map(({ attempt }) => attempt),
      [2, 3, 4],
    );
    peer.answer(request ?? peer.header(0), []);
    assert.deepEqual(gateway.pass(60_000), []);
  });

  it('are given up in the end, and with them the SA, without a DELETE', () => {
    const { gateway } = joined();
    gateway.want({ kind: 'liveness' });
    const sent = gateway.pass(60_000);
    assert.equal(sent.length, 4);
    assert.equal(new Set(sent.map(({ bytes }) => hex(bytes))).size, 1);
    assert.deepEqual([gateway.endings(), gateway.phases(), gateway.children.size], [['peer dead'], [], 0]);
  });

  it('are answered once: what comes again, too early, too late or to another exchange is silence', () => {
    const { gateway, peer } = joined();
    const answer = (messageId: number, exchange: number = Exchange.INFORMATIONAL) =>
      peer.send(peer.sealed(exchange, [notify(Notify.INVALID_SYNTAX)], { messageId, response: true }));
    answer(0);
    const [request] = peer.hear(gateway.want({ kind: 'liveness' }));
    answer(1);
    answer(0, Exchange.CREATE_CHILD_SA);
    peer.answer(request ?? peer.header(0), []);
    answer(0);
    assert.deepEqual(gateway.drops(), new Array(4).fill('out-of-window'));
    assert.equal(gateway.sessions().length, 1);
  });

  it('go to where the peer is', () => {
    const { gateway } = joined();
    assert.deepEqual(
      gateway.want({ kind: 'liveness' }).map(({ path }) => path),
      [PATH],
    );
  });
});
