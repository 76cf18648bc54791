/** Both sides cut encrypted messages into small datagrams (RFC 7383). */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'IKE_AUTH in fragments, in both directions',
  async run(lab) {
    // Many DNS servers and routes make our response long enough.
    const dns = Array.from({ length: 8 }, (_, index) => `10.8.0.${index + 1}`);
    const routes = Array.from({ length: 8 }, (_, index) => `10.${index + 8}.0.0/16`);
    const gateway = await lab.gateway({ settings: { dns, routes, ike: { fragmentBytes: 256 } } });
    const peer = await lab.strongSwan('initiator');

    await lab.step('the request of the peer is put together', async () => {
      await peer.initiate('net');
      await peer.says(/splitting IKE message \(\d+ bytes\) into [2-9] fragments/);
      assert.equal((await gateway.session()).kind, 'full');
    });
    await lab.step('so is our response', async () => {
      await peer.says(/received fragment #1 of [2-9]/);
      await peer.says(/reassembled fragmented IKE message/);
    });
    await lab.step('pings pass', async () => {
      const { inner } = await gateway.session();
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
  },
};
