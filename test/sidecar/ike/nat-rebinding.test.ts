/** A NAT may give the peer another address in the middle of a session (RFC 7296 §2.23). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { prefixSelector } from '../../../sidecar/ike/traffic.ts';
import { EMPTY } from '../../../sidecar/ike/wire/bytes.ts';
import { Exchange, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { accept } from '../../harness/answering.ts';
import { createChild } from '../../harness/create-child-sa.ts';
import { connect } from '../../harness/handshake.ts';
import { NAT_PATH, notifies, Peer } from '../../harness/peer.ts';
import { config, connection } from '../../harness/policy.ts';
import { clientOf, gatewayOf } from '../../harness/subject.ts';

const MOVED = { ...NAT_PATH, remote: '198.18.7.7:61234' };

function joined(behindNat = true) {
  const gateway = gatewayOf({ config: config({ ike: { deadPeerMs: 0 } }) });
  const peer = Peer.towards(gateway);
  connect(peer, { behindNat });
  const [spiIn = 0] = gateway.session().children;
  const moves = () => gateway.orders.filter(({ order }) => order === 'move');
  return { gateway, peer, spiIn, moves };
}

describe('a peer behind a NAT', () => {
  it('is followed to where an authentic request came from, with its children', () => {
    const { gateway, peer, spiIn, moves } = joined();
    const answer = peer.request(Exchange.INFORMATIONAL, [], { path: MOVED });
    assert.deepEqual(answer?.path, MOVED);
    assert.deepEqual(gateway.session().path, MOVED);
    assert.deepEqual(moves(), [{ order: 'move', spiIn, path: MOVED, encapsulated: true }]);
    assert.deepEqual(
      gateway.named('moved').map(({ from, path }) => [from, path.remote]),
      [[NAT_PATH.remote, MOVED.remote]],
    );
    assert.deepEqual(gateway.want({ kind: 'liveness' })[0]?.path, MOVED);
  });

  it('is followed to where an authentic packet of a child came from', () => {
    const { gateway, spiIn, moves } = joined();
    gateway.do({ type: 'report', report: { report: 'alive', spiIn, path: MOVED } });
    assert.deepEqual([gateway.session().path, moves().length], [MOVED, 1]);
    gateway.do({ type: 'report', report: { report: 'alive', spiIn, path: MOVED } });
    gateway.do({ type: 'report', report: { report: 'alive', spiIn } });
    assert.deepEqual([gateway.session().path, moves().length], [MOVED, 1]);
  });

  it('is followed, with its children, also when the request is refused', () => {
    const { gateway, peer, moves } = joined();
    const sent = peer.send(peer.sealed(Exchange.CREATE_CHILD_SA, []), MOVED);
    assert.deepEqual(notifies(sent[0]), [Notify.INVALID_SYNTAX]);
    assert.equal(moves().length, 1, 'before it ends');
    const { gateway: other, peer: again, moves: followed } = joined();
    again.path = MOVED;
    assert.deepEqual(notifies(createChild(again, { tsi: [prefixSelector('192.0.2.0/24')] }).answer), [Notify.TS_UNACCEPTABLE]);
    assert.deepEqual([other.session().path, followed().length], [MOVED, 1]);
    assert.deepEqual(gateway.endings(), ['protocol error']);
  });

  it('is not followed by what is not authentic, repeated or out of the window', () => {
    const { gateway, peer, moves } = joined();
    const [datagram = EMPTY] = peer.sealed(Exchange.INFORMATIONAL, []);
    gateway.receive(
      datagram.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
      MOVED,
    );
    peer.send([datagram]);
    assert.deepEqual(peer.send([datagram], MOVED)[0]?.path, MOVED, 'the repetition is answered where it came from');
    peer.send(peer.sealed(Exchange.INFORMATIONAL, [], { messageId: 9 }), MOVED);
    assert.deepEqual([gateway.session().path, moves()], [NAT_PATH, []]);
  });

  it('is not followed by a response: an attacker on the way could hold one back and send it from elsewhere', () => {
    const { gateway, peer, moves } = joined();
    const [request] = peer.hear(gateway.want({ kind: 'liveness' }));
    peer.answer(request ?? peer.header(0), [], { path: MOVED });
    assert.deepEqual([gateway.session().path, moves()], [NAT_PATH, []]);
  });
});

it('a peer that is not behind a NAT stays where it is; it is answered where it asks from', () => {
  const { gateway, peer, spiIn, moves } = joined(false);
  const before = gateway.session().path;
  assert.deepEqual(peer.request(Exchange.INFORMATIONAL, [], { path: MOVED })?.path, MOVED);
  gateway.do({ type: 'report', report: { report: 'alive', spiIn, path: MOVED } });
  assert.deepEqual([gateway.session().path, moves()], [before, []]);
});

it('a client never follows: it is the one behind the NAT', () => {
  const [client, first] = clientOf(connection());
  const peer = Peer.of(client, first);
  accept(peer, first, { behindNat: true });
  const before = client.session().path;
  peer.request(Exchange.INFORMATIONAL, [], { messageId: 0, path: { ...before, remote: '198.18.7.7:4500' } });
  client.do({
    type: 'report',
    report: { report: 'alive', spiIn: client.session().children[0] ?? 0, path: { ...before, remote: '198.18.7.7:4500' } },
  });
  assert.deepEqual(client.session().path, before);
});
