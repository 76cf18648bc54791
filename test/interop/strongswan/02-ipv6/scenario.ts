/** Inner addresses of both families in one child, and IKE over IPv6. */
import assert from 'node:assert/strict';
import { DUAL, INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'inner addresses of both families in one child; IKE over IPv6',
  async run(lab) {
    const gateway = await lab.gateway({ settings: DUAL });
    const peer = await lab.strongSwan('initiator');

    await lab.step('one child carries IPv4 and IPv6', async () => {
      await peer.initiate('inner');
      const { inner } = await gateway.session();
      assert.match(inner.ipv6, /^fd08::/);
      await lab.ping(inner.ipv4, INNER.ipv4);
      await lab.ping(inner.ipv6, INNER.ipv6);
      await peer.must('--terminate', '--ike', 'inner');
    });
    await lab.step('IKE and ESP travel over IPv6', async () => {
      await peer.initiate('outer');
      const [, line] = await gateway.logged({ event: 'established' }, 2);
      assert.equal(line?.['peer'], '[fd96::1]:4500');
      const { inner } = await gateway.session(2);
      assert.equal(inner.ipv4, '');
      await lab.ping(inner.ipv6, INNER.ipv6);
    });
  },
};
