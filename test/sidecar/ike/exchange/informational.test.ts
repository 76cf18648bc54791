import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { u32Bytes } from '../../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload, type PayloadOf } from '../../../../sidecar/ike/wire/payload.ts';
import { Exchange, Notify, Protocol } from '../../../../sidecar/ike/wire/registry.ts';
import { accept } from '../../../harness/answering.ts';
import { createChild } from '../../../harness/create-child-sa.ts';
import { connect, ikeSaInit, resume, ticketIn } from '../../../harness/handshake.ts';
import { type Heard, notifies, Peer } from '../../../harness/peer.ts';
import { config, connection } from '../../../harness/policy.ts';
import { clientOf, gatewayOf, type Subject } from '../../../harness/subject.ts';

const endIke: Payload = { kind: 'D', protocol: Protocol.IKE, spis: [] };
const end = (...spis: readonly number[]): PayloadOf<'D'> => ({ kind: 'D', protocol: Protocol.ESP, spis: spis.map(u32Bytes) });
const informational = (peer: Peer, ...payloads: readonly Payload[]): Heard | undefined =>
  peer.request(Exchange.INFORMATIONAL, payloads);

/** A gateway and a peer with one child, whose SPI is 0x0a000001 on the peer's side. */
function joined(options: Parameters<typeof gatewayOf>[0] = {}): { gateway: Subject; peer: Peer; spiIn: number } {
  const gateway = gatewayOf(options);
  const peer = Peer.towards(gateway);
  connect(peer);
  return { gateway, peer, spiIn: gateway.session().children[0] ?? 0 };
}
const THEIRS = 0x0a00_0001;

describe('INFORMATIONAL', () => {
  it('that is empty asks for a sign of life and gets one', () => {
    const { gateway, peer } = joined();
    // HDR, SK {}  -->      <--  HDR, SK {}
    assert.deepEqual(informational(peer)?.payloads, []);
    assert.equal(gateway.sessions().length, 1);
  });

  it('with notifies that nobody knows is answered all the same', () => {
    const { peer } = joined();
    assert.deepEqual(informational(peer, notify(45_000 as Notify), notify(Notify.INVALID_SPI, u32Bytes(1)))?.payloads, []);
  });

  it('begins when it is wanted, and one at a time', () => {
    const { gateway, peer } = joined();
    const sent = peer.hear([
      ...gateway.want({ kind: 'liveness' }),
      ...gateway.want({ kind: 'liveness' }),
      ...gateway.want({ kind: 'liveness' }),
    ]);
    assert.deepEqual(
      sent.map(({ messageId, payloads }) => [messageId, payloads]),
      [[0, []]],
    );
    // RFC 7296 §2.3: it waits for the response.
    const next = peer.answer(sent[0] ?? peer.header(0), []);
    assert.deepEqual(
      next.map(({ messageId }) => messageId),
      [1],
      'one that was wanted in the meantime, not two',
    );
    assert.deepEqual(peer.answer(next[0] ?? peer.header(0), []), []);
  });

  it('that is malformed is fatal: INVALID_SYNTAX, and the SA is gone on both sides', () => {
    const { gateway, peer } = joined();
    const [answer] = peer.send([peer.sealedRaw(Exchange.INFORMATIONAL, 42, Uint8Array.of(0, 0, 0, 9, 3, 4, 0, 2, 1))]);
    assert.deepEqual(notifies(answer), [Notify.INVALID_SYNTAX]);
    assert.deepEqual([gateway.endings(), gateway.children.size], [['protocol error'], 0]);
  });

  it('with an unknown critical payload is refused as a whole, and the SA lives', () => {
    const { gateway, peer, spiIn } = joined();
    const inner = Uint8Array.of(42, 0x80, 0, 4, 0, 0, 0, 12, 3, 4, 0, 1, 0x0a, 0, 0, 1);
    const [answer] = peer.send([peer.sealedRaw(Exchange.INFORMATIONAL, 200, inner)]);
    assert.deepEqual(answer?.payloads, [notify(Notify.UNSUPPORTED_CRITICAL_PAYLOAD, Uint8Array.of(200))]);
    assert.deepEqual(gateway.session().children, [spiIn]);
  });

  it('with an unknown payload that is not critical skips that', () => {
    const { gateway, peer } = joined();
    const inner = Uint8Array.of(42, 0, 0, 4, 0, 0, 0, 12, 3, 4, 0, 1, 0x0a, 0, 0, 1);
    assert.equal(peer.send([peer.sealedRaw(Exchange.INFORMATIONAL, 200, inner)]).length, 1);
    assert.deepEqual(gateway.session().children, []);
  });

  it('never happens before IKE_AUTH', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer);
    assert.deepEqual(notifies(informational(peer)), [Notify.INVALID_SYNTAX]);
    assert.deepEqual(gateway.endings(), ['handshake failed']);
  });

  it('with AUTHENTICATION_FAILED ends the SA: the peer did not like our proof', () => {
    const { gateway, peer } = joined();
    // HDR, SK {N(AUTHENTICATION_FAILED)}  -->      <--  HDR, SK {}
    assert.deepEqual(informational(peer, notify(Notify.AUTHENTICATION_FAILED))?.payloads, []);
    assert.deepEqual([gateway.endings(), gateway.children.size], [['authentication failed'], 0]);
  });

  it('answered with INVALID_SYNTAX is the end on our side too, without a DELETE', () => {
    const { gateway, peer } = joined();
    const [request] = peer.hear(gateway.want({ kind: 'liveness' }));
    assert.deepEqual(peer.answer(request ?? peer.header(0), [notify(Notify.INVALID_SYNTAX)]), []);
    assert.deepEqual([gateway.endings(), gateway.children.size, gateway.phases()], [['protocol error'], 0, []]);
  });
});

describe('DELETE of a child', () => {
  it('by the peer removes it and is answered with ours of the pair', () => {
    const { gateway, peer, spiIn } = joined();
    // HDR, SK {D(SPIa)}  -->      <--  HDR, SK {D(SPIb)}
    assert.deepEqual(informational(peer, end(THEIRS))?.payloads, [end(spiIn)]);
    assert.deepEqual([gateway.session().children, gateway.children.size], [[], 0]);
    assert.deepEqual(
      gateway.named('child-removed').map((one) => one.spiIn),
      [spiIn],
    );
  });

  it('by the peer of several in one message, in one payload or two', () => {
    const { gateway, peer, spiIn } = joined();
    createChild(peer, { spi: 0x0a00_0002 });
    createChild(peer, { spi: 0x0a00_0003 });
    const [, second = 0, third = 0] = gateway.session().children;
    assert.deepEqual(informational(peer, end(0x0a00_0002, 0x0a00_0003), end(THEIRS))?.payloads, [end(spiIn, second, third)]);
    assert.deepEqual(gateway.session().children, []);
  });

  it('of one that is not there is answered without a Delete payload', () => {
    const { gateway, peer, spiIn } = joined();
    assert.deepEqual(informational(peer, end(spiIn, 0x0a00_0009))?.payloads, [], 'the peer names its own SPIs');
    assert.deepEqual(gateway.session().children, [spiIn]);
  });

  it('by us removes it when it is answered', () => {
    const { gateway, peer, spiIn } = joined();
    // <--  HDR, SK {D(SPIb)}      HDR, SK {D(SPIa)}  -->
    const [request] = peer.hear(gateway.want({ kind: 'deleteChild', spiIn }));
    assert.deepEqual(request?.payloads, [end(spiIn)]);
    peer.answer(request ?? peer.header(0), [end(THEIRS)]);
    assert.deepEqual([gateway.session().children, gateway.children.size], [[], 0]);
    assert.deepEqual(gateway.want({ kind: 'deleteChild', spiIn }), [], 'there is nothing left to delete');
  });

  it('that crosses ours is answered without a Delete payload, and the child goes once', () => {
    const { gateway, peer, spiIn } = joined();
    const [request] = peer.hear(gateway.want({ kind: 'deleteChild', spiIn }));
    // HDR, SK {D(SPIa)}  -->      <--  HDR, SK {}      HDR, SK {}  -->
    assert.deepEqual(informational(peer, end(THEIRS))?.payloads, []);
    peer.answer(request ?? peer.header(0), []);
    assert.deepEqual(gateway.named('child-removed').length, 1);
    assert.deepEqual(gateway.session().children, []);
  });
});

describe('DELETE of the IKE SA', () => {
  it('by the peer takes its children along and is answered with an empty message, any number of times', () => {
    const { gateway, peer } = joined();
    // HDR, SK {D(IKE)}  -->      <--  HDR, SK {}
    const datagrams = peer.sealed(Exchange.INFORMATIONAL, [endIke]);
    const [answer] = peer.send(datagrams);
    assert.deepEqual(answer?.payloads, []);
    assert.deepEqual([gateway.endings(), gateway.children.size, gateway.sessions()], [['deleted by peer'], 0, []]);
    assert.deepEqual(peer.send(datagrams)[0]?.datagrams, answer?.datagrams);
    assert.equal(gateway.gateway.counts().halfOpen, 0, 'it does not count as a stranger');
    gateway.pass(60_000);
    assert.deepEqual([gateway.phases(), gateway.endings().length], [[], 1]);
  });

  it('by us stops the children at once and the SA when it is answered', () => {
    const { gateway, peer } = joined();
    const [request] = peer.hear(gateway.want({ kind: 'deleteIke' }));
    assert.deepEqual(request?.payloads, [endIke]);
    assert.deepEqual([gateway.children.size, gateway.phases()], [0, ['closing']]);
    peer.answer(request ?? peer.header(0), []);
    assert.deepEqual([gateway.phases(), gateway.endings()], [[], ['deleted']]);
  });

  it('by us is repeated, and given up without an answer', () => {
    const { gateway, peer } = joined();
    const [request] = peer.hear(gateway.want({ kind: 'deleteIke' }));
    const again = gateway.pass(60_000);
    assert.ok(again.length > 2);
    for (const { bytes } of again) assert.deepEqual(bytes, request?.datagrams[0]);
    assert.deepEqual([gateway.phases(), gateway.endings()], [[], ['deleted']]);
  });

  it('that crosses ours is answered, and ours is forgotten', () => {
    const { gateway, peer } = joined();
    const [request] = peer.hear(gateway.want({ kind: 'deleteIke' }));
    assert.deepEqual(informational(peer, endIke)?.payloads, []);
    assert.deepEqual(gateway.pass(60_000), [], 'nothing is repeated');
    assert.deepEqual(peer.answer(request ?? peer.header(0), []), []);
    assert.equal(gateway.endings().length, 1);
  });

  it('by the peer while we wait for something else ends that too', () => {
    const { gateway, peer } = joined();
    gateway.want({ kind: 'liveness' });
    informational(peer, endIke);
    assert.deepEqual(gateway.pass(60_000), []);
    assert.deepEqual(gateway.endings(), ['deleted by peer']);
  });

  it('waits until our request that is under way is answered', () => {
    const { gateway, peer } = joined();
    const [first] = peer.hear(gateway.want({ kind: 'liveness' }));
    assert.deepEqual(gateway.want({ kind: 'deleteIke' }), []);
    const [second] = peer.answer(first ?? peer.header(0), []);
    assert.deepEqual(second?.payloads, [endIke]);
  });

  it('in closing, further children are a temporary failure', () => {
    const { gateway, peer } = joined();
    gateway.want({ kind: 'deleteIke' });
    assert.deepEqual(notifies(createChild(peer).answer), [Notify.TEMPORARY_FAILURE]);
  });
});

describe('shutdown', () => {
  it('can be silent, so that tickets stay good', () => {
    const { gateway, peer } = joined();
    ikeSaInit(Peer.towards(gateway, { seed: 300 }));
    assert.deepEqual(gateway.do({ type: 'shutdown', tell: false }), []);
    assert.deepEqual([gateway.phases(), gateway.children.size, gateway.endings()], [[], 0, ['shutdown', 'shutdown']]);
    assert.equal(informational(peer), undefined);
  });

  it('can tell everybody', () => {
    const { gateway, peer } = joined();
    ikeSaInit(Peer.towards(gateway, { seed: 300 }));
    const [request] = peer.hear(gateway.do({ type: 'shutdown', tell: true }));
    assert.deepEqual(request?.payloads, [endIke]);
    peer.answer(request ?? peer.header(0), []);
    assert.deepEqual([gateway.phases(), gateway.endings()], [[], ['shutdown', 'deleted']]);
  });

  it('of a client deletes its ticket when it tells, and keeps it when it does not', () => {
    for (const tell of [true, false]) {
      const [client, first] = clientOf(connection());
      accept(Peer.of(client, first), first);
      client.do({ type: 'shutdown', tell });
      assert.equal(client.named('ticket-void').length, tell ? 1 : 0);
    }
  });
});

describe('a ticket asked for in INFORMATIONAL', () => {
  it('comes in the answer, and is good', () => {
    const { gateway, peer } = joined();
    // HDR, SK {N(TICKET_REQUEST)}  -->      <--  HDR, SK {N(TICKET_LT_OPAQUE)}
    const answer = informational(peer, notify(Notify.TICKET_REQUEST));
    assert.deepEqual(notifies(answer), [Notify.TICKET_LT_OPAQUE]);
    resume(Peer.towards(gateway, { seed: 300 }), ticketIn(peer, answer));
    assert.equal(gateway.session().kind, 'resumed');
  });

  it('is refused where there are none, and the exchange goes on', () => {
    const { peer } = joined({ config: config({ tickets: { enabled: false } }) });
    assert.deepEqual(notifies(informational(peer, notify(Notify.TICKET_REQUEST))), [Notify.TICKET_NACK]);
  });
});
