/** Post-quantum pre-shared keys at the client (RFC 8784) and what a connection demands, with a gateway that derives its keys by itself. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sharedKeyAuth, signedOctets } from '../../../sidecar/ike/auth.ts';
import type { Connection } from '../../../sidecar/ike/connection.ts';
import type { Identity } from '../../../sidecar/ike/sa.ts';
import { provesBySignature, signAuth, signatureHashes } from '../../../sidecar/ike/signature-auth.ts';
import { type Bytes, concat, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { eapBody } from '../../../sidecar/ike/wire/eap-payload.ts';
import { notify, type Payload } from '../../../sidecar/ike/wire/payload.ts';
import { AuthMethod, CertEncoding, Exchange, Ke, Notify, TransformType } from '../../../sidecar/ike/wire/registry.ts';
import { type AnswerPart, answerAuth, answerInit, answerResume } from '../../harness/answering.ts';
import { Authority, purposes, YEAR_2030 } from '../../harness/certificate-authority.ts';
import { MSK, outcome, packet } from '../../harness/eap-script.ts';
import { adding, type Change, espProposal, same } from '../../harness/handshake.ts';
import { answerIntermediate, mixPpk, withAdditional } from '../../harness/intermediate.ts';
import { crypto, type Heard, kinds, notifies, notifyData, Peer, payload } from '../../harness/peer.ts';
import { AEAD, ALICE, connection, EAP_CONNECTION, GATEWAY, PSK } from '../../harness/policy.ts';
import { clientOf, type Sent, Subject } from '../../harness/subject.ts';

const SECRET = utf8('32 bytes that only two should know');
const ID = utf8('laptop');
const optional = { id: ID, secret: SECRET, required: false };
const required = { ...optional, required: true };
const USE_PPK = notify(Notify.USE_PPK);
const HAS_IT = notify(Notify.PPK_IDENTITY);

interface Begun {
  readonly client: Subject;
  readonly first: Sent;
  readonly peer: Peer;
  readonly request: Heard | undefined;
}

/** HDR, SAi1, KEi, Ni, N(USE_PPK)  -->    <--  HDR, SAr1, KEr, Nr, N(USE_PPK)    and the IKE_AUTH request that follows. */
function begun(part: Partial<Connection> = {}, change: Change = adding(USE_PPK)): Begun {
  const [client, first] = clientOf(connection({ ppk: optional, ...part }));
  const peer = Peer.of(client, first);
  const [request] = answerInit(peer, first, { change });
  return { client, first, peer, request };
}

const keysOf = ({ first, keys, suite }: Peer) => (first && keys ? { first, keys, suite } : assert.fail('no keys'));

/** AUTH by a shared secret, under the keys that the peer has now. */
const proof = (peer: Peer, side: 'initiator' | 'responder', identity: Identity, secret: Bytes = PSK): Bytes =>
  sharedKeyAuth(keysOf(peer), side, identity, secret, { crypto });

/** The gateway mixes the key in, and proves itself so. */
function accept({ peer, request }: Begun, part: AnswerPart = {}): Heard[] {
  mixPpk(peer, SECRET);
  return answerAuth(peer, request, { change: adding(HAS_IT), ...part });
}

describe('a post-quantum pre-shared key, the initiator', () => {
  it('says that it has one, names it, proves itself with it and without it, and mixes it in once the gateway has done so', () => {
    const all = begun();
    const { client, first, peer, request } = all;
    assert.ok(notifies(peer.hear([first])[0]).includes(Notify.USE_PPK));
    // HDR, SK {IDi, AUTH, .., N(PPK_IDENTITY, PPK_ID), N(NO_PPK_AUTH)}  -->
    assert.deepEqual(notifyData(request, Notify.PPK_IDENTITY), concat(Uint8Array.of(2), ID));
    assert.deepEqual(notifyData(request, Notify.NO_PPK_AUTH), proof(peer, 'initiator', ALICE));
    const plain = peer.keys;
    mixPpk(peer, SECRET);
    assert.deepEqual(payload(request, 'AUTH')?.data, proof(peer, 'initiator', ALICE));
    peer.keys = plain;
    // <--  HDR, SK {IDr, AUTH, .., N(PPK_IDENTITY), N(TICKET_LT_OPAQUE)}
    const ticket = notify(Notify.TICKET_LT_OPAQUE, concat(Uint8Array.of(0, 0, 14, 16), utf8('ticket')));
    accept(all, { change: adding(HAS_IT, ticket) });
    assert.equal(client.session().postQuantum, true);
    const held = client.named('ticket')[0]?.ticket;
    assert.deepEqual([held?.skD, held?.postQuantum], [peer.keys?.d, true]);
  });

  it('makes its child of the mixed SK_d', () => {
    const [plain, mixed] = [begun(), begun()];
    answerAuth(plain.peer, plain.request);
    accept(mixed);
    const [one, other] = [plain, mixed].map(({ client }) => [...client.children.values()][0]);
    assert.ok(one && other);
    assert.notDeepEqual(one.keyIn, other.keyIn);
  });

  it('ignores what the gateway says in its PPK_IDENTITY', () => {
    const all = begun();
    accept(all, { change: adding(notify(Notify.PPK_IDENTITY, utf8('something'))) });
    assert.equal(all.client.session().postQuantum, true);
  });

  it('goes on without when the gateway does not have it and it is not demanded', () => {
    const { client, peer, request } = begun();
    answerAuth(peer, request);
    assert.equal(client.session().postQuantum, false);
  });

  it('gives no proof without a key that is demanded, and ends with AUTHENTICATION_FAILED when the gateway does not have it', () => {
    const { client, peer, request } = begun({ ppk: required });
    assert.ok(!notifies(request).includes(Notify.NO_PPK_AUTH));
    const [end] = answerAuth(peer, request);
    // RFC 8784 §3:  HDR, SK {N(AUTHENTICATION_FAILED), D}  -->
    assert.deepEqual([end?.exchange, notifies(end)], [Exchange.INFORMATIONAL, [Notify.AUTHENTICATION_FAILED]]);
    assert.deepEqual([client.endings(), client.children.size], [['authentication failed'], 0]);
  });

  it('believes no gateway that says that it has the key and does not, nor one that takes the word out', () => {
    const liar = begun();
    answerAuth(liar.peer, liar.request, { change: adding(HAS_IT) });
    assert.deepEqual(liar.client.endings(), ['authentication failed']);
    const stripped = begun();
    accept(stripped, { change: same });
    assert.deepEqual(stripped.client.endings(), ['authentication failed']);
  });

  it('says nothing of it to a gateway that has none', () => {
    const { client, peer, request } = begun({}, same);
    assert.deepEqual(
      notifies(request).filter((type) => type === Notify.PPK_IDENTITY || type === Notify.NO_PPK_AUTH),
      [],
    );
    assert.deepEqual(payload(request, 'AUTH')?.data, proof(peer, 'initiator', ALICE));
    // What was not agreed on counts for nothing.
    answerAuth(peer, request, { change: adding(HAS_IT) });
    assert.equal(client.session().postQuantum, false);
  });

  it('does not take the word of a gateway for a key that it has not got', () => {
    const { client, peer, request } = begun({ ppk: undefined });
    assert.ok(!notifies(request).includes(Notify.PPK_IDENTITY));
    answerAuth(peer, request, { change: adding(HAS_IT) });
    assert.equal(client.session().postQuantum, false);
  });

  it('repeats USE_PPK with a cookie and with another group', () => {
    const [client, first] = clientOf(connection({ ppk: optional }));
    const peer = Peer.of(client, first);
    const reply = (payloads: readonly Payload[]) =>
      peer.send([peer.clear(Exchange.IKE_SA_INIT, payloads, { response: true, spiR: '00'.repeat(8) })]);
    for (const payloads of [
      [notify(Notify.COOKIE, utf8('cookie'))],
      [notify(Notify.INVALID_KE_PAYLOAD, Uint8Array.of(0, Ke.ECP_256))],
    ])
      assert.ok(notifies(reply(payloads)[0]).includes(Notify.USE_PPK));
  });

  it('goes together with IKE_INTERMEDIATE', () => {
    const ike = { ...AEAD, additionalKeyExchange: [Ke.ML_KEM_512] };
    const all = begun({ ike }, (payloads) => adding(USE_PPK)(withAdditional([Ke.ML_KEM_512])(payloads)));
    const [auth] = answerIntermediate(all.peer, all.request);
    assert.deepEqual(notifyData(auth, Notify.NO_PPK_AUTH), proof(all.peer, 'initiator', ALICE));
    accept({ ...all, request: auth });
    assert.equal(all.client.session().postQuantum, true);
  });

  it('has no part in a resumption, whatever the gateway says', () => {
    const all = begun();
    const ticket = notify(Notify.TICKET_LT_OPAQUE, concat(Uint8Array.of(0, 0, 14, 16), utf8('ticket')));
    accept(all, { change: adding(HAS_IT, ticket) });
    const held = all.client.named('ticket')[0]?.ticket ?? assert.fail('no ticket');
    const [client, first] = clientOf(connection({ ppk: required }), held, { seed: 70 });
    const peer = Peer.of(client, first);
    assert.ok(!notifies(peer.hear([first])[0]).includes(Notify.USE_PPK));
    const [request] = answerResume(peer, first, held, { change: adding(USE_PPK) });
    assert.ok(!notifies(request).includes(Notify.PPK_IDENTITY));
    answerAuth(peer, request, { change: adding(HAS_IT) });
    assert.deepEqual([client.session().kind, client.session().postQuantum], ['resumed', true]);
  });
});

describe('a post-quantum pre-shared key with EAP, the initiator', () => {
  function proven(part: Partial<Connection> = {}) {
    const all = begun({ ...EAP_CONNECTION, ...part });
    const { client, peer, request } = all;
    assert.ok(request && !notifies(request).includes(Notify.PPK_IDENTITY));
    const answer = (given: Parameters<typeof client.do>[0]) => peer.hear(client.do(given));
    const conversation = peer.spiI;
    // <--  HDR, SK {IDr, EAP}
    peer.answer(request, [
      { kind: 'IDr', ...GATEWAY },
      { kind: 'EAP', ...eapBody(packet(1, 1)) },
    ]);
    const [said] = answer({ type: 'eap-answered', conversation, answer: { is: 'packet', message: packet(2, 1) } });
    peer.answer(said ?? assert.fail(), [{ kind: 'EAP', ...eapBody(packet(3, 1)) }]);
    const success = { is: 'success', message: packet(3, 1), ...outcome() } as const;
    const [auth] = answer({ type: 'eap-answered', conversation, answer: success });
    return { ...all, request, auth: auth ?? assert.fail('no AUTH') };
  }
  const last = ({ peer, request }: ReturnType<typeof proven>, ...more: readonly Payload[]): Payload[] => {
    const [tsi, tsr] = [payload(request, 'TSi'), payload(request, 'TSr')];
    const data = proof(peer, 'responder', GATEWAY, MSK);
    const child: Payload[] = [{ kind: 'SA', proposals: [espProposal(0x0b00_0001)] }, tsi ?? assert.fail(), tsr ?? assert.fail()];
    return [{ kind: 'AUTH', method: AuthMethod.SHARED_KEY, data }, ...child, ...more];
  };

  it('is named in the message that has the AUTH payload, with the proof without it', () => {
    const all = proven();
    const { client, peer, auth } = all;
    assert.deepEqual(kinds(auth), ['AUTH', 'N', 'N']);
    assert.deepEqual(notifyData(auth, Notify.PPK_IDENTITY), concat(Uint8Array.of(2), ID));
    assert.deepEqual(notifyData(auth, Notify.NO_PPK_AUTH), proof(peer, 'initiator', ALICE, MSK));
    mixPpk(peer, SECRET);
    assert.deepEqual(payload(auth, 'AUTH')?.data, proof(peer, 'initiator', ALICE, MSK));
    peer.answer(auth, last(all, HAS_IT));
    assert.equal(client.session().postQuantum, true);
  });

  it('is done without where it is not demanded, and ends the attempt where it is', () => {
    const free = proven();
    free.peer.answer(free.auth, last(free));
    assert.equal(free.client.session().postQuantum, false);
    const strict = proven({ ppk: required });
    assert.deepEqual(notifies(strict.auth), [Notify.PPK_IDENTITY]);
    const [end] = strict.peer.answer(strict.auth, last(strict));
    assert.deepEqual([notifies(end), strict.client.endings()], [[Notify.AUTHENTICATION_FAILED], ['authentication failed']]);
  });
});

describe('a post-quantum pre-shared key with certificates, the initiator', () => {
  const root = Authority.root();
  const alice = root.issue({ names: ['email:alice@example.com'], key: 'ed25519' });
  const server = root.issue({ names: ['dns:vpn.example.com'], purposes: [purposes.serverAuth] });
  const privateKey = (pkcs8: Bytes) => crypto.signatures.privateKey(pkcs8) ?? assert.fail('not a key');

  function met(part: Partial<Connection> = {}) {
    const client = new Subject({ seed: 7 });
    client.now = YEAR_2030 as typeof client.now;
    const authentication = { method: 'certificate', chain: [alice.der], privateKey: alice.pkcs8 } as const;
    const of = connection({ authentication, trust: { anchors: [root.issued.der], lists: [] }, ppk: optional, ...part });
    const [first] = client.do({ type: 'connect', connection: of, ticket: undefined });
    const peer = Peer.of(client, first ?? assert.fail());
    const [request] = answerInit(peer, first ?? assert.fail(), { change: adding(USE_PPK, signatureHashes()) });
    return { client, peer, request: request ?? assert.fail('no IKE_AUTH') };
  }
  const signing =
    (peer: Peer, ...more: readonly Payload[]): Change =>
    (payloads) => {
      const auth = signAuth(signedOctets(keysOf(peer), 'responder', GATEWAY, { crypto }), privateKey(server.pkcs8), [2]);
      const cert: Payload = { kind: 'CERT', encoding: CertEncoding.X509_SIGNATURE, data: server.der };
      const signed = payloads.flatMap((one): Payload[] => (one.kind === 'AUTH' ? [cert, auth ?? assert.fail()] : [one]));
      return [...signed, ...more];
    };

  it('signs twice by the same method, over the mixed SK_pi and over the other', () => {
    const { client, peer, request } = met();
    const auth = payload(request, 'AUTH') ?? assert.fail();
    const plain = notifyData(request, Notify.NO_PPK_AUTH) ?? assert.fail();
    const key = crypto.signatures.publicKey(privateKey(alice.pkcs8).publicKey()) ?? assert.fail();
    const octets = () => signedOctets(keysOf(peer), 'initiator', ALICE, { crypto });
    assert.ok(provesBySignature({ ...auth, data: plain }, octets(), key));
    assert.ok(!provesBySignature(auth, octets(), key));
    mixPpk(peer, SECRET);
    assert.ok(provesBySignature(auth, octets(), key));
    answerAuth(peer, request, { change: signing(peer, HAS_IT) });
    assert.equal(client.session().postQuantum, true);
  });

  it('believes no signature over the keys without it from a gateway that says that it has it', () => {
    const { client, peer, request } = met();
    answerAuth(peer, request, { change: signing(peer, HAS_IT) });
    assert.deepEqual(client.endings(), ['authentication failed']);
  });

  it('goes on without, where that is allowed', () => {
    const { client, peer, request } = met();
    answerAuth(peer, request, { change: signing(peer) });
    assert.equal(client.session().postQuantum, false);
  });
});

describe('a connection that demands keys which are safe from quantum computers', () => {
  const ike = { ...AEAD, additionalKeyExchange: [Ke.ML_KEM_768] };

  /** The gateway, or somebody between, answers without what is demanded; then comes the true answer. */
  const waits = (part: Partial<Connection>, better: Change, reason: RegExp, worse: Change = same): Begun => {
    const [client, first] = clientOf(connection(part));
    const forger = Peer.of(client, first, 900);
    assert.deepEqual(answerInit(forger, first, { change: worse }), [], 'who we are is not told');
    assert.deepEqual(answerInit(forger, first, { change: worse }), []);
    const refused = client.named('refused');
    assert.deepEqual([refused.length, refused[0]?.by, client.phases()], [1, 'us', ['initSent']]);
    assert.match(refused[0]?.reason ?? '', reason);
    const peer = Peer.of(client, first);
    const [request] = answerInit(peer, first, { change: better });
    return { client, first, peer, request };
  };

  it('waits for a better answer than one without the key that it demands, and tells why once (RFC 8784 §6)', () => {
    const all = waits({ ppk: required }, adding(USE_PPK), /no post-quantum pre-shared key/);
    accept(all);
    assert.equal(all.client.session().postQuantum, true);
  });

  it('gives up when none comes', () => {
    const [client, first] = clientOf(connection({ ppk: required }));
    answerInit(Peer.of(client, first), first);
    assert.ok(client.pass(60_000).length > 2, 'the request is repeated');
    assert.deepEqual([client.phases(), client.sessions()], [[], []]);
  });

  it('waits for one of the two, the key or ML-KEM', () => {
    const plain: Change = (payloads) =>
      payloads.map((one) =>
        one.kind === 'SA' ? { ...one, proposals: one.proposals.map((offer) => ({ ...offer, number: 2 })) } : one,
      );
    const all = waits(
      { ike, ppk: optional, postQuantum: 'required' },
      withAdditional([Ke.ML_KEM_768]),
      /nothing that is safe/,
      plain,
    );
    const [auth] = answerIntermediate(all.peer, all.request);
    answerAuth(all.peer, auth);
    assert.equal(all.client.session().postQuantum, true);
  });

  it('offers nothing but ML-KEM where it has no such key, and takes nothing else', () => {
    const [client, first] = clientOf(connection({ ike, postQuantum: 'required' }));
    const peer = Peer.of(client, first);
    const proposals = payload(peer.hear([first])[0], 'SA')?.proposals ?? [];
    const further = proposals.map(({ transforms }) => transforms.filter(({ type }) => type === TransformType.ADDKE1).length);
    assert.deepEqual(further, [1]);
    assert.deepEqual(answerInit(peer, first), []);
    assert.deepEqual(client.endings(), ['handshake failed']);
  });

  it('offers a first key exchange by ML-KEM without another one after it, where it knows such a thing', () => {
    const both = { ...ike, keyExchange: [Ke.ML_KEM_512, Ke.CURVE25519] };
    const [client, first] = clientOf(connection({ ike: both, postQuantum: 'required' }));
    const proposals = payload(Peer.of(client, first).hear([first])[0], 'SA')?.proposals ?? [];
    assert.equal(proposals.length, 2);
  });

  it('is content with a pre-shared key of the kind, which it then insists on', () => {
    const good = begun({ postQuantum: 'required' });
    assert.ok(!notifies(good.request).includes(Notify.NO_PPK_AUTH));
    accept(good);
    assert.equal(good.client.session().postQuantum, true);
    const bad = begun({ postQuantum: 'required' });
    answerAuth(bad.peer, bad.request);
    assert.deepEqual(bad.client.endings(), ['authentication failed']);
  });

  it('needs no pre-shared key where there is ML-KEM', () => {
    const all = begun({ ike, postQuantum: 'required' }, (payloads) => adding(USE_PPK)(withAdditional([Ke.ML_KEM_768])(payloads)));
    const [auth] = answerIntermediate(all.peer, all.request);
    assert.ok(notifies(auth).includes(Notify.NO_PPK_AUTH));
    answerAuth(all.peer, auth);
    assert.equal(all.client.session().postQuantum, true);
  });

  it('does not use the ticket of a session that was not', () => {
    const held = (postQuantum: boolean) => {
      const all = begun({ ppk: undefined }, same);
      const ticket = notify(Notify.TICKET_LT_OPAQUE, concat(Uint8Array.of(0, 0, 14, 16), utf8('ticket')));
      answerAuth(all.peer, all.request, { change: adding(ticket) });
      return { ...(all.client.named('ticket')[0]?.ticket ?? assert.fail()), postQuantum };
    };
    const begins = (part: Partial<Connection>, safe: boolean) => {
      const [client, first] = clientOf(connection(part), held(safe));
      return [first.bytes[18], client.named('ticket-void').map(({ why }) => why)];
    };
    const unsafe = [Exchange.IKE_SA_INIT, ['not safe from quantum computers']];
    for (const part of [{ postQuantum: 'required' }, { ppk: required }] as const) {
      assert.deepEqual(begins(part, false), unsafe);
      assert.deepEqual(begins(part, true), [Exchange.IKE_SESSION_RESUME, []]);
    }
    assert.deepEqual(begins({ ppk: optional }, false), [Exchange.IKE_SESSION_RESUME, []]);
  });
});
