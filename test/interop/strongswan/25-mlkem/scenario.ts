/** strongSwan 6.1 adds ML-KEM-768 to X25519 (RFC 9242, RFC 9370): in IKE_INTERMEDIATE, and for rekeys in IKE_FOLLOWUP_KE. */
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const settings = (times: { readonly ike: string; readonly esp: string }) => ({
  ike: { rekey: times.ike },
  esp: { rekey: times.esp, algorithms: { additionalKeyExchange: ['mlkem768'] } },
});

export const scenario: Scenario = {
  title: 'ML-KEM-768 after X25519: at the start and in rekeys of both kinds by either side',
  roots: ['strongswan-sid'],
  async run(lab) {
    const gateway = await lab.gateway({ settings: settings({ ike: '9s', esp: '6s' }) });
    const peer = await lab.strongSwan('initiator', 'strongswan-sid');
    await lab.step('IKE_INTERMEDIATE, in fragments', async () => {
      await peer.initiate('net');
      await peer.says(/splitting IKE message \(\d+ bytes\) into [2-9] fragments/);
      await peer.says(/parsed IKE_INTERMEDIATE response 1/);
    });
    const { inner } = await gateway.session();
    await lab.ping(inner.ipv4, INNER.ipv4);
    // What is installed from now on is not rekeyed by us.
    await gateway.reload({ settings: settings({ ike: '0s', esp: '0s' }) });
    await lab.step('the gateway rekeys the child, then the IKE SA', async () => {
      await gateway.logged({ event: 'child-rekeyed' });
      await lab.ping(inner.ipv4, INNER.ipv4);
      await gateway.logged({ event: 'ike-rekeyed' });
      await peer.says(/parsed IKE_FOLLOWUP_KE request/, 2);
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
    await lab.step('the peer rekeys the IKE SA, then the child', async () => {
      await peer.must('--rekey', '--ike', 'psk');
      await gateway.logged({ event: 'ike-rekeyed' }, 2);
      await peer.must('--rekey', '--child', 'net');
      await gateway.logged({ event: 'child-rekeyed' }, 2);
      await peer.says(/parsed IKE_FOLLOWUP_KE response/, 2);
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
  },
};
