/** A peer that lost its state says so, and its old session ends at once (RFC 7296 §2.4). */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'INITIAL_CONTACT of a restarted peer ends its old session; it gets its address again',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.strongSwan('initiator');
    await peer.initiate('net');
    const before = await gateway.session();

    await lab.step('the old session gives way', async () => {
      await peer.restart();
      await peer.initiate('net');
      await peer.says(/N\(INIT_CONTACT\)/);
      await gateway.logged({ event: 'closed', why: 'superseded by initial contact', spiR: before.spiR });
      assert.equal((await gateway.status()).sessions, 1);
    });
    await lab.step('the same address, and pings pass', async () => {
      const after = await gateway.session(2);
      assert.equal(after.inner.ipv4, before.inner.ipv4);
      await lab.ping(after.inner.ipv4, INNER.ipv4);
    });
  },
};
