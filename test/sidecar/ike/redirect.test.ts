/** Clients that are sent to another gateway (RFC 5685), at the gateway and at the client. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { concat, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload } from '../../../sidecar/ike/wire/payload.ts';
import { Exchange, IdType, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { accept, answerAuth, answerInit } from '../../harness/answering.ts';
import { adding, connect, ikeAuth, ikeSaInit, ikeSessionResume, ticketIn, without } from '../../harness/handshake.ts';
import { type Heard, kinds, notifies, notifyData, Peer, payload, requests } from '../../harness/peer.ts';
import { config, connection, fqdn, GATEWAY, policy } from '../../harness/policy.ts';
import { clientOf, configure, gatewayOf, type Subject } from '../../harness/subject.ts';

const NAME = utf8('other.example.com');
const ELSEWHERE = fqdn('other.example.com');
const CAN = notify(Notify.REDIRECT_SUPPORTED);
const id = (type: number, data: Uint8Array, nonce: Uint8Array = new Uint8Array()) =>
  concat(Uint8Array.of(type, data.length), data, nonce);
const sending = (to = ELSEWHERE, when: 'always' | 'overloaded' = 'always', ike = {}) =>
  config({ redirect: { to, when }, ike: { deadPeerMs: 0, ...ike } });
const hosts = (subject: Subject) => subject.named('redirected').map(({ to }) => to);

describe('a gateway that sends its clients elsewhere', () => {
  it('says so in IKE_SA_INIT, with the nonce of the request, the name of the other and no SA', () => {
    const gateway = gatewayOf({ config: sending() });
    const peer = Peer.towards(gateway);
    let ni: Uint8Array = new Uint8Array();
    const answer = ikeSaInit(peer, {
      change: (payloads) => {
        for (const one of payloads) if (one.kind === 'NONCE') ni = one.data;
        return [...payloads, CAN];
      },
    });
    assert.deepEqual(notifyData(answer, Notify.REDIRECT), id(3, NAME, ni));
    assert.deepEqual([answer?.spiR, gateway.phases(), hosts(gateway)], ['0000000000000000', [], ['other.example.com']]);
  });

  it('names addresses of both versions of IP', () => {
    for (const [type, idType, data] of [
      [1, IdType.ID_IPV4_ADDR, Uint8Array.of(198, 51, 100, 9)],
      [2, IdType.ID_IPV6_ADDR, new Uint8Array(16).fill(0xfd)],
    ] as const) {
      const answer = ikeSaInit(Peer.towards(gatewayOf({ config: sending({ idType, data }) })), { change: adding(CAN) });
      assert.deepEqual(notifyData(answer, Notify.REDIRECT)?.subarray(0, 2 + data.length), id(type, data));
    }
  });

  it('sends nobody who did not say that it can be sent, nobody to itself, and nobody back', () => {
    const [own, back] = [Uint8Array.of(10, 0, 0, 10), Uint8Array.of(198, 51, 100, 9)];
    const stays = (part: Parameters<typeof gatewayOf>[0], ...more: Payload[]) =>
      payload(ikeSaInit(Peer.towards(gatewayOf(part)), { change: adding(...more) }), 'SA') !== undefined;
    assert.ok(stays({ config: sending() }));
    assert.ok(stays({ config: sending(GATEWAY) }, CAN));
    assert.ok(stays({ config: sending({ idType: IdType.ID_IPV4_ADDR, data: own }) }, CAN));
    const to = { idType: IdType.ID_IPV4_ADDR, data: back };
    assert.ok(stays({ config: sending(to) }, notify(Notify.REDIRECTED_FROM, id(1, back))));
    assert.ok(!stays({ config: sending(to) }, notify(Notify.REDIRECTED_FROM, id(1, own))));
  });

  it('sends while it is overloaded, if that is when it shall', () => {
    const quiet = gatewayOf({ config: sending(ELSEWHERE, 'overloaded') });
    assert.ok(payload(ikeSaInit(Peer.towards(quiet), { change: adding(CAN) }), 'SA'));
    const full = gatewayOf({ config: sending(ELSEWHERE, 'overloaded', { maxSessions: 0 }) });
    assert.deepEqual(notifies(ikeSaInit(Peer.towards(full), { change: adding(CAN) })), [Notify.REDIRECT]);
  });

  it('answers a resumption so too', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    const held = ticketIn(peer, connect(peer));
    configure(gateway, policy({ config: sending() }));
    const answer = ikeSessionResume(Peer.towards(gateway, { seed: 300 }), held, { change: adding(CAN) });
    assert.deepEqual(notifies(answer), [Notify.REDIRECT]);
  });

  it('in IKE_AUTH proves itself first, makes no child, and ends the SA when the client does not', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer, { change: adding(CAN) });
    configure(gateway, policy({ config: sending() }));
    const answer = ikeAuth(peer);
    assert.deepEqual([kinds(answer), notifyData(answer, Notify.REDIRECT)], [['IDr', 'AUTH', 'N'], id(3, NAME)]);
    assert.equal(gateway.children.size, 0);
    gateway.pass(30_000);
    assert.deepEqual(gateway.sessions(), []);
  });

  it('tells sessions that are there, without a nonce and once, and ends them after a while', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer, { change: adding(CAN) });
    ikeAuth(peer);
    configure(gateway, policy({ config: sending() }));
    const [asked, ...more] = requests(peer.hear(gateway.pass(0)));
    assert.deepEqual([notifyData(asked, Notify.REDIRECT), more], [id(3, NAME), []]);
    peer.answer(asked as Heard, []);
    assert.deepEqual(requests(peer.hear(gateway.pass(10_000))), []);
    assert.deepEqual(requests(peer.hear(gateway.pass(50_001))).map(kinds), [['D']]);
  });

  it('leaves sessions alone that cannot be sent, also when it is told to send them', () => {
    const gateway = gatewayOf();
    connect(Peer.towards(gateway));
    configure(gateway, policy({ config: sending() }));
    assert.deepEqual([gateway.pass(1_000), gateway.want({ kind: 'redirect' })], [[], []]);
  });
});

describe('a client that is sent elsewhere', () => {
  const nonceOf = (peer: Peer, first: { bytes: Uint8Array; path: Peer['path'] }) =>
    payload(peer.hear([first])[0], 'NONCE')?.data ?? new Uint8Array();

  it('says that it can be, or who sent it', () => {
    const [, first] = clientOf(connection());
    assert.ok(notifies(Peer.of(clientOf(connection())[0], first).hear([first])[0]).includes(Notify.REDIRECT_SUPPORTED));
    const [subject, second] = clientOf(connection({ redirects: { from: Uint8Array.of(192, 0, 2, 7) } }));
    const heard = Peer.of(subject, second).hear([second])[0];
    assert.deepEqual(notifyData(heard, Notify.REDIRECTED_FROM), id(1, Uint8Array.of(192, 0, 2, 7)));
    assert.ok(!notifies(heard).includes(Notify.REDIRECT_SUPPORTED));
  });

  it('follows an unprotected answer only when that knows its nonce', () => {
    const [subject, first] = clientOf(connection());
    const peer = Peer.of(subject, first);
    const redirect = (nonce: Uint8Array) =>
      peer.send([peer.clear(Exchange.IKE_SA_INIT, [notify(Notify.REDIRECT, id(3, NAME, nonce))], { response: true })]);
    redirect(new Uint8Array(32));
    assert.deepEqual([hosts(subject), subject.phases()], [[], ['initSent']]);
    redirect(nonceOf(peer, first));
    assert.deepEqual([hosts(subject), subject.endings()], [['other.example.com'], ['redirected']]);
  });

  it('follows nobody when it is told not to', () => {
    const [subject, first] = clientOf(connection({ redirects: undefined }));
    const peer = Peer.of(subject, first);
    const told = notify(Notify.REDIRECT, id(3, NAME, nonceOf(peer, first)));
    peer.send([peer.clear(Exchange.IKE_SA_INIT, [told], { response: true })]);
    assert.deepEqual([hosts(subject), subject.phases()], [[], ['initSent']]);
  });

  it('follows to no host that is no address and no name', () => {
    for (const data of [id(1, new Uint8Array(3)), id(3, utf8('a b')), id(3, utf8('-x')), id(9, NAME), id(3, new Uint8Array())]) {
      const [subject, first] = clientOf(connection());
      const peer = Peer.of(subject, first);
      const told = notify(Notify.REDIRECT, concat(data, nonceOf(peer, first)));
      peer.send([peer.clear(Exchange.IKE_SA_INIT, [told], { response: true })]);
      assert.deepEqual([hosts(subject), subject.phases()], [[], ['initSent']]);
    }
  });

  it('follows in IKE_AUTH once the gateway has proved itself, and deletes the SA', () => {
    const [subject, first] = clientOf(connection());
    const peer = Peer.of(subject, first);
    const [request] = answerInit(peer, first);
    const change = (all: readonly Payload[]) => [...without('SA', 'TSi', 'TSr', 'CP')(all), notify(Notify.REDIRECT, id(3, NAME))];
    const [deleted] = answerAuth(peer, request, { change });
    assert.deepEqual([hosts(subject), kinds(deleted)], [['other.example.com'], ['D']]);
    const [other, second] = clientOf(connection());
    const liar = Peer.of(other, second);
    const [asked] = answerInit(liar, second);
    answerAuth(liar, asked, { change, psk: utf8('another one') });
    assert.deepEqual([hosts(other), other.endings()], [[], ['authentication failed']]);
  });

  it('follows in the middle of a session, and keeps its ticket for the other gateway', () => {
    for (const tickets of [true, false]) {
      const [subject, first] = clientOf(connection({ tickets }));
      const peer = Peer.of(subject, first);
      accept(peer, first);
      const heard = peer.send(peer.sealed(Exchange.INFORMATIONAL, [notify(Notify.REDIRECT, id(3, NAME))]));
      assert.deepEqual(heard.find(({ response }) => response)?.payloads, []);
      assert.deepEqual([hosts(subject), subject.sessions()], [['other.example.com'], []]);
      assert.deepEqual(requests(heard).map(kinds), tickets ? [] : [['D']]);
      assert.deepEqual(subject.named('ticket-void').length, tickets ? 0 : 1);
    }
  });
});
