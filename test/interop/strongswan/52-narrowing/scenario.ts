/** Several subnets of both families; the peer asks for more, for less, for parts (RFC 7296 §2.9). */
import assert from 'node:assert/strict';
import { DUAL } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const ROUTES = ['10.20.0.0/16', '10.30.0.0/24', 'fd20::/48'];
const BEHIND = { first: '10.20.16.1', second: '10.30.0.1', ipv6: 'fd20:0:0:1::1' };

export const scenario: Scenario = {
  title: 'selectors of several subnets, IPv4 and IPv6, are narrowed to what both have; one protocol and port',
  async run(lab) {
    for (const address of Object.values(BEHIND)) await lab.responder.must('ip', 'address', 'add', address, 'dev', 'lo');
    const gateway = await lab.gateway({ settings: { ...DUAL, routes: ROUTES }, tun: 'vpn0' });
    const peer = await lab.strongSwan('initiator');

    await lab.step('all: the routes of the gateway', async () => {
      await peer.initiate('all');
      const { inner } = await gateway.session();
      const said = await peer.must('--list-sas');
      assert.match(said, new RegExp(`local {2}${inner.ipv4}/32 ${inner.ipv6}/128\n`));
      assert.match(said, /remote 10\.20\.0\.0\/16 10\.30\.0\.0\/24 fd20::\/48\n/);
      await lab.ping(inner.ipv4, BEHIND.first);
      await lab.ping(inner.ipv4, BEHIND.second);
      await lab.ping(inner.ipv6, BEHIND.ipv6);
      await peer.must('--terminate', '--child', 'all');
      await gateway.logged({ event: 'child-removed' });
    });
    await lab.step('parts: what both have', async () => {
      await peer.initiate('part');
      const { inner } = await gateway.session();
      assert.match(await peer.must('--list-sas'), /remote 10\.20\.16\.0\/20 10\.30\.0\.0\/24 fd20:0:0:1::\/64\n/);
      await lab.ping(inner.ipv4, BEHIND.first);
      await lab.ping(inner.ipv6, BEHIND.ipv6);
      await peer.must('--terminate', '--child', 'part');
      await gateway.logged({ event: 'child-removed' }, 2);
    });
    await lab.step('one port of one protocol', async () => {
      await peer.initiate('port');
      assert.match(await peer.must('--list-sas'), /remote 10\.20\.0\.0\/16\[(6|tcp)\/7000\]\n/);
    });
  },
};
