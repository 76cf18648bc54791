/** libreswan 5.2 does not return a cookie in IKE_SESSION_RESUME (RFC 5723 §4.3.1 lets the gateway ask): under load its clients cannot resume. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'cookies: returned in IKE_SA_INIT, not in IKE_SESSION_RESUME',
  async run(lab) {
    const load = { ike: { cookieThreshold: 0 } };
    const gateway = await lab.gateway({ settings: load });
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');
    await peer.leaveSilently();

    await lab.step('a full handshake brings the cookie', async () => {
      await peer.up('psk');
      assert.equal((await gateway.session()).kind, 'full');
      assert.equal(await gateway.metric('cookies_demanded_total'), 1);
    });
    await lab.step('a resumption does not', async () => {
      await peer.suspend('psk');
      await peer.fails('psk');
      assert.ok((await gateway.metric('cookies_demanded_total')) >= 2);
      assert.equal(await gateway.metric('resumptions_total', { outcome: 'resumed' }), 0);
    });
    await lab.step('it has kept its ticket and resumes when the load is over', async () => {
      await gateway.reload({ settings: {} });
      await peer.up('psk');
      assert.equal((await gateway.session(2)).kind, 'resumed');
    });
  },
};
