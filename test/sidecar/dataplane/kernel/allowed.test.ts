/** What a sidecar may have the agent do: whoever takes it over must not get the node's traffic, other addresses, or the kernel's memory. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ChildSa } from '../../../../sidecar/contract/dataplane.ts';
import type { DataplaneConfig } from '../../../../sidecar/contract/dataplane-config.ts';
import { parseDataplaneConfig } from '../../../../sidecar/contract/dataplane-yaml.ts';
import { type Allowance, allowanceOf } from '../../../../sidecar/dataplane/kernel/allowed.ts';
import { formatAddress } from '../../../../sidecar/ike/ip-address.ts';
import { ends, gatewayPath, selector, suites } from '../children.ts';

const config = (more = ''): DataplaneConfig => {
  const text = `name: test/gateway\npools: [10.8.0.0/24, "fd08::/64"]\nroutes: [10.9.0.0/16, "fd09::/32"]\n${more}\n...\n`;
  const parsed = parseDataplaneConfig('dataplane.yaml', text);
  assert.ok(parsed.ok);
  return parsed.value;
};
const own = ['192.0.2.1', '2001:db8::1'];
const allowance = (more?: string): Allowance => allowanceOf(config(more), (address) => own.includes(formatAddress(address)));

const child = (change: Partial<ChildSa> = {}): ChildSa => ({
  ...ends(0x1000).gateway,
  local: [selector('10.9.0.0', '10.9.255.255'), selector('fd09::', 'fd09:0:ffff:ffff:ffff:ffff:ffff:ffff')],
  ...change,
});
const install = (change: Partial<ChildSa>, rules = allowance()): string | undefined =>
  rules.install({ order: 'install', child: child(change) });
const path = (change: Partial<ChildSa['path']>): Partial<ChildSa> => ({ path: { ...gatewayPath, ...change } });

describe('an order that the agent carries out', () => {
  it('is a child from a pool to the routes, with every suite', () => {
    for (const suite of suites) {
      const { keyIn, keyOut } = ends(0x1000, { suite }).gateway;
      assert.equal(install({ suite, keyIn, keyOut }), undefined, JSON.stringify(suite));
    }
  });

  it('may reach the pools unless clients are isolated, then still the gateway itself', () => {
    const local = [selector('10.8.0.0', '10.8.0.255')];
    assert.equal(install({ local }), undefined);
    const isolated = allowance('traffic: { isolateClients: true }');
    assert.match(
      install({ local }, isolated) ?? '',
      /^child\.local\[0\]: 10\.8\.0\.0 to 10\.8\.0\.255 is not inside one of the routes/,
    );
    assert.equal(install({ local: [selector('10.8.0.1')] }, isolated), undefined);
  });

  it('may hold a part of a pool that lies beside the gateway, and a single port', () => {
    const remote = [selector('10.8.0.128', '10.8.0.255', { protocol: 6, startPort: 443, endPort: 443 })];
    assert.equal(install({ remote }), undefined);
  });

  it('may come from any port without UDP, and to any port of the peer', () => {
    assert.equal(install({ encapsulated: false, ...path({ local: '192.0.2.1:500', remote: '198.51.100.7:500' }) }), undefined);
    assert.equal(install(path({ remote: '198.51.100.7:61000' })), undefined);
    assert.equal(install(path({ local: '[2001:db8::1]:4500', remote: '[2001:db8::7]:4500' })), undefined);
  });

  it('moves a child to where it could have been installed, and nowhere else', () => {
    const move = (change: Partial<ChildSa['path']>) =>
      allowance().move({ order: 'move', spiIn: 0x1000, path: { ...gatewayPath, ...change }, encapsulated: true });
    assert.equal(move({ remote: '203.0.113.9:31000' }), undefined);
    assert.match(move({ remote: '127.0.0.1:4500' }) ?? '', /^path\.remote: 127\.0\.0\.1 is no address of a host/);
    assert.match(move({ local: '192.0.2.1:4501' }) ?? '', /^path\.local: port 4501 instead of 4500/);
  });
});

describe('an order that the agent refuses', () => {
  const keys = (encr: number, integ = 0): ChildSa['keyIn'] => ({ encr: new Uint8Array(encr), integ: new Uint8Array(integ) });
  const suite = (encr: number, keyBits: number, integ: number): ChildSa['suite'] => ({ encr, keyBits, integ, esn: false });
  const cases: Readonly<Record<string, readonly [Partial<ChildSa>, RegExp]>> = {
    'takes an address beside the pools': [
      { remote: [selector('10.9.0.7')] },
      /^child\.remote\[0\]: 10\.9\.0\.7 is not inside one pool/,
    ],
    'takes everything': [
      { remote: [selector('0.0.0.0', '255.255.255.255')] },
      /^child\.remote\[0\]: 0\.0\.0\.0 to 255\.255\.255\.255 is not/,
    ],
    'takes everything of IPv6': [
      { remote: [selector('10.8.0.7'), selector('::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')] },
      /^child\.remote\[1\]: :: to ffff/,
    ],
    'reaches over the end of a pool': [
      { remote: [selector('10.8.0.200', '10.8.1.0')] },
      /^child\.remote\[0\]: .* is not inside one pool/,
    ],
    'takes the address of the gateway': [
      { remote: [selector('10.8.0.1')] },
      /^child\.remote\[0\]: 10\.8\.0\.1 holds the gateway's own address/,
    ],
    'takes a pool with the gateway in it': [
      { remote: [selector('fd08::', 'fd08::ffff')] },
      /holds the gateway's own address fd08::1$/,
    ],
    'gives a range backwards': [{ remote: [selector('10.8.0.9', '10.8.0.7')] }, /^child\.remote\[0\]: ends before it starts/],
    'is for an address without route': [
      { local: [selector('10.10.0.1')] },
      /^child\.local\[0\]: 10\.10\.0\.1 is not inside one of the routes/,
    ],
    'is for more than the routes': [{ local: [selector('10.8.255.255', '10.9.255.255')] }, /^child\.local\[0\]: /],
    'has no selectors': [{ local: [] }, /^child\.local: no selector of a family that child\.remote has$/],
    'has none that fit': [
      { local: [selector('fd09::1')], remote: [selector('10.8.0.7')] },
      /^child\.local: no selector of a family/,
    ],
    'has too many': [
      { local: Array(129).fill(selector('10.9.0.1')), remote: [selector('10.8.0.7'), selector('10.8.0.8')] },
      /^child\.local: 258 pairs with child\.remote; at most 256 in one child$/,
    ],
    'names an unknown cipher': [{ suite: suite(3, 192, 12) }, /^child\.suite\.encr: there is no algorithm 3 with 192 bits$/],
    'names a cipher with another key length': [
      { suite: suite(20, 192, 0) },
      /^child\.suite\.encr: there is no algorithm 20 with 192 bits$/,
    ],
    'authenticates an AEAD twice': [
      { suite: suite(20, 256, 12) },
      /^child\.suite\.integ: there is no algorithm 12 for algorithm 20$/,
    ],
    'encrypts only': [{ suite: suite(12, 256, 0) }, /^child\.suite\.integ: there is no algorithm 0 for algorithm 12$/],
    'has a key without salt': [{ suite: suite(20, 256, 0), keyIn: keys(32) }, /^child\.keyIn\.encr: 32 bytes instead of 36$/],
    'has a long key': [
      { suite: suite(28, 0, 0), keyIn: keys(36), keyOut: keys(37) },
      /^child\.keyOut\.encr: 37 bytes instead of 36$/,
    ],
    'has a short key to authenticate with': [
      { suite: suite(12, 128, 12), keyIn: keys(16, 16), keyOut: keys(16, 32) },
      /^child\.keyIn\.integ: 16 bytes instead of 32$/,
    ],
    'has keys that nothing needs': [{ keyIn: keys(36, 32) }, /^child\.keyIn\.integ: 32 bytes instead of 0$/],
    'counts beyond 32 bits': [
      { suite: suite(20, 256, 0), sequences: { sent: 2 ** 32, received: 0 } },
      /^child\.sequences: beyond 32 bits without extended sequence numbers$/,
    ],
    'comes from another port': [path({ local: '192.0.2.1:4501' }), /^child\.path\.local: port 4501 instead of 4500$/],
    'comes from an address of somebody else': [
      path({ local: '192.0.2.2:4500' }),
      /^child\.path\.local: 192\.0\.2\.2 is no address of this machine$/,
    ],
    'comes from nowhere': [path({ local: '0.0.0.0:4500' }), /^child\.path\.local: 0\.0\.0\.0 is no address of a host/],
    'goes to this machine': [
      path({ remote: '192.0.2.1:4500' }),
      /^child\.path\.remote: 192\.0\.2\.1 is an address of this machine$/,
    ],
    'goes into the tunnel again': [path({ remote: '10.8.0.9:4500' }), /^child\.path\.remote: 10\.8\.0\.9 is inside a pool$/],
    'goes to loopback': [path({ remote: '127.9.9.9:4500' }), /^child\.path\.remote: 127\.9\.9\.9 is no address of a host/],
    'goes to a group': [path({ remote: '224.0.0.1:4500' }), /^child\.path\.remote: 224\.0\.0\.1 is no address of a host/],
    'goes to everybody': [
      path({ remote: '255.255.255.255:4500' }),
      /^child\.path\.remote: 255\.255\.255\.255 is no address of a host/,
    ],
    'goes to a mapped address': [
      path({ local: '[2001:db8::1]:4500', remote: '[::ffff:127.0.0.1]:4500' }),
      /^child\.path\.remote: ::ffff:127\.0\.0\.1 is no address of a host/,
    ],
    'goes to another family': [path({ remote: '[2001:db8::7]:4500' }), /^child\.path\.remote: not of the family of path\.local$/],
    'goes to a name': [path({ remote: 'localhost:4500' }), /^child\.path\.remote: not an address with a port$/],
    'goes to a port that is none': [path({ remote: '198.51.100.7:65536' }), /^child\.path\.remote: not an address with a port$/],
    'goes to port 0': [path({ remote: '198.51.100.7:0' }), /^child\.path\.remote: port 0$/],
    'is of a peer with an endless name': [
      { peer: { idType: 9, data: new Uint8Array(4097) } },
      /^child\.peer\.data: 4097 bytes; at most 4096 are taken$/,
    ],
  };
  for (const [what, [change, expected]] of Object.entries(cases))
    it(what, () => {
      assert.match(install(change) ?? 'allowed', expected);
    });
});

describe('the number of children', () => {
  it('follows the number of addresses, and has an end', () => {
    const most = (pools: string): number => allowanceOf({ ...config(), pools: pools.split(' ') }, () => true).mostChildren;
    assert.deepEqual([most('10.8.0.0/30'), most('10.8.0.0/30 10.9.0.0/24'), most('fd00::/64')], [64, 4160, 262_144]);
  });
});
