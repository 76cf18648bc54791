/** The public value comes for a group that we do not have: INVALID_KE_PAYLOAD names another one (RFC 7296 §1.2, §1.3). */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'INVALID_KE_PAYLOAD leads to a group that both have, for the IKE SA and for a child',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.strongSwan('initiator');

    await lab.step('IKE_SA_INIT is tried again with ecp384', async () => {
      await peer.initiate('net');
      await peer.says(/peer didn't accept key exchange method CURVE_448, it requested ECP_384/);
      assert.equal((await gateway.status()).sessions, 1);
    });
    await lab.step('so is the rekey of a child, with ecp256', async () => {
      await peer.must('--rekey', '--child', 'net');
      await peer.says(/peer didn't accept key exchange method CURVE_448, it requested ECP_256/);
      await gateway.logged({ event: 'child-rekeyed' });
      const { inner } = await gateway.session();
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
  },
};
