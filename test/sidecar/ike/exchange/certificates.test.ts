/** IKE_AUTH by signature (RFC 7427, RFC 7296 §2.15, RFC 4754), in both roles: who is believed, and that nobody learns why not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signedOctets } from '../../../../sidecar/ike/auth.ts';
import type { KeyKind } from '../../../../sidecar/ike/crypto/signature.ts';
import { parseTrust } from '../../../../sidecar/ike/pki/trust-files.ts';
import { type Instant, later } from '../../../../sidecar/ike/sa.ts';
import { signAuth, signatureHashes } from '../../../../sidecar/ike/signature-auth.ts';
import { type Bytes, hex } from '../../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload } from '../../../../sidecar/ike/wire/payload.ts';
import { AuthMethod, CertEncoding, Notify } from '../../../../sidecar/ike/wire/registry.ts';
import { Authority, type Issued, pem, purposes, YEAR_2030 } from '../../../harness/certificate-authority.ts';
import { adding, type Change, ikeAuth, ikeSaInit, ikeSessionResume, ticketIn } from '../../../harness/handshake.ts';
import { crypto, Peer, payload } from '../../../harness/peer.ts';
import { ALICE, CERTIFICATE_RULE, config, connection, fqdn, policy } from '../../../harness/policy.ts';
import { configure, gatewayOf, type Sent, Subject } from '../../../harness/subject.ts';

const NOW = YEAR_2030 as Instant;
const root = Authority.root();
const issuing = root.intermediate();
const stranger = Authority.root();
const alice = issuing.issue({ names: ['email:alice@example.com'] });
const server = issuing.issue({ names: ['dns:vpn.example.com'], purposes: [purposes.serverAuth] });
const chainOf = (one: Issued): Bytes[] => [one.der, issuing.issued.der];
const keyOf = (one: Issued) => crypto.signatures.privateKey(one.pkcs8) ?? assert.fail('not a key');

function trust(...lists: readonly Bytes[]) {
  const files = [
    { file: 'ca.pem', content: pem('CERTIFICATE', root.issued.der) },
    ...lists.map((list, index) => ({ file: `${index}.crl`, content: list })),
  ];
  const parsed = parseTrust(files, { crypto, revocation: 'ifKnown', now: NOW });
  return parsed.ok ? parsed.value.trust : assert.fail(JSON.stringify(parsed));
}

const inForce = (own: Issued = server, rule: Partial<typeof CERTIFICATE_RULE> = {}, lists: readonly Bytes[] = []) =>
  policy({
    config: config({ authentication: [{ ...CERTIFICATE_RULE, ...rule }] }),
    credentials: { certificate: { chain: chainOf(own), key: keyOf(own) }, trust: trust(...lists) },
  });

function gatewayWith(...part: Parameters<typeof inForce>): Subject {
  const gateway = gatewayOf();
  gateway.now = NOW;
  configure(gateway, inForce(...part));
  return gateway;
}

/** A client of ours and a gateway say to each other what they have to say. */
function meet(gateway: Subject, own: Issued, part: Partial<Parameters<typeof connection>[0]> = {}): Subject {
  const client = new Subject({ seed: 7 });
  client.now = NOW;
  const authentication = { method: 'certificate', chain: chainOf(own), privateKey: own.pkcs8 } as const;
  const of = connection({ authentication, trust: { anchors: [root.issued.der], lists: [] }, ...part });
  let said: readonly Sent[] = client.do({ type: 'connect', connection: of, ticket: undefined });
  for (let from = client; said.length > 0; from = from === client ? gateway : client) {
    const to = from === client ? gateway : client;
    said = said.flatMap(({ path, bytes }) => to.receive(bytes, { local: path.remote, remote: path.local }));
  }
  return client;
}

interface How {
  readonly certificates?: readonly Bytes[];
  readonly hashes?: readonly number[];
  readonly spoil?: boolean;
}

/** Replaces the AUTH of a pre-shared key by CERT and a signature. */
const signing =
  (peer: Peer, by: Issued, { certificates = chainOf(by), hashes = [2, 3, 4, 5], spoil = false }: How = {}): Change =>
  (payloads) => {
    const { first, keys, suite } = peer;
    const octets = first && keys ? signedOctets({ first, keys, suite }, 'initiator', ALICE, { crypto }) : assert.fail();
    const auth = signAuth(octets, keyOf(by), hashes) ?? assert.fail('no signature');
    const data = spoil ? auth.data.with(-1, (auth.data.at(-1) ?? 0) ^ 1) : auth.data;
    const certs = certificates.map((der): Payload => ({ kind: 'CERT', encoding: CertEncoding.X509_SIGNATURE, data: der }));
    return payloads.flatMap((one): readonly Payload[] => (one.kind === 'AUTH' ? [...certs, { ...auth, data }] : [one]));
  };

function signed(gateway: Subject, by: Issued, how: How = {}, seed = 100) {
  const peer = Peer.towards(gateway, { seed });
  const first = ikeSaInit(peer, { change: how.hashes?.length === 0 ? (all) => all : adding(signatureHashes()) });
  return { peer, first, answer: ikeAuth(peer, { change: signing(peer, by, how) }) };
}

describe('certificates', () => {
  const kinds: readonly KeyKind[] = ['rsa', 'ec-p256', 'ec-p384', 'ec-p521', 'ed25519', 'ed448'];
  for (const key of kinds)
    it(`prove both sides to each other with keys of kind ${key}, over an intermediate authority`, () => {
      const own = issuing.issue({ names: ['dns:vpn.example.com'], purposes: [purposes.serverAuth], key });
      const gateway = gatewayWith(own);
      const client = meet(gateway, issuing.issue({ names: ['email:alice@example.com'], key }));
      assert.deepEqual([client.sessions().length, gateway.sessions().length], [1, 1]);
      assert.equal(gateway.named('established')[0]?.rule, 'certificate');
      assert.deepEqual(gateway.session().remote, ALICE);
    });

  for (const [key, method] of [
    ['rsa', AuthMethod.RSA],
    ['ec-p256', AuthMethod.ECDSA_SHA256_P256],
    ['ec-p384', AuthMethod.ECDSA_SHA384_P384],
    ['ec-p521', AuthMethod.ECDSA_SHA512_P521],
  ] as const)
    it(`are proven by the older method ${method} to and by a peer that names no hashes`, () => {
      const own = issuing.issue({ names: ['dns:vpn.example.com'], key });
      const gateway = gatewayWith(own);
      const { answer } = signed(gateway, issuing.issue({ names: ['email:alice@example.com'], key }), { hashes: [] });
      assert.equal(payload(answer, 'AUTH')?.method, method);
      assert.equal(gateway.sessions().length, 1);
    });

  it('are asked for by the hashes of what is trusted, and sent unasked', () => {
    const gateway = gatewayWith();
    const { first, answer } = signed(gateway, alice);
    const asked = payload(first, 'CERTREQ')?.data;
    assert.equal(hex(asked ?? new Uint8Array()), hex(crypto.sealing.sha1(root.issued.spki)));
    const sent = answer?.payloads.flatMap((one) => (one.kind === 'CERT' ? [hex(one.data)] : []));
    assert.deepEqual(sent, chainOf(server).map(hex));
    assert.equal(payload(answer, 'AUTH')?.method, AuthMethod.DIGITAL_SIGNATURE);
  });

  const mallory = stranger.issue({ names: ['email:alice@example.com'] });
  for (const [what, by, how, rule] of [
    ['a signature that is wrong', alice, { spoil: true }, {}],
    ['a certificate of a stranger', mallory, { certificates: [mallory.der] }, {}],
    ['no certificate', alice, { certificates: [] }, {}],
    ['a certificate for somebody else', issuing.issue({ names: ['email:bob@example.com'] }), {}, {}],
    ['a certificate whose time is over', issuing.issue({ names: ['email:alice@example.com'], notAfter: NOW - 1_000 }), {}, {}],
    ['a signature by another key than the certificate says', mallory, { certificates: chainOf(alice) }, {}],
    ['an identity that no rule names', alice, {}, { identities: ['*@staff.example.com'] }],
    ['a certificate of an authority that the rule does not name', alice, {}, { authorities: ['other.pem'] }],
  ] as const)
    it(`answer ${what} with AUTHENTICATION_FAILED and nothing else`, () => {
      const gateway = gatewayWith(server, rule);
      const { answer } = signed(gateway, by, how);
      assert.deepEqual(answer?.payloads, [notify(Notify.AUTHENTICATION_FAILED)]);
      assert.deepEqual([gateway.sessions(), gateway.endings()], [[], ['authentication failed']]);
    });

  for (const [what, own, part] of [
    ['of a stranger', server, { trust: { anchors: [stranger.issued.der], lists: [] } }],
    ['with another name', issuing.issue({ names: ['dns:other.example.com'] }), {}],
    ['of a client', issuing.issue({ names: ['dns:vpn.example.com'], purposes: [purposes.clientAuth] }), {}],
    ['that a list revokes', server, { trust: { anchors: [root.issued.der], lists: [issuing.list([server])] } }],
  ] as const)
    it(`of a gateway are not believed ${what}`, () => {
      const client = meet(gatewayWith(own), alice, part);
      assert.deepEqual([client.sessions(), client.endings()], [[], ['authentication failed']]);
    });

  it('of a gateway are not believed with a signature by another key', () => {
    const gateway = gatewayWith();
    const { config: inConfig, ...rest } = inForce();
    const certificate = { chain: chainOf(server), key: keyOf(alice) };
    configure(gateway, { config: inConfig, ...rest, credentials: { ...rest.credentials, certificate } });
    const client = meet(gateway, alice);
    assert.deepEqual([client.sessions(), client.endings()], [[], ['authentication failed']]);
    assert.equal(client.named('refused')[0]?.reason, 'the gateway made a wrong signature');
  });

  it('come under the first rule that names their authority', () => {
    const [one, other] = ['other.pem', 'ca.pem'].map((file) => ({ ...CERTIFICATE_RULE, name: file, authorities: [file] }));
    const gateway = gatewayWith();
    const { ring, credentials } = inForce();
    const authentication = [one ?? assert.fail(), other ?? assert.fail()];
    configure(gateway, { config: config({ authentication }), ring, credentials });
    assert.ok(payload(signed(gateway, alice).answer, 'AUTH'));
    assert.equal(gateway.named('established')[0]?.rule, 'ca.pem');
  });

  it('end their sessions and tickets with themselves', () => {
    const brief = issuing.issue({ names: ['email:alice@example.com'], notAfter: NOW + 600_000 });
    const gateway = gatewayWith();
    const { peer, answer } = signed(gateway, brief);
    assert.equal(gateway.session().reauthenticateBy, later(NOW, 600_000));
    assert.ok(ticketIn(peer, answer).expiresAt <= NOW + 600_000);
  });

  it('that are revoked end their sessions, and their tickets open nothing any more', () => {
    const gateway = gatewayWith();
    const { peer, answer } = signed(gateway, alice);
    const held = ticketIn(peer, answer);
    signed(gateway, issuing.issue({ names: ['email:alice@example.com'] }), {}, 500);
    configure(gateway, inForce(server, {}, [issuing.list([alice])]));
    const [told] = peer.hear(gateway.pass(0));
    assert.equal(payload(told, 'D')?.protocol, 1);
    peer.answer(told ?? peer.header(0), []);
    assert.deepEqual([gateway.endings(), gateway.sessions().length], [['certificate revoked'], 1]);
    const refused = ikeSessionResume(Peer.towards(gateway, { seed: 700 }), held);
    assert.deepEqual(refused?.payloads, [notify(Notify.TICKET_NACK)]);
    assert.equal(gateway.named('ticket-refused')[0]?.reason, 'revoked-certificate');
  });

  it('go along in no resumption, and the ticket remembers them', () => {
    const gateway = gatewayWith();
    const { peer, answer } = signed(gateway, alice);
    const next = Peer.towards(gateway, { seed: 700 });
    ikeSessionResume(next, ticketIn(peer, answer));
    assert.ok(payload(ikeAuth(next), 'AUTH'));
    assert.equal(gateway.session().kind, 'resumed');
    assert.equal(gateway.named('established').at(-1)?.rule, 'certificate');
  });

  it('are of no use where the rules know keys alone', () => {
    const gateway = gatewayOf({ credentials: { certificate: { chain: chainOf(server), key: keyOf(server) }, trust: trust() } });
    gateway.now = NOW;
    const { first, answer } = signed(gateway, alice);
    assert.equal(payload(first, 'CERTREQ'), undefined);
    assert.deepEqual(answer?.payloads, [notify(Notify.AUTHENTICATION_FAILED)]);
  });
});

describe('one certificate', () => {
  const phone = issuing.issue({ names: ['dns:phone.example.com', 'email:Alice@example.com'] });
  const names = [fqdn('phone.example.com'), fqdn('PHONE.example.com'), fqdn('Phone.Example.COM')];

  it('is one identity, however its name is spelled: each session takes the place of the one before', () => {
    const gateway = gatewayWith(server, { uniqueness: 'replace' });
    for (const local of names) meet(gateway, phone, { local });
    assert.equal(gateway.sessions().length, 1);
    assert.deepEqual(gateway.session().remote, fqdn('phone.example.com'));
  });

  it('resumes by the name that it gave, and not once the name is revoked in any spelling', () => {
    const gateway = gatewayWith(server);
    const [, local = ALICE] = names;
    const client = meet(gateway, phone, { local });
    const ticket = client.named('ticket').at(-1)?.ticket ?? assert.fail('no ticket');
    assert.deepEqual(ticket.local, local);
    const revoked = inForce();
    const { tickets } = revoked.config;
    const config = { ...revoked.config, tickets: { ...tickets, revokedIdentities: [fqdn('phone.EXAMPLE.com')] } };
    const peer = Peer.towards(gateway, { seed: 900 });
    assert.ok(payload(ikeSessionResume(peer, ticket), 'NONCE'));
    assert.ok(payload(ikeAuth(peer, { identity: local }), 'AUTH'));
    configure(gateway, { ...revoked, config });
    const again = gateway.session();
    assert.deepEqual(again.remote, fqdn('phone.example.com'));
    const second = meet(gateway, phone, { local }).named('ticket').at(-1)?.ticket ?? assert.fail('no ticket');
    assert.equal(payload(ikeSessionResume(Peer.towards(gateway, { seed: 901 }), second), 'NONCE'), undefined);
  });
});
