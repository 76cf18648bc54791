/** libreswan resumes without NAT detection, and so into ESP without UDP: a gateway whose data plane lives in UDP refuses that (RFC 7296 §2.23). */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'its resumption is refused where that would mean ESP without UDP, and it authenticates in full',
  async run(lab) {
    const gateway = await lab.gateway({ settings: { tickets: { withoutNatDetection: 'refuse' } } });
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');
    await peer.leaveSilently();
    await peer.up('psk');
    await gateway.session();

    await lab.step('the ticket gets TICKET_NACK, a full exchange follows, and ESP goes in UDP', async () => {
      await peer.suspend('psk');
      const said = await peer.up('psk');
      assert.match(said, /\{ESPinUDP\/ESN=>/);
      assert.equal((await gateway.session(2)).kind, 'full');
      assert.equal(await gateway.metric('resumptions_total', { outcome: 'policy' }), 1);
    });
  },
};
