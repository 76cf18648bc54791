/** IKE_SA_INIT reaches one pod on port 500, the first fragment of IKE_INTERMEDIATE (RFC 9242) another one on port 4500, which takes the half-open SA over. */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const PODS = ['10.96.0.10', '10.96.0.11'] as const;

export const scenario: Scenario = {
  title: 'ML-KEM-768 with ports 500 and 4500 at different pods: the half-open SA is handed over before IKE_INTERMEDIATE',
  roots: ['strongswan-sid'],
  async run(lab) {
    const [first, second] = await Promise.all([lab.pod(0, PODS), lab.pod(1, PODS)]);
    await lab.relay(...PODS);
    const peer = await lab.strongSwan('initiator', 'strongswan-sid');

    await lab.step('X25519 at one pod, ML-KEM and IKE_AUTH at the other', async () => {
      await peer.initiate('net');
      await peer.says(/parsed IKE_INTERMEDIATE response 1/);
      await first.logged({ event: 'handed-over', to: 1 });
      await second.logged({ event: 'taken-over', from: 0 });
      await second.logged({ event: 'established', postQuantum: true });
      assert.deepEqual([(await first.status()).sessions, (await second.status()).sessions], [0, 1]);
    });
    await lab.step('pings and rekeys go on there', async () => {
      const { inner } = await second.session();
      await lab.ping(inner.ipv4, INNER.ipv4);
      await peer.must('--rekey', '--ike', 'psk');
      await second.logged({ event: 'ike-rekeyed' });
      await peer.says(/parsed IKE_FOLLOWUP_KE response/);
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
  },
};
