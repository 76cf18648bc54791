/** `dataplane.yaml`: what is written is read back, and everything wrong in a file is said at once. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { DataplaneConfig } from '../../../sidecar/contract/dataplane-config.ts';
import { encodeDataplaneConfig, parseDataplaneConfig } from '../../../sidecar/contract/dataplane-yaml.ts';
import { formatProblem } from '../../../sidecar/contract/problem.ts';

const MINIMAL = 'name: default/office\npools: [10.8.0.0/24]\nroutes: [0.0.0.0/0]\n...\n';

const problems = (yaml: string): readonly string[] => {
  const parsed = parseDataplaneConfig('dataplane.yaml', yaml);
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
};
const with_ = (line: string): string => MINIMAL.replace('...\n', `${line}\n...\n`);

describe('dataplane.yaml', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(config(), (value) => {
        assert.deepEqual(parseDataplaneConfig('dataplane.yaml', encodeDataplaneConfig(value)), { ok: true, value });
      }),
      { numRuns: 200 },
    );
  });

  it('needs no more than a name, pools and routes', () => {
    const parsed = parseDataplaneConfig('dataplane.yaml', MINIMAL);
    assert.deepEqual(parsed, {
      ok: true,
      value: {
        generation: 0,
        name: 'default/office',
        dataplane: 'auto',
        pools: ['10.8.0.0/24'],
        routes: ['0.0.0.0/0'],
        natPort: 4500,
        lifetimeBytes: 2 ** 36,
        traffic: { forwarding: 'masquerade', isolateClients: false, mtu: 0, clampMss: true },
        interfaces: [],
        tun: 'rekindle0',
        mark: 0,
      },
    });
  });

  it('is refused wherever it is cut off', () => {
    const whole = encodeDataplaneConfig(fc.sample(config(), { numRuns: 1, seed: 5 })[0]!);
    for (let length = 0; length < whole.length - 1; length++)
      assert.equal(parseDataplaneConfig('dataplane.yaml', whole.slice(0, length)).ok, false, `cut after ${length} characters`);
  });

  it('is refused with every problem, its path and its remedy', () => {
    const yaml = `name: default/office
pools: [10.8.0.1/24, 10.8.0.0/25, 127.0.0.0/8, "fd00::/64"]
routes: [0.0.0.0]
dataplane: fast
natPort: 0
traffic: { mtu: 1000, forwarding: nat }
interfaces: [eth0, "eth0*"]
mark: -1
isolate: true
...
`;
    assert.deepEqual(problems(yaml), [
      'dataplane.yaml: isolate: unknown field; remove it; the fields here are generation, name, dataplane, pools, routes, natPort, lifetimeBytes, traffic, interfaces, tun, mark',
      'dataplane.yaml: dataplane: not one of auto, kernel, userspace: "fast"; write one of auto, kernel, userspace',
      'dataplane.yaml: pools[0]: bits are set behind the length of the prefix: "10.8.0.1/24"; write 10.8.0.0/24',
      'dataplane.yaml: routes[0]: not an IPv4 or IPv6 prefix: "0.0.0.0"; write it as address/length, for instance 10.8.0.0/24',
      'dataplane.yaml: natPort: not a whole number between 1 and 65535: 0; write digits without quotes',
      'dataplane.yaml: traffic.forwarding: not one of masquerade, routed: "nat"; write one of masquerade, routed',
      'dataplane.yaml: interfaces[1]: not the name of an interface: "eth0*"; write 1 to 15 letters, digits and . _ - @, as `ip link` shows it',
      'dataplane.yaml: mark: not a whole number between 0 and 4294967295: -1; write digits without quotes',
    ]);
  });

  it('has no pool that would take what belongs to the node, and none twice', () => {
    const pools = (list: string): readonly string[] => problems(MINIMAL.replace('[10.8.0.0/24]', `[${list}]`));
    for (const pool of [
      '0.0.0.0/0',
      '127.0.0.0/24',
      '169.254.0.0/16',
      '224.0.0.0/8',
      '255.255.255.255/32',
      '"::/0"',
      '"ff02::/16"',
    ])
      assert.match(pools(pool).join(), /^dataplane\.yaml: pools\[0\]: holds addresses of /, pool);
    assert.match(pools('10.8.0.0/24, 10.0.0.0/8').join(), /pools\[1\]: overlaps with pools\[0\]: "10\.0\.0\.0\/8"; /);
    assert.match(pools('').join(), /pools: 0 items; list at least 1/);
  });

  it('has an MTU that every packet of its pools needs', () => {
    const ipv6 = (mtu: number): readonly string[] =>
      problems(with_(`traffic: { mtu: ${mtu} }`).replace('10.8.0.0/24', '"fd00::/64"'));
    assert.match(ipv6(1279).join(), /traffic\.mtu: less than 1280: 1279; /);
    assert.deepEqual([...ipv6(1280), ...ipv6(0), ...problems(with_('traffic: { mtu: 576 }'))], []);
  });
});

function config(): fc.Arbitrary<DataplaneConfig> {
  const ipv4 = fc.tuple(fc.nat(255), fc.integer({ min: 16, max: 24 })).map(([byte, bits]) => `10.${byte}.0.0/${bits}`);
  const ipv6 = fc.integer({ min: 1, max: 0xffff }).map((group) => `fd00:${group.toString(16)}::/64`);
  const name = fc.constantFrom('eth0', 'ens1f0', 'veth@if7', 'vlan.100', 'tun-1');
  return plainRecord({
    generation: fc.nat(),
    name: fc.constantFrom('default/office', 'vpn/main'),
    dataplane: fc.constantFrom('auto', 'kernel', 'userspace'),
    pools: fc.tuple(ipv4, ipv6).map((pair): readonly string[] => pair),
    routes: fc.array(fc.oneof(ipv4, ipv6, fc.constantFrom('0.0.0.0/0', '::/0')), { maxLength: 5 }),
    natPort: fc.integer({ min: 1, max: 65_535 }),
    lifetimeBytes: fc.maxSafeNat(),
    traffic: plainRecord({
      forwarding: fc.constantFrom('masquerade', 'routed'),
      isolateClients: fc.boolean(),
      mtu: fc.oneof(fc.constant(0), fc.integer({ min: 1280, max: 65_535 })),
      clampMss: fc.boolean(),
    }),
    interfaces: fc.array(name, { maxLength: 3 }),
    tun: name,
    mark: fc.integer({ min: 0, max: 0xffff_ffff }),
  });
}

const plainRecord = <T>(parts: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(parts, { noNullPrototype: true }) as fc.Arbitrary<T>;
