/** What Rekindle is for, with a client that is not ours: the gateway dies, another process that has the key ring goes on. */
import assert from 'node:assert/strict';
import { USER } from '../../lab/gateway.ts';
import { FIRST_KEY } from '../../lab/ring.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'the gateway is killed; resumes into another process with the same key ring, with its address',
  async run(lab) {
    const first = await lab.gateway();
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');
    await peer.leaveSilently();
    await peer.up('psk');
    const before = await first.session();

    await lab.step('SIGKILL; the other one never saw the client', async () => {
      await first.kill();
      const second = await lab.gateway({ ordinal: 1 });
      await peer.suspend('psk');
      await peer.up('psk');
      const after = await second.session();
      assert.deepEqual([after.kind, after.identity, after.inner], ['resumed', USER, before.inner]);
      await second.logged({ event: 'ticket-opened', keyId: FIRST_KEY });
      assert.equal(await second.metric('handshakes_total', { kind: 'full' }), 0);
      assert.equal(await second.metric('tickets_opened_total', { key_id: FIRST_KEY }), 1);
    });
  },
};
