/** EAP in IKE_AUTH (RFC 7296 §2.16, RFC 5998), both sides: against a peer that is driven by hand, with answers of EAP that are given by hand. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AuthenticationRule } from '../../../../sidecar/contract/authentication.ts';
import { DEFAULT_RULES } from '../../../../sidecar/contract/authentication-yaml.ts';
import { sharedKeyAuth } from '../../../../sidecar/ike/auth.ts';
import type { EapOutcome } from '../../../../sidecar/ike/eap.ts';
import { NO_GRANT } from '../../../../sidecar/ike/eap.ts';
import { type Bytes, EMPTY } from '../../../../sidecar/ike/wire/bytes.ts';
import { eapBody, eapBytes } from '../../../../sidecar/ike/wire/eap-payload.ts';
import { notify, type Payload } from '../../../../sidecar/ike/wire/payload.ts';
import { AuthMethod, Exchange, Notify } from '../../../../sidecar/ike/wire/registry.ts';
import { answerInit, INNER } from '../../../harness/answering.ts';
import { answer, begin, converse, EAP_ONLY, first, proofFor, prove, say } from '../../../harness/eap-handshake.ts';
import { MSK, outcome, packet } from '../../../harness/eap-script.ts';
import { adding, childOffer, ikeAuth, ikeSaInit, innerIn, resume, ticketIn, without } from '../../../harness/handshake.ts';
import { crypto, type Heard, kinds, NAT_PATH, notifies, Peer, payload } from '../../../harness/peer.ts';
import { Pods } from '../../../harness/pods.ts';
import { ALICE, config, connection, EAP_CONNECTION, eapRule, email, fqdn, GATEWAY, policy } from '../../../harness/policy.ts';
import { clientOf, configure, gatewayOf, type Subject } from '../../../harness/subject.ts';

const FAILED = [notify(Notify.AUTHENTICATION_FAILED)];

const eapGateway = (...rules: readonly Partial<AuthenticationRule>[]): Subject =>
  gatewayOf({ config: config({ authentication: [...DEFAULT_RULES, ...(rules.length > 0 ? rules : [{}]).map(eapRule)] }) });

describe('IKE_AUTH with EAP, the responder', () => {
  it('says who it is, carries packets, and gives at the end what was asked for at the beginning', () => {
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    // HDR, SK {IDi, CP, SAi2, TSi, TSr, N(EAP_ONLY), N(TICKET_REQUEST)}  -->
    assert.equal(begin(peer), undefined, 'the answer waits for EAP');
    assert.deepEqual(gateway.phases(), ['eapAsked']);
    const [question] = gateway.eap;
    assert.deepEqual(question, {
      ...{ conversation: peer.spiR, side: 'server', method: 'eap-tls', name: 'eap', message: undefined, claimed: ALICE },
      ...peer.path,
    });
    // <--  HDR, SK {IDr, EAP}
    const [opened] = answer(peer);
    assert.deepEqual([kinds(opened), opened?.messageId], [['IDr', 'EAP'], 1]);
    // HDR, SK {EAP}  -->  <--  HDR, SK {EAP}
    assert.equal(say(peer, packet(2, 1)), undefined);
    assert.deepEqual(gateway.eap.at(-1)?.message, packet(2, 1));
    const [asked] = answer(peer);
    assert.deepEqual([kinds(asked), asked?.messageId], [['EAP'], 2]);
    // HDR, SK {EAP}  -->  <--  HDR, SK {EAP (success)}
    say(peer, packet(2, 2));
    const [success] = answer(peer);
    const eap = payload(success, 'EAP');
    assert.deepEqual(eap && eapBytes(eap), packet(3, 2));
    assert.deepEqual(gateway.phases(), ['eapProven']);
    // HDR, SK {AUTH}  -->  <--  HDR, SK {AUTH, CP, SAr2, TSi, TSr, N(TICKET_LT_OPAQUE)}
    const last = prove(peer);
    assert.deepEqual(kinds(last).slice(0, 5), ['AUTH', 'CP', 'SA', 'TSi', 'TSr']);
    assert.ok(notifies(last).includes(Notify.TICKET_LT_OPAQUE));
    const { kind, remote, inner } = gateway.session();
    assert.deepEqual([kind, remote, inner], ['full', ALICE, [innerIn(last)]]);
    assert.equal(gateway.children.size, 1);
    assert.deepEqual(gateway.forgotten, [peer.spiR]);
    assert.equal(gateway.gateway.counts().halfOpen, 0);
    const messages = { ...peer, first: peer.first, keys: peer.keys };
    assert.ok(messages.first && messages.keys);
    const proof = sharedKeyAuth({ first: messages.first, keys: messages.keys, suite: peer.suite }, 'responder', GATEWAY, MSK, {
      crypto,
    });
    assert.deepEqual(payload(last, 'AUTH')?.data, proof);
  });

  it('goes by the identity that EAP has proven, not by IDi; the ticket too (RFC 5723 §5 note 1)', () => {
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    const phone = fqdn('my-phone');
    converse(peer, {}, first(phone));
    const last = prove(peer, MSK, phone);
    assert.deepEqual(gateway.session().remote, ALICE);
    const held = { ...ticketIn(peer, last, [innerIn(last) ?? EMPTY]), local: phone };
    // HDR, Ni, N(TICKET_OPAQUE)  -->   and IKE_AUTH: no EAP any more
    const again = Peer.towards(gateway, { seed: 500 });
    resume(again, held, { identity: phone });
    assert.deepEqual([gateway.session().kind, gateway.session().remote], ['resumed', ALICE]);
    assert.equal(gateway.eap.length, 3);
    const other = Peer.towards(gateway, { seed: 900 });
    const refused = resume(other, held, { identity: ALICE });
    assert.deepEqual(
      notifies(refused).filter((type) => type === Notify.TICKET_LT_OPAQUE),
      [],
    );
  });

  it('takes names that are no addresses for key ids, each for its own', () => {
    for (const [name, remote] of [
      ['alice', fqdn('alice')],
      ['BIGCO\\alice', { idType: 11, data: new TextEncoder().encode('BIGCO\\alice') }],
      ['CN=alice, O=Example', { idType: 11, data: new TextEncoder().encode('CN=alice, O=Example') }],
      ['12345', { idType: 11, data: new TextEncoder().encode('12345') }],
      ['', { idType: 11, data: EMPTY }],
    ] as const) {
      const gateway = eapGateway();
      const peer = Peer.towards(gateway);
      converse(peer, { identity: name });
      prove(peer);
      assert.deepEqual(gateway.session().remote, remote, name);
    }
  });

  it('answers a repeated request only when EAP has answered, and then with the same bytes', () => {
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer);
    const request = peer.sealed(Exchange.IKE_AUTH, first());
    peer.next = 2;
    assert.deepEqual(peer.send(request), []);
    assert.deepEqual(peer.send(request), []);
    assert.equal(gateway.eap.length, 1, 'one question');
    const [opened] = answer(peer);
    const [again] = peer.send(request);
    assert.deepEqual(again?.datagrams, opened?.datagrams);
    assert.equal(gateway.eap.length, 1);
  });

  it('ends in AUTHENTICATION_FAILED with an AUTH by another key, or of another method', () => {
    for (const change of [
      (one: Payload): Payload => (one.kind === 'AUTH' ? { ...one, data: new Uint8Array(32) } : one),
      (one: Payload): Payload => (one.kind === 'AUTH' ? { ...one, method: AuthMethod.RSA } : one),
    ]) {
      const gateway = eapGateway();
      const peer = Peer.towards(gateway);
      converse(peer);
      const last = peer.request(Exchange.IKE_AUTH, [change(proofFor(peer))]);
      assert.deepEqual(last?.payloads, FAILED);
      assert.deepEqual([gateway.endings(), gateway.forgotten], [['authentication failed'], [peer.spiR]]);
      assert.deepEqual(gateway.orders, []);
    }
  });

  it('hands on EAP-Failure, answers a repetition with it, and lets nobody go on', () => {
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    begin(peer);
    const [failure] = answer(peer, { is: 'failure', message: packet(4, 1), why: 'wrong user or password' });
    assert.deepEqual(kinds(failure), ['EAP']);
    assert.deepEqual([gateway.endings(), gateway.forgotten], [['authentication failed'], [peer.spiR]]);
    assert.equal(gateway.named('refused')[0]?.reason, 'wrong user or password');
    assert.equal(prove(peer), undefined);
    gateway.pass(60_000);
    assert.deepEqual(gateway.phases(), []);
    assert.equal(gateway.gateway.counts().halfOpen, 0);
  });

  it('says AUTHENTICATION_FAILED where EAP has no packet to say it with', () => {
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    begin(peer);
    assert.deepEqual(answer(peer, { is: 'failure', message: undefined, why: 'no server' })[0]?.payloads, FAILED);
  });

  it('proves itself and its peer by SK_pr and SK_pi where the method makes no key (RFC 7296 §2.16)', () => {
    // Without a certificate that would prove nothing of the gateway: RFC 5998 §4.
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    assert.deepEqual(converse(peer, { msk: undefined })?.payloads, FAILED);
    const another = Peer.towards(gateway, { seed: 500 });
    assert.deepEqual(converse(another, { mutual: false })?.payloads, FAILED);
  });

  it('lets nobody do without its certificate unless both the peer and the rule say so', () => {
    for (const [rule, change] of [
      [{ eapOnly: false }, (all: readonly Payload[]) => all],
      [{}, (all: readonly Payload[]) => all.filter((one) => one.kind !== 'N' || one.notify !== Notify.EAP_ONLY_AUTHENTICATION)],
    ] as const) {
      const gateway = eapGateway(rule);
      const peer = Peer.towards(gateway);
      assert.deepEqual(begin(peer, change(first()))?.payloads, FAILED);
      assert.equal(gateway.eap.length, 0);
    }
  });

  it('has a rule for EAP, or refuses', () => {
    const gateway = gatewayOf();
    assert.deepEqual(begin(Peer.towards(gateway))?.payloads, FAILED);
  });

  it('tries the rule whose pattern fits IDi, else the first; grants the one that fits the proven name', () => {
    const gateway = eapGateway(
      { name: 'staff', identities: ['*@staff.example'], reauthenticationMs: 60_000 },
      { name: 'guests', identities: ['*@guests.example'], method: 'eap-mschapv2' },
      { name: 'friends', identities: ['*@friends.example'], reauthenticationMs: 120_000 },
    );
    const tried = (identity: typeof ALICE): string | undefined => {
      begin(Peer.towards(gateway, { seed: 100 + gateway.eap.length * 10 }), first(identity));
      return gateway.eap.at(-1)?.name;
    };
    assert.equal(tried(email('bob@guests.example')), 'guests');
    assert.equal(tried({ idType: 1, data: Uint8Array.of(192, 0, 2, 7) }), 'staff');
    const granted = (name: string): Heard | undefined => {
      const peer = Peer.towards(gateway, { seed: 5_000 + gateway.eap.length * 10 });
      const success = converse(peer, { identity: name }, first(email('x@staff.example')));
      return kinds(success)[0] === 'EAP' ? prove(peer, MSK, email('x@staff.example')) : success;
    };
    assert.deepEqual(granted('bob@guests.example')?.payloads, FAILED, 'proven by another method');
    assert.deepEqual(granted('bob@nowhere.example')?.payloads, FAILED, 'no rule');
    granted('bob@friends.example');
    const { reauthenticateBy } = gateway.session();
    assert.equal(reauthenticateBy, gateway.now + 120_000);
  });

  it('takes a certificate that one rule trusts for nothing in a rule that trusts others', () => {
    const gateway = eapGateway(
      { name: 'any', identities: ['*@any.example'], authorities: ['lax'] },
      { name: 'strict', identities: ['*@strict.example'], authorities: ['strict'] },
    );
    const peer = Peer.towards(gateway);
    const lax = email('mallory@any.example');
    assert.deepEqual(converse(peer, { identity: 'mallory@strict.example' }, first(lax))?.payloads, FAILED);
    const honest = Peer.towards(gateway, { seed: 500 });
    converse(honest, { identity: 'bob@any.example' }, first(lax));
    assert.equal(kinds(prove(honest, MSK, lax))[0], 'AUTH');
  });

  it('ends a session when the server, or the certificate, says so', () => {
    for (const [part, end] of [
      [{ granted: { ...NO_GRANT, sessionTimeoutMs: 90_000 } }, 90_000],
      [{ certificate: { fingerprint: new Uint8Array(32), chain: [], notAfter: 1_045_000 as never } }, 45_000],
    ] as const) {
      const gateway = eapGateway();
      const peer = Peer.towards(gateway);
      converse(peer, part);
      prove(peer);
      assert.equal((gateway.session().reauthenticateBy ?? 0) - gateway.now, end);
    }
  });

  it('gives up a conversation that does not end, or that is too long in its first request', () => {
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    begin(peer);
    let last: Heard | undefined;
    for (let round = 0; round < 41 && gateway.endings().length === 0; round++) {
      answer(peer, { is: 'packet', message: packet(1, 1) });
      last = say(peer, packet(2, 1));
    }
    assert.deepEqual(last?.payloads, FAILED);
    assert.equal(gateway.eap.length, 41);
    const another = Peer.towards(gateway, { seed: 500 });
    const long = Array.from({ length: 10 }, () => notify(40_960 as Notify, new Uint8Array(1_000)));
    assert.deepEqual(begin(another, first(ALICE, ...long))?.payloads, FAILED);
  });

  it('is half open all the while: it has a place among those, and an end', () => {
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    begin(peer);
    assert.equal(gateway.gateway.counts().halfOpen, 1);
    answer(peer);
    assert.deepEqual([gateway.phases(), gateway.gateway.counts().halfOpen], [['eapSent'], 1]);
    gateway.pass(31_000);
    assert.deepEqual([gateway.phases(), gateway.endings(), gateway.forgotten], [[], ['half-open too long'], [peer.spiR]]);
    const slow = Peer.towards(gateway, { seed: 500 });
    begin(slow);
    gateway.pass(31_000);
    assert.deepEqual(answer(slow), [], 'an answer that comes too late');
    assert.deepEqual(gateway.forgotten, [peer.spiR, slow.spiR]);
  });

  it('takes nothing but EAP while EAP is under way', () => {
    for (const payloads of [[], [proofFor], first()]) {
      const gateway = eapGateway();
      const peer = Peer.towards(gateway);
      begin(peer);
      answer(peer);
      const said = payloads.map((one) => (typeof one === 'function' ? one(peer) : one));
      const heard = peer.request(Exchange.IKE_AUTH, said);
      assert.deepEqual(kinds(heard), ['N']);
      assert.equal(gateway.sessions().length, 0);
    }
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    begin(peer);
    answer(peer);
    assert.deepEqual(say(peer, packet(1, 1))?.payloads, FAILED, 'a request of the peer');
  });

  it('takes note of a peer that gives up in the midst, and of why', () => {
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    for (const [said, why] of [
      [FAILED, 'authentication failed'],
      [[{ kind: 'D', protocol: 1, spis: [] } as const], 'handshake failed'],
    ] as const) {
      begin(peer);
      answer(peer);
      // HDR, SK {N(AUTHENTICATION_FAILED)} or {D}  -->  <--  HDR, SK {}
      assert.deepEqual(peer.request(Exchange.INFORMATIONAL, said)?.payloads, []);
      assert.deepEqual([gateway.endings().at(-1), gateway.forgotten.at(-1)], [why, peer.spiR]);
    }
    assert.deepEqual(
      gateway.named('refused').map(({ by, notify }) => [by, notify]),
      [['peer', 'AUTHENTICATION_FAILED']],
    );
  });

  it('follows its peer to another port in the midst', () => {
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    begin(peer);
    answer(peer);
    peer.path = NAT_PATH;
    say(peer, packet(2, 1));
    const [asked] = answer(peer);
    assert.deepEqual(asked?.path, NAT_PATH);
  });

  it('begins at the pod that IKE_AUTH reaches, and stays there', () => {
    const pods = new Pods(2, { authentication: [eapRule()] });
    const peer = Peer.towards(pods.get(0));
    ikeSaInit(peer);
    const request = peer.sealed(Exchange.IKE_AUTH, first());
    peer.next = 2;
    peer.subject = pods.get(1);
    peer.send(request);
    pods.talk();
    assert.deepEqual([pods.get(0).phases(), pods.get(1).phases()], [[], ['eapAsked']]);
    assert.deepEqual(kinds(answer(peer)[0]), ['IDr', 'EAP']);
    // Its next packet at the wrong pod: nobody has such an SA there.
    peer.subject = pods.get(0);
    assert.equal(say(peer, packet(2, 1)), undefined);
    pods.talk();
    assert.deepEqual([pods.get(0).phases(), pods.get(1).phases()], [[], ['eapSent']]);
  });

  it('forgets conversations when it shuts down', () => {
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    begin(peer);
    gateway.do({ type: 'shutdown', tell: false });
    assert.deepEqual(gateway.forgotten, [peer.spiR]);
  });

  it('goes by the policy that is in force at the end', () => {
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    converse(peer);
    configure(gateway, policy());
    assert.deepEqual(prove(peer)?.payloads, FAILED);
  });

  it('counts for nothing after a resumption: a ticket wants its proof', () => {
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    converse(peer);
    const held = ticketIn(peer, prove(peer));
    const again = Peer.towards(gateway, { seed: 500 });
    assert.deepEqual(resume(again, held, { change: without('AUTH') })?.payloads, FAILED);
  });

  it('lets who sends AUTH authenticate as ever', () => {
    const gateway = eapGateway();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer);
    ikeAuth(peer, { change: adding(EAP_ONLY) });
    assert.equal(gateway.session().kind, 'full');
    assert.equal(gateway.eap.length, 0);
  });
});

describe('IKE_AUTH with EAP, the initiator', () => {
  const begun = (part = {}) => {
    const [client, sent] = clientOf(connection({ ...EAP_CONNECTION, ...part }));
    const peer = Peer.of(client, sent);
    const [request] = answerInit(peer, sent);
    return { client, peer, request: request ?? assert.fail('no IKE_AUTH') };
  };
  const opening = (code = 1): Payload[] => [
    { kind: 'IDr', ...GATEWAY },
    { kind: 'EAP', ...eapBody(packet(code, 1)) },
  ];
  const eap = (message: Bytes): Payload => ({ kind: 'EAP', ...eapBody(message) });

  /** Up to the AUTH of the client. */
  function converse(given: Partial<EapOutcome> = {}) {
    const all = begun();
    const { client, peer, request } = all;
    peer.answer(request, opening());
    const [said] = answer(peer);
    assert.deepEqual(kinds(said), ['EAP']);
    peer.answer(said ?? assert.fail(), [eap(packet(3, 1))]);
    const [proof] = answer(peer, { is: 'success', message: packet(3, 1), ...outcome(given) });
    return { ...all, client, proof };
  }

  it('leaves out AUTH, answers packets, and proves itself by the key that came of it', () => {
    const { client, peer, request, proof } = converse();
    assert.ok(!kinds(request).includes('AUTH') && notifies(request).includes(Notify.EAP_ONLY_AUTHENTICATION));
    assert.deepEqual(
      client.eap.map(({ side, name, message, method }) => [side, name, message, method]),
      [
        ['peer', 'home', packet(1, 1), undefined],
        ['peer', 'home', packet(3, 1), undefined],
      ],
    );
    assert.deepEqual(kinds(proof), ['AUTH']);
    const { first: messages, keys, suite } = peer;
    assert.ok(messages && keys && proof);
    assert.deepEqual(
      payload(proof, 'AUTH')?.data,
      sharedKeyAuth({ first: messages, keys, suite }, 'initiator', ALICE, MSK, { crypto }),
    );
    const [tsi, tsr] = [payload(request, 'TSi'), payload(request, 'TSr')];
    assert.ok(tsi && tsr);
    peer.answer(proof, [proofFor(peer, MSK, GATEWAY), ...childAnswer(tsi, tsr)]);
    const { kind, remote, inner } = client.session();
    assert.deepEqual([kind, remote, inner], ['full', GATEWAY, [INNER]]);
    assert.deepEqual(client.forgotten, [peer.spiI]);
    assert.equal(client.named('established')[0]?.roundTrips, 4);
  });

  it('refuses a gateway that does not know the key', () => {
    const { client, peer, proof } = converse();
    peer.answer(proof ?? assert.fail(), [proofFor(peer, new Uint8Array(64), GATEWAY)]);
    assert.deepEqual([client.endings(), client.forgotten], [['authentication failed'], [peer.spiI]]);
  });

  it('refuses a method that does not prove the gateway, where no certificate did (RFC 5998 §4)', () => {
    for (const part of [{ msk: undefined }, { mutual: false }]) {
      const { client, proof } = converse(part);
      assert.deepEqual(kinds(proof), ['N', 'D']);
      assert.deepEqual(client.endings(), ['authentication failed']);
    }
  });

  it('refuses a gateway without a certificate unless EAP-only was asked for', () => {
    const { client, peer, request } = begun({ authentication: { method: 'eap', eapOnly: false } });
    assert.ok(!notifies(request).includes(Notify.EAP_ONLY_AUTHENTICATION));
    peer.answer(request, opening());
    assert.deepEqual([client.endings(), client.eap], [['authentication failed'], []]);
  });

  it('refuses another gateway than the one expected, before EAP', () => {
    const { client, peer, request } = begun({ remote: fqdn('other.example') });
    peer.answer(request, opening());
    assert.deepEqual([client.endings(), client.eap], [['authentication failed'], []]);
  });

  it('ends when the gateway refuses, when EAP fails, when nobody answers, and when it takes too long', () => {
    const refused = begun();
    refused.peer.answer(refused.request, FAILED);
    assert.deepEqual(refused.client.endings(), ['authentication failed']);
    const later = begun();
    later.peer.answer(later.request, opening());
    const [said] = answer(later.peer);
    later.peer.answer(said ?? assert.fail(), FAILED);
    assert.deepEqual([later.client.endings(), later.client.forgotten], [['authentication failed'], [later.peer.spiI]]);
    const failed = begun();
    failed.peer.answer(failed.request, opening());
    answer(failed.peer, { is: 'failure', message: undefined, why: 'wrong user or password' });
    assert.deepEqual(failed.client.endings(), ['authentication failed']);
    assert.match(failed.client.named('refused')[0]?.reason ?? '', /wrong user or password/);
    const silent = begun();
    silent.peer.answer(silent.request, opening());
    silent.client.pass(61_000);
    assert.deepEqual([silent.client.endings(), silent.client.phases()], [['handshake failed'], []]);
    const deaf = begun();
    deaf.peer.answer(deaf.request, opening());
    answer(deaf.peer);
    deaf.client.pass(120_000);
    assert.deepEqual(deaf.client.phases(), []);
  });

  it('goes on with no gateway for ever', () => {
    const { client, peer, request } = begun();
    let asked: Heard | undefined = request;
    peer.answer(asked, opening());
    for (let round = 0; round < 50 && client.endings().length === 0; round++) {
      [asked] = answer(peer);
      peer.answer(asked ?? assert.fail(), [eap(packet(1, 1))]);
    }
    assert.deepEqual(client.endings(), ['authentication failed']);
    assert.equal(client.eap.length, 41);
  });

  it('ignores what the gateway asks meanwhile', () => {
    const { client, peer, request } = begun();
    peer.answer(request, opening());
    assert.equal(peer.request(Exchange.INFORMATIONAL, []), undefined);
    assert.deepEqual(client.phases(), ['eapHeard']);
  });
});

function childAnswer(tsi: Payload, tsr: Payload): Payload[] {
  const [sa] = childOffer(0x0b00_0001);
  const cp: Payload = { kind: 'CP', cfgType: 2, attributes: [{ type: 1, value: INNER }] };
  return [cp, ...(sa ? [sa] : []), tsi, tsr];
}
