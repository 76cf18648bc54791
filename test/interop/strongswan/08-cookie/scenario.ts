/** A gateway under load asks for its cookie back before it computes anything (RFC 7296 §2.6). */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'a cookie is demanded and returned',
  async run(lab) {
    const gateway = await lab.gateway({ settings: { ike: { cookieThreshold: 0 } } });
    const peer = await lab.strongSwan('initiator');

    await lab.step('the second IKE_SA_INIT brings the cookie', async () => {
      await peer.initiate('net');
      await peer.says(/parsed IKE_SA_INIT response 0 \[ N\(COOKIE\) \]/);
      await peer.says(/generating IKE_SA_INIT request 0 \[ N\(COOKIE\) SA KE No/);
      assert.equal(await gateway.metric('cookies_demanded_total'), 1);
    });
    await lab.step('pings pass', async () => {
      const { inner } = await gateway.session();
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
  },
};
