/** RFC 5723, requirement by requirement, for the initiator (I), the responder (R) and the management of keys (K). */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { TicketCustody } from '../../../sidecar/client/ticket-custody.ts';
import { TicketMemory } from '../../../sidecar/client/ticket-store.ts';
import { DEFAULT_RULES } from '../../../sidecar/contract/authentication-yaml.ts';
import type { HeldTicket } from '../../../sidecar/ike/connection.ts';
import { subkeys } from '../../../sidecar/ike/ring-subkeys.ts';
import { type Instant, later } from '../../../sidecar/ike/sa.ts';
import { openTicket, sealTicket } from '../../../sidecar/ike/ticket.ts';
import { type Bytes, concat, EMPTY, hex, Reader, u32Bytes, unhex, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { decodeMessage, NO_SPI } from '../../../sidecar/ike/wire/message.ts';
import { notify, type Payload } from '../../../sidecar/ike/wire/payload.ts';
import { CertEncoding, CfgAttribute, Exchange, Notify, Protocol } from '../../../sidecar/ike/wire/registry.ts';
import { accept, answerAuth, answerResume, INNER } from '../../harness/answering.ts';
import { counted } from '../../harness/counted-cryptography.ts';
import { createChild, ikeAnswer, rekeyIke } from '../../harness/create-child-sa.ts';
import {
  adding,
  connect,
  ikeAuth,
  ikeSaInit,
  ikeSessionResume,
  innerIn,
  resume,
  ticketIn,
  without,
} from '../../harness/handshake.ts';
import { crypto, type Heard, kinds, NAT_PATH, notifies, notifyData, PATH, Peer, payload } from '../../harness/peer.ts';
import {
  AEAD,
  ALICE,
  CERTIFICATE_RULE,
  config,
  connection,
  email,
  GATEWAY,
  PSK,
  policy,
  ring,
  ringKey,
} from '../../harness/policy.ts';
import { clientOf, configure, gatewayOf, type Sent, START, type Subject } from '../../harness/subject.ts';

const HOUR = 3_600_000;
const ASK = notify(Notify.TICKET_REQUEST);
const endIke: Payload = { kind: 'D', protocol: Protocol.IKE, spis: [] };
const decode = ({ bytes, path }: Sent) => ({ ...decodeMessage(bytes), path, datagrams: [bytes] });
const anew = (gateway: Subject, seed = 300): Peer => Peer.towards(gateway, { seed });

/** A gateway that has given a ticket, and the peer that has it. */
function joined(part: Parameters<typeof policy>[0] = {}, options: Parameters<typeof gatewayOf>[1] = {}) {
  const gateway = gatewayOf(part, options);
  const peer = Peer.towards(gateway);
  const answer = connect(peer);
  return { gateway, peer, answer, inner: innerIn(answer) ?? EMPTY, held: ticketIn(peer, answer) };
}

/** A client that is connected to this peer. */
function client(part: Parameters<typeof connection>[0] = {}, change = adding(ticketFor(HOUR))) {
  const [subject, first] = clientOf(connection(part));
  const peer = Peer.of(subject, first);
  accept(peer, first, { change });
  return { subject, peer };
}

/** A client that comes back with a ticket. */
function returning(held: HeldTicket, part: Parameters<typeof connection>[0] = {}) {
  const [subject, first] = clientOf(connection(part), held);
  return { subject, first, peer: Peer.of(subject, first) };
}

function ticketFor(ms: number, ticket = utf8('opaque')): Payload {
  return notify(Notify.TICKET_LT_OPAQUE, concat(u32Bytes(ms / 1_000), ticket));
}

const heldBy = (subject: Subject): HeldTicket =>
  subject.named('ticket').at(-1)?.ticket ?? assert.fail('the client holds no ticket');

/** What stands in a ticket, for who has the keys. */
function stateIn(held: Pick<HeldTicket, 'ticket'>, now: Instant = START) {
  const opened = openTicket({ ring: ring(), crypto, audience: 'audience', now }, held.ticket);
  return 'state' in opened ? opened.state : assert.fail(`the ticket is refused: ${opened.refused}`);
}

// By hand, so that a mistake in our own derivations cannot hide.
const prf = (key: Bytes, ...data: Bytes[]): Bytes =>
  new Uint8Array(
    createHmac('sha256', key)
      .update(concat(...data))
      .digest(),
  );
function prfPlus(key: Bytes, seed: Bytes, length: number): Bytes {
  let [out, last] = [EMPTY, EMPTY];
  for (let n = 1; out.length < length; n++) {
    last = prf(key, last, seed, Uint8Array.of(n));
    out = concat(out, last);
  }
  return out.slice(0, length);
}

describe('RFC 5723 §4.1, requesting a ticket', () => {
  it('I: may be done in the first IKE_AUTH request', () => {
    const [subject, first] = clientOf(connection());
    const peer = Peer.of(subject, first);
    accept(peer, first, { change: (all) => [...all, ticketFor(HOUR)] });
    assert.deepEqual(heldBy(subject).ticket, utf8('opaque'));
  });

  it('I: may be done in the IKE_AUTH that follows a resumption', () => {
    const held = heldBy(client().subject);
    const { subject, first, peer } = returning(held);
    assert.ok(!notifies(decode(first)).includes(Notify.TICKET_REQUEST), 'and not before it');
    const [auth] = answerResume(peer, first, held);
    assert.deepEqual(notifies(auth), [Notify.TICKET_REQUEST]);
    answerAuth(peer, auth, { change: adding(ticketFor(HOUR, utf8('second'))) });
    assert.deepEqual(heldBy(subject).ticket, utf8('second'));
  });

  it('I: may be done in a CREATE_CHILD_SA that rekeys the IKE SA when the client starts it, and in no other one', () => {
    const { subject, peer } = client();
    const [child] = peer.hear(subject.want({ kind: 'newChild' }));
    assert.deepEqual(notifies(child), []);
    const [request] = peer.answer(child ?? peer.header(0), [notify(Notify.NO_ADDITIONAL_SAS)]);
    assert.equal(request, undefined);
    // HDR, SK {SA, Ni, KEi, N(TICKET_REQUEST)}  -->
    const [rekey] = peer.hear(subject.want({ kind: 'rekeyIke' }));
    assert.deepEqual(notifies(rekey), [Notify.TICKET_REQUEST]);
    const { payloads } = ikeAnswer(peer, rekey, { change: adding(ticketFor(HOUR, utf8('second'))) });
    peer.answer(rekey ?? peer.header(0), payloads);
    assert.deepEqual(heldBy(subject).ticket, utf8('second'));
  });

  it('I: may be done in an INFORMATIONAL exchange at any time', () => {
    const { subject, peer } = client();
    // HDR, SK {N(TICKET_REQUEST)}  -->      <--  HDR, SK {N(TICKET_LT_OPAQUE)}
    const [request] = peer.hear(subject.want({ kind: 'requestTicket' }));
    assert.deepEqual(request?.payloads, [ASK]);
    peer.answer(request ?? peer.header(0), [ticketFor(HOUR, utf8('later'))]);
    assert.deepEqual(heldBy(subject).ticket, utf8('later'));
  });

  it('I: is never begun by the gateway', () => {
    const { gateway, peer } = joined();
    const [rekey] = peer.hear(gateway.want({ kind: 'rekeyIke' }));
    assert.deepEqual(notifies(rekey), []);
  });

  it('R: is answered with a ticket, and the exchange itself goes on unchanged', () => {
    const { gateway, peer, answer } = joined();
    assert.deepEqual(kinds(answer), ['IDr', 'AUTH', 'CP', 'SA', 'TSi', 'TSr', 'N', 'N']);
    const { answer: rekeyed, next } = rekeyIke(peer, { change: adding(ASK) });
    assert.deepEqual([kinds(rekeyed), notifies(rekeyed)], [['SA', 'NONCE', 'KE', 'N'], [Notify.TICKET_LT_OPAQUE]]);
    const later = next?.request(Exchange.INFORMATIONAL, [ASK]);
    assert.deepEqual(notifies(later), [Notify.TICKET_LT_OPAQUE]);
    const resumed = resume(anew(gateway), ticketIn(next ?? peer, later));
    assert.deepEqual(
      [kinds(resumed).slice(0, 2), notifies(resumed)],
      [
        ['IDr', 'AUTH'],
        [Notify.AUTH_LIFETIME, Notify.TICKET_LT_OPAQUE],
      ],
    );
  });

  it('R: is answered with TICKET_NACK where there are none to be had, and the exchange itself goes on unchanged', () => {
    const gateway = gatewayOf({ config: config({ tickets: { enabled: false } }) });
    const peer = Peer.towards(gateway);
    const answer = connect(peer);
    assert.deepEqual(kinds(answer), ['IDr', 'AUTH', 'CP', 'SA', 'TSi', 'TSr', 'N', 'N']);
    assert.deepEqual(notifies(answer), [Notify.AUTH_LIFETIME, Notify.TICKET_NACK]);
    const { answer: rekeyed, next } = rekeyIke(peer, { change: adding(ASK) });
    assert.deepEqual([kinds(rekeyed), notifies(rekeyed)], [['SA', 'NONCE', 'KE', 'N'], [Notify.TICKET_NACK]]);
    assert.deepEqual(notifies(next?.request(Exchange.INFORMATIONAL, [ASK])), [Notify.TICKET_NACK]);
    assert.equal(gateway.session().children.length, 1);
  });

  it('R: is answered also when the child is refused, and not at all when nobody asked', () => {
    const gateway = gatewayOf();
    const refused = connect(Peer.towards(gateway), { spi: 255 });
    assert.deepEqual(notifies(refused), [Notify.NO_PROPOSAL_CHOSEN, Notify.AUTH_LIFETIME, Notify.TICKET_LT_OPAQUE]);
    const childless = connect(anew(gateway), { change: without('SA', 'TSi', 'TSr') });
    assert.deepEqual(notifies(childless), [Notify.AUTH_LIFETIME, Notify.TICKET_LT_OPAQUE]);
    assert.deepEqual(notifies(connect(anew(gateway, 301), { ticket: false })), [Notify.AUTH_LIFETIME]);
  });

  it('R: is answered by a client with TICKET_NACK: tickets are for clients', () => {
    const { peer } = client();
    assert.deepEqual(notifies(peer.request(Exchange.INFORMATIONAL, [ASK])), [Notify.TICKET_NACK]);
  });
});

describe('RFC 5723 §4.2, receiving a ticket', () => {
  it('R: never happens in an IKE_AUTH that is not the last: a request without AUTH is refused and gets none', () => {
    const answer = connect(Peer.towards(gatewayOf()), { change: without('AUTH') });
    assert.deepEqual(notifies(answer), [Notify.AUTHENTICATION_FAILED]);
  });

  it('I: stores with the ticket all state that is marked "from the ticket"', () => {
    const { subject, peer } = client();
    const held = heldBy(subject);
    const now = subject.now;
    assert.deepEqual([held.ticket, held.expiresAt], [utf8('opaque'), later(now, HOUR)]);
    assert.deepEqual([held.suite, held.skD], [peer.suite, peer.keys?.d]);
    assert.deepEqual([held.local, held.remote, held.inner], [ALICE, GATEWAY, [INNER]]);
    assert.deepEqual([held.authenticatedAt, held.reauthenticateBy], [now, later(now, 24 * HOUR)]);
  });

  it('I: accepts it only when the exchange succeeded', () => {
    const { subject } = client({}, (all) => [
      ...all.map((one) => (one.kind === 'AUTH' ? { ...one, data: new Uint8Array(32) } : one)),
      ticketFor(HOUR),
    ]);
    assert.deepEqual([subject.named('ticket'), subject.endings()], [[], ['authentication failed']]);
  });

  it('I: lives with TICKET_NACK and TICKET_ACK, which are no tickets', () => {
    for (const type of [Notify.TICKET_NACK, Notify.TICKET_ACK]) {
      const { subject } = client({}, adding(notify(type)));
      assert.deepEqual([subject.named('ticket'), subject.session().kind], [[], 'full']);
    }
  });

  it('I: keeps none that it did not ask for', () => {
    assert.deepEqual(client({ tickets: false }).subject.named('ticket'), []);
  });
});

describe('RFC 5723 §4.3.1, one-time use', () => {
  it('I: never presents a ticket past its lifetime, but does a full exchange', () => {
    const held = heldBy(client().subject);
    for (const part of [{ expiresAt: START }, { reauthenticateBy: START }]) {
      const { subject, first } = returning({ ...held, ...part });
      assert.equal(decode(first).exchange, Exchange.IKE_SA_INIT);
      assert.equal(subject.named('ticket-void').length, 1);
    }
    assert.equal(decode(returning(held).first).exchange, Exchange.IKE_SESSION_RESUME);
  });

  it('I: may repeat a lost attempt with the same ticket: it is used once an IKE SA was established with it', () => {
    const { gateway, held } = joined();
    const { first } = returning(held, { path: { local: PATH.remote, remote: PATH.local } });
    const [lost] = gateway.receive(first.bytes, PATH);
    assert.ok(lost, 'answered, but the answer is lost');
    assert.ok(payload(resume(anew(gateway), held), 'AUTH'));
  });

  it('I: never presents one again after that, not even after a restart of the client', () => {
    const store = new TicketMemory();
    store.keep(heldBy(client().subject));
    const custody = new TicketCustody(store);
    custody.take(START);
    assert.ok(custody.inHand(START), 'a lost attempt may be repeated');
    custody.used();
    assert.deepEqual([custody.inHand(START), store.take(START)], [undefined, undefined]);
  });

  it('R: a ticket that was used is refused', () => {
    const { gateway, held } = joined();
    resume(anew(gateway), held);
    assert.deepEqual(notifies(resume(anew(gateway, 301), held)), [Notify.TICKET_NACK]);
  });

  it('R: a ticket is not used by whoever cannot prove to own it', () => {
    const { gateway, held } = joined();
    const thief = resume(anew(gateway), { ...held, skD: new Uint8Array(32) }, { identity: ALICE });
    assert.equal(thief, undefined, 'it does not even have the keys');
    assert.ok(payload(resume(anew(gateway, 301), held), 'AUTH'));
  });
});

describe('RFC 5723 §4.3.2, IKE_SESSION_RESUME', () => {
  it('I: is exchange 38 with a new SPI, none of the responder, message id 0, nonce and ticket; IKE_AUTH follows', () => {
    const held = heldBy(client().subject);
    const { first, peer } = returning(held);
    const { exchange, spiI, spiR, messageId, ...request } = decode(first);
    assert.deepEqual([exchange, spiR, messageId], [38, NO_SPI, 0]);
    assert.notEqual(spiI, NO_SPI);
    assert.ok(payload(request, 'NONCE'));
    assert.deepEqual(notifyData(request, 16_413), held.ticket);
    const [next] = answerResume(peer, first, held);
    assert.deepEqual([next?.exchange, next?.messageId], [Exchange.IKE_AUTH, 1]);
  });

  it('R: is answered with a nonce and an SPI of its own; nothing but IKE_AUTH may follow', () => {
    const { gateway, peer: old, held } = joined();
    const peer = anew(gateway);
    const answer = ikeSessionResume(peer, held);
    assert.deepEqual([answer?.exchange, answer?.messageId, answer?.spiI], [38, 0, peer.spiI]);
    assert.ok(![NO_SPI, old.spiR].includes(answer?.spiR ?? NO_SPI));
    assert.deepEqual(notifies(peer.request(Exchange.INFORMATIONAL, [])), [Notify.INVALID_SYNTAX]);
  });

  it('R: refuses with an unprotected TICKET_NACK', () => {
    const { gateway, held } = joined();
    const answer = ikeSessionResume(anew(gateway), { ...held, ticket: utf8('nonsense') });
    assert.deepEqual([answer?.payloads, answer?.exchange], [[notify(Notify.TICKET_NACK)], 38]);
  });

  it('I: does a full exchange after a TICKET_NACK, by itself', () => {
    const { subject, peer } = returning(heldBy(client().subject));
    const nack = peer.clear(Exchange.IKE_SESSION_RESUME, [notify(Notify.TICKET_NACK)], { response: true, spiR: NO_SPI });
    const [next] = subject.receive(nack, connection().path);
    assert.ok(next);
    accept(Peer.of(subject, next, 400), next);
    assert.deepEqual([subject.session().kind, subject.named('ticket-void').length], ['full', 1]);
  });

  it('I, R: a client may come from any address', () => {
    const { gateway, held } = joined();
    const roaming = Peer.towards(gateway, { seed: 300, path: { ...PATH, remote: '203.0.113.99:4711' } });
    assert.ok(payload(resume(roaming, held), 'AUTH'));
    assert.equal(gateway.session().path.remote, '203.0.113.99:4711');
  });

  it('I, R: NATs are found anew, and the initiator moves to port 4500', () => {
    const { gateway, held } = joined();
    const peer = anew(gateway);
    ikeSessionResume(peer, held, { behindNat: true });
    ikeAuth(peer);
    assert.deepEqual(
      [...gateway.children.values()].map(({ encapsulated, path }) => [encapsulated, path]),
      [[true, NAT_PATH]],
    );
    const { first, peer: other } = returning(heldBy(client().subject));
    assert.deepEqual(answerResume(other, first, heldBy(client().subject), { behindNat: true })[0]?.path, connection().natPath);
  });

  it('I, R: cookies are demanded and brought back as in IKE_SA_INIT', () => {
    const { gateway, held } = joined();
    configure(gateway, policy({ config: config({ ike: { cookieThreshold: 0 } }) }));
    const { subject, first } = returning(held);
    // HDR(A,0), Ni, N(TICKET_OPAQUE)  -->      <--  HDR(A,0), N(COOKIE)
    const [demand] = gateway.receive(first.bytes, PATH);
    const [second] = subject.receive(demand?.bytes ?? EMPTY, connection().path);
    // HDR(A,0), N(COOKIE), Ni, N(TICKET_OPAQUE)  -->      <--  HDR(A,B), Nr
    const [answer] = gateway.receive(second?.bytes ?? EMPTY, PATH);
    assert.ok(answer && payload(decode(answer), 'NONCE'));
  });
});

describe('RFC 5723 §4.3.3 and §5.1, keys and proofs', () => {
  /** §5.1: SKEYSEED = prf(SK_d old, "Resumption" | Ni | Nr); {SK_d | SK_ei | SK_er | SK_pi | SK_pr} of an AEAD with a 32-byte key and 4 of salt. */
  function derive(skD: Bytes, { ni, nr }: { ni: Bytes; nr: Bytes }, spiI: string, spiR: string) {
    const skeyseed = prf(skD, utf8('Resumption'), ni, nr);
    const reader = new Reader(prfPlus(skeyseed, concat(ni, nr, unhex(spiI), unhex(spiR)), 3 * 32 + 2 * 36));
    return { d: reader.take(32), ei: reader.take(36), er: reader.take(36), pi: reader.take(32), pr: reader.take(32) };
  }
  /** RFC 7296 §2.15: RealMessage | the nonce of the other | prf(SK_px, IDx'). */
  const proof = (key: Bytes, message: Bytes, nonce: Bytes, { idType, data }: typeof ALICE): Bytes =>
    prf(key, message, nonce, prf(key, Uint8Array.of(idType, 0, 0, 0), data));

  it('R: keys come from the old SK_d and the new nonces and SPIs; AUTH is a proof with the new SK_pr over the first messages', () => {
    const { gateway, held } = joined();
    const peer = anew(gateway);
    ikeSessionResume(peer, held);
    const first = peer.first ?? assert.fail();
    const keys = derive(held.skD, first, peer.spiI, peer.spiR);
    assert.deepEqual(
      [peer.keys?.d, peer.keys?.ei, peer.keys?.pr].map((key) => hex(key ?? EMPTY)),
      [keys.d, keys.ei, keys.pr].map(hex),
    );
    const mine = { kind: 'AUTH', method: 2, data: proof(keys.pi, first.initiator, first.nr, ALICE) } as const;
    const answer = ikeAuth(peer, { change: (all) => all.map((one) => (one.kind === 'AUTH' ? mine : one)) });
    assert.equal(hex(payload(answer, 'AUTH')?.data ?? EMPTY), hex(proof(keys.pr, first.responder, first.ni, GATEWAY)));
  });

  it('I: the same, with SK_pi', () => {
    const held = heldBy(client().subject);
    const { subject, first, peer } = returning(held);
    const [auth] = answerResume(peer, first, held);
    const messages = peer.first ?? assert.fail();
    const keys = derive(held.skD, messages, peer.spiI, peer.spiR);
    assert.equal(hex(payload(auth, 'AUTH')?.data ?? EMPTY), hex(proof(keys.pi, messages.initiator, messages.nr, ALICE)));
    const theirs = { kind: 'AUTH', method: 2, data: proof(keys.pr, messages.responder, messages.ni, GATEWAY) } as const;
    answerAuth(peer, auth, { change: (all) => all.map((one) => (one.kind === 'AUTH' ? theirs : one)) });
    assert.equal(subject.session().kind, 'resumed');
  });

  it('R: the pre-shared key proves nothing here', () => {
    const { gateway, held } = joined();
    const peer = anew(gateway);
    ikeSessionResume(peer, held);
    peer.resumed = false;
    assert.deepEqual(notifies(ikeAuth(peer)), [Notify.AUTHENTICATION_FAILED]);
  });

  it('I: the pre-shared key proves nothing here', () => {
    const held = heldBy(client().subject);
    const { subject, first, peer } = returning(held);
    const [auth] = answerResume(peer, first, held);
    peer.resumed = false;
    answerAuth(peer, auth);
    assert.deepEqual(subject.sessions(), []);
  });

  const users = new Map([ALICE, email('bob@example.com')].map(({ data }) => [hex(data), PSK]));
  for (const [what, change] of [
    [
      'IDi is not that of the ticket',
      (all) => all.map((one) => (one.kind === 'IDi' ? { ...one, ...email('bob@example.com') } : one)),
    ],
    ['IDr is sent and is not that of the ticket', adding({ kind: 'IDr', ...email('other@example.com') })],
    ['there is a CERT payload', adding({ kind: 'CERT', encoding: CertEncoding.X509_SIGNATURE, data: utf8('certificate') })],
  ] as const satisfies readonly (readonly [string, (all: readonly Payload[]) => readonly Payload[]])[])
    it(`R: IKE_AUTH fails when ${what}, and the ticket is still good`, () => {
      const { gateway, held } = joined({ users });
      assert.deepEqual(notifies(resume(anew(gateway), held, { change })), [Notify.AUTHENTICATION_FAILED]);
      assert.ok(payload(resume(anew(gateway, 301), held), 'AUTH'));
    });

  it('R: IDr may be sent when it is that of the ticket', () => {
    const { gateway, held } = joined();
    assert.ok(payload(resume(anew(gateway), held, { change: adding({ kind: 'IDr', ...GATEWAY }) }), 'AUTH'));
  });

  it('I: the IDr that the gateway sends must be that of the ticket; no CERT is sent', () => {
    const held = heldBy(client({ remote: undefined }).subject);
    const { subject, first, peer } = returning(held, { remote: undefined });
    const [auth] = answerResume(peer, first, held);
    assert.equal(payload(auth, 'CERT'), undefined);
    assert.deepEqual([payload(auth, 'IDi')?.data, payload(auth, 'IDr')?.data], [ALICE.data, GATEWAY.data]);
    answerAuth(peer, auth, { identity: email('other@example.com') });
    assert.deepEqual(subject.endings(), ['authentication failed']);
  });

  it('I: with another identity than that of the ticket it does a full exchange', () => {
    const { first } = returning(heldBy(client().subject), { local: email('bob@example.com') });
    assert.equal(decode(first).exchange, Exchange.IKE_SA_INIT);
  });

  it('R: a ticket that is given here is for the new SA', () => {
    const { gateway, held } = joined();
    const peer = anew(gateway);
    const next = ticketIn(peer, resume(peer, held));
    const state = stateIn(next);
    assert.deepEqual([state.spiI, state.spiR, hex(state.skD)], [peer.spiI, peer.spiR, hex(peer.keys?.d ?? EMPTY)]);
    assert.ok(payload(resume(anew(gateway, 301), next), 'AUTH'));
  });
});

describe('RFC 5723 §4.3.4, the old SA', () => {
  it('R: goes silently with its children when it is still alive and the new one is established', () => {
    const { gateway, peer: old, held } = joined();
    const peer = anew(gateway);
    ikeSessionResume(peer, held);
    assert.equal(gateway.sessions().length, 1, 'not before IKE_AUTH');
    assert.ok(payload(ikeAuth(peer, { spi: 0x0a00_0002 }), 'AUTH'));
    assert.deepEqual(gateway.endings().slice(-1), ['superseded by resumption']);
    assert.deepEqual(
      [...gateway.children.values()].map(({ spiOut }) => spiOut),
      [0x0a00_0002],
    );
    assert.deepEqual(old.hear(gateway.pass(20_000)), [], 'no DELETE');
    assert.equal(old.request(Exchange.INFORMATIONAL, []), undefined);
  });

  it('R: is known by its SPIs, whatever it held', () => {
    const gateway = gatewayOf();
    const old = Peer.towards(gateway);
    const held = ticketIn(old, connect(old, { change: without('SA', 'TSi', 'TSr', 'CP') }));
    assert.deepEqual(gateway.session().inner, []);
    resume(anew(gateway), held);
    assert.deepEqual(gateway.endings(), ['superseded by resumption']);
  });
});

describe('RFC 5723 §5, state after the resumption', () => {
  it('R: algorithms, identities, method and time of authentication come from the ticket', () => {
    const { gateway, held } = joined();
    const { authenticatedAt, reauthenticateBy } = gateway.session();
    const mixed = { ...AEAD, encryption: [{ id: 20, keyBits: 128 }, ...AEAD.encryption] };
    configure(gateway, policy({ config: config({ ike: { algorithms: mixed } }) }));
    gateway.pass(5_000);
    const peer = anew(gateway);
    const next = ticketIn(peer, resume(peer, held));
    const session = gateway.session();
    assert.deepEqual(
      [session.remote?.data, session.authenticatedAt, session.reauthenticateBy],
      [ALICE.data, authenticatedAt, reauthenticateBy],
    );
    const [before, after] = [stateIn(held, gateway.now), stateIn(next, gateway.now)];
    assert.deepEqual(
      [after.suite, after.authMethod, after.idI, after.idR],
      [before.suite, before.authMethod, before.idI, before.idR],
    );
    assert.deepEqual(after.suite.keyBits, 256, 'not what would be chosen now');
  });

  it('I: the same, from what it stored', () => {
    const held = heldBy(client().subject);
    const { subject, first, peer } = returning(held);
    subject.pass(100);
    const [auth] = answerResume(peer, first, held);
    answerAuth(peer, auth, { change: adding(ticketFor(HOUR)) });
    const { remote, authenticatedAt, reauthenticateBy } = subject.session();
    assert.deepEqual(
      [remote?.data, authenticatedAt, reauthenticateBy],
      [GATEWAY.data, held.authenticatedAt, held.reauthenticateBy],
    );
    assert.deepEqual([heldBy(subject).suite, heldBy(subject).authenticatedAt], [held.suite, held.authenticatedAt]);
  });

  it('R: SPIs, message ids, children, addresses and configuration come from the new exchange', () => {
    const { gateway, peer: old, held } = joined();
    for (let times = 0; times < 3; times++) old.request(Exchange.INFORMATIONAL, []);
    createChild(old);
    const renewed = policy({ config: config({ dns: ['10.8.0.2'] }) });
    configure(gateway, renewed);
    const peer = anew(gateway);
    const answer = resume(peer, held, { spi: 0x0a00_0007 });
    assert.ok(peer.spiI !== old.spiI && peer.spiR !== old.spiR);
    assert.equal(answer?.messageId, 1);
    assert.ok(peer.request(Exchange.INFORMATIONAL, [], { messageId: 2 }));
    assert.deepEqual(
      [...gateway.children.values()].map(({ spiOut }) => spiOut),
      [0x0a00_0007],
    );
    const dns = payload(answer, 'CP')?.attributes.find(({ type }) => type === CfgAttribute.INTERNAL_IP4_DNS);
    assert.deepEqual(dns?.value, Uint8Array.of(10, 8, 0, 2));
  });

  it('R, note 1: the authenticated identity is in the ticket when it is not IDi, and stays there', () => {
    const gateway = gatewayOf({ config: config({ authentication: [...DEFAULT_RULES, CERTIFICATE_RULE] }) });
    const [idI, skD] = [email('nobody@example.com'), new Uint8Array(32).fill(9)];
    const certificate = {
      fingerprint: utf8('fingerprint'),
      chain: [{ issuer: utf8('issuer'), serial: Uint8Array.of(7) }],
      notAfter: later(START, 30 * 24 * 3_600_000),
    };
    const state = {
      ...{
        ...stateIn(joined().held),
        ticketId: new Uint8Array(16).fill(5),
        idI,
        authenticated: ALICE,
        authMethod: 14,
        certificate,
        skD,
      },
    };
    const sealing = { ring: ring(), crypto, audience: 'audience', random: gateway.random };
    const ticket = sealTicket(sealing, state)?.ticket ?? EMPTY;
    const peer = anew(gateway);
    const answer = resume(peer, { ...joined().held, ticket, skD }, { identity: idI });
    assert.deepEqual(gateway.session().remote, ALICE);
    const next = stateIn(ticketIn(peer, answer));
    assert.deepEqual([next.idI, next.authenticated, next.authMethod, next.certificate], [idI, ALICE, 14, certificate]);
    assert.ok(payload(resume(anew(gateway, 301), ticketIn(peer, answer), { identity: idI }), 'AUTH'), 'and once more');
  });

  it('R, note 5: a client that asks for its former inner address gets it when it is free, and another one when not', () => {
    const { gateway, inner, held } = joined();
    gateway.do({ type: 'shutdown', tell: false });
    const first = anew(gateway);
    const next = resume(first, held, { wanted: inner });
    assert.deepEqual(innerIn(next), inner);
    // Whoever asks for nothing in particular may come back to it too.
    gateway.do({ type: 'shutdown', tell: false });
    assert.deepEqual(innerIn(resume(anew(gateway, 301), ticketIn(first, next, [inner]))), inner);
    const bob = email('bob@example.com');
    const shared = gatewayOf({
      users: new Map([ALICE, bob].map(({ data }) => [hex(data), PSK])),
      config: config({ pools: [{ cidr: '10.8.0.0/29' }], slices: 1 }),
    });
    const peer = Peer.towards(shared);
    const taken = connect(peer);
    shared.do({ type: 'shutdown', tell: false });
    for (let seed = 400; shared.sessions().every((one) => hex(one.inner[0] ?? EMPTY) !== hex(innerIn(taken) ?? EMPTY)); seed++)
      connect(anew(shared, seed), { identity: bob });
    const resumed = resume(anew(shared, 600), ticketIn(peer, taken), { wanted: innerIn(taken) ?? EMPTY });
    assert.notDeepEqual(innerIn(resumed), innerIn(taken));
    assert.ok(payload(resumed, 'AUTH'));
  });

  it('I, note 5: asks for it', () => {
    const held = heldBy(client().subject);
    const { first, peer } = returning(held);
    assert.deepEqual(payload(answerResume(peer, first, held)[0], 'CP')?.attributes[0]?.value, INNER);
  });
});

describe('RFC 5723 §6.1, what is in a ticket', () => {
  it('R: is encrypted: no identity, no key, no address stands in clear', () => {
    const { held, inner } = joined();
    const clear = hex(held.ticket);
    for (const secret of [ALICE.data, GATEWAY.data, held.skD, inner]) assert.ok(!clear.includes(hex(secret)));
  });

  it('R: is protected, every byte of it', () => {
    const { gateway, held } = joined();
    for (let at = 0; at < held.ticket.length; at++) {
      const forged = held.ticket.map((byte, index) => (index === at ? byte ^ 0x01 : byte));
      assert.deepEqual(
        notifies(ikeSessionResume(anew(gateway), { ...held, ticket: forged })),
        [Notify.TICKET_NACK],
        `byte ${at}`,
      );
    }
  });

  it('R: holds an absolute time of expiry, the same that TICKET_LT_OPAQUE tells', () => {
    const { gateway, answer, held } = joined();
    const told = new Reader(notifyData(answer, Notify.TICKET_LT_OPAQUE) ?? EMPTY).u32() * 1_000;
    assert.equal(told, HOUR);
    assert.equal(stateIn(held).expiresAt, later(gateway.now, told));
    gateway.pass(told - 1);
    assert.ok(payload(ikeSessionResume(anew(gateway), held), 'NONCE'));
    gateway.pass(1);
    assert.deepEqual(notifies(ikeSessionResume(anew(gateway, 301), held)), [Notify.TICKET_NACK]);
  });

  it('R: names its key, so that keys can change', () => {
    const { gateway, held } = joined();
    assert.deepEqual(held.ticket.subarray(4, 12), ringKey(1, 'active').id);
    configure(gateway, policy({ ring: ring({ generation: 2, keys: [ringKey(2, 'active'), ringKey(1, 'retired')] }) }));
    const peer = anew(gateway);
    const next = ticketIn(peer, resume(peer, held));
    assert.deepEqual(next.ticket.subarray(4, 12), ringKey(2, 'active').id);
    assert.ok(payload(resume(anew(gateway, 301), next), 'AUTH'));
  });

  it('R: is all that is needed: another pod goes on with it', () => {
    const { held, inner } = joined();
    const other = gatewayOf({}, { seed: 2 });
    const answer = resume(Peer.towards(other, { seed: 300 }), held, { wanted: inner });
    assert.deepEqual([other.session().kind, other.session().remote?.data, innerIn(answer)], ['resumed', ALICE.data, inner]);
  });
});

describe('RFC 5723 §6.2, the life of a ticket', () => {
  it('I: ends when the IKE SA is deleted by the client', () => {
    const { subject } = client();
    subject.want({ kind: 'deleteIke' });
    assert.equal(subject.named('ticket-void').length, 1);
  });

  it('I: ends when the IKE SA is deleted by the gateway', () => {
    const { subject, peer } = client();
    peer.request(Exchange.INFORMATIONAL, [endIke]);
    assert.equal(subject.named('ticket-void').length, 1);
  });

  it('I: ends when the credentials are invalid: the gateway refuses who presents it', () => {
    const held = heldBy(client().subject);
    const { subject, first, peer } = returning(held);
    const [auth] = answerResume(peer, first, held);
    peer.answer(auth ?? peer.header(0), [notify(Notify.AUTHENTICATION_FAILED)]);
    assert.equal(subject.named('ticket-void').length, 1);
  });

  it('I: ends when the client rekeys the IKE SA, and a new one comes with that', () => {
    const { subject, peer } = client();
    const [request] = peer.hear(subject.want({ kind: 'rekeyIke' }));
    peer.answer(
      request ?? peer.header(0),
      ikeAnswer(peer, request, { change: adding(ticketFor(HOUR, utf8('second'))) }).payloads,
    );
    const names = subject.events.map(({ name }) => name).filter((name) => name.startsWith('ticket'));
    assert.deepEqual(names, ['ticket', 'ticket-void', 'ticket']);
    assert.deepEqual(heldBy(subject).ticket, utf8('second'));
  });

  it('I: ends when the gateway rekeys the IKE SA, and the client asks for a new one', () => {
    const { subject, peer } = client();
    const { next } = rekeyIke(peer);
    assert.equal(subject.named('ticket-void').length, 1);
    // HDR', SK {N(TICKET_REQUEST)}  -->  with message id 0, at once
    next?.answer({ exchange: Exchange.INFORMATIONAL, messageId: 0 }, [ticketFor(HOUR, utf8('third'))]);
    assert.deepEqual([heldBy(subject).ticket, hex(heldBy(subject).skD)], [utf8('third'), hex(next?.keys?.d ?? EMPTY)]);
  });

  it('I: does not end when the gateway is merely silent', () => {
    const { subject } = client({ deadPeerMs: 10_000 });
    subject.pass(60_000);
    assert.deepEqual([subject.endings(), subject.named('ticket-void')], [['peer dead'], []]);
  });

  it('R: is finite, and never beyond the next authentication', () => {
    const gateway = gatewayOf({
      config: config({ ike: { reauthenticationMs: 2 * HOUR }, tickets: { lifetimeMs: 90 * 60_000 } }),
    });
    let peer = Peer.towards(gateway);
    let held = ticketIn(peer, connect(peer));
    const lifetimes = [held.expiresAt - gateway.now];
    for (let seed = 300; seed < 303; seed++) {
      gateway.pass(45 * 60_000);
      peer = anew(gateway, seed);
      const answer = resume(peer, held);
      lifetimes.push(notifies(answer).includes(Notify.TICKET_LT_OPAQUE) ? ticketIn(peer, answer).expiresAt - gateway.now : 0);
      if (lifetimes.at(-1)) held = ticketIn(peer, answer);
    }
    // A chain of resumptions does not live longer than two hours in all.
    assert.deepEqual(lifetimes, [90 * 60_000, 75 * 60_000, 30 * 60_000, 0]);
  });

  it('R: a session ends when it must authenticate anew, and its tickets with it', () => {
    const gateway = gatewayOf({
      config: config({ ike: { reauthenticationMs: HOUR, deadPeerMs: 0 }, tickets: { lifetimeMs: 9 * HOUR } }),
    });
    const peer = Peer.towards(gateway);
    const held = ticketIn(peer, connect(peer));
    const [request] = peer.hear(gateway.pass(HOUR));
    assert.deepEqual(request?.payloads, [endIke]);
    assert.deepEqual(notifies(resume(anew(gateway), held)), [Notify.TICKET_NACK]);
  });

  it('R: no ticket is given while a session waits for its end', () => {
    const gateway = gatewayOf({
      config: config({ ike: { reauthenticationMs: HOUR, deadPeerMs: 0, retransmit: { firstMs: HOUR, factor: 2, attempts: 5 } } }),
    });
    const peer = Peer.towards(gateway);
    connect(peer);
    gateway.pass(HOUR - 1_000);
    gateway.want({ kind: 'liveness' });
    gateway.pass(2_000);
    assert.deepEqual(gateway.phases(), ['established']);
    assert.deepEqual(notifies(peer.request(Exchange.INFORMATIONAL, [ASK])), [Notify.TICKET_NACK]);
  });

  it('R: survives the deletion of its SA, unless the gateway is told otherwise', () => {
    const { gateway, peer, held } = joined();
    peer.request(Exchange.INFORMATIONAL, [endIke]);
    assert.ok(payload(resume(anew(gateway), held), 'AUTH'));
  });

  const strict = { config: config({ tickets: { revokeOnDelete: true } }) };
  for (const [what, end] of [
    ['the client deletes', (_: Subject, peer: Peer) => void peer.request(Exchange.INFORMATIONAL, [endIke])],
    ['the gateway deletes', (gateway: Subject) => void gateway.want({ kind: 'deleteIke' })],
    ['the client rekeys', (_: Subject, peer: Peer) => void rekeyIke(peer)],
    [
      'the gateway rekeys',
      (gateway: Subject, peer: Peer) => {
        const [request] = peer.hear(gateway.want({ kind: 'rekeyIke' }));
        peer.answer(request ?? peer.header(0), ikeAnswer(peer, request).payloads);
      },
    ],
    ['the client got a newer one for', (_: Subject, peer: Peer) => void peer.request(Exchange.INFORMATIONAL, [ASK])],
  ] as const)
    it(`R: with revokeOnDelete a ticket ends with the SA that ${what}`, () => {
      const { gateway, peer, held } = joined(strict);
      end(gateway, peer);
      assert.deepEqual(notifies(resume(anew(gateway), held)), [Notify.TICKET_NACK]);
    });

  it('R: with revokeOnDelete too, a ticket is good when its SA was lost', () => {
    const { gateway, held } = joined(strict);
    gateway.do({ type: 'shutdown', tell: false });
    assert.ok(payload(resume(anew(gateway), held), 'AUTH'));
  });

  it('K: no ticket outlives the key that protects it', () => {
    const closing = ringKey(1, 'active', START + 10 * 60_000);
    const { held } = joined({ ring: ring({ keys: [closing] }) });
    assert.equal(held.expiresAt, START + 10 * 60_000);
  });
});

describe('RFC 5723 §7, the notifications', () => {
  /** type, protocol id, SPI size and data of the notifies in a chain of payloads. */
  const raw = (message: Bytes, type: number): readonly [number, number] => {
    const at = hex(message).indexOf(`0000${type.toString(16).padStart(4, '0')}`) / 2;
    assert.ok(Number.isInteger(at) && at > 0, `notify ${type} with protocol id 0 and SPI size 0`);
    return [message[at] ?? -1, message[at + 1] ?? -1];
  };

  it('have their numbers', () => {
    const { TICKET_LT_OPAQUE, TICKET_REQUEST, TICKET_ACK, TICKET_NACK, TICKET_OPAQUE } = Notify;
    assert.deepEqual(
      [TICKET_LT_OPAQUE, TICKET_REQUEST, TICKET_ACK, TICKET_NACK, TICKET_OPAQUE],
      [16_409, 16_410, 16_411, 16_412, 16_413],
    );
  });

  it('I, R: are sent with protocol id 0 and SPI size 0', () => {
    const { gateway, held } = joined();
    const { first } = returning(held);
    assert.deepEqual(raw(first.bytes, 16_413), [0, 0]);
    const [nack] = ikeSessionResume(anew(gateway), { ...held, ticket: EMPTY })?.datagrams ?? [];
    assert.deepEqual(raw(nack ?? EMPTY, 16_412), [0, 0]);
  });

  it('R: TICKET_LT_OPAQUE is a lifetime in seconds of four octets, and then the ticket', () => {
    const { gateway, answer, held } = joined();
    const data = notifyData(answer, Notify.TICKET_LT_OPAQUE) ?? EMPTY;
    assert.equal(hex(data.subarray(0, 4)), '00000e10');
    assert.ok(payload(ikeSessionResume(anew(gateway), { ...held, ticket: data.subarray(4) }), 'NONCE'));
  });

  it('I: TICKET_OPAQUE is the ticket alone', () => {
    const held = heldBy(client().subject);
    assert.deepEqual(notifyData(decode(returning(held).first), Notify.TICKET_OPAQUE), utf8('opaque'));
  });
});

describe('RFC 5723 §9', () => {
  it('9.3, R: a ticket that does not verify costs no key exchange, at most one opening, and no state', () => {
    const { crypto: counting, counts } = counted();
    const { gateway, held } = joined({}, { crypto: counting });
    const before = gateway.phases();
    Object.assign(counts, { keyExchange: 0, opened: 0, prf: 0 });
    const forged = held.ticket.map((byte, at) => (at === 50 ? byte ^ 1 : byte));
    for (let seed = 400; seed < 410; seed++) ikeSessionResume(anew(gateway, seed), { ...held, ticket: forged });
    assert.deepEqual(counts, { keyExchange: 0, opened: 10, prf: 0, imported: 0, signed: 0, verified: 0 });
    assert.deepEqual(gateway.phases(), before);
  });

  it('9.3, R: under load a cookie comes before the ticket is opened', () => {
    const { crypto: counting, counts } = counted();
    const { gateway, held } = joined({}, { crypto: counting });
    configure(gateway, policy({ config: config({ ike: { cookieThreshold: 0 } }) }));
    counts.opened = 0;
    assert.deepEqual(notifies(ikeSessionResume(anew(gateway), held)), [Notify.COOKIE]);
    assert.equal(counts.opened, 0);
  });

  it('9.4, I: unauthenticated messages never end a live SA', () => {
    const { subject, peer } = client({ deadPeerMs: 0 });
    const before = subject.session();
    const { spiI, spiR } = peer;
    const forged: Uint8Array[] = [];
    for (const exchange of [34, 35, 36, 37, 38])
      for (const type of [
        Notify.INVALID_IKE_SPI,
        Notify.AUTHENTICATION_FAILED,
        Notify.INVALID_SYNTAX,
        Notify.TICKET_NACK,
        Notify.INVALID_MAJOR_VERSION,
      ])
        for (const response of [true, false])
          for (const messageId of [0, 1, 2, 3])
            for (const responder of [spiR, NO_SPI])
              forged.push(peer.clear(exchange, [notify(type), endIke], { response, messageId, spiI, spiR: responder }));
    const [sealed = EMPTY] = peer.sealed(Exchange.INFORMATIONAL, [endIke]);
    for (let at = 0; at < sealed.length; at++) forged.push(sealed.map((byte, index) => (index === at ? byte ^ 0x80 : byte)));
    for (const bytes of forged) subject.receive(bytes, connection().path);
    assert.deepEqual(subject.session(), before);
    assert.deepEqual([subject.endings(), subject.named('ticket-void'), subject.children.size], [[], [], 1]);
    assert.ok(peer.request(Exchange.INFORMATIONAL, [], { messageId: 0 }), 'and it still answers');
  });

  it('9.4, R: nor do they end one of a gateway', () => {
    const { gateway, peer } = joined({ config: config({ ike: { deadPeerMs: 0 } }) });
    for (const type of [Notify.INVALID_IKE_SPI, Notify.AUTHENTICATION_FAILED])
      for (const response of [true, false])
        peer.send([peer.clear(Exchange.INFORMATIONAL, [notify(type), endIke], { response, messageId: 2 })]);
    assert.deepEqual(gateway.endings(), []);
    assert.ok(peer.request(Exchange.INFORMATIONAL, []));
  });

  it('9.5, K: the keys of the ring protect nothing themselves, and the subkey of tickets protects tickets alone', () => {
    const { held } = joined();
    const open = (key: Bytes): Bytes | undefined =>
      crypto.sealing.open(key, held.ticket.subarray(12, 36), held.ticket.subarray(36), held.ticket.subarray(0, 12));
    const { active } = subkeys(ring(), 'audience', crypto);
    assert.equal(open(active.key.secret.expose()), undefined);
    for (const purpose of ['hand-off', 'cookie', 'spi'] as const) assert.equal(open(active.subkey(purpose)), undefined);
    assert.ok(open(active.subkey('ticket')));
    assert.equal(active.subkey('ticket').length, 32);
  });

  it('9.8, R: tickets of identities on the list are refused, at IKE_AUTH too when they were listed in between', () => {
    const { gateway, held } = joined();
    const peer = anew(gateway);
    ikeSessionResume(peer, held);
    configure(gateway, policy({ config: config({ tickets: { revokedIdentities: [ALICE] } }) }));
    assert.deepEqual(notifies(ikeAuth(peer)), [Notify.AUTHENTICATION_FAILED]);
    assert.deepEqual(notifies(resume(anew(gateway, 301), held)), [Notify.TICKET_NACK]);
  });

  it('9.8, R: what is remembered of used tickets is bounded, and is forgotten when they expire', () => {
    const gateway = gatewayOf({ config: config({ tickets: { maxSpent: 2, lifetimeMs: 10 * 60_000 }, ike: { deadPeerMs: 0 } }) });
    let peer = Peer.towards(gateway);
    let held = ticketIn(peer, connect(peer));
    for (let seed = 300; seed < 304; seed++) {
      peer = anew(gateway, seed);
      held = ticketIn(peer, resume(peer, held));
    }
    assert.deepEqual([gateway.gateway.counts().spentTickets, gateway.gateway.counts().forgottenTickets], [2, 2]);
    gateway.pass(12 * 60_000);
    peer.request(Exchange.INFORMATIONAL, []);
    assert.deepEqual([gateway.gateway.counts().spentTickets, gateway.gateway.counts().forgottenTickets], [0, 2]);
  });

  it('9.10, I: what goes over the air when a ticket is presented tells nobody who it is', () => {
    const { gateway, held } = joined();
    const { first } = returning(held);
    assert.ok(!hex(first.bytes).includes(hex(ALICE.data)));
    const peer = anew(gateway);
    ikeSessionResume(peer, held);
    const answer: Heard | undefined = ikeAuth(peer);
    for (const bytes of [...(peer.first ? [peer.first.initiator, peer.first.responder] : []), ...(answer?.datagrams ?? [])])
      assert.ok(!hex(bytes).includes(hex(ALICE.data)) && !hex(bytes).includes(hex(GATEWAY.data)));
  });

  it('9.10, I: a ticket is presented once, and again only to who asks for a cookie or does not answer', () => {
    const held = heldBy(client().subject);
    const { subject, first, peer } = returning(held);
    const [auth] = answerResume(peer, first, held);
    const sent = answerAuth(peer, auth);
    const seen = [...sent, ...peer.hear(subject.pass(20_000))].filter(({ exchange }) => exchange === Exchange.IKE_SESSION_RESUME);
    assert.deepEqual(seen, []);
  });
});

describe('libreswan’s form of AUTH after a resumption', () => {
  it('is accepted and answered in the same form', () => {
    const { gateway, held } = joined();
    const peer = anew(gateway);
    ikeSessionResume(peer, held);
    const answer = ikeAuth(peer, { proof: 'libreswan' });
    const { keys, first } = peer;
    assert.equal(hex(payload(answer, 'AUTH')?.data ?? EMPTY), hex(prf(keys?.pr ?? EMPTY, first?.responder ?? EMPTY)));
  });

  it('is refused where the gateway wants the form of the RFC alone', () => {
    const { gateway, held } = joined({ config: config({ tickets: { acceptLibreswanAuth: false } }) });
    assert.deepEqual(notifies(resume(anew(gateway), held, { proof: 'libreswan' })), [Notify.AUTHENTICATION_FAILED]);
    assert.ok(payload(resume(anew(gateway, 301), held), 'AUTH'));
  });

  it('comes without NAT detection, for which its ticket is refused where the gateway says so, and is still good', () => {
    const { gateway, held } = joined({ config: config({ tickets: { withoutNatDetection: 'refuse' } }) });
    const bare = { change: (all: readonly Payload[]) => all.slice(0, 2) };
    const answer = ikeSessionResume(anew(gateway), held, bare);
    assert.deepEqual([notifies(answer), payload(answer, 'NONCE')], [[Notify.TICKET_NACK], undefined]);
    assert.deepEqual(gateway.named('ticket-refused').at(-1)?.reason, 'policy');
    // In UDP all the same: the port says it.
    const onNatPort = anew(gateway, 301);
    onNatPort.path = NAT_PATH;
    assert.ok(payload(ikeSessionResume(onNatPort, held, bare), 'NONCE'));
    assert.ok(payload(resume(anew(gateway, 302), held), 'AUTH'));
  });

  it('is no proof in a full exchange, nor by the wrong identity', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer);
    peer.resumed = true;
    assert.deepEqual(notifies(ikeAuth(peer, { proof: 'libreswan' })), [Notify.AUTHENTICATION_FAILED]);
    const { gateway: other, held } = joined();
    assert.deepEqual(notifies(resume(anew(other), held, { proof: 'libreswan', identity: email('b@example.com') })), [
      Notify.AUTHENTICATION_FAILED,
    ]);
  });
});
