/** Sessions that our side ends: too old to go on without authenticating anew, and at shutdown when nobody could resume. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'our DELETE ends the session at the peer: at the re-authentication time, at shutdown without tickets',
  async run(lab) {
    const settings = { ike: { reauthentication: '2s' }, tickets: { enabled: false, lifetime: '1s' } };
    const gateway = await lab.gateway({ settings });
    const peer = await lab.strongSwan('initiator');

    await lab.step('authenticated too long ago', async () => {
      await peer.initiate('net');
      await gateway.logged({ event: 'closed', why: 'deleted' });
      await peer.says(/received DELETE for IKE_SA psk\[1\]/);
      assert.equal((await peer.must('--list-sas')).trim(), '');
    });
    await lab.step('SIGTERM', async () => {
      await gateway.reload({ settings: { ...settings, ike: { reauthentication: '1h' } } });
      await peer.initiate('net');
      await gateway.session(2);
      await gateway.stop();
      await peer.says(/received DELETE for IKE_SA psk\[2\]/);
    });
  },
};
