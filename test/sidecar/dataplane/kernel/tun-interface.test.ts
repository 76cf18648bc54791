import assert from 'node:assert/strict';
import { it } from 'node:test';
import { tunInterface } from '../../../../sidecar/dataplane/kernel/tun-device.ts';
import { configured } from './rulesets.ts';

it('the TUN device of a gateway has the first address of each pool, and leads to all of it', () => {
  assert.deepEqual(tunInterface(configured({ pools: ['10.8.0.0/24', '10.9.0.7/32', 'fd08::/64'] }), 1400), {
    name: 'rekindle0',
    addresses: ['10.8.0.1/24', 'fd08::1/64'],
    routes: ['10.9.0.7/32'],
    mtu: 1400,
  });
});
