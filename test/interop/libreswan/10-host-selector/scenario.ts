/** A client that asks for an inner address and proposes its outer one as traffic selector. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'the outer address as selector beside CFG_REQUEST',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');

    await lab.step('TS_UNACCEPTABLE', async () => {
      const { text } = await peer.tryUp('psk');
      assert.match(text, /rejected Child SA with TS_UNACCEPTABLE/);
      assert.equal((await gateway.status()).sessions, 1);
    });
  },
};
