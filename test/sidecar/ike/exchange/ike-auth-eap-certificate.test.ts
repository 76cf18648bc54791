/** EAP as it is used mostly (RFC 7296 §2.16): the gateway shows its certificate first; and what comes of EAP: addresses, times, accounts, keys. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AuthenticationRule } from '../../../../sidecar/contract/authentication.ts';
import { sharedKeyAuth, signedOctets } from '../../../../sidecar/ike/auth.ts';
import { NO_GRANT } from '../../../../sidecar/ike/eap.ts';
import { provesBySignature, signAuth, signatureHashes } from '../../../../sidecar/ike/signature-auth.ts';
import { type Bytes, concat, EMPTY, hex, utf8 } from '../../../../sidecar/ike/wire/bytes.ts';
import { eapBody } from '../../../../sidecar/ike/wire/eap-payload.ts';
import { notify, type Payload } from '../../../../sidecar/ike/wire/payload.ts';
import { Exchange, Notify } from '../../../../sidecar/ike/wire/registry.ts';
import { answerInit, INNER } from '../../../harness/answering.ts';
import { Authority, type Issued } from '../../../harness/certificate-authority.ts';
import { alice, certificates, certified, issuing, NOW, root, server } from '../../../harness/certified.ts';
import { answer, begin, converse, EAP_ONLY, first, proofFor, prove } from '../../../harness/eap-handshake.ts';
import { MSK, outcome, packet } from '../../../harness/eap-script.ts';
import { adding, childOffer, innerIn, resume, ticketIn } from '../../../harness/handshake.ts';
import { mixPpk } from '../../../harness/intermediate.ts';
import { crypto, type Heard, kinds, notifies, notifyData, Peer, payload } from '../../../harness/peer.ts';
import { ALICE, config, connection, eapRule, email, fqdn, GATEWAY } from '../../../harness/policy.ts';
import { clientOf, configure, gatewayOf, type Subject } from '../../../harness/subject.ts';

type Part = NonNullable<Parameters<typeof certified>[0]>;

/** Shows its certificate to everybody, unless the rule says otherwise. */
function gatewayWith(
  rule: Partial<AuthenticationRule> = {},
  part: Omit<Part, 'config'> & { config?: Parameters<typeof config>[0] } = {},
) {
  const gateway = gatewayOf();
  gateway.now = NOW;
  const authentication = [eapRule({ eapOnly: false, ...rule })];
  configure(gateway, certified({ ...part, config: config({ ...part.config, authentication }) }));
  return gateway;
}

const HASHES = adding(signatureHashes());
const FAILED = [notify(Notify.AUTHENTICATION_FAILED)];
const proofOf = ({ first: messages, keys, suite, role }: Peer) =>
  messages && keys ? { proof: { first: messages, keys, suite }, keys, role } : assert.fail('no keys yet');

/** Up to the last answer, through AUTH by `secret`. */
function enter(
  gateway: Subject,
  given: Parameters<typeof converse>[1] = {},
  secret: Bytes = MSK,
): { peer: Peer; last: Heard | undefined } {
  const peer = Peer.towards(gateway);
  converse(peer, given, first(), HASHES);
  return { peer, last: prove(peer, secret) };
}

describe('IKE_AUTH with EAP, a gateway that shows its certificate', () => {
  it('proves itself by signature before EAP begins, and by the key of EAP at the end', () => {
    const gateway = gatewayWith();
    const peer = Peer.towards(gateway);
    // HDR, SK {IDi, CP, SAi2, TSi, TSr, N(EAP_ONLY)}  -->   which its rule does not allow
    begin(peer, first(), HASHES);
    // <--  HDR, SK {IDr, CERT+, AUTH, EAP}
    const [opened] = answer(peer);
    assert.deepEqual(kinds(opened), ['IDr', 'CERT', 'CERT', 'AUTH', 'EAP']);
    assert.deepEqual(payload(opened, 'IDr')?.data, GATEWAY.data);
    const shown = (opened?.payloads ?? []).flatMap((one) => (one.kind === 'CERT' ? [hex(one.data)] : []));
    assert.deepEqual(shown, [server.der, issuing.issued.der].map(hex));
    const auth = payload(opened, 'AUTH');
    const key = crypto.signatures.publicKey(server.spki);
    assert.ok(auth && key);
    assert.ok(provesBySignature(auth, signedOctets(proofOf(peer).proof, 'responder', GATEWAY, { crypto }), key));
    const entered = enter(gatewayWith());
    const expected = sharedKeyAuth(proofOf(entered.peer).proof, 'responder', GATEWAY, MSK, { crypto });
    assert.deepEqual(
      kinds(entered.last).filter((kind) => ['IDr', 'CERT', 'AUTH'].includes(kind)),
      ['AUTH'],
    );
    assert.deepEqual(payload(entered.last, 'AUTH')?.data, expected);
  });

  it('leaves its certificate out only where the rule and the peer both say so', () => {
    const without = first().filter((one) => one !== EAP_ONLY);
    for (const [eapOnly, payloads, shows] of [
      [true, first(), false],
      [true, without, true],
      [false, first(), true],
    ] as const) {
      const peer = Peer.towards(gatewayWith({ eapOnly }));
      begin(peer, payloads, HASHES);
      assert.equal(kinds(answer(peer)[0]).includes('AUTH'), shows);
    }
  });

  it('grants nothing of a rule that wants its certificate to who did without', () => {
    const gateway = gatewayOf();
    gateway.now = NOW;
    const authentication = [
      eapRule({ name: 'bare', identities: ['*@bare.example'] }),
      eapRule({ name: 'careful', identities: ['*@careful.example'], eapOnly: false }),
    ];
    configure(gateway, certified({ config: config({ authentication }) }));
    const refused = Peer.towards(gateway);
    const success = converse(refused, { identity: 'bob@careful.example' }, first(email('bob@bare.example')), HASHES);
    assert.deepEqual(success?.payloads, FAILED);
    const peer = Peer.towards(gateway, { seed: 500 });
    assert.deepEqual(kinds(converse(peer, { identity: 'bob@bare.example' }, first(email('x@bare.example')), HASHES)), ['EAP']);
  });

  it('takes and gives AUTH by SK_pi and SK_pr where the method makes no key, and no other', () => {
    const gateway = gatewayWith();
    const peer = Peer.towards(gateway);
    converse(peer, { msk: undefined, mutual: false }, first(), HASHES);
    const { keys, proof } = proofOf(peer);
    const last = prove(peer, keys.pi);
    assert.deepEqual(payload(last, 'AUTH')?.data, sharedKeyAuth(proof, 'responder', GATEWAY, keys.pr, { crypto }));
    for (const other of [MSK, EMPTY, keys.pr]) {
      const strange = Peer.towards(gateway, { seed: 500 + other.length });
      converse(strange, { msk: undefined, mutual: false }, first(), HASHES);
      assert.deepEqual(prove(strange, other === keys.pr ? proofOf(strange).keys.pr : other)?.payloads, FAILED);
    }
    const keyed = Peer.towards(gateway, { seed: 900 });
    converse(keyed, {}, first(), HASHES);
    assert.deepEqual(prove(keyed, proofOf(keyed).keys.pi)?.payloads, FAILED, 'the method has made a key');
  });

  it('gives the addresses that the server grants, also those of the slice of another pod; else one of its own', () => {
    for (const [granted, expected] of [
      [Uint8Array.of(10, 8, 99, 7), '0a086307'],
      [Uint8Array.of(192, 0, 2, 9), undefined],
    ] as const) {
      const gateway = gatewayWith({ method: 'eap-radius' });
      const { last } = enter(gateway, { granted: { ...NO_GRANT, addresses: [granted] } });
      const inner = hex(innerIn(last) ?? EMPTY);
      if (expected) assert.equal(inner, expected);
      else assert.match(inner, /^0a08/);
      assert.deepEqual(gateway.session().inner.map(hex), [inner]);
    }
  });

  it('gives a granted address to the last who comes with it', () => {
    const gateway = gatewayWith({ method: 'eap-radius' });
    const granted = { ...NO_GRANT, addresses: [Uint8Array.of(10, 8, 99, 7)] };
    enter(gateway, { granted });
    const again = Peer.towards(gateway, { seed: 700 });
    converse(again, { granted }, first(), HASHES);
    assert.equal(hex(innerIn(prove(again)) ?? EMPTY), '0a086307');
    const other = Peer.towards(gateway, { seed: 800 });
    converse(other, { granted, identity: 'bob@example.com' }, first(), HASHES);
    assert.notEqual(hex(innerIn(prove(other)) ?? EMPTY), '0a086307', 'somebody else has it');
  });

  it('tells its peer for how long the server has let it in', () => {
    const { last } = enter(gatewayWith(), { granted: { ...NO_GRANT, sessionTimeoutMs: 600_000 } });
    assert.deepEqual(notifyData(last, Notify.AUTH_LIFETIME), Uint8Array.of(0, 0, 600 >> 8, 600 & 255));
  });

  it('says what is to be told to who counts: of everybody whom RADIUS admitted, by a ticket too, and of nobody else', () => {
    const label = concat(Uint8Array.of(25, 6), utf8('gold'));
    for (const [method, granted, accounting] of [
      ['eap-radius', { ...NO_GRANT, class: label, interimMs: 60_000 }, { class: label, interimMs: 60_000 }],
      ['eap-radius', NO_GRANT, { class: EMPTY, interimMs: undefined }],
      ['eap-tls', NO_GRANT, undefined],
    ] as const) {
      const gateway = gatewayWith({ method });
      const { peer, last } = enter(gateway, { granted });
      resume(Peer.towards(gateway, { seed: 700 }), ticketIn(peer, last, [innerIn(last) ?? EMPTY]));
      assert.deepEqual(
        gateway.named('established').map((one) => [one.kind, one.accounting]),
        [
          ['full', accounting],
          ['resumed', accounting],
        ],
      );
    }
  });

  it('mixes a post-quantum pre-shared key in at the end, and not into its signature (RFC 8784 §3)', () => {
    const secret = utf8('32 bytes that only two should know');
    for (const right of [true, false]) {
      const gateway = gatewayWith({}, { credentials: { hasPpks: true, ppk: () => secret } });
      const peer = Peer.towards(gateway);
      begin(peer, first(), (payloads) => adding(notify(Notify.USE_PPK))(HASHES(payloads)));
      const auth = payload(answer(peer)[0], 'AUTH');
      const key = crypto.signatures.publicKey(server.spki);
      assert.ok(auth && key);
      assert.ok(provesBySignature(auth, signedOctets(proofOf(peer).proof, 'responder', GATEWAY, { crypto }), key));
      peer.request(Exchange.IKE_AUTH, [{ kind: 'EAP', ...eapBody(packet(2, 1)) }]);
      answer(peer, { is: 'success', message: packet(3, 1), ...outcome({ msk: undefined }) });
      mixPpk(peer, right ? secret : utf8('another'));
      const named = notify(Notify.PPK_IDENTITY, concat(Uint8Array.of(2), utf8('laptop')));
      const last = peer.request(Exchange.IKE_AUTH, [proofFor(peer, proofOf(peer).keys.pi), named]);
      if (!right) {
        assert.deepEqual(last?.payloads, FAILED);
        continue;
      }
      assert.ok(notifies(last).includes(Notify.PPK_IDENTITY));
      const { keys, proof } = proofOf(peer);
      assert.deepEqual(payload(last, 'AUTH')?.data, sharedKeyAuth(proof, 'responder', GATEWAY, keys.pr, { crypto }));
      assert.equal(gateway.session().postQuantum, true);
    }
  });

  it('sends elsewhere in its last answer, after its proof and without a child', () => {
    const gateway = gatewayWith();
    const peer = Peer.towards(gateway);
    converse(peer, {}, first(), (payloads) => adding(notify(Notify.REDIRECT_SUPPORTED))(HASHES(payloads)));
    const redirect = { to: fqdn('other.example.com'), when: 'always' } as const;
    configure(gateway, certified({ config: config({ authentication: [eapRule({ eapOnly: false })], redirect }) }));
    const last = prove(peer);
    assert.deepEqual([kinds(last), notifies(last)], [['AUTH', 'N'], [Notify.REDIRECT]]);
    assert.equal(gateway.children.size, 0);
  });
});

describe('IKE_AUTH with EAP, a client that wants a certificate first', () => {
  const begun = () => {
    const authentication = { method: 'eap', eapOnly: false } as const;
    const [client, sent] = clientOf(connection({ authentication, trust: { anchors: [root.issued.der], lists: [] } }));
    client.now = NOW;
    const peer = Peer.of(client, sent);
    const [request] = answerInit(peer, sent, { change: HASHES });
    return { client, peer, request: request ?? assert.fail('no IKE_AUTH') };
  };
  const signature = (peer: Peer, by: Issued): Payload => {
    const key = crypto.signatures.privateKey(by.pkcs8) ?? assert.fail();
    return signAuth(signedOctets(proofOf(peer).proof, 'responder', GATEWAY, { crypto }), key, [2, 3, 4, 5]) ?? assert.fail();
  };
  const eap = (message: Bytes): Payload => ({ kind: 'EAP', ...eapBody(message) });
  const opening = (auth: Payload, chain: readonly Bytes[] = [server.der, issuing.issued.der]): Payload[] => [
    ...[{ kind: 'IDr', ...GATEWAY } as const, ...certificates(chain), auth, eap(packet(1, 1))],
  ];

  it('verifies it before anybody is asked to answer, and goes on to the key of EAP', () => {
    const { client, peer, request } = begun();
    assert.deepEqual([kinds(request).includes('AUTH'), kinds(request).includes('CERTREQ')], [false, true]);
    assert.ok(!notifies(request).includes(Notify.EAP_ONLY_AUTHENTICATION));
    peer.answer(request, opening(signature(peer, server)));
    assert.equal(client.eap.length, 1);
    const [said] = answer(peer);
    peer.answer(said ?? assert.fail(), [eap(packet(3, 1))]);
    const [proof] = answer(peer);
    const [tsi, tsr] = [payload(request, 'TSi'), payload(request, 'TSr')];
    const [sa] = childOffer(0x0b00_0001);
    assert.ok(proof && tsi && tsr && sa);
    const cp: Payload = { kind: 'CP', cfgType: 2, attributes: [{ type: 1, value: INNER }] };
    peer.answer(proof, [proofFor(peer, MSK, GATEWAY), cp, sa, tsi, tsr]);
    assert.deepEqual([client.session().kind, client.session().inner], ['full', [INNER]]);
  });

  const stranger = Authority.root().issue({ names: ['dns:vpn.example.com'] });
  const other = issuing.issue({ names: ['dns:other.example.com'] });
  for (const [what, change] of [
    ['no certificate and no AUTH', () => [{ kind: 'IDr', ...GATEWAY }, eap(packet(1, 1))]],
    ['a signature by another key', (peer) => opening(signature(peer, alice))],
    ['a certificate of a stranger', (peer) => opening(signature(peer, stranger), [stranger.der])],
    ['a certificate of another name', (peer) => opening(signature(peer, other), [other.der, issuing.issued.der])],
    ['a certificate for clients', (peer) => opening(signature(peer, alice), [alice.der, issuing.issued.der])],
    ['no certificate', (peer) => opening(signature(peer, server), [])],
    ['AUTH by a shared key', (peer) => opening(proofFor(peer, MSK, GATEWAY))],
    ['AUTH by an empty key', (peer) => opening(proofFor(peer, EMPTY, GATEWAY))],
  ] as readonly (readonly [string, (peer: Peer) => Payload[]])[])
    it(`says no word of EAP to a gateway with ${what}`, () => {
      const { client, peer, request } = begun();
      peer.answer(request, change(peer));
      assert.deepEqual([client.eap, client.endings()], [[], ['authentication failed']]);
    });

  it('proves itself by SK_pi where the method makes no key, and then takes AUTH by SK_pr alone', () => {
    for (const right of [true, false]) {
      const { client, peer, request } = begun();
      peer.answer(request, opening(signature(peer, server)));
      const [said] = answer(peer);
      peer.answer(said ?? assert.fail(), [eap(packet(3, 1))]);
      const given = outcome({ msk: undefined, mutual: false });
      const [proof] = answer(peer, { is: 'success', message: packet(3, 1), ...given });
      const { keys, proof: messages } = proofOf(peer);
      assert.deepEqual(payload(proof, 'AUTH')?.data, sharedKeyAuth(messages, 'initiator', ALICE, keys.pi, { crypto }));
      peer.answer(proof ?? assert.fail(), [proofFor(peer, right ? keys.pr : keys.pi, GATEWAY)]);
      assert.equal(client.sessions().length, right ? 1 : 0);
    }
  });
});
