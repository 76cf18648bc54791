/** strongSwan authenticates anew by its own clock and ends the former IKE SA first, as it did by default up to version 5 (RFC 7296 §2.8.3). */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'the peer authenticates anew, break before make: it gets its address again',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.strongSwan('initiator');
    await peer.initiate('net');
    const before = await gateway.session();

    await lab.step('DELETE of the old, then a full exchange', async () => {
      await peer.says(/deleting IKE_SA psk\[1\]/);
      await gateway.logged({ event: 'closed', why: 'deleted by peer', spiR: before.spiR });
      const after = await gateway.session(2);
      assert.deepEqual([after.kind, after.inner], ['full', before.inner]);
    });
    await lab.step('one session is left, and pings pass', async () => {
      assert.equal((await gateway.status()).sessions, 1);
      await lab.ping(before.inner.ipv4, INNER.ipv4);
    });
  },
};
