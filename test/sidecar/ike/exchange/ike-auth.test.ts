import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Selector } from '../../../../sidecar/contract/dataplane.ts';
import { formatAddress } from '../../../../sidecar/ike/ip-address.ts';
import { addressSelector, everything, prefixSelector } from '../../../../sidecar/ike/traffic.ts';
import { EMPTY, hex, utf8 } from '../../../../sidecar/ike/wire/bytes.ts';
import { notify, type Payload } from '../../../../sidecar/ike/wire/payload.ts';
import {
  AuthMethod,
  CfgAttribute,
  CfgType,
  Exchange,
  Ke,
  Notify,
  Protocol,
  TransformType,
} from '../../../../sidecar/ike/wire/registry.ts';
import { answerAuth, answerInit, INNER } from '../../../harness/answering.ts';
import { counted } from '../../../harness/counted-cryptography.ts';
import { adding, childOffer, connect, espProposal, ikeAuth, ikeSaInit, innerIn, without } from '../../../harness/handshake.ts';
import { type Heard, kinds, NAT_PATH, notifies, Peer, payload, requests } from '../../../harness/peer.ts';
import { ALICE, config, connection, email, fqdn, PSK } from '../../../harness/policy.ts';
import { clientOf, gatewayOf, type Subject } from '../../../harness/subject.ts';

const BOB = email('bob@example.com');
const users = new Map([ALICE, BOB].map(({ data }) => [hex(data), PSK]));
/** Begins a second one with the same gateway, of the same identity unless it says otherwise. */
const another = (gateway: Subject, seed = 500): Peer => Peer.towards(gateway, { seed });
const asking = (...attributes: readonly number[]): Payload => ({
  kind: 'CP',
  cfgType: CfgType.CFG_REQUEST,
  attributes: attributes.map((type) => ({ type, value: EMPTY })),
});
const replacing = (kind: string, ...by: readonly Payload[]) => ({
  change: (all: readonly Payload[]) => all.flatMap((one) => (one.kind === kind ? by : [one])),
});

describe('IKE_AUTH, the responder', () => {
  it('proves itself, gives an address, a child and a ticket to who proves the key', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    // HDR(A,B,1), SK {IDi, AUTH, CP(CFG_REQUEST), SAi2, TSi, TSr, N(TICKET_REQUEST)}  -->
    const answer = connect(peer);
    // <--  HDR(A,B,1), SK {IDr, AUTH, CP(CFG_REPLY), SAr2, TSi, TSr, N(TICKET_LT_OPAQUE)}
    assert.deepEqual(kinds(answer), ['IDr', 'AUTH', 'CP', 'SA', 'TSi', 'TSr', 'N', 'N']);
    assert.deepEqual(notifies(answer), [Notify.AUTH_LIFETIME, Notify.TICKET_LT_OPAQUE]);
    const { phase, kind, remote, children, inner } = gateway.session();
    assert.deepEqual([phase, kind, remote?.data], ['established', 'full', ALICE.data]);
    const [child] = gateway.children.values();
    assert.deepEqual([child?.spiIn, child?.spiOut], [children[0], 0x0a00_0001]);
    assert.equal(hex(payload(answer, 'SA')?.proposals[0]?.spi ?? EMPTY), children[0]?.toString(16).padStart(8, '0'));
    assert.deepEqual(inner, [innerIn(answer)]);
    const established = gateway.named('established')[0];
    assert.deepEqual([established?.keyExchanges, established?.roundTrips, established?.durationMs], [1, undefined, 0]);
  });

  it('covers the reserved bytes of IDi as they were sent, whatever they are', () => {
    const gateway = gatewayOf();
    const reserved = Uint8Array.of(1, 2, 3);
    connect(Peer.towards(gateway), { identity: { ...ALICE, reserved } });
    assert.deepEqual(gateway.session().remote?.data, ALICE.data);
    // They are part of what is proven: an AUTH over zeros does not fit.
    const zeros = { change: (all: readonly Payload[]) => all.map((one) => (one.kind === 'IDi' ? { ...one, reserved } : one)) };
    assert.deepEqual(notifies(connect(Peer.towards(gateway), zeros)), [Notify.AUTHENTICATION_FAILED]);
  });

  for (const [what, part] of [
    ['a wrong key', { psk: utf8('a guess') }],
    ['an unknown identity', { identity: email('mallory@example.com') }],
    ['an unknown identity with an empty key', { identity: email('mallory@example.com'), psk: EMPTY }],
    ['another method', replacing('AUTH', { kind: 'AUTH', method: AuthMethod.RSA, data: new Uint8Array(32) })],
    ['an AUTH of another length', replacing('AUTH', { kind: 'AUTH', method: AuthMethod.SHARED_KEY, data: EMPTY })],
    ['no AUTH, as for EAP', { change: without('AUTH') }],
  ] as const)
    it(`answers ${what} with AUTHENTICATION_FAILED and nothing else, once and for all`, () => {
      const gateway = gatewayOf();
      const peer = Peer.towards(gateway);
      // HDR(A,B,1), SK {IDi, AUTH, ...}  -->      <--  HDR(A,B,1), SK {N(AUTHENTICATION_FAILED)}
      const answer = connect(peer, part);
      assert.deepEqual(answer?.payloads, [notify(Notify.AUTHENTICATION_FAILED)]);
      assert.deepEqual(gateway.endings(), ['authentication failed']);
      assert.deepEqual([gateway.sessions(), gateway.orders], [[], []]);
      assert.equal(ikeAuth(peer), undefined, 'another guess');
      assert.deepEqual(gateway.drops(), ['out-of-window']);
      gateway.pass(60_000);
      assert.deepEqual(gateway.phases(), []);
    });

  it('tells nobody which identities there are: both failures cost and look the same', () => {
    const costOf = (part: Parameters<typeof connect>[1]) => {
      const { crypto, counts } = counted();
      const gateway = gatewayOf({}, { crypto });
      const peer = Peer.towards(gateway);
      ikeSaInit(peer);
      counts.prf = 0;
      const answer = ikeAuth(peer, part);
      return {
        ...counts,
        length: answer?.datagrams[0]?.length,
        payloads: answer?.payloads,
        events: gateway.events.map(({ name }) => name),
      };
    };
    const known = costOf({ psk: utf8('a guess') });
    assert.deepEqual(costOf({ identity: email('malic@example.com') }), known);
    assert.ok(known.prf > 0);
  });

  it('answers the same request with the same bytes and one change of state', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    const answer = connect(peer);
    const events = gateway.events.length;
    const [request] = peer.sealed(Exchange.IKE_AUTH, [], { messageId: 1 });
    for (let times = 0; times < 3; times++) {
      const [again] = peer.send([request ?? EMPTY], NAT_PATH);
      assert.deepEqual(again?.datagrams, answer?.datagrams);
      assert.deepEqual(again?.path, NAT_PATH, 'to where the repetition came from');
    }
    assert.equal(gateway.events.length, events);
  });

  it('follows the initiator to the NAT traversal port', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    const answer = connect(peer, { behindNat: true });
    assert.deepEqual(answer?.path, NAT_PATH);
    assert.deepEqual(gateway.session().path, NAT_PATH);
  });

  it('ends a handshake whose request it cannot read, and says why', () => {
    for (const [change, expected] of [
      [without('IDi'), Notify.INVALID_SYNTAX],
      [adding({ kind: 'IDi', ...BOB }), Notify.INVALID_SYNTAX],
    ] as const) {
      const gateway = gatewayOf();
      assert.deepEqual(notifies(connect(Peer.towards(gateway), { change })), [expected]);
      assert.deepEqual(gateway.endings(), ['handshake failed']);
    }
  });

  it('authenticates nobody whose request holds an unknown critical payload', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer);
    const answer = peer.send([peer.sealedRaw(Exchange.IKE_AUTH, 200, Uint8Array.of(0, 0x80, 0, 4))])[0];
    assert.deepEqual(answer?.payloads, [notify(Notify.UNSUPPORTED_CRITICAL_PAYLOAD, Uint8Array.of(200))]);
    assert.deepEqual(gateway.endings(), ['handshake failed']);
  });

  it('ignores notifies and payloads that it did not ask for', () => {
    const odd = [notify(Notify.MOBIKE_SUPPORTED), notify(45_000 as Notify), { kind: 'V', data: utf8('vendor') }] as const;
    const answer = connect(Peer.towards(gatewayOf()), { change: adding(...odd) });
    assert.ok(payload(answer, 'AUTH') && payload(answer, 'SA'));
  });
});

describe('the child of IKE_AUTH', () => {
  for (const [what, offer, expected] of [
    ['no ESP proposal is acceptable', [{ kind: 'SA', proposals: [espProposal(1_000, [], 128)] }], Notify.NO_PROPOSAL_CHOSEN],
    ['the ESP SPI is reserved', [{ kind: 'SA', proposals: [espProposal(255)] }], Notify.NO_PROPOSAL_CHOSEN],
    ['no selectors are in common', childOffer(1_000, { tsr: [everything(6)] }), Notify.TS_UNACCEPTABLE],
  ] as const)
    it(`is refused when ${what}, and the IKE SA lives, with its address and a ticket`, () => {
      const gateway = gatewayOf();
      const peer = Peer.towards(gateway);
      const replaced = new Set<string>(offer.map(({ kind }) => kind));
      // <--  HDR, SK {IDr, AUTH, N(error), N(TICKET_LT_OPAQUE)}
      const answer = connect(peer, { change: (all) => [...all.filter(({ kind }) => !replaced.has(kind)), ...offer] });
      assert.deepEqual(kinds(answer), ['IDr', 'AUTH', 'N', 'N', 'N']);
      assert.deepEqual(notifies(answer), [expected, Notify.AUTH_LIFETIME, Notify.TICKET_LT_OPAQUE]);
      assert.deepEqual(gateway.session().children, []);
      assert.deepEqual(peer.request(Exchange.INFORMATIONAL, [])?.payloads, []);
      assert.equal(gateway.named('refused').length, 1);
    });

  it('is not there when it was not asked for', () => {
    const gateway = gatewayOf();
    const answer = connect(Peer.towards(gateway), { change: without('SA', 'TSi', 'TSr', 'CP'), ticket: false });
    assert.deepEqual(kinds(answer), ['IDr', 'AUTH', 'N']);
    assert.deepEqual(gateway.session().children, []);
  });

  it('carries what both sides want: the routes of the gateway and the address of the client', () => {
    const gateway = gatewayOf({ config: config({ routes: ['10.1.0.0/16', '10.2.0.0/16'] }) });
    const wish = [prefixSelector('10.0.0.0/15'), prefixSelector('10.2.3.0/24')];
    const answer = connect(Peer.towards(gateway), {
      change: (all) => all.map((one) => (one.kind === 'TSr' ? { ...one, selectors: wish } : one)),
    });
    const [local, remote] = [payload(answer, 'TSr')?.selectors, payload(answer, 'TSi')?.selectors];
    assert.deepEqual(local, [prefixSelector('10.1.0.0/16'), prefixSelector('10.2.3.0/24')]);
    assert.deepEqual(remote, [addressSelector(innerIn(answer) ?? EMPTY)]);
    const [child] = gateway.children.values();
    assert.deepEqual([child?.local, child?.remote], [local, remote]);
  });

  it('keeps to the protocol and the ports that were asked for', () => {
    const gateway = gatewayOf();
    const dns: Selector = { ...everything(4), protocol: 17, startPort: 53, endPort: 53 };
    const answer = connect(Peer.towards(gateway), {
      change: (all) => all.map((one) => (one.kind === 'TSr' ? { ...one, selectors: [dns] } : one)),
    });
    assert.deepEqual(payload(answer, 'TSr')?.selectors, [dns]);
  });
});

describe('the configuration payload', () => {
  const dual = config({
    pools: [{ cidr: '10.8.0.0/16' }, { cidr: '2001:db8:8::/64' }],
    dns: ['10.8.0.1', '2001:db8:8::1'],
    routes: ['10.0.0.0/8', '2001:db8::/32'],
  });
  const told = (answer: Heard | undefined, type: number): Uint8Array[] =>
    payload(answer, 'CP')?.attributes.flatMap((one) => (one.type === type ? [one.value] : [])) ?? [];

  it('gives an address of each family that was asked for, with the servers and subnets of that family', () => {
    const gateway = gatewayOf({ config: dual });
    const change = replacing('CP', asking(CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP6_ADDRESS)).change;
    const answer = connect(Peer.towards(gateway), { change });
    const [v4, v6] = [told(answer, CfgAttribute.INTERNAL_IP4_ADDRESS)[0], told(answer, CfgAttribute.INTERNAL_IP6_ADDRESS)[0]];
    assert.match(formatAddress(v4 ?? EMPTY), /^10\.8\./);
    assert.deepEqual([v6?.length, v6?.[16]], [17, 128]);
    assert.deepEqual(gateway.session().inner, [v4, v6?.subarray(0, 16)]);
    assert.deepEqual(told(answer, CfgAttribute.INTERNAL_IP4_DNS).map(formatAddress), ['10.8.0.1']);
    assert.deepEqual(told(answer, CfgAttribute.INTERNAL_IP6_DNS).map(formatAddress), ['2001:db8:8::1']);
    assert.deepEqual(told(answer, CfgAttribute.INTERNAL_IP4_SUBNET), [Uint8Array.of(10, 0, 0, 0, 255, 0, 0, 0)]);
    assert.deepEqual(
      told(answer, CfgAttribute.INTERNAL_IP6_SUBNET).map((value) => value[16]),
      [32],
    );
  });

  it('gives IPv6 alone to who asks for that alone', () => {
    const gateway = gatewayOf({ config: dual });
    const both = [prefixSelector('0.0.0.0/0'), prefixSelector('::/0')];
    const answer = connect(Peer.towards(gateway), {
      change: (all) => [
        ...without('CP', 'TSi', 'TSr')(all),
        asking(CfgAttribute.INTERNAL_IP6_ADDRESS),
        { kind: 'TSi', selectors: both },
        { kind: 'TSr', selectors: both },
      ],
    });
    assert.deepEqual(told(answer, CfgAttribute.INTERNAL_IP4_ADDRESS), []);
    assert.deepEqual(payload(answer, 'TSi')?.selectors, [addressSelector(gateway.session().inner[0] ?? EMPTY)]);
    assert.deepEqual(payload(answer, 'TSr')?.selectors, [prefixSelector('2001:db8::/32')]);
    assert.deepEqual(told(answer, CfgAttribute.INTERNAL_IP4_DNS), []);
    assert.deepEqual(told(answer, CfgAttribute.INTERNAL_IP4_SUBNET), []);
  });

  it('fails without an address to give, and the IKE SA lives all the same', () => {
    const gateway = gatewayOf({ config: config({ pools: [{ cidr: '10.8.0.0/30' }], slices: 1 }) });
    connect(Peer.towards(gateway));
    const peer = another(gateway);
    // <--  HDR, SK {IDr, AUTH, N(INTERNAL_ADDRESS_FAILURE)}
    const answer = connect(peer, { ticket: false });
    assert.deepEqual(kinds(answer), ['IDr', 'AUTH', 'N', 'N']);
    assert.deepEqual(notifies(answer), [Notify.INTERNAL_ADDRESS_FAILURE, Notify.AUTH_LIFETIME]);
    assert.equal(gateway.sessions().length, 2);
    assert.equal(gateway.named('address-refused').length, 1);
    assert.deepEqual(peer.request(Exchange.INFORMATIONAL, [])?.payloads, []);
  });

  it('gives no address that a live session has, not even to the same identity', () => {
    const gateway = gatewayOf();
    const inner = innerIn(connect(Peer.towards(gateway)));
    const second = innerIn(connect(another(gateway), { ...(inner && { wanted: inner }), spi: 0x0a00_0002 }));
    assert.ok(second);
    assert.notDeepEqual(second, inner);
    assert.equal(gateway.sessions().length, 2);
  });

  it('keeps an address for an identity that is gone, as long as its tickets live', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    const inner = innerIn(connect(peer));
    peer.request(Exchange.INFORMATIONAL, [{ kind: 'D', protocol: Protocol.IKE, spis: [] }]);
    assert.deepEqual(innerIn(connect(another(gateway))), inner);
  });
});

describe('INITIAL_CONTACT', () => {
  const only = adding(notify(Notify.INITIAL_CONTACT));

  it('ends the other SAs of that identity without a DELETE, and gives their address to the new one', () => {
    const gateway = gatewayOf();
    const [former, next] = [Peer.towards(gateway), another(gateway)];
    const inner = innerIn(connect(former));
    ikeSaInit(next);
    const sent = former.hear(gateway.pass(0));
    const answer = ikeAuth(next, { change: only, spi: 0x0a00_0002 });
    assert.deepEqual(innerIn(answer), inner);
    assert.deepEqual(gateway.endings(), ['superseded by initial contact']);
    assert.deepEqual(requests(sent), []);
    assert.deepEqual(
      [...gateway.children.values()].map(({ spiOut }) => spiOut),
      [0x0a00_0002],
    );
    assert.equal(former.request(Exchange.INFORMATIONAL, []), undefined);
    assert.deepEqual(gateway.session().inner, [inner], 'what ended took nothing with it');
  });

  it('touches no other identity, and without it nothing ends', () => {
    const gateway = gatewayOf({ users });
    connect(Peer.towards(gateway), { identity: BOB });
    connect(another(gateway, 501));
    connect(another(gateway, 502), { change: only });
    assert.deepEqual(
      gateway
        .sessions()
        .map(({ remote }) => hex(remote?.data ?? EMPTY))
        .sort(),
      [BOB, ALICE].map(({ data }) => hex(data)).sort(),
    );
    assert.deepEqual(gateway.endings(), ['superseded by initial contact']);
  });

  it('of who cannot authenticate ends nothing', () => {
    const gateway = gatewayOf();
    connect(Peer.towards(gateway));
    connect(another(gateway), { change: only, psk: utf8('a guess') });
    assert.equal(gateway.sessions().length, 1);
  });
});

describe('IKE_AUTH, the initiator', () => {
  function begun(part: Parameters<typeof connection>[0] = {}) {
    const [client, first] = clientOf(connection(part));
    const peer = Peer.of(client, first);
    const [request] = answerInit(peer, first);
    return { client, peer, request };
  }

  it('asks for all at once: identities, addresses, a child without a key exchange of its own, a ticket', () => {
    const { peer, request } = begun();
    // HDR(A,B,1), SK {IDi, IDr, AUTH, CP(CFG_REQUEST), SAi2, TSi, TSr, N(INITIAL_CONTACT), N(TICKET_REQUEST)}  -->
    assert.deepEqual(kinds(request), ['IDi', 'IDr', 'AUTH', 'CP', 'SA', 'TSi', 'TSr', 'N', 'N']);
    assert.deepEqual(notifies(request), [Notify.INITIAL_CONTACT, Notify.TICKET_REQUEST]);
    assert.deepEqual([request?.messageId, request?.initiator, request?.response], [1, true, false]);
    const [proposal] = payload(request, 'SA')?.proposals ?? [];
    assert.equal(proposal?.spi.length, 4);
    assert.ok(proposal?.transforms.every(({ type }) => type !== TransformType.KE));
    assert.deepEqual(payload(request, 'IDi')?.data, ALICE.data);
    assert.deepEqual(
      payload(request, 'CP')?.attributes.map(({ type }) => type),
      [CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP4_DNS, CfgAttribute.INTERNAL_DNS_DOMAIN],
    );
    assert.ok(peer.first);
  });

  it('is established by the answer of a gateway that proves the key', () => {
    const { client, peer, request } = begun();
    client.pass(40);
    assert.deepEqual(answerAuth(peer, request), []);
    const established = client.named('established')[0];
    assert.deepEqual(
      [established?.kind, established?.roundTrips, established?.keyExchanges, established?.durationMs, established?.connection],
      ['full', 2, 1, 40, 'home'],
    );
    assert.deepEqual(client.session().inner, [INNER]);
    assert.deepEqual(
      [...client.children.values()].map(({ spiOut }) => spiOut),
      [0x0b00_0001],
    );
  });

  for (const [what, part] of [
    ['does not prove the key', { psk: utf8('a guess') }],
    ['is another one than the one expected', { identity: fqdn('evil.example.com') }],
  ] as const)
    it(`accepts no gateway that ${what}: no child comes to be, and what the gateway has is ended`, () => {
      const { client, peer, request } = begun();
      const heard = answerAuth(peer, request, part);
      assert.deepEqual(client.endings(), ['authentication failed']);
      assert.deepEqual([client.phases(), client.orders], [[], []]);
      // HDR(A,B,2), SK {N(AUTHENTICATION_FAILED), D(IKE)}  -->  once, since nobody waits for the answer
      assert.deepEqual(
        heard.map(({ payloads, messageId }) => [payloads, messageId]),
        [[[notify(Notify.AUTHENTICATION_FAILED), { kind: 'D', protocol: Protocol.IKE, spis: [] }], 2]],
      );
    });

  it('takes any identity that proves the key when none is expected', () => {
    const { client, peer, request } = begun({ remote: undefined });
    assert.equal(payload(request, 'IDr'), undefined);
    answerAuth(peer, request, { identity: fqdn('any.example.com') });
    assert.deepEqual(client.session().remote?.data, utf8('any.example.com'));
  });

  it('ends with AUTHENTICATION_FAILED', () => {
    const { client, peer, request } = begun();
    peer.answer(request ?? peer.header(0), [notify(Notify.AUTHENTICATION_FAILED)]);
    assert.deepEqual(client.endings(), ['authentication failed']);
    assert.equal(client.named('refused').at(-1)?.notify, 'AUTHENTICATION_FAILED');
    assert.deepEqual(client.phases(), []);
  });

  for (const error of [
    Notify.NO_PROPOSAL_CHOSEN,
    Notify.TS_UNACCEPTABLE,
    Notify.INTERNAL_ADDRESS_FAILURE,
    Notify.FAILED_CP_REQUIRED,
  ])
    it(`keeps an IKE SA whose child was refused with ${error}`, () => {
      const { client, peer, request } = begun();
      answerAuth(peer, request, { change: (all) => [...without('SA', 'TSi', 'TSr', 'CP')(all), notify(error)] });
      assert.deepEqual([client.session().children, client.endings()], [[], []]);
      assert.deepEqual(
        client.named('refused').map(({ by }) => by),
        ['peer'],
      );
    });

  for (const [what, change] of [
    ['selectors beyond the offer', replacing('TSr', { kind: 'TSr', selectors: [everything(6)] }).change],
    ['algorithms that were not offered', replacing('SA', { kind: 'SA', proposals: [espProposal(1_000, [], 128)] }).change],
    [
      'a key exchange that was not offered',
      replacing('SA', { kind: 'SA', proposals: [espProposal(1_000, [Ke.CURVE25519])] }).change,
    ],
  ] as const)
    it(`takes no child with ${what}, and ends the SA, since the gateway believes in another one`, () => {
      const { client, peer, request } = begun();
      const heard = answerAuth(peer, request, { change });
      assert.deepEqual([client.phases(), client.orders], [[], []]);
      assert.deepEqual(client.endings(), ['handshake failed']);
      assert.deepEqual(
        heard.map(({ payloads }) => payloads),
        [[{ kind: 'D', protocol: Protocol.IKE, spis: [] }]],
      );
    });

  it('takes no child from an answer with an error that nobody knows', () => {
    const { client, peer, request } = begun();
    answerAuth(peer, request, { change: adding(notify(9_999 as Notify)) });
    assert.deepEqual([client.session().children, client.endings()], [[], []]);
  });

  it('ignores what is not protected, or not by the right keys', () => {
    const { client, peer, request } = begun();
    assert.deepEqual(
      peer.send([peer.clear(Exchange.IKE_AUTH, [notify(Notify.AUTHENTICATION_FAILED)], { messageId: 1, response: true })]),
      [],
    );
    const [sealed = EMPTY] = peer.sealed(Exchange.IKE_AUTH, [notify(Notify.AUTHENTICATION_FAILED)], {
      messageId: 1,
      response: true,
    });
    for (const at of [sealed.length - 1, 40, 20]) {
      const forged = sealed.slice();
      forged[at] = (forged[at] ?? 0) ^ 1;
      assert.deepEqual(peer.send([forged]), []);
    }
    assert.deepEqual(client.phases(), ['authSent']);
    answerAuth(peer, request);
    assert.deepEqual(client.phases(), ['established']);
  });

  it('repeats its request with the same bytes, and gives up without an answer', () => {
    const { client, request } = begun();
    const again = client.pass(60_000);
    assert.ok(again.length > 2);
    for (const { bytes } of again) assert.deepEqual(bytes, request?.datagrams[0]);
    assert.deepEqual(client.endings(), ['handshake failed']);
  });

  it('claims initial contact only for its first session with a gateway', () => {
    const { client, peer, request } = begun();
    answerAuth(peer, request);
    const [second] = client.do({ type: 'connect', connection: connection({ name: 'second' }), ticket: undefined });
    assert.ok(second);
    const other = Peer.of(client, second, 300);
    assert.deepEqual(notifies(answerInit(other, second)[0]), [Notify.TICKET_REQUEST]);
  });

  it('asks for no ticket when it wants none, nor for addresses', () => {
    const { request } = begun({ tickets: false, addresses: { ipv4: false, ipv6: false } });
    assert.deepEqual(notifies(request), [Notify.INITIAL_CONTACT]);
    assert.equal(payload(request, 'CP'), undefined);
  });

  it('offers its own traffic when it has no inner address', () => {
    const mine = [prefixSelector('192.168.7.0/24')];
    const { request } = begun({ addresses: { ipv4: false, ipv6: false }, localTraffic: mine });
    assert.deepEqual(payload(request, 'TSi')?.selectors, mine);
  });
});
