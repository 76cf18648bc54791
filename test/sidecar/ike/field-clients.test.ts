/** What the clients of the field send by default, against a gateway as a manifest without ike and esp makes it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { validate } from '../../../crds/v1alpha1/validate.ts';
import { gatewayConfig } from '../../../operator/plan/gateway-config.ts';
import type { GatewayConfig } from '../../../sidecar/contract/gateway-config.ts';
import { parseTrust } from '../../../sidecar/ike/pki/trust-files.ts';
import type { Identity, Instant } from '../../../sidecar/ike/sa.ts';
import { hex, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { notify } from '../../../sidecar/ike/wire/payload.ts';
import { CfgAttribute, Encr, Exchange, IdType, Integ, Ke, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { Authority, pem, purposes, YEAR_2030 } from '../../harness/certificate-authority.ts';
import { ANDROID, STRONGSWAN_APP } from '../../harness/field/android.ts';
import { IOS, IOS_PFS, MACOS } from '../../harness/field/apple.ts';
import { type FieldClient, FieldSession } from '../../harness/field/field-client.ts';
import { WINDOWS_10, WINDOWS_11, WINDOWS_ADDED, WINDOWS_CONFIGURED, WINDOWS_FORCED } from '../../harness/field/windows.ts';
import { crypto, type Heard, kinds, NAT_PATH, notifies, notifyData, payload, requests } from '../../harness/peer.ts';
import { CERTIFICATE_RULE, fqdn, PSK, policy } from '../../harness/policy.ts';
import { configure, gatewayOf, type Subject } from '../../harness/subject.ts';
import { PLACEMENT } from '../../operator/plan/scene.ts';

/** Without ike and esp, or with what a user writes there. */
function planned(part: object = {}): GatewayConfig {
  const manifest = {
    apiVersion: 'vpn.rekindle.dev/v1alpha1',
    kind: 'VpnGateway',
    metadata: { name: 'office', namespace: 'default' },
    spec: {
      identity: 'vpn.example.com',
      authentication: { psk: { secretRef: { name: 'office-users' } } },
      pools: [{ cidr: '10.8.0.0/24' }, { cidr: 'fd5a:6b7c:8d9e::/112' }],
      routes: ['0.0.0.0/0', '::/0'],
      ...part,
    },
  };
  const validated = validate('gateway.yaml', manifest);
  assert.ok(validated.ok && validated.value.kind === 'VpnGateway', JSON.stringify(validated));
  const { value } = validated;
  return gatewayConfig({ ...value, metadata: { ...value.metadata, uid: 'uid', generation: 1 } }, 3_600_000, 1, PLACEMENT);
}

const CLIENTS = [WINDOWS_ADDED, WINDOWS_FORCED, WINDOWS_CONFIGURED, MACOS, IOS, IOS_PFS, ANDROID, STRONGSWAN_APP];
const users = new Map([...CLIENTS, WINDOWS_10].map(({ idI }) => [hex(idI.data), PSK]));
/** What a policy for Windows as it is delivered names. */
const FOR_WINDOWS = {
  ike: {
    integrity: ['sha256', 'sha384', 'sha1'],
    prf: ['prfsha256', 'prfsha384', 'prfsha1'],
    keyExchange: ['modp2048', 'modp1024'],
  },
  esp: { integrity: ['sha256', 'sha1'] },
};

const gatewayFor = (part: object = {}): Subject => gatewayOf({ config: planned(part), users });

function meets(client: FieldClient, part: object = {}) {
  const gateway = gatewayFor(part);
  const session = new FieldSession(client, gateway);
  return { gateway, session, answer: session.connect() };
}

const suiteOf = (gateway: Subject) => [...gateway.children.values()].map(({ suite }) => suite);
const attributesOf = (heard: Heard | undefined): readonly number[] =>
  payload(heard, 'CP')?.attributes.map(({ type }) => type) ?? [];

describe('by default', () => {
  for (const client of [WINDOWS_CONFIGURED, MACOS, IOS, IOS_PFS, ANDROID, STRONGSWAN_APP])
    it(`${client.name} comes in with its first offer and gets a child, two addresses and fragments`, () => {
      const { gateway, session, answer } = meets(client);
      assert.equal(session.groups.length, 1, 'in two round trips');
      assert.ok(payload(answer, 'AUTH') && payload(answer, 'SA'), JSON.stringify(notifies(answer)));
      assert.equal(gateway.children.size, 1);
      for (const type of [CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP6_ADDRESS])
        assert.ok(attributesOf(answer).includes(type));
      assert.ok(notifies(answer).includes(Notify.MOBIKE_SUPPORTED));
      assert.deepEqual(gateway.named('dropped'), []);
    });

  for (const client of [WINDOWS_10, WINDOWS_11])
    it(`${client.name} is refused as it is delivered, and is told why`, () => {
      const { gateway, answer } = meets(client);
      assert.deepEqual(notifies(answer), [Notify.NO_PROPOSAL_CHOSEN]);
      assert.deepEqual([gateway.gateway.counts().halfOpen, gateway.named('refused').length], [0, 1]);
    });

  for (const client of [WINDOWS_ADDED, WINDOWS_FORCED])
    it(`${client.name} has an IKE SA, but no child: it offers SHA-1 alone for ESP`, () => {
      const { gateway, answer } = meets(client);
      assert.ok(payload(answer, 'AUTH'));
      assert.ok(notifies(answer).includes(Notify.NO_PROPOSAL_CHOSEN));
      assert.deepEqual([gateway.sessions().length, gateway.children.size], [1, 0]);
    });

  it('what is chosen of an offer is the best that both have', () => {
    const chosen = (client: FieldClient) => {
      const { gateway, session } = meets(client);
      return [session.peer.suite.encr, session.peer.suite.ke, suiteOf(gateway).at(0)?.encr];
    };
    assert.deepEqual(chosen(ANDROID), [Encr.AES_GCM_16, Ke.MODP_4096, Encr.AES_GCM_16]);
    assert.deepEqual(chosen(STRONGSWAN_APP), [Encr.AES_GCM_16, Ke.CURVE25519, Encr.AES_GCM_16]);
    assert.deepEqual(chosen(IOS), [Encr.AES_CBC, Ke.MODP_2048, Encr.AES_CBC]);
  });
});

describe('with a policy that names MODP-1024 and SHA-1', () => {
  for (const client of [WINDOWS_10, WINDOWS_11, WINDOWS_ADDED, WINDOWS_FORCED])
    it(`${client.name} comes in, with a child`, () => {
      const { gateway, answer } = meets(client, FOR_WINDOWS);
      assert.ok(payload(answer, 'SA'), JSON.stringify(notifies(answer)));
      assert.deepEqual(
        suiteOf(gateway).map(({ encr, keyBits, integ }) => [encr, keyBits, integ]),
        [[Encr.AES_CBC, 256, Integ.HMAC_SHA1_96]],
      );
    });

  it('MODP-1024 is the last resort, not the choice', () => {
    const { session } = meets(WINDOWS_ADDED, FOR_WINDOWS);
    assert.equal(session.peer.suite.ke, Ke.MODP_2048);
  });
});

describe('a first KE of a group that the gateway does not have', () => {
  for (const [client, wanted] of [
    [ANDROID, 'modp2048'],
    [ANDROID, 'x25519'],
    [STRONGSWAN_APP, 'ecp384'],
  ] as const)
    it(`gets ${client.name} to ${wanted} in one more round trip`, () => {
      const { gateway, session, answer } = meets(client, { ike: { keyExchange: [wanted] } });
      assert.equal(session.groups.length, 2);
      assert.ok(payload(answer, 'SA'));
      assert.equal(gateway.sessions().length, 1);
    });
});

describe('identities', () => {
  const called = (idI: Identity) => {
    const gateway = gatewayOf({ config: planned(), users: new Map([[hex(idI.data), PSK]]) });
    const answer = new FieldSession({ ...IOS, idI }, gateway).connect();
    return [payload(answer, 'AUTH') !== undefined, gateway.sessions().at(0)?.remote?.idType];
  };

  for (const [name, idType, data] of [
    ['a KEY_ID of any bytes', IdType.ID_KEY_ID, Uint8Array.of(0, 255, 7)],
    ['an IPv4 address', IdType.ID_IPV4_ADDR, Uint8Array.of(192, 168, 1, 20)],
    ['an IPv6 address', IdType.ID_IPV6_ADDR, new Uint8Array(16).fill(0xfd)],
    ['a domain name', IdType.ID_FQDN, utf8('phone.example.com')],
    ['a mail address', IdType.ID_RFC822_ADDR, utf8('alice@example.com')],
  ] as const)
    it(`can be ${name}`, () => {
      assert.deepEqual(called({ idType, data }), [true, idType]);
    });

  it('the gateway says the name that it goes by, whether it was asked for that, for another or for none', () => {
    for (const idR of [IOS.idR, fqdn('another.example.com'), undefined]) {
      const session = new FieldSession(IOS, gatewayFor());
      session.init();
      const answer = session.auth('psk', 1_200, idR);
      assert.deepEqual(payload(answer, 'IDr')?.data, utf8('vpn.example.com'));
    }
  });

  it('a second tunnel of the same user leaves the first alone, unless it says that it knows of none', () => {
    const gateway = gatewayFor();
    const [first, second] = [new FieldSession(ANDROID, gateway, 1), new FieldSession(ANDROID, gateway, 2)];
    const addresses = [first.connect(), second.connect()].map((heard) =>
      hex(payload(heard, 'CP')?.attributes.at(0)?.value ?? assert.fail('no address')),
    );
    assert.equal(new Set(addresses).size, 2);
    assert.equal(gateway.sessions().length, 2);
    assert.ok(first.peer.request(Exchange.INFORMATIONAL, []));
    new FieldSession({ ...ANDROID, auth: [notify(Notify.INITIAL_CONTACT)] }, gateway, 3).connect();
    assert.equal(gateway.sessions().length, 1);
  });
});

describe('certificates and EAP', () => {
  const root = Authority.root();
  const server = root.issue({ names: ['dns:vpn.example.com'], purposes: [purposes.serverAuth], key: 'rsa' });
  const files = [{ file: 'ca.pem', content: pem('CERTIFICATE', root.issued.der) }];

  function withCertificate(method: 'certificate' | 'eap-mschapv2'): Subject {
    const parsed = parseTrust(files, { crypto, revocation: 'ifKnown', now: YEAR_2030 as Instant });
    const key = crypto.signatures.privateKey(server.pkcs8);
    if (!parsed.ok || !key) throw new Error('no trust, or no key');
    const gateway = gatewayFor();
    gateway.now = YEAR_2030 as Instant;
    const config = { ...planned(FOR_WINDOWS), authentication: [{ ...CERTIFICATE_RULE, method }] };
    const credentials = { certificate: { chain: [server.der], key }, trust: parsed.value.trust };
    configure(gateway, policy({ config, credentials }));
    return gateway;
  }

  it('a certificate of the gateway goes to a client that does not ask for one', () => {
    const machine = root.issue({ names: ['dns:phone.example.com'], key: 'rsa' });
    const session = new FieldSession(IOS, withCertificate('certificate'));
    session.init();
    assert.deepEqual(IOS.certreq, []);
    const answer = session.auth(machine);
    assert.deepEqual(kinds(answer).slice(0, 3), ['IDr', 'CERT', 'AUTH']);
  });

  it('a machine certificate of Windows comes in by its name in the directory', () => {
    const machine = root.issue({ subject: 'CN=laptop', names: [], key: 'rsa' });
    const gateway = withCertificate('certificate');
    const idI = {
      idType: IdType.ID_DER_ASN1_DN,
      data: Buffer.from('30113 10f300d060355040313066c6170746f70'.replace(' ', ''), 'hex'),
    };
    const session = new FieldSession({ ...WINDOWS_10, idI }, gateway);
    session.init();
    assert.ok(payload(session.auth(machine), 'AUTH'), JSON.stringify(gateway.named('refused')));
  });

  for (const client of [WINDOWS_10, WINDOWS_ADDED, IOS, ANDROID, STRONGSWAN_APP])
    it(`${client.name} begins EAP without an AUTH: the gateway proves itself and asks`, () => {
      const gateway = withCertificate('eap-mschapv2');
      const session = new FieldSession(client, gateway);
      session.init();
      assert.equal(session.auth('eap'), undefined, 'the answer waits for whoever speaks EAP');
      const question = gateway.eap.at(0);
      assert.ok(question);
      const asks = { is: 'packet', message: Uint8Array.of(1, 1, 0, 5, 1) } as const;
      const [heard] = session.peer.hear(gateway.do({ type: 'eap-answered', conversation: question.conversation, answer: asks }));
      assert.deepEqual(kinds(heard), ['IDr', 'CERT', 'AUTH', 'EAP']);
    });
});

describe('an established session of the field', () => {
  it('is rekeyed by a client without perfect forward secrecy, and by one with it', () => {
    for (const [client, group] of [
      [IOS, undefined],
      [IOS_PFS, Ke.MODP_2048],
      [ANDROID, undefined],
      [WINDOWS_CONFIGURED, Ke.MODP_2048],
      [STRONGSWAN_APP, Ke.CURVE25519],
    ] as const) {
      const { gateway, session } = meets(client);
      assert.ok(payload(session.rekeyChild(group), 'SA'), client.name);
      assert.equal(gateway.children.size, 2);
    }
  });

  it('is told which group a rekey needs, and goes on as it was', () => {
    const { gateway, session } = meets(WINDOWS_CONFIGURED, { esp: { keyExchange: ['modp2048'] } });
    const refused = session.rekeyChild(Ke.MODP_4096);
    assert.deepEqual([...(notifyData(refused, Notify.INVALID_KE_PAYLOAD) ?? [])], [0, Ke.MODP_2048]);
    assert.ok(payload(session.rekeyChild(Ke.MODP_2048), 'SA'));
    assert.equal(gateway.children.size, 2);
  });

  it('moves with MOBIKE', () => {
    for (const client of [WINDOWS_CONFIGURED, IOS, ANDROID, STRONGSWAN_APP]) {
      const { gateway, session } = meets(client);
      const path = { ...NAT_PATH, remote: '203.0.113.7:31000' };
      assert.ok(session.peer.request(Exchange.INFORMATIONAL, [notify(Notify.UPDATE_SA_ADDRESSES)], { path }), client.name);
      assert.equal(gateway.session().path.remote, path.remote);
    }
  });

  it('gets its first messages in fragments when its path is narrow, and sends them so', () => {
    const session = new FieldSession({ ...IOS, auth: [...IOS.auth, { kind: 'V', data: new Uint8Array(2_000) }] }, gatewayFor());
    session.init();
    assert.ok(payload(session.auth('psk', 548), 'SA'));
  });

  // 13863 of Windows: behind a NAT it does not let the other side rekey a child.
  for (const refusal of [
    notify(Notify.NO_ADDITIONAL_SAS),
    notify(Notify.NO_PROPOSAL_CHOSEN),
    notify(Notify.TS_UNACCEPTABLE),
    notify(Notify.TEMPORARY_FAILURE),
    { ...notify(Notify.NO_ADDITIONAL_SAS, Uint8Array.of(0, 0, 0x36, 0x27)), notify: 12_345 as Notify },
  ])
    it(`survives that its client refuses a rekey by the gateway with ${refusal.notify}, and is rekeyed by the client`, () => {
      const { gateway, session } = meets(WINDOWS_CONFIGURED);
      const [spiIn = 0] = gateway.children.keys();
      const asked = requests(session.peer.hear(gateway.want({ kind: 'rekeyChild', spiIn })))[0];
      assert.ok(asked);
      session.peer.answer(asked, [refusal]);
      assert.deepEqual([gateway.sessions().length, [...gateway.children.keys()]], [1, [spiIn]]);
      assert.deepEqual(gateway.pass(5_000).length, 0, 'it is not asked again at once');
      assert.ok(payload(session.rekeyChild(), 'SA') ?? payload(session.rekeyChild(Ke.MODP_2048), 'SA'));
    });

  for (const refusal of [Notify.NO_ADDITIONAL_SAS, Notify.NO_PROPOSAL_CHOSEN, 12_345 as Notify])
    it(`survives that its client refuses a rekey of the IKE SA with ${refusal}`, () => {
      const { gateway, session } = meets(WINDOWS_CONFIGURED);
      const asked = requests(session.peer.hear(gateway.want({ kind: 'rekeyIke' })))[0];
      assert.ok(asked);
      session.peer.answer(asked, [notify(refusal)]);
      assert.equal(gateway.sessions().length, 1);
      assert.ok(payload(session.rekeyChild(Ke.MODP_2048), 'SA'));
    });
});
