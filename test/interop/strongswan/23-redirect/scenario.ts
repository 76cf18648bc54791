/** strongSwan is sent to another gateway of ours (RFC 5685): by the answer to its first request, and later, while its session is there. */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const GATEWAYS = ['10.96.0.10', '10.96.0.11'] as const;

export const scenario: Scenario = {
  title: 'is sent to another gateway by the answer to its first request, and out of its session (REDIRECT)',
  async run(lab) {
    const [first, second] = await Promise.all([
      lab.pod(0, GATEWAYS, { settings: { redirect: { to: GATEWAYS[1], when: 'always' } } }),
      lab.pod(1, GATEWAYS),
    ]);
    const peer = await lab.strongSwan('initiator');

    await lab.step('the first gateway sends it on, the second has it', async () => {
      await peer.initiate('net');
      await first.logged({ event: 'redirected', to: GATEWAYS[1] });
      await peer.says(/received REDIRECT notify|redirected to/);
      const { inner } = await second.session();
      assert.equal((await first.status()).sessions, 0);
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
    await lab.step('its session is sent back, with its traffic', async () => {
      await first.reload({ settings: { redirect: undefined } });
      await second.reload({ settings: { redirect: { to: GATEWAYS[0], when: 'always' } } });
      await second.logged({ event: 'redirected', to: GATEWAYS[0] });
      const { inner } = await first.session();
      await lab.eventually(() => lab.ping(inner.ipv4, INNER.ipv4));
      await second.logged({ event: 'closed' });
      assert.equal((await second.status()).sessions, 0);
    });
  },
};
