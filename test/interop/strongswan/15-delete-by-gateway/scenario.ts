/** Sessions that end by our side: too old to go on without authenticating anew (RFC 4478), and at shutdown when nobody could resume. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'AUTH_LIFETIME makes the peer authenticate anew; our DELETE at shutdown without tickets ends its session',
  async run(lab) {
    const settings = { ike: { reauthentication: '4s' }, tickets: { enabled: false, lifetime: '1s' } };
    const gateway = await lab.gateway({ settings });
    const peer = await lab.strongSwan('initiator');

    await lab.step('the peer hears how long its authentication is good for, and comes anew in time', async () => {
      await peer.initiate('net');
      await peer.says(/received AUTH_LIFETIME of 4s, scheduling reauthentication in 3s/);
      await gateway.logged({ event: 'closed', why: 'deleted by peer' });
      assert.equal((await gateway.session(2)).kind, 'full');
    });
    await lab.step('SIGTERM', async () => {
      await gateway.reload({ settings: { ...settings, ike: { reauthentication: '1h' } } });
      await peer.must('--terminate', '--ike', 'psk');
      await peer.initiate('net');
      await gateway.stop();
      await peer.says(/received DELETE for IKE_SA psk\[\d+\]/);
    });
  },
};
