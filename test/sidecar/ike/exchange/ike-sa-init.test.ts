import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { natDetection } from '../../../../sidecar/ike/nat.ts';
import { hex, utf8 } from '../../../../sidecar/ike/wire/bytes.ts';
import { decodeMessage, NO_SPI } from '../../../../sidecar/ike/wire/message.ts';
import { notify } from '../../../../sidecar/ike/wire/payload.ts';
import { Encr, Exchange, Ke, Notify } from '../../../../sidecar/ike/wire/registry.ts';
import { answerInit } from '../../../harness/answering.ts';
import { counted } from '../../../harness/counted-cryptography.ts';
import {
  adding,
  connect,
  type InitPart,
  ikeAuth,
  ikeProposal,
  ikeSaInit,
  without,
  withoutNotify,
} from '../../../harness/handshake.ts';
import { crypto, kinds, NAT_PATH, notifies, notifyData, PATH, Peer, payload } from '../../../harness/peer.ts';
import { AEAD, config, connection, policy, ring, ringKey } from '../../../harness/policy.ts';
import { clientOf, configure, gatewayOf, type Sent, Subject } from '../../../harness/subject.ts';

const decode = ({ bytes, path }: Sent) => ({ ...decodeMessage(bytes), path, datagrams: [bytes] });

describe('IKE_SA_INIT, the responder', () => {
  it('chooses one proposal and answers with its own key exchange, nonce and NAT hashes', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    // HDR(A,0), SAi1, KEi, Ni, N(NAT_DETECTION_*), N(IKEV2_FRAGMENTATION_SUPPORTED)  -->
    const answer = ikeSaInit(peer, { groups: [Ke.ECP_256, Ke.CURVE25519] });
    // <--  HDR(A,B), SAr1, KEr, Nr, N(NAT_DETECTION_*), N(IKEV2_FRAGMENTATION_SUPPORTED)
    assert.deepEqual(kinds(answer), ['SA', 'KE', 'N', 'NONCE', 'N', 'N', 'N']);
    assert.deepEqual(payload(answer, 'SA')?.proposals, [ikeProposal([Ke.CURVE25519])]);
    assert.equal(payload(answer, 'NONCE')?.data.length, 32);
    assert.deepEqual([answer?.spiI, answer?.messageId, answer?.response, answer?.initiator], [peer.spiI, 0, true, false]);
    assert.notEqual(answer?.spiR, NO_SPI);
    const told = (type: number): string => hex(notifyData(answer, type) ?? utf8('none'));
    const seen = (endpoint: string): string => hex(natDetection(crypto, peer.spiI, peer.spiR, endpoint));
    assert.equal(told(Notify.NAT_DETECTION_SOURCE_IP), seen(PATH.local));
    assert.equal(told(Notify.NAT_DETECTION_DESTINATION_IP), seen(PATH.remote));
    assert.equal(gateway.gateway.counts().halfOpen, 1);
  });

  it('asks for the group that it prefers when the KE payload has another one, and keeps nothing', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    // HDR(A,0), SAi1(15, 19), KEi(15), Ni  -->      <--  HDR(A,0), N(INVALID_KE_PAYLOAD, 19)
    const answer = ikeSaInit(peer, { group: Ke.MODP_2048, groups: [Ke.MODP_2048, Ke.ECP_256] });
    assert.deepEqual(notifies(answer), [Notify.INVALID_KE_PAYLOAD]);
    assert.deepEqual(notifyData(answer, Notify.INVALID_KE_PAYLOAD), Uint8Array.of(0, Ke.ECP_256));
    assert.equal(answer?.spiR, NO_SPI);
    assert.equal(gateway.gateway.counts().halfOpen, 0);
    // HDR(A,0), SAi1(15, 19), KEi(19), Ni  -->      <--  HDR(A,B), SAr1(19), KEr(19), Nr
    assert.ok(payload(ikeSaInit(peer, { group: Ke.ECP_256, groups: [Ke.MODP_2048, Ke.ECP_256] }), 'KE'));
  });

  it('refuses proposals of which it accepts none, and keeps nothing', () => {
    const gateway = gatewayOf();
    const weak = {
      ...ikeProposal(),
      transforms: ikeProposal().transforms.map((one) => ({ ...one, ...(one.type === 1 && { keyBits: 128 }) })),
    };
    const answer = ikeSaInit(Peer.towards(gateway), {
      change: (payloads) => payloads.map((one) => (one.kind === 'SA' ? { ...one, proposals: [weak] } : one)),
    });
    assert.deepEqual(notifies(answer), [Notify.NO_PROPOSAL_CHOSEN]);
    assert.equal(gateway.gateway.counts().halfOpen, 0);
    assert.equal(gateway.named('refused').at(-1)?.notify, 'NO_PROPOSAL_CHOSEN');
  });

  for (const kind of ['SA', 'KE', 'NONCE'])
    it(`says nothing to a request without ${kind}`, () => {
      const gateway = gatewayOf();
      assert.equal(ikeSaInit(Peer.towards(gateway), { change: without(kind) }), undefined);
      assert.deepEqual(gateway.drops(), ['malformed']);
    });

  it('says nothing to a public value that the group forbids', () => {
    const gateway = gatewayOf();
    const zero = { kind: 'KE', group: Ke.CURVE25519, data: new Uint8Array(32) } as const;
    assert.equal(
      ikeSaInit(Peer.towards(gateway), { change: (all) => all.map((one) => (one.kind === 'KE' ? zero : one)) }),
      undefined,
    );
    assert.equal(gateway.gateway.counts().halfOpen, 0);
  });

  it('ignores notifies that nobody asked for', () => {
    const answer = ikeSaInit(Peer.towards(gatewayOf()), {
      change: adding(notify(Notify.REDIRECT_SUPPORTED), notify(40_000 as Notify)),
    });
    assert.ok(payload(answer, 'KE'));
  });

  it('answers the same request with the same bytes, any number of times, and keeps one SA', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    const answer = ikeSaInit(peer);
    const request = peer.first?.initiator ?? utf8('');
    for (let times = 0; times < 3; times++) {
      assert.deepEqual(
        gateway.receive(request, PATH).map(({ bytes }) => bytes),
        answer?.datagrams,
      );
    }
    assert.equal(gateway.gateway.counts().halfOpen, 1);
    assert.ok(payload(ikeAuth(peer), 'AUTH'));
  });

  it('tells two peers behind one NAT apart that chose the same SPI', () => {
    const gateway = gatewayOf();
    const [one, other] = [Peer.towards(gateway), Peer.towards(gateway, { seed: 101 })];
    other.spiI = one.spiI;
    ikeSaInit(one);
    ikeSaInit(other);
    assert.notEqual(one.spiR, other.spiR);
    assert.ok(payload(ikeAuth(one), 'AUTH'));
    assert.ok(payload(ikeAuth(other), 'AUTH'));
  });

  it('begins nothing for another exchange or message id without an SPI of ours', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    assert.deepEqual(peer.send([peer.clear(Exchange.IKE_AUTH, [])]), []);
    assert.deepEqual(peer.send([peer.clear(Exchange.IKE_SA_INIT, [], { messageId: 1 })]), []);
    assert.deepEqual(peer.send([peer.clear(Exchange.IKE_SA_INIT, [], { initiator: false })]), []);
    assert.deepEqual(gateway.drops(), ['unknown-spi', 'unknown-spi', 'unknown-spi']);
  });

  it('says nothing before it is configured', () => {
    const gateway = new Subject({ ordinal: 0 });
    assert.equal(ikeSaInit(Peer.towards(gateway)), undefined);
    assert.deepEqual(gateway.drops(), ['not-ready']);
  });

  it('forgets a half-open SA after its time', () => {
    const gateway = gatewayOf({ config: config({ ike: { halfOpenMs: 5_000 } }) });
    ikeSaInit(Peer.towards(gateway));
    gateway.pass(4_999);
    assert.equal(gateway.gateway.counts().halfOpen, 1);
    gateway.pass(1);
    assert.equal(gateway.gateway.counts().halfOpen, 0);
    assert.deepEqual(gateway.endings(), ['half-open too long']);
  });

  it('keeps no more half-open SAs than it is told', () => {
    const gateway = gatewayOf({ config: config({ ike: { maxHalfOpen: 2 } }) });
    const from = (host: number) => ({ seed: host, path: { ...PATH, remote: `192.0.2.${host}:500` } });
    const peers = [1, 2, 3].map((host) => Peer.towards(gateway, from(host)));
    assert.deepEqual(
      peers.map((peer) => ikeSaInit(peer) !== undefined),
      [true, true, false],
    );
    assert.deepEqual(gateway.drops(), ['half-open-limit']);
    for (const peer of peers.slice(0, 1)) assert.ok(payload(ikeAuth(peer), 'AUTH'));
    assert.ok(ikeSaInit(Peer.towards(gateway, from(4))));
  });

  it('sees that the peer is behind a NAT when its source is not the one it told, and encapsulates', () => {
    const gateway = gatewayOf();
    connect(Peer.towards(gateway), { behindNat: true });
    connect(Peer.towards(gateway, { seed: 101 }), { spi: 0x0a00_0002 });
    assert.deepEqual(
      [...gateway.children.values()].map(({ encapsulated, path }) => [encapsulated, path]),
      [
        [true, NAT_PATH],
        [false, PATH],
      ],
    );
  });

  it('does no NAT traversal with a peer that does not speak of it', () => {
    const gateway = gatewayOf({ config: config({ esp: { forceEncapsulation: true } }) });
    const peer = Peer.towards(gateway);
    const silent = (all: Parameters<ReturnType<typeof without>>[0]) =>
      withoutNotify(Notify.NAT_DETECTION_SOURCE_IP)(withoutNotify(Notify.NAT_DETECTION_DESTINATION_IP)(all));
    ikeSaInit(peer, { change: silent });
    ikeAuth(peer);
    assert.deepEqual(
      [...gateway.children.values()].map(({ encapsulated }) => encapsulated),
      [false],
    );
  });

  it('feigns a NAT of its own where encapsulation is wanted', () => {
    const gateway = gatewayOf({ config: config({ esp: { forceEncapsulation: true } }) });
    const peer = Peer.towards(gateway);
    const answer = ikeSaInit(peer);
    const source = notifyData(answer, Notify.NAT_DETECTION_SOURCE_IP) ?? utf8('');
    assert.notDeepEqual(source, natDetection(crypto, peer.spiI, peer.spiR, PATH.local));
    ikeAuth(peer);
    assert.deepEqual(
      [...gateway.children.values()].map(({ encapsulated }) => encapsulated),
      [true],
    );
  });
});

describe('what an IKE_SA_INIT request cannot be answered with an SA for', () => {
  /** An answer is never longer than the request. */
  const PADDING = [{ kind: 'V', data: new Uint8Array(40) }] as const;
  /** A payload of a kind that nobody knows, before all others. */
  function withUnknown(bytes: Uint8Array, critical: boolean): Uint8Array {
    const unknown = [bytes[16] ?? 0, critical ? 0x80 : 0, 0, 4];
    const out = Uint8Array.of(...bytes.subarray(0, 28), ...unknown, ...bytes.subarray(28));
    out[16] = 200;
    new DataView(out.buffer).setUint32(24, out.length);
    return out;
  }

  it('an unknown critical payload is named in the answer', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    const request = peer.clear(Exchange.IKE_SA_INIT, [{ kind: 'V', data: utf8('somebody') }]);
    // HDR(A,0), V, 200(critical)  -->      <--  HDR(A,0), N(UNSUPPORTED_CRITICAL_PAYLOAD, 200)
    const [answer] = peer.send([withUnknown(request, true)]);
    assert.deepEqual(notifyData(answer, Notify.UNSUPPORTED_CRITICAL_PAYLOAD), Uint8Array.of(200));
    assert.equal(answer?.response, true);
  });

  it('an unknown payload that is not critical is skipped', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    ikeSaInit(Peer.towards(gateway));
    const [request] = [peer.clear(Exchange.IKE_SA_INIT, [])];
    assert.deepEqual(peer.send([withUnknown(request ?? utf8(''), false)]), [], 'no SA payload in it');
    assert.deepEqual(gateway.drops(), ['malformed']);
  });

  it('an unprotected critical payload in a later exchange is dropped: anybody can send that', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    connect(peer);
    assert.deepEqual(peer.send([withUnknown(peer.clear(Exchange.INFORMATIONAL, PADDING, { messageId: 2 }), true)]), []);
    assert.equal(gateway.sessions().length, 1);
  });

  it('a higher major version is told ours, with the SPIs, the message id and the exchange of the request', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    peer.spiR = '0102030405060708';
    const request = peer.clear(Exchange.INFORMATIONAL, [{ kind: 'V', data: utf8('somebody') }], { messageId: 9 });
    request[17] = 0x30;
    const [answer] = peer.send([request]);
    assert.deepEqual(notifies(answer), [Notify.INVALID_MAJOR_VERSION]);
    // RFC 7296 §1.5: "with no notification data"; our version stands in the header.
    assert.deepEqual(notifyData(answer, Notify.INVALID_MAJOR_VERSION), utf8(''));
    const { spiI, spiR, messageId, exchange, response, initiator } = answer ?? peer.header(0);
    assert.deepEqual(
      [spiI, spiR, messageId, exchange, response, initiator],
      [peer.spiI, peer.spiR, 9, Exchange.INFORMATIONAL, true, false],
    );
  });

  it('a refusal that would be longer than the request is not given', () => {
    const peer = Peer.towards(gatewayOf());
    const request = peer.clear(Exchange.IKE_SA_INIT, []);
    request[17] = 0x30;
    assert.deepEqual(peer.send([request]), []);
    assert.deepEqual(peer.send([withUnknown(peer.clear(Exchange.IKE_SA_INIT, []), true)]), []);
  });

  it('a response of another version, IKEv1, and garbage are silence', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    const [request, response] = [false, true].map((is) => peer.clear(Exchange.IKE_SA_INIT, PADDING, { response: is }));
    if (!request || !response) assert.fail();
    request[17] = 0x10;
    response[17] = 0x30;
    for (const bytes of [request, response, new Uint8Array(), new Uint8Array(27), new Uint8Array(28).fill(0xff).subarray(0, 20)])
      assert.deepEqual(gateway.receive(bytes, PATH), []);
    assert.equal(gateway.drops().length, 5);
  });
});

describe('cookies', () => {
  const loaded = (threshold: number) => policy({ config: config({ ike: { cookieThreshold: threshold } }) });
  const back = (cookie: Uint8Array | undefined): InitPart => ({ change: (all) => [notify(Notify.COOKIE, cookie), ...all] });
  /** The same request again, with a cookie in front. */
  function again(peer: Peer, request: Uint8Array, cookie: Uint8Array | undefined, path = PATH) {
    const payloads = [notify(Notify.COOKIE, cookie), ...decodeMessage(request).payloads];
    return peer.send([peer.clear(Exchange.IKE_SA_INIT, payloads)], path)[0];
  }
  function demanded(gateway: Subject) {
    const peer = Peer.towards(gateway, { seed: 9 });
    let request = utf8('');
    const answer = ikeSaInit(peer, {
      change: (all) => {
        request = peer.clear(Exchange.IKE_SA_INIT, all);
        return all;
      },
    });
    return { peer, request, answer, cookie: notifyData(answer, Notify.COOKIE) };
  }

  it('are demanded from the threshold of half-open SAs on, and cost no state', () => {
    const gateway = gatewayOf(loaded(2));
    for (const seed of [1, 2]) assert.ok(payload(ikeSaInit(Peer.towards(gateway, { seed })), 'KE'));
    // HDR(A,0), SAi1, KEi, Ni  -->      <--  HDR(A,0), N(COOKIE)
    const { peer, request, answer, cookie } = demanded(gateway);
    assert.deepEqual(notifies(answer), [Notify.COOKIE]);
    assert.equal(answer?.spiR, NO_SPI);
    assert.equal(gateway.gateway.counts().halfOpen, 2);
    assert.equal(gateway.named('cookie-demanded').length, 1);
    // HDR(A,0), N(COOKIE), SAi1, KEi, Ni  -->      <--  HDR(A,B), SAr1, KEr, Nr
    assert.ok(payload(again(peer, request, cookie), 'KE'));
    assert.equal(gateway.gateway.counts().halfOpen, 3);
  });

  it('are no longer demanded when the half-open SAs are gone', () => {
    const gateway = gatewayOf(loaded(1));
    const first = Peer.towards(gateway, { seed: 1 });
    ikeSaInit(first);
    assert.deepEqual(notifies(demanded(gateway).answer), [Notify.COOKIE]);
    ikeAuth(first);
    assert.ok(payload(demanded(gateway).answer, 'KE'));
  });

  it('verify on another pod of the gateway', () => {
    const [one, other] = [gatewayOf(loaded(0)), gatewayOf(loaded(0), { ordinal: 1, seed: 2 })];
    other.pass(2_000); // It has heard from its siblings.
    const { peer, request, cookie } = demanded(one);
    const payloads = [notify(Notify.COOKIE, cookie), ...decodeMessage(request).payloads];
    const [answer] = peer.hear(other.receive(peer.clear(Exchange.IKE_SA_INIT, payloads), { ...PATH, local: '10.0.0.11:500' }));
    assert.ok(payload(answer, 'KE'));
  });

  it('survive the change of the epoch and of the key, and get old', () => {
    const gateway = gatewayOf(loaded(0));
    const { peer, request, cookie } = demanded(gateway);
    configure(gateway, { ...loaded(0), ring: ring({ generation: 2, keys: [ringKey(2, 'active'), ringKey(1, 'retired')] }) });
    gateway.pass(60_000);
    assert.ok(payload(again(peer, request, cookie), 'KE'));
    gateway.pass(180_000);
    assert.deepEqual(notifies(again(peer, request, cookie)), [Notify.COOKIE]);
  });

  it('that are wrong, or come from elsewhere, are ignored: another one is demanded', () => {
    const gateway = gatewayOf(loaded(0));
    const { peer, request, cookie } = demanded(gateway);
    assert.deepEqual(notifies(again(peer, request, utf8('wrong'))), [Notify.COOKIE]);
    assert.deepEqual(notifies(again(peer, request, cookie, { ...PATH, remote: '192.0.2.2:500' })), [Notify.COOKIE]);
    assert.deepEqual(notifies(ikeSaInit(Peer.towards(gateway, { seed: 5 }), back(cookie))), [Notify.COOKIE], 'another nonce');
    assert.ok(payload(again(peer, request, cookie, { ...PATH, remote: '192.0.2.1:61000' }), 'KE'), 'a NAT may change the port');
  });

  it('come before all public-key work', () => {
    const { crypto: counting, counts } = counted();
    const gateway = gatewayOf(loaded(0), { crypto: counting });
    const { peer, request, cookie } = demanded(gateway);
    assert.equal(counts.keyExchange, 0);
    again(peer, request, cookie);
    assert.equal(counts.keyExchange, 2);
  });
});

describe('IKE_SA_INIT, the initiator', () => {
  const answer = (peer: Peer, ...payloads: Parameters<Peer['clear']>[1]) =>
    peer.subject.receive(peer.clear(Exchange.IKE_SA_INIT, payloads, { response: true, spiR: NO_SPI }), PATH);

  it('proposes all its groups again when another one is wanted, with the same SPI and message id', () => {
    const [client, first] = clientOf(connection());
    const peer = Peer.of(client, first);
    // HDR(A,0), SAi1, KEi(31), Ni  -->      <--  HDR(A,0), N(INVALID_KE_PAYLOAD, 19)
    const [second] = answer(peer, notify(Notify.INVALID_KE_PAYLOAD, Uint8Array.of(0, Ke.ECP_256)));
    assert.ok(second);
    const [before, after] = [decode(first), decode(second)];
    assert.equal(payload(before, 'KE')?.group, Ke.CURVE25519);
    // HDR(A,0), SAi1, KEi(19), Ni  -->
    assert.equal(payload(after, 'KE')?.group, Ke.ECP_256);
    assert.deepEqual(payload(after, 'SA'), payload(before, 'SA'));
    assert.deepEqual([after.spiI, after.messageId, after.spiR], [before.spiI, 0, NO_SPI]);
    // <--  HDR(A,B), SAr1, KEr(19), Nr      HDR(A,B), SK {IDi, AUTH, ...}  -->
    assert.ok(payload(answerInit(peer, second)[0], 'AUTH'));
  });

  it('does not follow to a group that it did not offer', () => {
    const [client, first] = clientOf(connection());
    assert.deepEqual(answer(Peer.of(client, first), notify(Notify.INVALID_KE_PAYLOAD, Uint8Array.of(0, Ke.MODP_4096))), []);
    assert.deepEqual(client.endings(), ['handshake failed']);
  });

  it('takes no notice of a copy of the demand for a cookie', () => {
    const [client, first] = clientOf(connection());
    const peer = Peer.of(client, first);
    const [second] = answer(peer, notify(Notify.COOKIE, utf8('crumbs')));
    assert.ok(second);
    assert.deepEqual(answer(peer, notify(Notify.COOKIE, utf8('crumbs'))), []);
    assert.ok(payload(answerInit(peer, second)[0], 'AUTH'));
  });

  it('takes no notice of a copy of the demand for another group', () => {
    const [client, first] = clientOf(connection());
    const peer = Peer.of(client, first);
    const demand = notify(Notify.INVALID_KE_PAYLOAD, Uint8Array.of(0, Ke.ECP_256));
    const [second] = answer(peer, demand);
    assert.ok(second);
    assert.deepEqual(answer(peer, demand), []);
    assert.deepEqual(client.endings(), []);
    assert.ok(payload(answerInit(peer, second)[0], 'AUTH'));
  });

  for (const forceEncapsulation of [false, true])
    it(`brings a cookie back in front of a request that is otherwise unchanged${forceEncapsulation ? ', a feigned NAT too' : ''}`, () => {
      const [client, first] = clientOf(connection({ forceEncapsulation }));
      const peer = Peer.of(client, first);
      // HDR(A,0), SAi1, KEi, Ni  -->      <--  HDR(A,0), N(COOKIE)
      const [second] = answer(peer, notify(Notify.COOKIE, utf8('crumbs')));
      assert.ok(second);
      // HDR(A,0), N(COOKIE), SAi1, KEi, Ni  -->
      assert.deepEqual(decode(second).payloads, [notify(Notify.COOKIE, utf8('crumbs')), ...decode(first).payloads]);
      // A newer cookie replaces the older one.
      const [third] = answer(peer, notify(Notify.COOKIE, utf8('more')));
      assert.ok(third);
      assert.deepEqual(decode(third).payloads, [notify(Notify.COOKIE, utf8('more')), ...decode(first).payloads]);
      assert.ok(payload(answerInit(peer, third)[0], 'AUTH'));
    });

  it('keeps the cookie when it has to change the group, which saves a round trip', () => {
    const [client, first] = clientOf(connection());
    const peer = Peer.of(client, first);
    answer(peer, notify(Notify.COOKIE, utf8('crumbs')));
    // <--  HDR(A,0), N(INVALID_KE_PAYLOAD)      HDR(A,0), N(COOKIE), SAi1, KEi', Ni  -->
    const [third] = answer(peer, notify(Notify.INVALID_KE_PAYLOAD, Uint8Array.of(0, Ke.ECP_256)));
    assert.ok(third);
    assert.deepEqual(notifies(decode(third))[0], Notify.COOKIE);
    assert.equal(payload(decode(third), 'KE')?.group, Ke.ECP_256);
  });

  it('tires of cookies', () => {
    const [client, first] = clientOf(connection());
    const peer = Peer.of(client, first);
    let rounds = 0;
    while (answer(peer, notify(Notify.COOKIE, Uint8Array.of(rounds))).length > 0 && rounds < 50) rounds += 1;
    assert.equal(rounds, 5);
  });

  it('ends with the refusal of the gateway', () => {
    const [client, first] = clientOf(connection());
    answer(Peer.of(client, first), notify(Notify.NO_PROPOSAL_CHOSEN));
    assert.deepEqual(client.endings(), ['handshake failed']);
    assert.equal(client.named('refused').at(-1)?.notify, 'NO_PROPOSAL_CHOSEN');
    assert.deepEqual(client.phases(), []);
  });

  it('accepts no algorithms that it did not offer', () => {
    const [client, first] = clientOf(connection());
    const weak = { kind: 'SA', proposals: [ikeProposal([Ke.CURVE25519], undefined, 128)] } as const;
    const sent = answerInit(Peer.of(client, first), first, { change: (all) => [weak, ...without('SA')(all)] });
    assert.deepEqual(sent, []);
    assert.deepEqual(client.endings(), ['handshake failed']);
  });

  it('ignores answers that make no sense, and takes the right one that follows', () => {
    const [client, first] = clientOf(connection());
    const peer = Peer.of(client, first);
    const wrongGroup = { kind: 'KE', group: Ke.ECP_256, data: new Uint8Array(32).fill(9) } as const;
    assert.deepEqual(answerInit(peer, first, { change: (all) => [wrongGroup, ...without('KE')(all)] }), []);
    assert.deepEqual(answer(peer), [], 'nothing in it');
    assert.deepEqual(
      peer.send([peer.clear(Exchange.IKE_SA_INIT, [notify(Notify.NO_PROPOSAL_CHOSEN)], { response: true, messageId: 1 })]),
      [],
    );
    assert.deepEqual(
      peer.send([peer.clear(Exchange.IKE_SESSION_RESUME, [{ kind: 'NONCE', data: new Uint8Array(32) }], { response: true })]),
      [],
      'the answer to another exchange',
    );
    assert.deepEqual(client.endings(), []);
    assert.ok(payload(answerInit(peer, first)[0], 'AUTH'));
  });

  it('ignores answers once it has one', () => {
    const [client, first] = clientOf(connection());
    const peer = Peer.of(client, first);
    answerInit(peer, first);
    assert.deepEqual(answer(peer, notify(Notify.NO_PROPOSAL_CHOSEN)), []);
    assert.deepEqual(peer.send([peer.first?.responder ?? utf8('')]), [], 'the same one again');
    assert.deepEqual(client.phases(), ['authSent']);
  });

  it('moves to the NAT traversal ports when there is a NAT at either end, or when it feigns one', () => {
    const ports = (forceEncapsulation: boolean, from: Sent['path'], behindNat: boolean) => {
      const [client, first] = clientOf(connection({ forceEncapsulation }));
      const peer = Peer.of(client, first);
      peer.path = from;
      const [request] = answerInit(peer, first, { behindNat });
      return request?.path;
    };
    const { path, natPath } = connection();
    assert.deepEqual(ports(false, path, false), path);
    assert.deepEqual(ports(false, path, true), natPath);
    assert.deepEqual(ports(false, { ...path, local: '192.168.1.2:500' }, false), natPath, 'it has another address outside');
    assert.deepEqual(ports(true, path, false), natPath);
  });

  it('repeats itself with the same bytes and growing pauses, and gives up', () => {
    const [client, first] = clientOf(connection({ retransmit: { firstMs: 1_000, factor: 2, attempts: 4 } }));
    const again = client.pass(60_000);
    assert.deepEqual(
      again.map(({ bytes }) => hex(bytes)),
      new Array(3).fill(hex(first.bytes)),
    );
    assert.deepEqual(client.endings(), ['handshake failed']);
  });

  it('offers AEADs and other ciphers in proposals of their own', () => {
    const both = { ...AEAD, encryption: [...AEAD.encryption, { id: Encr.AES_CBC, keyBits: 256 }], integrity: [12] };
    const [, first] = clientOf(connection({ ike: both }));
    assert.deepEqual(
      payload(decode(first), 'SA')?.proposals.map(({ number, transforms }) => [number, transforms[0]?.id]),
      [
        [1, Encr.AES_GCM_16],
        [2, Encr.AES_CBC],
      ],
    );
  });
});
