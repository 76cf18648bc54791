/** `gateway.yaml`: what is written is read back, and everything wrong in a file is said at once. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatAddress, network } from '../../../sidecar/contract/address.ts';
import { ADDITIONAL_KEY_EXCHANGE, ENCRYPTION, INTEGRITY, KEY_EXCHANGE, PRF } from '../../../sidecar/contract/algorithms.ts';
import type { AuthenticationRule, RadiusConfig } from '../../../sidecar/contract/authentication.ts';
import type { Algorithms, GatewayConfig } from '../../../sidecar/contract/gateway-config.ts';
import { encodeGatewayConfig, parseGatewayConfig } from '../../../sidecar/contract/gateway-yaml.ts';
import { parseIdentity } from '../../../sidecar/contract/identity.ts';
import { formatProblem } from '../../../sidecar/contract/problem.ts';
import { cryptography } from '../../../sidecar/ike/crypto/cryptographies.ts';

const MINIMAL = `name: default/office
audience: 6f1c
identity: vpn.example.com
pools:
  - cidr: 10.8.0.0/24
routes: [0.0.0.0/0]
...
`;

const problems = (yaml: string): readonly string[] => {
  const parsed = parseGatewayConfig('gateway.yaml', yaml);
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
};
const with_ = (line: string): string => MINIMAL.replace('...\n', `${line}\n...\n`);

describe('gateway.yaml', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(config(), (value) => {
        assert.deepEqual(parseGatewayConfig('gateway.yaml', encodeGatewayConfig(value)), { ok: true, value });
      }),
      { numRuns: 100 },
    );
  });

  it('needs no more than a name, an audience, an identity, pools and routes', () => {
    const parsed = parseGatewayConfig('gateway.yaml', MINIMAL);
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.value.listen, { ikePort: 500, natPort: 4500, httpPort: 8080, peerPort: 8081 });
    assert.equal(parsed.value.tickets.lifetimeMs, 3_600_000);
  });

  it('has SHA-1 and MODP-1024 in no default, and takes them when they are named', () => {
    const legacy = { integrity: [2], prf: [2], keyExchange: [2] };
    const [plain, named] = [
      MINIMAL,
      with_('ike: { algorithms: { integrity: [sha1], prf: [prfsha1], keyExchange: [modp1024] } }'),
    ].map((yaml) => parseGatewayConfig('gateway.yaml', yaml));
    assert.ok(plain?.ok && named?.ok);
    for (const { algorithms } of [plain.value.ike, plain.value.esp])
      assert.ok([...algorithms.integrity, ...algorithms.prf, ...algorithms.keyExchange].every((id) => id !== 2));
    const { integrity, prf, keyExchange } = named.value.ike.algorithms;
    assert.deepEqual({ integrity, prf, keyExchange }, legacy);
  });

  it('names no algorithm that the cryptography lacks', () => {
    const { prf, integrity, encryption, keyExchange } = cryptography('auto');
    assert.ok(Object.values(PRF).every((id) => prf(id)) && Object.values(INTEGRITY).every((id) => integrity(id)));
    assert.ok(Object.values(ENCRYPTION).every(({ id, keyBits }) => encryption(id, keyBits)));
    assert.ok([...Object.values(KEY_EXCHANGE), ...Object.values(ADDITIONAL_KEY_EXCHANGE)].every((id) => keyExchange(id)));
  });

  it('is refused wherever it is cut off', () => {
    const whole = encodeGatewayConfig(fc.sample(config(), { numRuns: 1, seed: 5 })[0]!);
    for (let length = 0; length < whole.length - 1; length++) {
      assert.equal(parseGatewayConfig('gateway.yaml', whole.slice(0, length)).ok, false, `cut after ${length} characters`);
    }
  });

  it('is refused with every problem, its path and its remedy', () => {
    const yaml = `name: default/office
audiance: 6f1c
identity: ""
pools:
  - cidr: 10.8.0.0
  - cidr: 10.8.0.1/24
routes: 0.0.0.0/0
ike:
  rekey: 10
  algorithms: { encryption: [aes256, des], integrity: [] }
tickets: { lifetime: 1 day }
...
`;
    assert.deepEqual(problems(yaml), [
      'gateway.yaml: audiance: unknown field; remove it; the fields here are generation, name, audience, identity, listen, peers, pools, slices, dns, routes, domains, authentication, radius, revocation, mobike, childless, redirect, ike, esp, tickets, dataplane, crypto',
      'gateway.yaml: audience: missing; add this field',
      'gateway.yaml: identity: not an identity: ""; write an address, a domain name, user@domain, or keyid: and an even number of hexadecimal digits',
      'gateway.yaml: pools[0].cidr: not an IPv4 or IPv6 prefix: "10.8.0.0"; write it as address/length, for instance 10.8.0.0/24',
      'gateway.yaml: pools[1].cidr: bits are set behind the length of the prefix: "10.8.0.1/24"; write 10.8.0.0/24',
      'gateway.yaml: routes: not a list: a string; write one item per line, each after "- "',
      'gateway.yaml: ike.algorithms.encryption[1]: not an encryption that we have: "des"; write one of aes256gcm16, aes128gcm16, chacha20poly1305, aes256, aes128',
      'gateway.yaml: ike.rekey: not a text: a number; write a whole number with its unit, for instance 500ms, 30s, 15m or 8h, in quotes',
      'gateway.yaml: tickets.lifetime: not a span of time from 1s to 87600h: "1 day"; write a whole number with its unit, for instance 500ms, 30s, 15m or 8h',
    ]);
  });

  it('is refused when its parts do not fit each other', () => {
    const cases: readonly (readonly [line: string, problem: string])[] = [
      ['listen: { ikePort: 4500 }', 'listen.natPort: the same as ikePort: 4500; choose another port'],
      ['slices: 128', 'pools[0].cidr: too small for 128 slices: "10.8.0.0/24"; use a prefix of length 23 or shorter'],
      [
        'peers: { replicas: 2, host: "a-{ordinal}" }',
        'slices: fewer than the 2 replicas; give each replica a slice of the pools',
      ],
      ['peers: { replicas: 1, host: "" }', 'peers.host: not a host name: ""; write a name or address with {ordinal} in it'],
      [
        'peers: { replicas: 2, host: same }',
        'peers.host: the same for all 2 pods: "same"; write {ordinal} where the number of the pod belongs',
      ],
      [
        'ike: { algorithms: { encryption: [aes256], integrity: [] } }',
        'ike.algorithms.integrity: empty, but aes128 and aes256 are no AEADs; name at least one, for instance sha256',
      ],
      [
        'dataplane: userspace\nesp: { forceEncapsulation: false }',
        'esp.forceEncapsulation: false, but ESP in user space travels in UDP only; write true',
      ],
      ['esp: { algorithms: { prf: [prfsha256] } }', 'esp.algorithms.prf: not a field of ESP; remove it'],
      [
        'esp: { algorithms: { keyExchange: [x25519, x25519] } }',
        'esp.algorithms.keyExchange[1]: named twice: x25519; name each once',
      ],
      [
        'redirect: { to: alice@example.com }',
        'redirect.to: neither an address nor a domain name; write for instance vpn2.example.com or 192.0.2.7',
      ],
      [
        'dataplane: ebpf',
        'dataplane: not one of auto, kernel, userspace, none: "ebpf"; write one of auto, kernel, userspace, none',
      ],
      ['crypto: rust', 'crypto: not one of auto, noble, openssl: "rust"; write one of auto, noble, openssl'],
      ['generation: -1', 'generation: not a whole number between 0 and 9007199254740991: -1; write digits without quotes'],
    ];
    for (const [line, problem] of cases) assert.deepEqual(problems(with_(line)), [`gateway.yaml: ${problem}`]);
    const overlapping = MINIMAL.replace('routes', '  - cidr: 10.8.0.128/25\nroutes');
    assert.deepEqual(problems(overlapping), [
      'gateway.yaml: pools[1].cidr: overlaps with pools[0]: "10.8.0.128/25"; use prefixes that share no address',
    ]);
  });

  it('is refused when a rule of authentication could never do what it says', () => {
    const rules = (text: string): readonly string[] => problems(with_(`authentication: [${text}]`));
    assert.deepEqual(rules(''), ['gateway.yaml: authentication: 0 items; list at least 1']);
    assert.deepEqual(rules('{ name: a, method: psk }, { name: a, method: certificate }'), [
      'gateway.yaml: authentication[1].name: the same as that of rule 1: "a"; give each rule a name of its own',
    ]);
    assert.deepEqual(rules('{ name: a, method: psk, pools: [10.9.0.0/24] }'), [
      'gateway.yaml: authentication[0].pools[0]: not a pool of this gateway: "10.9.0.0/24"; write one of 10.8.0.0/24',
    ]);
    assert.deepEqual(rules('{ name: a, method: psk, authorities: [ca.pem], eapOnly: true }'), [
      'gateway.yaml: authentication[0].authorities: given, but the method is psk; remove it; it is for certificate and eap-tls',
      'gateway.yaml: authentication[0].eapOnly: true, but the method is psk; remove it; it is for EAP',
    ]);
    assert.deepEqual(rules('{ name: a, method: eap-radius }'), [
      'gateway.yaml: authentication[0].method: eap-radius, but no RADIUS server is named; name one below radius.servers',
    ]);
    assert.deepEqual(rules('{ name: a, method: psk, identities: ["*a*b*c*d*e*f*g*h*i*"] }'), [
      'gateway.yaml: authentication[0].identities[0]: not a pattern of identities: "*a*b*c*d*e*f*g*h*i*"; write an identity, or a part of one with * for the rest, for instance *@staff.example.com',
    ]);
    assert.deepEqual(rules('{ name: a, method: certificate, authorities: [../ca.pem] }'), [
      'gateway.yaml: authentication[0].authorities[0]: not the name of a file: "../ca.pem"; write the name without a folder: letters, digits, dots and dashes',
    ]);
    assert.deepEqual(problems(with_('radius: { servers: [{ host: r, secret: s }], interim: 30s }')), [
      'gateway.yaml: radius.interim: shorter than a minute; write at least 1m, or 0s for what the server says',
    ]);
  });

  it('is refused when it is not one YAML document', () => {
    assert.deepEqual(problems(''), [
      'gateway.yaml: cut off in the middle of a write; write the file whole; its last line is ...',
    ]);
    assert.deepEqual(problems(with_('name: again')), [
      'gateway.yaml: not valid YAML at line 7, column 1: duplicated mapping key; correct it; a text that begins with a sign needs quotes',
    ]);
    assert.deepEqual(problems('- 1\n...\n'), [
      'gateway.yaml: not a mapping: a list; write the fields generation, name, audience, identity, listen, peers, pools, slices, dns, routes, domains, authentication, radius, revocation, mobike, childless, redirect, ike, esp, tickets, dataplane, crypto below it',
    ]);
  });

  it('never makes the parser throw', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseGatewayConfig('f', `${text}\n...\n`)));
    fc.assert(fc.property(fc.json(), (text) => void parseGatewayConfig('f', `${text}\n...\n`)));
  });
});

const object = <T>(model: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true });
const subset = <T>(table: Readonly<Record<string, T>>, minLength: number): fc.Arbitrary<readonly T[]> =>
  fc.shuffledSubarray(Object.values(table), { minLength });

const algorithms = (ike: boolean): fc.Arbitrary<Algorithms> =>
  object({
    encryption: subset<{ id: number; keyBits: number }>(ENCRYPTION, 1),
    integrity: subset<number>(INTEGRITY, 1),
    prf: ike ? subset<number>(PRF, 1) : fc.constant([]),
    keyExchange: subset<number>(ike ? KEY_EXCHANGE : { ...KEY_EXCHANGE, none: 0 }, 1),
    additionalKeyExchange: subset<number>(ADDITIONAL_KEY_EXCHANGE, 0),
  });

const address = (): fc.Arbitrary<string> =>
  fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 })).map(formatAddress);
const prefix = (): fc.Arbitrary<string> =>
  fc
    .tuple(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.nat(32))
    .map(([bytes, bits]) => `${formatAddress(network({ address: bytes, bits }))}/${bits}`);
const word = (): fc.Arbitrary<string> => fc.stringMatching(/^[!-~]{1,40}$/);
const ms = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });

const config = (): fc.Arbitrary<GatewayConfig> =>
  object({
    generation: fc.nat(),
    name: word(),
    audience: word(),
    identity: fc.constantFrom('vpn.example.com', '192.0.2.1', '2001:db8::7', 'a@b.example', 'keyid:00ff').map(parseIdentity),
    listen: fc.constantFrom(
      { ikePort: 500, natPort: 4500, httpPort: 8080, peerPort: 8081 },
      { ikePort: 0, natPort: 0, httpPort: 0, peerPort: 0 },
    ),
    peers: object({
      host: fc.constantFrom('gw-{ordinal}.peers.ns.svc', '127.0.1.{ordinal}'),
      replicas: fc.integer({ min: 1, max: 8 }),
    }),
    pools: fc.subarray([{ cidr: '10.8.0.0/16' }, { cidr: '10.9.0.0/20' }, { cidr: 'fd00:8::/64' }]),
    slices: fc.integer({ min: 8, max: 255 }),
    dns: fc.array(address(), { maxLength: 8 }),
    routes: fc.array(prefix(), { maxLength: 8 }),
    authentication: rules(),
    radius: radius(),
    domains: fc.constantFrom([], ['corp.example.com', 'intern']),
    revocation: fc.constantFrom('ifKnown', 'required'),
    mobike: fc.boolean(),
    childless: fc.constantFrom('allow', 'never'),
    redirect: fc.option(
      object({
        to: fc.constantFrom('vpn2.example.com', '192.0.2.1', '2001:db8::7').map(parseIdentity),
        when: fc.constantFrom('always', 'overloaded'),
      }),
      { nil: undefined },
    ),
    ike: object({
      algorithms: algorithms(true),
      postQuantum: fc.constantFrom('any', 'required'),
      ppk: fc.constantFrom('ifKnown', 'required'),
      rekeyMs: ms(0, 10 ** 9),
      reauthenticationMs: ms(1_000, 10 ** 9),
      halfOpenMs: ms(1_000, 600_000),
      deadPeerMs: ms(1_000, 10 ** 9),
      retransmit: object({ firstMs: ms(10, 60_000), factor: fc.constantFrom(1, 1.8, 2, 10), attempts: ms(1, 20) }),
      cookieThreshold: fc.nat(10_000),
      maxHalfOpen: fc.nat(10_000),
      maxSessions: fc.nat(10_000),
      fragmentBytes: ms(256, 65_000),
    }),
    esp: object({
      algorithms: algorithms(false),
      rekeyMs: ms(0, 10 ** 9),
      lifetimeBytes: fc.maxSafeNat(),
      forceEncapsulation: fc.constant(true),
    }),
    tickets: object({
      enabled: fc.boolean(),
      lifetimeMs: ms(1_000, 10 ** 9),
      revokeOnDelete: fc.boolean(),
      acceptLibreswanAuth: fc.boolean(),
      withoutNatDetection: fc.constantFrom('accept', 'refuse'),
      revokedIdentities: fc.array(object({ idType: fc.nat(255), data: fc.uint8Array({ maxLength: 40 }) }), { maxLength: 4 }),
      maxSpent: fc.nat(10_000),
    }),
    dataplane: fc.constantFrom('userspace', 'none'),
    crypto: fc.constantFrom('auto', 'noble', 'openssl'),
  });

const rules = (): fc.Arbitrary<readonly AuthenticationRule[]> =>
  fc.uniqueArray(rule(), { minLength: 1, maxLength: 4, selector: ({ name }) => name });

const rule = (): fc.Arbitrary<AuthenticationRule> =>
  object<AuthenticationRule>({
    name: fc.stringMatching(/^[a-z][a-z0-9]{0,9}$/),
    method: fc.constantFrom('certificate', 'psk', 'eap-tls', 'eap-mschapv2'),
    identities: fc.array(fc.constantFrom('*', '*@example.com', 'alice@example.com', '10.*', 'keyid:*'), { maxLength: 3 }),
    authorities: fc.constant([]),
    eapOnly: fc.constant(false),
    pools: fc.constant([]),
    routes: fc.option(fc.array(prefix(), { maxLength: 2 }), { nil: undefined }),
    dns: fc.option(fc.array(address(), { maxLength: 2 }), { nil: undefined }),
    domains: fc.option(fc.constant(['corp.example.com', 'example']), { nil: undefined }),
    rekeyMs: fc.option(ms(0, 10 ** 9), { nil: undefined }),
    reauthenticationMs: fc.option(ms(1_000, 10 ** 9), { nil: undefined }),
    uniqueness: fc.constantFrom('keep', 'replace', 'refuse'),
    maxSessions: fc.integer({ min: 1, max: 1_000 }),
  }).map((made) => ({
    ...made,
    authorities: made.method === 'certificate' || made.method === 'eap-tls' ? ['staff.pem'] : [],
    eapOnly: made.method === 'eap-tls',
  }));

const radius = (): fc.Arbitrary<RadiusConfig | undefined> =>
  fc.option(
    object<RadiusConfig>({
      servers: fc.array(
        object({
          host: fc.constantFrom('radius.example.com', '2001:db8::1', '192.0.2.7'),
          port: fc.integer({ min: 1, max: 65_535 }),
          accountingPort: fc.integer({ min: 1, max: 65_535 }),
          secret: fc.constant('office-1'),
        }),
        { minLength: 1, maxLength: 3 },
      ),
      timeoutMs: ms(100, 60_000),
      attempts: fc.integer({ min: 1, max: 10 }),
      nasIdentifier: word(),
      accounting: fc.boolean(),
      interimMs: fc.constantFrom(0, 60_000, 600_000),
    }),
    { nil: undefined },
  );
