/** IKE fragments (RFC 7383), sent and put together. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { concat, EMPTY, hex, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { decodeMessage } from '../../../sidecar/ike/wire/message.ts';
import { encodePayloads, notify, type Payload } from '../../../sidecar/ike/wire/payload.ts';
import { Exchange, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { answerAuth, answerInit } from '../../harness/answering.ts';
import { connect, ikeAuth, ikeSaInit } from '../../harness/handshake.ts';
import { type Heard, notifies, Peer, payload } from '../../harness/peer.ts';
import { CBC, config, connection } from '../../harness/policy.ts';
import { clientOf, gatewayOf, type Subject } from '../../harness/subject.ts';

const small = { config: config({ ike: { fragmentBytes: 300, deadPeerMs: 0 } }) };

function joined(part: Parameters<typeof connect>[1] = {}, options: Parameters<typeof gatewayOf>[0] = small) {
  const gateway = gatewayOf(options);
  const peer = Peer.towards(gateway);
  const answer = connect(peer, part);
  return { gateway, peer, answer };
}
const bulk = (length: number): Payload => ({ kind: 'V', data: new Uint8Array(length).fill(7) });
/** A request for a ticket, in so many fragments. */
const asked = (peer: Peer, limit: number, messageId = peer.next): readonly Uint8Array[] =>
  peer.sealed(Exchange.INFORMATIONAL, [bulk(1_000), notify(Notify.TICKET_REQUEST)], { limit, messageId });
const fragmentsOf = (heard: Heard | undefined) => (heard?.datagrams ?? []).map((bytes) => decodeMessage(bytes).encrypted);
const pending = (gateway: Subject): number => gateway.drops().length;

describe('fragments that we send', () => {
  it('are no longer than the limit, numbered from one, and only the first names the payload inside', () => {
    const { answer } = joined();
    assert.ok(payload(answer, 'AUTH'));
    const fragments = fragmentsOf(answer);
    assert.ok(fragments.length > 1);
    for (const bytes of answer?.datagrams ?? []) assert.ok(bytes.length <= 300, `${bytes.length}`);
    assert.deepEqual(
      fragments.map((one) => one?.fragment?.number),
      fragments.map((_, index) => index + 1),
    );
    assert.deepEqual(new Set(fragments.map((one) => one?.fragment?.total)), new Set([fragments.length]));
    assert.deepEqual(
      fragments.map((one) => one?.first !== 0),
      fragments.map((_, index) => index === 0),
    );
  });

  it('fill the datagrams but for the last', () => {
    const lengths = (joined().answer?.datagrams ?? []).map(({ length }) => length);
    for (const length of lengths.slice(0, -1)) assert.ok(length >= 300 - 4, `${length}`);
  });

  it('have initialization vectors of their own', () => {
    const ivs = fragmentsOf(joined().answer).map((one) => hex(one?.body.subarray(0, 8) ?? EMPTY));
    assert.equal(new Set(ivs).size, ivs.length);
  });

  it('keep to the limit with a cipher that pads, too', () => {
    const { gateway } = { gateway: gatewayOf({ config: config({ ike: { fragmentBytes: 400, algorithms: CBC } }) }) };
    const [client, first] = clientOf(connection({ ike: CBC, path: { local: '192.0.2.1:500', remote: '10.0.0.10:500' } }));
    let towards = [first];
    const longest: number[] = [];
    for (let rounds = 0; rounds < 3; rounds++) {
      const answers = towards.flatMap(({ bytes, path }) => gateway.receive(bytes, { local: path.remote, remote: path.local }));
      longest.push(...answers.map(({ bytes }) => bytes.length));
      towards = answers.flatMap(({ bytes, path }) => client.receive(bytes, { local: path.remote, remote: path.local }));
    }
    assert.equal(client.sessions().length, 1);
    assert.ok(longest.length > 2 && Math.max(...longest.slice(1)) <= 400);
  });

  it('are not made of a message that fits, nor for a peer that cannot put them together', () => {
    assert.equal(joined({}, {}).answer?.datagrams.length, 1);
    const { answer } = joined({ fragments: false });
    assert.equal(answer?.datagrams.length, 1);
    assert.ok((answer?.datagrams[0]?.length ?? 0) > 300);
  });

  it('are sent again with the same bytes: as a request, and as the response to a repeated one', () => {
    const [client, first] = clientOf(connection({ fragmentBytes: 200 }));
    const peer = Peer.of(client, first);
    const [request] = answerInit(peer, first);
    assert.ok((request?.datagrams.length ?? 0) > 1);
    assert.deepEqual(
      client.pass(600).map(({ bytes }) => bytes),
      request?.datagrams,
    );
    const { gateway, peer: other, answer } = joined();
    const [again = EMPTY] = other.sealed(Exchange.IKE_AUTH, [], { messageId: 1 });
    assert.deepEqual(
      gateway.receive(again, other.path).map(({ bytes }) => bytes),
      answer?.datagrams,
    );
  });
});

describe('fragments that we receive', () => {
  it('make the message, in whatever order they come', () => {
    for (const order of [
      [0, 1, 2, 3, 4],
      [4, 3, 2, 1, 0],
      [2, 0, 4, 1, 3],
    ]) {
      const { peer } = joined({}, {});
      const datagrams = asked(peer, 300);
      assert.equal(datagrams.length, 5);
      const heard = order.map((index) => peer.send([datagrams[index] ?? EMPTY]));
      assert.deepEqual(
        heard.map(({ length }) => length),
        [0, 0, 0, 0, 1],
      );
      assert.deepEqual(notifies(heard.at(-1)?.[0]), [Notify.TICKET_LT_OPAQUE]);
    }
  });

  it('make an IKE_AUTH request', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer);
    assert.ok(payload(ikeAuth(peer, { limit: 200 }), 'AUTH'));
    assert.equal(gateway.sessions().length, 1);
  });

  it('make a response', () => {
    const [client, first] = clientOf(connection());
    const peer = Peer.of(client, first);
    const [request] = answerInit(peer, first);
    answerAuth(peer, request, { limit: 200 });
    assert.deepEqual(client.phases(), ['established']);
  });

  it('may come twice', () => {
    const { gateway, peer } = joined({}, {});
    const datagrams = asked(peer, 300);
    const heard = peer.send(datagrams.flatMap((bytes) => [bytes, bytes]));
    assert.equal(heard.filter((one) => notifies(one).includes(Notify.TICKET_LT_OPAQUE)).length, 1);
    // RFC 7383 §2.6: a replay is dropped; the last one belongs to a request that is answered by then.
    assert.equal(pending(gateway), 5);
  });

  it('may be lost, and come with the repetition of the request', () => {
    const { peer } = joined({}, {});
    const datagrams = asked(peer, 300);
    assert.deepEqual(peer.send(datagrams.filter((_, index) => index !== 2)), []);
    assert.equal(peer.send(datagrams.slice(0, 3)).length, 1);
  });

  it('of a repeated request are answered once: the first of them', () => {
    const { gateway, peer } = joined({}, {});
    const datagrams = asked(peer, 300);
    const [answer] = peer.send(datagrams);
    const events = gateway.named('ticket-sealed').length;
    for (const [index, bytes] of datagrams.entries()) assert.equal(peer.send([bytes]).length, index === 0 ? 1 : 0);
    assert.deepEqual(peer.send([datagrams[0] ?? EMPTY])[0]?.datagrams, answer?.datagrams);
    assert.equal(gateway.named('ticket-sealed').length, events);
  });

  it('of a set with more parts replace an older set, and those of the older one are dropped', () => {
    const { gateway, peer } = joined({}, {});
    const [few, many] = [asked(peer, 500), asked(peer, 300)];
    assert.deepEqual([few.length, many.length], [3, 5]);
    assert.deepEqual(peer.send([few[0] ?? EMPTY, ...many.filter((_, index) => index !== 1)]), []);
    assert.deepEqual(peer.send([few[1] ?? EMPTY, few[2] ?? EMPTY]), [], 'one set does not complete the other');
    assert.equal(pending(gateway), 2);
    assert.equal(peer.send([many[1] ?? EMPTY]).length, 1);
  });

  it('give way to the whole message', () => {
    const { peer } = joined({}, {});
    peer.send(asked(peer, 300).slice(0, 3));
    assert.deepEqual(peer.request(Exchange.INFORMATIONAL, [])?.payloads, []);
    assert.equal(
      peer.request(Exchange.INFORMATIONAL, [bulk(1_000), notify(Notify.TICKET_REQUEST)], { limit: 300 })?.payloads.length,
      1,
    );
  });

  it('of different messages are never put together', () => {
    const { gateway, peer } = joined({}, {});
    const { next } = peer;
    peer.send(asked(peer, 300, next + 1).slice(0, 4));
    assert.deepEqual(gateway.drops(), new Array(4).fill('out-of-window'));
    // A request and a response may have the same id.
    for (let id = 0; id < next; id++) peer.answer(peer.hear(gateway.want({ kind: 'liveness' }))[0] ?? peer.header(0), []);
    gateway.want({ kind: 'liveness' });
    const answers = peer.sealed(Exchange.INFORMATIONAL, [bulk(1_000)], { limit: 300, messageId: next, response: true });
    const requests = asked(peer, 300);
    peer.send(requests.slice(0, 4));
    peer.send(answers.slice(4));
    assert.deepEqual(gateway.endings(), [], 'nothing was made of parts of both');
    assert.equal(peer.send(requests).length, 1);
  });

  it('are forgotten after a while when they do not become a message', () => {
    const { gateway, peer } = joined({}, small);
    const datagrams = asked(peer, 300);
    peer.send(datagrams.slice(0, 4));
    assert.ok(gateway.gateway.deadline());
    gateway.pass(15_000);
    assert.deepEqual(peer.send(datagrams.slice(4)), []);
    assert.equal(peer.send(datagrams.slice(0, 4)).length, 1, 'they count anew');
  });

  it('are dropped when they are not authentic, and the true ones count', () => {
    const { gateway, peer } = joined({}, {});
    const datagrams = asked(peer, 300);
    for (const bytes of datagrams) assert.deepEqual(peer.send([bytes.map((byte, at) => (at === 60 ? byte ^ 1 : byte))]), []);
    assert.deepEqual(gateway.drops(), new Array(5).fill('not-authentic'));
    assert.equal(peer.send(datagrams).length, 1);
  });

  it('are dropped when they were not negotiated', () => {
    const { gateway, peer } = joined({ fragments: false }, {});
    peer.fragmentation = true;
    assert.deepEqual(peer.send(asked(peer, 300)), []);
    assert.equal(gateway.drops().length, 5);
    assert.equal(gateway.sessions().length, 1);
  });

  const raw = (
    peer: Peer,
    number: number,
    total: number,
    inner: Uint8Array = new Uint8Array(100),
    first = number === 1 ? 43 : 0,
  ) => peer.sealedRaw(Exchange.INFORMATIONAL, first, inner, { fragment: { number, total } });
  for (const [what, number, total] of [
    ['zero', 0, 3],
    ['beyond the total', 4, 3],
    ['of more parts than we keep', 1, 65],
  ] as const)
    it(`are dropped with a number ${what}`, () => {
      const { gateway, peer } = joined({}, {});
      assert.deepEqual(peer.send([raw(peer, number, total)]), []);
      assert.deepEqual(gateway.drops(), ['malformed']);
    });

  it('are dropped when one but the first names a payload', () => {
    const { gateway, peer } = joined({}, {});
    assert.deepEqual(peer.send([raw(peer, 2, 3, new Uint8Array(10), 43)]), []);
    assert.deepEqual(gateway.drops(), ['malformed']);
  });

  it('are bounded in memory', () => {
    const { gateway, peer } = joined({}, {});
    for (let number = 1; number <= 9; number++) peer.send([raw(peer, number, 64, new Uint8Array(4_000))]);
    assert.deepEqual(gateway.drops(), ['malformed']);
    assert.equal(gateway.sessions().length, 1);
  });

  it('may cut payloads anywhere', () => {
    const { peer } = joined({}, {});
    const { first, bytes } = encodePayloads([{ kind: 'V', data: utf8('vendor') }, notify(Notify.TICKET_REQUEST)]);
    const parts = Array.from(bytes, (byte, at) => raw(peer, at + 1, bytes.length, Uint8Array.of(byte), at === 0 ? first : 0));
    assert.deepEqual(notifies(peer.send(parts)[0]), [Notify.TICKET_LT_OPAQUE]);
    assert.ok(concat(bytes).length > 10);
  });

  it('that make no message are as fatal as any other malformed one', () => {
    const { gateway, peer } = joined({}, {});
    const answers = peer.send([raw(peer, 1, 2, Uint8Array.of(0, 0, 0, 3), 41), raw(peer, 2, 2, EMPTY)]);
    assert.deepEqual(notifies(answers[0]), [Notify.INVALID_SYNTAX]);
    assert.deepEqual(gateway.endings(), ['protocol error']);
  });
});
