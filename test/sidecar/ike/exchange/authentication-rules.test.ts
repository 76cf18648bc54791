/** What a rule of authentication gives and how often it gives it; childless SAs (RFC 6023), AUTH_LIFETIME (RFC 4478), split DNS (RFC 8598). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AuthenticationRule } from '../../../../sidecar/contract/authentication.ts';
import { DEFAULT_RULES } from '../../../../sidecar/contract/authentication-yaml.ts';
import { addressSelector, prefixSelector } from '../../../../sidecar/ike/traffic.ts';
import { EMPTY, hex, Reader, u32Bytes, utf8 } from '../../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload } from '../../../../sidecar/ike/wire/payload.ts';
import { AuthMethod, CfgAttribute, CfgType, Exchange, Notify } from '../../../../sidecar/ike/wire/registry.ts';
import { answerAuth, answerInit } from '../../../harness/answering.ts';
import { adding, childOffer, connect, ikeSaInit, innerIn, resume, ticketIn, without } from '../../../harness/handshake.ts';
import { type Heard, kinds, notifies, notifyData, Peer, payload, requests } from '../../../harness/peer.ts';
import { ALICE, config, connection, email, PSK, policy } from '../../../harness/policy.ts';
import { clientOf, configure, gatewayOf, type Subject } from '../../../harness/subject.ts';

const BOB = email('bob@staff.example.com');
const users = new Map([ALICE, BOB].map(({ data }) => [hex(data), PSK]));
const ruled = (...parts: readonly Partial<AuthenticationRule>[]): AuthenticationRule[] =>
  parts.map((part, index) => ({ ...(DEFAULT_RULES[0] ?? assert.fail()), name: `rule-${index}`, ...part }));
const gatewayBy = (...parts: readonly Partial<AuthenticationRule>[]): Subject =>
  gatewayOf({ users, config: config({ authentication: ruled(...parts), pools: POOLS, slices: 1, dns: ['10.8.0.1'] }) });
const POOLS = [{ cidr: '10.8.0.0/24' }, { cidr: '10.9.0.0/24' }];
const comes = (gateway: Subject, seed: number, part: Parameters<typeof connect>[1] = {}) => {
  const peer = Peer.towards(gateway, { seed });
  return { peer, answer: connect(peer, { spi: 0x0a00_0000 + seed, ...part }) };
};
const given = (answer: Heard | undefined, type: number): Uint8Array[] =>
  payload(answer, 'CP')?.attributes.flatMap((one) => (one.type === type ? [one.value] : [])) ?? [];
const asking = (...types: readonly number[]): Payload => ({
  ...{ kind: 'CP', cfgType: CfgType.CFG_REQUEST },
  attributes: types.map((type) => ({ type, value: EMPTY })),
});
const domains = {
  change: (all: readonly Payload[]) => [
    ...without('CP')(all),
    asking(CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP4_DNS, CfgAttribute.INTERNAL_DNS_DOMAIN),
  ],
};

describe('the first rule that fits', () => {
  const staff = { identities: ['*@staff.example.com'], pools: ['10.9.0.0/24'], routes: ['10.50.0.0/16'], dns: ['10.9.0.53'] };

  it('gives pools, routes and servers of its own, through rekeys and resumptions', () => {
    const gateway = gatewayBy(staff, {});
    const { peer, answer } = comes(gateway, 1, { identity: BOB });
    assert.deepEqual(innerIn(answer)?.subarray(0, 3), Uint8Array.of(10, 9, 0));
    assert.deepEqual(payload(answer, 'TSr')?.selectors, [prefixSelector('10.50.0.0/16')]);
    assert.deepEqual(given(answer, CfgAttribute.INTERNAL_IP4_DNS), [Uint8Array.of(10, 9, 0, 53)]);
    assert.deepEqual(given(answer, CfgAttribute.INTERNAL_IP4_SUBNET), [Uint8Array.of(10, 50, 0, 0, 255, 255, 0, 0)]);
    const held = { ...ticketIn(peer, answer), local: BOB };
    const next = resume(Peer.towards(gateway, { seed: 2 }), held, { identity: BOB });
    assert.deepEqual(innerIn(next), innerIn(answer));
    assert.deepEqual(payload(next, 'TSr')?.selectors, [prefixSelector('10.50.0.0/16')]);
    assert.equal(gateway.named('established').at(-1)?.rule, 'rule-0');
  });

  it('is another one for others', () => {
    const gateway = gatewayBy(staff, {});
    const { answer } = comes(gateway, 1);
    assert.deepEqual(payload(answer, 'TSr')?.selectors, [prefixSelector('0.0.0.0/0')]);
    assert.equal(gateway.named('established')[0]?.rule, 'rule-1');
  });

  it('is nobody: the same answer as to a wrong key, though the key is right', () => {
    const { answer } = comes(gatewayBy(staff), 1);
    assert.deepEqual(answer?.payloads, [notify(Notify.AUTHENTICATION_FAILED)]);
  });

  it('is chosen anew at a resumption, so that a change of policy reaches the session', () => {
    const gateway = gatewayBy(staff, {});
    const { peer, answer } = comes(gateway, 1, { identity: BOB });
    configure(gateway, policy({ users, config: config({ authentication: ruled({ identities: ['alice@*'] }) }) }));
    const refused = resume(Peer.towards(gateway, { seed: 2 }), ticketIn(peer, answer), { identity: BOB });
    assert.deepEqual(notifies(refused), [Notify.TICKET_NACK]);
  });

  it('sets how long its sessions last', () => {
    const gateway = gatewayBy({ reauthenticationMs: 60_000, rekeyMs: 10_000 });
    const { peer, answer } = comes(gateway, 1);
    assert.equal(gateway.session().reauthenticateBy, gateway.now + 60_000);
    // RFC 4478 §3: seconds that are left
    assert.equal(new Reader(notifyData(answer, Notify.AUTH_LIFETIME) ?? EMPTY).u32(), 60);
    const [rekey] = requests(peer.hear(gateway.pass(11_000)));
    assert.equal(rekey?.exchange, Exchange.CREATE_CHILD_SA);
  });

  it('names domains to who asks for them (RFC 8598), and only with a server that resolves them', () => {
    const split = { domains: ['corp.example.com'] };
    const told = (gateway: Subject, part: Parameters<typeof connect>[1]) =>
      given(comes(gateway, 1, part).answer, CfgAttribute.INTERNAL_DNS_DOMAIN);
    assert.deepEqual(told(gatewayBy(split), domains), [utf8('corp.example.com')]);
    assert.deepEqual(told(gatewayBy(split), {}), []);
    assert.deepEqual(told(gatewayBy({ ...split, dns: [] }), domains), []);
  });
});

describe('a second session of one identity', () => {
  it('gets an address of its own where the rule keeps both', () => {
    const gateway = gatewayBy({ uniqueness: 'keep' });
    const inner = [1, 2].map((seed) => hex(innerIn(comes(gateway, seed).answer) ?? EMPTY));
    assert.equal(new Set(inner).size, 2);
    assert.equal(gateway.sessions().length, 2);
  });

  it('ends the first with a DELETE where the rule replaces', () => {
    const gateway = gatewayBy({ uniqueness: 'replace' });
    const { peer } = comes(gateway, 1);
    const other = comes(gateway, 3, { identity: BOB });
    const second = Peer.towards(gateway, { seed: 2 });
    let told: readonly Heard[] = [];
    const { receive } = gateway;
    gateway.receive = (bytes, path) => {
      const sent = receive.call(gateway, bytes, path);
      told = [...told, ...requests(peer.hear(sent))];
      return sent;
    };
    assert.ok(payload(connect(second, { spi: 0x0a00_0002 }), 'AUTH'));
    assert.deepEqual(
      told.map(({ payloads }) => payloads.map(({ kind }) => kind)),
      [['D']],
    );
    peer.answer(told[0] ?? peer.header(0), []);
    assert.deepEqual(gateway.endings(), ['replaced by another session']);
    assert.equal(gateway.sessions().length, 2);
    assert.deepEqual(other.peer.request(Exchange.INFORMATIONAL, [])?.payloads, []);
  });

  it('is refused where the rule says so, and the first lives', () => {
    const gateway = gatewayBy({ uniqueness: 'refuse' });
    const { peer } = comes(gateway, 1);
    assert.deepEqual(notifies(comes(gateway, 2).answer), [Notify.AUTHENTICATION_FAILED]);
    assert.deepEqual(peer.request(Exchange.INFORMATIONAL, [])?.payloads, []);
    // RFC 7296 §2.4: the peer knows of no other one.
    const anew = comes(gateway, 3, { change: adding(notify(Notify.INITIAL_CONTACT)) });
    assert.ok(payload(anew.answer, 'AUTH'));
  });

  it('is one too many beyond the number that the rule allows', () => {
    const gateway = gatewayBy({ maxSessions: 2 });
    const answers = [1, 2, 3].map((seed) => notifies(comes(gateway, seed).answer)[0]);
    assert.deepEqual(answers, [Notify.AUTH_LIFETIME, Notify.AUTH_LIFETIME, Notify.TEMPORARY_FAILURE]);
    assert.ok(payload(comes(gateway, 4, { identity: BOB }).answer, 'AUTH'));
  });
});

describe('an IKE SA without a child', () => {
  it('comes of a request without SA and selectors, with an address that was asked for (RFC 6023)', () => {
    const gateway = gatewayOf();
    const { answer } = comes(gateway, 1, { change: without('SA', 'TSi', 'TSr'), ticket: false });
    assert.deepEqual(kinds(answer), ['IDr', 'AUTH', 'CP', 'N']);
    assert.deepEqual(gateway.session().inner, [innerIn(answer)]);
    assert.deepEqual(gateway.session().children, []);
  });

  it('is refused by a gateway that is told to never do it, and that does not say that it can', () => {
    const gateway = gatewayOf({ config: config({ childless: 'never' }) });
    const { answer } = comes(gateway, 1, { change: without('SA', 'TSi', 'TSr') });
    assert.deepEqual(notifies(answer), [Notify.INVALID_SYNTAX]);
    const told = (mode: 'allow' | 'never') =>
      notifies(ikeSaInit(Peer.towards(gatewayOf({ config: config({ childless: mode }) })))).includes(
        Notify.CHILDLESS_IKEV2_SUPPORTED,
      );
    assert.deepEqual([told('allow'), told('never')], [true, false]);
  });

  it('is what a client begins with that wants it, where the gateway can do that', () => {
    for (const able of [true, false]) {
      const [client, first] = clientOf(connection({ childless: true }));
      const peer = Peer.of(client, first);
      const [request] = answerInit(peer, first, able ? { change: adding(notify(Notify.CHILDLESS_IKEV2_SUPPORTED)) } : {});
      assert.equal(payload(request, 'SA') === undefined, able);
      if (!able) continue;
      const idR = { kind: 'IDr', ...connection().remote } as Payload;
      assert.ok(idR && request?.exchange === Exchange.IKE_AUTH);
    }
  });
});

describe('a client', () => {
  const begun = () => {
    const [client, first] = clientOf(connection());
    const peer = Peer.of(client, first);
    const [request] = answerInit(peer, first);
    return { client, peer, request };
  };

  it('authenticates anew before the time that the gateway names is over (RFC 4478)', () => {
    const { client, peer, request } = begun();
    answerAuth(peer, request, { change: adding(notify(Notify.AUTH_LIFETIME, u32Bytes(300))) });
    assert.equal(client.session().reauthenticateBy, client.now + 270_000);
  });

  it('keeps the servers and domains that it is given, and nothing that is no name (RFC 8598)', () => {
    const { client, peer, request } = begun();
    const server = Uint8Array.of(10, 8, 0, 1);
    const more = [
      { type: CfgAttribute.INTERNAL_IP4_DNS, value: server },
      { type: CfgAttribute.INTERNAL_DNS_DOMAIN, value: utf8('corp.example.com') },
      { type: CfgAttribute.INTERNAL_DNS_DOMAIN, value: utf8('no name; rm') },
    ];
    answerAuth(peer, request, {
      change: (all) => all.map((one) => (one.kind === 'CP' ? { ...one, attributes: [...one.attributes, ...more] } : one)),
    });
    assert.deepEqual(client.named('established')[0]?.resolvers, { servers: [server], domains: ['corp.example.com'] });
  });
});

describe('a peer that proposes another address than it is given', () => {
  it('is answered with the one that it is given, beside CFG_REQUEST alone', () => {
    const gateway = gatewayOf();
    const offer = childOffer(1_000, { tsi: [prefixSelector('192.0.2.1/32')] });
    const { answer } = comes(gateway, 1, { change: (all) => [...without('SA', 'TSi', 'TSr')(all), ...offer] });
    assert.deepEqual(payload(answer, 'TSi')?.selectors, [addressSelector(innerIn(answer) ?? EMPTY)]);
    assert.equal(AuthMethod.SHARED_KEY, payload(answer, 'AUTH')?.method);
  });
});
