/** As through a Service: port 500 leads to one pod and port 4500 to the other, which takes the half-open SA over. The peer notices nothing. */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const PODS = ['10.96.0.10', '10.96.0.11'] as const;

export const scenario: Scenario = {
  title: 'ports 500 and 4500 lead to different pods: the half-open SA is handed over',
  async run(lab) {
    const [first, second] = await Promise.all([lab.pod(0, PODS), lab.pod(1, PODS)]);
    await lab.relay(...PODS);
    const peer = await lab.strongSwan('initiator');

    await lab.step('IKE_SA_INIT at one, IKE_AUTH at the other', async () => {
      await peer.initiate('net');
      await first.logged({ event: 'handed-over', to: 1 });
      await second.logged({ event: 'taken-over', from: 0 });
      assert.equal((await first.status()).sessions, 0);
      assert.equal((await second.status()).sessions, 1);
    });
    await lab.step('pings and rekeys go on there', async () => {
      const { inner } = await second.session();
      await lab.ping(inner.ipv4, INNER.ipv4);
      await peer.must('--rekey', '--ike', 'psk');
      await second.logged({ event: 'ike-rekeyed' });
      await peer.must('--rekey', '--child', 'net');
      await second.logged({ event: 'child-rekeyed' });
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
  },
};
