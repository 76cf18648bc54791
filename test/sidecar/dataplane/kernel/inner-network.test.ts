import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { innerNetwork, outermost, prefixOf } from '../../../../sidecar/dataplane/kernel/inner-network.ts';

const network = (pools: readonly string[], routes: readonly string[], family: 4 | 6 = 4) =>
  innerNetwork({ pools, routes }, family);

describe('the inner network of a configuration', () => {
  it('is sorted by version of IP', () => {
    const [pools, routes] = [
      ['10.8.0.0/24', 'fd08::/64'],
      ['192.0.2.0/24', '2001:db8::/32'],
    ] as const;
    assert.deepEqual(network(pools, routes, 4), {
      pools: ['10.8.0.0/24'],
      own: ['10.8.0.1'],
      named: ['192.0.2.0/24'],
      broad: [],
    });
    assert.deepEqual(network(pools, routes, 6), { pools: ['fd08::/64'], own: ['fd08::1'], named: ['2001:db8::/32'], broad: [] });
  });

  it('gives the gateway no address of a pool that has but one', () => {
    assert.deepEqual(network(['10.8.0.7/32'], []).own, []);
    assert.deepEqual(network(['10.8.0.6/31'], []).own, ['10.8.0.7']);
  });

  it('tells a network from the world', () => {
    const { named, broad } = network([], ['10.0.0.0/8', '8.0.0.0/7', '0.0.0.0/0']);
    assert.deepEqual([named, broad], [['10.0.0.0/8'], ['0.0.0.0/0']]);
    assert.deepEqual(network([], ['fc00::/7', '2000::/3'], 6), { pools: [], own: [], named: ['fc00::/7'], broad: ['2000::/3'] });
  });

  it('has no prefix within another: nftables takes no overlap', () => {
    const prefixes = ['10.1.0.0/16', '10.0.0.0/8', '11.0.0.0/8', '10.0.0.0/8', '10.1.2.3/32'].map(prefixOf);
    assert.deepEqual(outermost(prefixes), ['10.0.0.0/8', '11.0.0.0/8']);
  });
});
