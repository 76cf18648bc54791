/** Our gateway is killed; a peer that has no session resumption finds out and comes back with a full exchange. */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'a killed gateway is found dead, and the peer comes back to the next one',
  async run(lab) {
    const first = await lab.gateway();
    const peer = await lab.strongSwan('initiator');
    await peer.initiate('net');
    const before = await first.session();

    await lab.step('the peer notices', async () => {
      await first.kill();
      await peer.says(/giving up after 2 retransmits/);
    });
    await lab.step('it connects anew and pings pass', async () => {
      const second = await lab.gateway({ ordinal: 1 });
      const after = await second.session();
      assert.notEqual(after.spiI, before.spiI);
      await lab.ping(after.inner.ipv4, INNER.ipv4);
    });
  },
};
