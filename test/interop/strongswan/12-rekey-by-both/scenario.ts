/**
 * Both sides begin a rekey before they hear of the other's (RFC 7296 §2.8.1, §2.8.2, §2.25). A relay holds what both say until both
 * requests are under way, and lets them go at once.
 */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Relay } from '../../lab/relay.ts';
import type { Scenario } from '../../lab/scenario.ts';
import type { StrongSwan } from '../../lab/strongswan.ts';

const settings = (times: { readonly ike: string; readonly esp: string }) => ({
  ike: { rekey: times.ike, deadPeer: '1m', retransmit: { first: '2s' } },
  esp: { rekey: times.esp },
});
const impatient = { ike: { rekey: '0s', deadPeer: '1s', retransmit: { first: '200ms', attempts: 3 } }, esp: { rekey: '0s' } };

export const scenario: Scenario = {
  title: 'both rekey at once: a child, then the IKE SA; one of each is left, and pings pass',
  async run(lab) {
    const gateway = await lab.gateway({ settings: settings({ ike: '6s', esp: '2s' }) });
    const relay = await lab.relay();
    const peer = await lab.strongSwan('initiator');
    await peer.initiate('net');
    const { inner } = await gateway.session();
    // What is installed from now on is not rekeyed by us.
    await gateway.reload({ settings: settings({ ike: '0s', esp: '0s' }) });

    await lab.step('a child: both requests cross', async () => {
      await collide(relay, peer, '--child', 'net');
      await peer.says(/detected rekey collision for CHILD_SA/);
      await gateway.logged({ event: 'child-installed' }, 3);
      await gateway.logged({ event: 'child-removed' }, 2);
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
    await lab.step('the IKE SA: both requests cross', async () => {
      await collide(relay, peer, '--ike', 'psk');
      await peer.says(/rekey collision.*IKE_SA|IKE_SA rekey collision/);
      await gateway.logged({ event: 'ike-rekeyed' });
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
    await lab.step('one IKE SA and one child are left at both', async () => {
      const sas = await peer.must('--list-sas');
      assert.equal(sas.match(/^psk: #.*ESTABLISHED/gm)?.length, 1, sas);
      assert.equal(sas.match(/net: #.*INSTALLED/g)?.length, 1, sas);
      // When our DELETE of the old IKE SA overtakes our response, strongSwan forgets the SA that it began; then we find that one dead.
      await gateway.reload({ settings: impatient });
      await lab.eventually(async () => assert.equal((await gateway.status()).sessions, 1));
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
  },
};

async function collide(relay: Relay, peer: StrongSwan, ...what: readonly string[]): Promise<void> {
  await relay.hold();
  const rekey = peer.swanctl('--rekey', ...what);
  await relay.holds('CREATE_CHILD_SA', 'to gateway');
  await relay.holds('CREATE_CHILD_SA', 'to client');
  await relay.release();
  await rekey;
}
