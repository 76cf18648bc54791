/** The plainest case: a pre-shared key, an inner IPv4 address, traffic, and a DELETE at the end. */
import assert from 'node:assert/strict';
import { INNER, USER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'connects with a pre-shared key, gets an inner address, pings, deletes',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.strongSwan('initiator');

    const { inner } = await lab.step('a full handshake, an address from the pool', async () => {
      await peer.initiate('net');
      const session = await gateway.session();
      assert.deepEqual([session.kind, session.identity], ['full', USER]);
      assert.match(session.inner.ipv4, /^10\.8\.0\.\d+$/);
      await peer.says(new RegExp(`installing new virtual IP ${session.inner.ipv4}`));
      await peer.says(/handling INTERNAL_IP4_DNS|DNS server 10\.8\.0\.1/);
      assert.equal((await gateway.status()).sessions, 1);
      assert.equal(await gateway.metric('handshakes_total', { kind: 'full', outcome: 'established' }), 1);
      return session;
    });
    await lab.step('pings to the gateway pass', async () => {
      await lab.ping(inner.ipv4, INNER.ipv4);
      assert.equal(await gateway.metric('esp_packets_total', { direction: 'in' }), 3);
      assert.equal(await gateway.metric('esp_packets_total', { direction: 'out' }), 3);
    });
    await lab.step('a DELETE of the peer ends it, and is answered', async () => {
      await peer.must('--terminate', '--ike', 'psk');
      await gateway.logged({ event: 'closed', why: 'deleted by peer', identity: USER });
      assert.equal((await gateway.status()).sessions, 0);
      assert.equal(await gateway.metric('sessions_closed_total', { why: 'deleted_by_peer' }), 1);
    });
  },
};
