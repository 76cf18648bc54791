/** strongSwan authenticates anew by its own clock and makes the new IKE SA before it ends the former one (RFC 7296 §2.8.3). For a moment both hold an inner address, so they are two. */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'the peer authenticates anew, make before break: the new session stands before the old one goes',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.strongSwan('initiator');
    await peer.initiate('net');
    const before = await gateway.session();

    await lab.step('a full exchange, then DELETE of the old', async () => {
      const after = await gateway.session(2);
      assert.equal(after.kind, 'full');
      await gateway.logged({ event: 'closed', why: 'deleted by peer', spiR: before.spiR });
      const events = gateway.log().map(({ event }) => event);
      assert.ok(events.lastIndexOf('established') < events.indexOf('closed'), events.join(' '));
    });
    await lab.step('one session is left, with an address of its own, and pings pass', async () => {
      assert.equal((await gateway.status()).sessions, 1);
      const { inner } = await gateway.session(2);
      assert.notEqual(inner.ipv4, before.inner.ipv4);
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
  },
};
