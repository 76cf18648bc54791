/** The plainest case: a pre-shared key, an inner IPv4 address, traffic, and a DELETE at the end. */
import assert from 'node:assert/strict';
import { INNER, USER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'connects with a pre-shared key, gets an inner address, pings, deletes',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.strongSwan('initiator');

    const inner = await lab.step('the session is established', async () => {
      await peer.initiate('net');
      const [established] = await gateway.logged({ event: 'established', kind: 'full', identity: USER });
      const [address] = [established?.['inner']].flat();
      assert.match(String(address), /^10\.8\.0\.\d+$/);
      await peer.says(new RegExp(`installing new virtual IP ${address}`));
      assert.equal((await gateway.status()).sessions, 1);
      return String(address);
    });
    await lab.step('pings pass', async () => {
      await lab.ping(inner, INNER.ipv4);
      assert.equal(await gateway.metric('esp_packets_total', { direction: 'in' }), 3);
      assert.equal(await gateway.metric('esp_packets_total', { direction: 'out' }), 3);
    });
    await lab.step('a DELETE of the peer ends it', async () => {
      await peer.must('--terminate', '--ike', 'psk');
      await gateway.logged({ event: 'closed', why: 'deleted by peer' });
      assert.equal((await gateway.status()).sessions, 0);
    });
  },
};
