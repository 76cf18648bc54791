import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { libreswanResumptionAuth } from '../../../../sidecar/ike/auth.ts';
import type { HeldTicket } from '../../../../sidecar/ike/connection.ts';
import type { Policy } from '../../../../sidecar/ike/context.ts';
import { concat, EMPTY, hex, u32Bytes, utf8 } from '../../../../sidecar/ike/wire/bytes.ts';
import { decodeMessage, NO_SPI } from '../../../../sidecar/ike/wire/message.ts';
import { notify, type Payload } from '../../../../sidecar/ike/wire/payload.ts';
import { Exchange, Notify } from '../../../../sidecar/ike/wire/registry.ts';
import { accept, answerAuth, answerInit, answerResume } from '../../../harness/answering.ts';
import { counted } from '../../../harness/counted-cryptography.ts';
import {
  adding,
  connect,
  ikeAuth,
  ikeSessionResume,
  innerIn,
  resume,
  ticketIn,
  without,
  withoutNotify,
} from '../../../harness/handshake.ts';
import { crypto, kinds, NAT_PATH, notifies, notifyData, PATH, Peer, payload } from '../../../harness/peer.ts';
import { ALICE, CBC, config, connection, email, fqdn, PSK, policy, ring, ringKey } from '../../../harness/policy.ts';
import { clientOf, configure, gatewayOf, type Sent, type Subject } from '../../../harness/subject.ts';

/** A gateway that has given a ticket, and the peer that has it. */
function joined(part: Parameters<typeof policy>[0] = {}, options: Parameters<typeof gatewayOf>[1] = {}) {
  const gateway = gatewayOf(part, options);
  const peer = Peer.towards(gateway);
  const answer = connect(peer);
  return { gateway, peer, inner: innerIn(answer) ?? EMPTY, held: ticketIn(peer, answer) };
}
const anew = (gateway: Subject, seed = 300): Peer => Peer.towards(gateway, { seed });
/** As libreswan answers IKE_SESSION_RESUME. */
const withoutNotifies = (all: readonly Payload[]): Payload[] => all.filter(({ kind }) => kind !== 'N');
const decode = ({ bytes, path }: Sent) => ({ ...decodeMessage(bytes), path, datagrams: [bytes] });

describe('IKE_SESSION_RESUME, the responder', () => {
  it('answers with a nonce, and after IKE_AUTH there is an SA without a key exchange', () => {
    const { crypto, counts } = counted();
    const { gateway, held, inner } = joined({}, { crypto });
    counts.keyExchange = 0;
    const peer = anew(gateway);
    // HDR(A,0), Ni, N(TICKET_OPAQUE), N+  -->      <--  HDR(A,B), Nr, N+
    const first = ikeSessionResume(peer, held);
    assert.deepEqual(kinds(first), ['NONCE', 'N', 'N', 'N']);
    assert.deepEqual([first?.spiI, first?.messageId, first?.exchange], [peer.spiI, 0, Exchange.IKE_SESSION_RESUME]);
    assert.notEqual(first?.spiR, NO_SPI);
    // HDR(A,B,1), SK {IDi, AUTH, CP, SAi2, TSi, TSr, N(TICKET_REQUEST)}  -->
    const answer = ikeAuth(peer, { wanted: inner });
    // <--  HDR(A,B,1), SK {IDr, AUTH, CP, SAr2, TSi, TSr, N(TICKET_LT_OPAQUE)}
    assert.deepEqual(kinds(answer), ['IDr', 'AUTH', 'CP', 'SA', 'TSi', 'TSr', 'N', 'N']);
    assert.deepEqual([gateway.session().kind, gateway.session().inner], ['resumed', [inner]]);
    assert.equal(counts.keyExchange, 0);
    assert.equal(gateway.named('established').at(-1)?.keyExchanges, 0);
    assert.equal(gateway.named('ticket-opened').length, 1);
  });

  const refusals: readonly (readonly [
    string,
    string,
    (held: HeldTicket) => { next?: Policy; ticket?: Uint8Array; ms?: number },
  ])[] = [
    ['is empty', 'malformed', () => ({ ticket: EMPTY })],
    ['is cut short', 'not-authentic', ({ ticket }) => ({ ticket: ticket.subarray(0, -1) })],
    ['was forged', 'not-authentic', ({ ticket }) => ({ ticket: ticket.map((byte, at) => (at === 60 ? byte ^ 1 : byte)) })],
    ['is of another version', 'malformed', ({ ticket }) => ({ ticket: ticket.map((byte, at) => (at === 0 ? 2 : byte)) })],
    [
      'was sealed with a key that is gone',
      'unknown-key',
      () => ({ next: policy({ ring: ring({ keys: [ringKey(2, 'active')] }) }) }),
    ],
    [
      'was sealed with a revoked key',
      'revoked-key',
      () => ({
        next: policy({
          ring: ring({
            keys: [ringKey(2, 'active'), ringKey(1, 'retired')],
            revoked: [{ id: ringKey(1, 'active').id, until: 9e12 }],
          }),
        }),
      }),
    ],
    [
      'was issued before the time of a revocation',
      'revoked-time',
      () => ({ next: policy({ ring: ring({ revokedBefore: 1_000_001 }) }) }),
    ],
    [
      'is of a revoked identity',
      'revoked-identity',
      () => ({ next: policy({ config: config({ tickets: { revokedIdentities: [ALICE] } }) }) }),
    ],
    [
      'is of an identity that has no key any more',
      'revoked-identity',
      () => ({ next: policy({ users: new Map([[hex(email('b@c').data), PSK]]) }) }),
    ],
    ['has expired', 'expired', () => ({ ms: 3_600_000 })],
    ['is for another gateway', 'not-authentic', () => ({ next: policy({ config: config({ audience: 'another' }) }) })],
    [
      'was given under another identity of the gateway',
      'policy',
      () => ({ next: policy({ config: config({ identity: fqdn('new.example.com') }) }) }),
    ],
    [
      'has algorithms that are not allowed any more',
      'policy',
      () => ({ next: policy({ config: config({ ike: { algorithms: CBC } }) }) }),
    ],
    [
      'is older than an authentication may be now',
      'policy',
      () => ({ next: policy({ config: config({ ike: { reauthenticationMs: 60_000 } }) }), ms: 61_000 }),
    ],
    [
      'comes where tickets are switched off',
      'disabled',
      () => ({ next: policy({ config: config({ tickets: { enabled: false } }) }) }),
    ],
  ];
  for (const [what, reason, cause] of refusals)
    it(`refuses a ticket that ${what}, keeps nothing, and tells nobody why`, () => {
      const { gateway, held } = joined();
      const { next, ticket = held.ticket, ms = 0 } = cause(held);
      gateway.do({ type: 'shutdown', tell: false });
      gateway.pass(ms);
      if (next) configure(gateway, next);
      // HDR(A,0), Ni, N(TICKET_OPAQUE)  -->      <--  HDR(A,0), N(TICKET_NACK)
      const answer = ikeSessionResume(anew(gateway), { ...held, ticket });
      assert.deepEqual(answer?.payloads, [notify(Notify.TICKET_NACK)]);
      assert.equal(answer?.spiR, NO_SPI);
      assert.equal(gateway.gateway.counts().halfOpen, 0);
      assert.deepEqual(
        gateway.named('ticket-refused').map((one) => one.reason),
        [reason],
      );
    });

  it('refuses a ticket that was used', () => {
    const { gateway, held } = joined();
    resume(anew(gateway), held);
    assert.deepEqual(notifies(resume(anew(gateway, 301), held)), [Notify.TICKET_NACK]);
    assert.equal(gateway.named('ticket-refused')[0]?.reason, 'spent');
  });

  it('takes a ticket again after an attempt that came to nothing', () => {
    const { gateway, held } = joined();
    // The answer is lost; the client begins anew with another SPI.
    assert.ok(payload(ikeSessionResume(anew(gateway), held), 'NONCE'));
    assert.ok(payload(resume(anew(gateway, 301), held), 'AUTH'));
  });

  it('gives one SA to two attempts with the same ticket: the first that proves itself', () => {
    const { gateway, held } = joined();
    const [one, other] = [anew(gateway), anew(gateway, 301)];
    ikeSessionResume(one, held);
    ikeSessionResume(other, held);
    assert.ok(payload(ikeAuth(other), 'AUTH'));
    assert.deepEqual(notifies(ikeAuth(one)), [Notify.AUTHENTICATION_FAILED]);
    assert.equal(gateway.sessions().length, 1);
  });

  it('answers the same request with the same bytes and keeps one half-open SA', () => {
    const { gateway, held } = joined();
    const peer = anew(gateway);
    const first = ikeSessionResume(peer, held);
    for (let times = 0; times < 3; times++)
      assert.deepEqual(
        gateway.receive(peer.first?.initiator ?? EMPTY, PATH).map(({ bytes }) => bytes),
        first?.datagrams,
      );
    assert.equal(gateway.gateway.counts().halfOpen, 1);
  });

  it('demands a cookie under load, before it looks at the ticket', () => {
    const { crypto, counts } = counted();
    const { gateway, held } = joined({}, { crypto });
    configure(gateway, policy({ config: config({ ike: { cookieThreshold: 0 } }) }));
    counts.opened = 0;
    const peer = anew(gateway);
    let payloads: readonly Payload[] = [];
    // HDR(A,0), Ni, N(TICKET_OPAQUE)  -->      <--  HDR(A,0), N(COOKIE)
    const first = ikeSessionResume(peer, held, {
      change: (all) => {
        payloads = all;
        return all;
      },
    });
    assert.deepEqual(notifies(first), [Notify.COOKIE]);
    assert.equal(counts.opened, 0);
    // HDR(A,0), N(COOKIE), Ni, N(TICKET_OPAQUE)  -->      <--  HDR(A,B), Nr
    const cookie = notify(Notify.COOKIE, notifyData(first, Notify.COOKIE));
    const [answer] = peer.send([peer.clear(Exchange.IKE_SESSION_RESUME, [cookie, ...payloads])]);
    assert.ok(payload(answer, 'NONCE'));
  });

  it('keeps to the limits of half-open SAs', () => {
    const { gateway, held } = joined({ config: config({ ike: { maxHalfOpen: 1 } }) });
    assert.ok(ikeSessionResume(anew(gateway), held));
    assert.equal(ikeSessionResume(anew(gateway, 301), held), undefined);
    assert.deepEqual(gateway.drops(), ['half-open-limit']);
  });

  it('finds NATs anew: the one of the old SA does not matter', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    const held = ticketIn(peer, connect(peer, { behindNat: true }));
    resume(anew(gateway), held, { spi: 0x0a00_0002 });
    assert.deepEqual(
      [...gateway.children.values()].map(({ encapsulated }) => encapsulated),
      [false],
    );
    assert.deepEqual(gateway.session().path, PATH);
  });

  it('says nothing to a request without a nonce or a ticket', () => {
    const { gateway, held } = joined();
    assert.equal(ikeSessionResume(anew(gateway), held, { change: without('NONCE') }), undefined);
    assert.equal(ikeSessionResume(anew(gateway), held, { change: withoutNotify(Notify.TICKET_OPAQUE) }), undefined);
    assert.deepEqual(gateway.drops(), ['malformed', 'malformed']);
  });

  it('takes a request of libreswan, which holds nothing but nonce and ticket, and its form of AUTH', () => {
    const { gateway, held } = joined();
    const peer = anew(gateway);
    ikeSessionResume(peer, held, { change: (all) => all.slice(0, 2), fragments: false });
    const answer = ikeAuth(peer, { proof: 'libreswan' });
    assert.ok(payload(answer, 'SA'));
    assert.equal(gateway.session().kind, 'resumed');
  });

  it('ignores what it did not ask for', () => {
    const { gateway, held } = joined();
    const peer = anew(gateway);
    ikeSessionResume(peer, held, { change: adding(notify(45_000 as Notify), { kind: 'V', data: utf8('vendor') }) });
    assert.ok(payload(ikeAuth(peer), 'AUTH'));
  });
});

describe('IKE_SESSION_RESUME, the initiator', () => {
  /** A client that was connected, its ticket, and its next first request. */
  function returning(part: Parameters<typeof connection>[0] = {}) {
    const { held } = joined();
    const ticket: HeldTicket = { ...held, inner: [Uint8Array.of(10, 8, 0, 77)] };
    const [client, first] = clientOf(connection(part), ticket);
    return { client, first, ticket, peer: Peer.of(client, first) };
  }
  const answer = (peer: Peer, ...payloads: readonly Payload[]): Sent[] =>
    peer.subject.receive(peer.clear(Exchange.IKE_SESSION_RESUME, payloads, { response: true, spiR: NO_SPI }), PATH);

  it('presents the ticket with a new SPI, and proves itself in IKE_AUTH', () => {
    const { client, first, ticket, peer } = returning();
    // HDR(A,0), Ni, N(TICKET_OPAQUE), N(NAT_DETECTION_*), N(IKEV2_FRAGMENTATION_SUPPORTED)  -->
    const request = decode(first);
    assert.deepEqual(kinds(request), ['NONCE', 'N', 'N', 'N', 'N', 'N']);
    assert.deepEqual(notifyData(request, Notify.TICKET_OPAQUE), ticket.ticket);
    assert.deepEqual(
      [request.exchange, request.spiR, request.messageId, request.initiator],
      [Exchange.IKE_SESSION_RESUME, NO_SPI, 0, true],
    );
    // <--  HDR(A,B), Nr, N+      HDR(A,B,1), SK {IDi, IDr, AUTH, CP, SAi2, TSi, TSr, N(TICKET_REQUEST)}  -->
    const [auth] = answerResume(peer, first, ticket);
    assert.deepEqual(kinds(auth), ['IDi', 'IDr', 'AUTH', 'CP', 'SA', 'TSi', 'TSr', 'N']);
    assert.deepEqual(notifies(auth), [Notify.TICKET_REQUEST]);
    answerAuth(peer, auth);
    const established = client.named('established')[0];
    assert.deepEqual([established?.kind, established?.roundTrips, established?.keyExchanges], ['resumed', 2, 0]);
  });

  it('asks for the address that it had', () => {
    const { first, ticket, peer } = returning();
    const [auth] = answerResume(peer, first, ticket);
    assert.deepEqual(payload(auth, 'CP')?.attributes[0]?.value, ticket.inner[0]);
  });

  it('does a full exchange by itself after TICKET_NACK, and the ticket is gone', () => {
    const { client, peer } = returning();
    // <--  HDR(A,0), N(TICKET_NACK)      HDR(A',0), SAi1, KEi, Ni  -->
    const [second] = answer(peer, notify(Notify.TICKET_NACK));
    assert.ok(second);
    assert.equal(decode(second).exchange, Exchange.IKE_SA_INIT);
    assert.equal(client.named('ticket-void').length, 1);
    const again = Peer.of(client, second, 400);
    accept(again, second);
    const established = client.named('established')[0];
    assert.deepEqual([established?.kind, established?.roundTrips, established?.keyExchanges], ['full', 3, 1]);
  });

  it('does a full exchange by itself when its proof is not taken', () => {
    const { client, first, ticket, peer } = returning();
    const [auth] = answerResume(peer, first, ticket);
    peer.answer(auth ?? peer.header(0), [notify(Notify.AUTHENTICATION_FAILED)]);
    assert.deepEqual(client.phases(), ['initSent']);
    assert.equal(client.named('ticket-void').length, 1);
  });

  it('does a full exchange by itself with a gateway that does not know the exchange', () => {
    const { client, peer } = returning();
    const [second] = answer(peer, notify(Notify.INVALID_SYNTAX));
    assert.equal(second && decode(second).exchange, Exchange.IKE_SA_INIT);
    assert.deepEqual(client.phases(), ['initSent']);
  });

  for (const forceEncapsulation of [false, true])
    it(`brings a cookie back in front of a request that is otherwise unchanged${forceEncapsulation ? ', a feigned NAT too' : ''}`, () => {
      const { first, ticket, peer } = returning({ forceEncapsulation });
      const [second] = answer(peer, notify(Notify.COOKIE, utf8('crumbs')));
      assert.ok(second);
      assert.deepEqual(decode(second).payloads, [notify(Notify.COOKIE, utf8('crumbs')), ...decode(first).payloads]);
      assert.ok(payload(answerResume(peer, second, ticket)[0], 'AUTH'));
    });

  it('moves to the NAT traversal ports when there is a NAT', () => {
    const { first, ticket, peer } = returning();
    assert.deepEqual(answerResume(peer, first, ticket, { behindNat: true })[0]?.path, connection().natPath);
    assert.notDeepEqual(connection().natPath, NAT_PATH);
  });

  it('repeats itself with the same bytes, and gives up without an answer, with the ticket still good', () => {
    const { client, first } = returning();
    const again = client.pass(60_000);
    assert.ok(again.length > 2);
    for (const { bytes } of again) assert.deepEqual(bytes, first.bytes);
    assert.deepEqual([client.endings(), client.named('ticket-void')], [['handshake failed'], []]);
  });

  it('ignores answers that make no sense', () => {
    const { client, first, ticket, peer } = returning();
    assert.deepEqual(answer(peer), []);
    assert.deepEqual(
      peer.send([peer.clear(Exchange.IKE_SA_INIT, [{ kind: 'NONCE', data: new Uint8Array(32) }], { response: true })]),
      [],
    );
    assert.throws(() => answerInit(peer, first), 'it is no IKE_SA_INIT');
    assert.deepEqual(client.phases(), ['resumeSent']);
    assert.ok(payload(answerResume(peer, first, ticket)[0], 'AUTH'));
  });

  /** A client with a ticket of a gateway that called itself so in IKE_SA_INIT. */
  function returningTo(vendor: string) {
    const [client, first] = clientOf(connection());
    const gateway = Peer.of(client, first);
    const [auth] = answerInit(gateway, first, { change: adding({ kind: 'V', data: utf8(vendor) }) });
    answerAuth(gateway, auth, { change: adding(TICKET) });
    return ticketOf(client);
  }
  const TICKET = notify(Notify.TICKET_LT_OPAQUE, concat(u32Bytes(3_600), utf8('ticket')));
  function ticketOf(client: Subject): HeldTicket {
    const event = client.named('ticket').at(-1);
    assert.ok(event);
    return event.ticket;
  }

  it('speaks to libreswan, which told its name before it proved itself, in its own form, and keeps that for the next time', () => {
    // <--  HDR(A,B), SAr1, KEr, Nr, N+, V("OE-Libreswan-5.2")
    const ticket = returningTo('OE-Libreswan-5.2');
    assert.equal(ticket.form, 'libreswan');
    const [client, first] = clientOf(connection(), ticket);
    const peer = Peer.of(client, first);
    // HDR(A,1), SK {IDi, IDr, AUTH = prf(SK_pi, first message), ...}  -->      <--  HDR(A,1), SK {IDr, AUTH, ...}
    const [auth] = answerResume(peer, first, ticket, { change: withoutNotifies });
    assert.ok(peer.first && peer.keys);
    const proof = libreswanResumptionAuth({ first: peer.first, keys: peer.keys, suite: peer.suite }, 'initiator', { crypto });
    assert.deepEqual(payload(auth, 'AUTH')?.data, proof);
    answerAuth(peer, auth, { proof: 'libreswan', change: adding(TICKET) });
    assert.equal(client.named('established')[0]?.kind, 'resumed');
    assert.equal(ticketOf(client).form, 'libreswan');
  });

  const mismatches = [
    { vendor: 'OE-Libreswan-5.2', proof: 'rfc' },
    { vendor: 'strongSwan', proof: 'libreswan' },
  ] as const;
  for (const { vendor, proof } of mismatches)
    it(`does not take the form of AUTH of ${proof === 'rfc' ? 'the RFC' : 'libreswan'} from a gateway that has the other one`, () => {
      const ticket = returningTo(vendor);
      const [client, first] = clientOf(connection(), ticket);
      const peer = Peer.of(client, first);
      answerAuth(peer, answerResume(peer, first, ticket)[0], { proof });
      assert.deepEqual(client.named('established'), []);
    });

  it('does a full exchange by itself where the session would go on without UDP, in which the data plane lives', () => {
    const { client, first, ticket, peer } = returning({ forceEncapsulation: true });
    // <--  HDR(A,B), Nr      HDR(A',0), SAi1, KEi, Ni  -->
    answerResume(peer, first, ticket, { change: withoutNotifies });
    assert.deepEqual(client.phases(), ['initSent']);
    assert.deepEqual(
      client.named('ticket-void').map(({ why }) => why),
      ['resumed without NAT traversal'],
    );
  });
});
