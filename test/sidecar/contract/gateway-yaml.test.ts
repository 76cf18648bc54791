/** `gateway.yaml`: what is written is read back, and everything wrong in a file is said at once. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatAddress, network } from '../../../sidecar/contract/address.ts';
import { ENCRYPTION, INTEGRITY, KEY_EXCHANGE, PRF } from '../../../sidecar/contract/algorithms.ts';
import type { Algorithms, GatewayConfig } from '../../../sidecar/contract/gateway-config.ts';
import { encodeGatewayConfig, parseGatewayConfig } from '../../../sidecar/contract/gateway-yaml.ts';
import { parseIdentity } from '../../../sidecar/contract/identity.ts';
import { formatProblem } from '../../../sidecar/contract/problem.ts';

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
      'gateway.yaml: audiance: unknown field; remove it; the fields here are generation, name, audience, identity, listen, peers, pools, slices, dns, routes, ike, esp, tickets, dataplane, crypto',
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
        'esp: { forceEncapsulation: false }',
        'esp.forceEncapsulation: false, but ESP in user space travels in UDP only; write true',
      ],
      ['esp: { algorithms: { prf: [prfsha256] } }', 'esp.algorithms.prf: not a field of ESP; remove it'],
      [
        'esp: { algorithms: { keyExchange: [x25519, x25519] } }',
        'esp.algorithms.keyExchange[1]: named twice: x25519; name each once',
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

  it('is refused when it is not one YAML document', () => {
    assert.deepEqual(problems(''), [
      'gateway.yaml: cut off in the middle of a write; write the file whole; its last line is ...',
    ]);
    assert.deepEqual(problems(with_('name: again')), [
      'gateway.yaml: not valid YAML at line 7, column 1: duplicated mapping key; correct it; a text that begins with a sign needs quotes',
    ]);
    assert.deepEqual(problems('- 1\n...\n'), [
      'gateway.yaml: not a mapping: a list; write the fields generation, name, audience, identity, listen, peers, pools, slices, dns, routes, ike, esp, tickets, dataplane, crypto below it',
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
    ike: object({
      algorithms: algorithms(true),
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
      revokedIdentities: fc.array(object({ idType: fc.nat(255), data: fc.uint8Array({ maxLength: 40 }) }), { maxLength: 4 }),
      maxSpent: fc.nat(10_000),
    }),
    dataplane: fc.constantFrom('userspace', 'none'),
    crypto: fc.constantFrom('auto', 'noble', 'openssl'),
  });
