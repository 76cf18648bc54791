/** strongSwan is killed under our client, which finds out by liveness and comes back without a ticket. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = '10.20.0.1';

export const scenario: Scenario = {
  title: 'our client finds a killed gateway dead and comes back when it is there again',
  async run(lab) {
    await lab.responder.must('ip', 'address', 'add', `${BEHIND}/32`, 'dev', 'lo');
    const peer = await lab.strongSwan('responder');
    const client = lab.client('--ping', BEHIND, '--interval', '50ms', '--dead-peer', '1s');
    await client.tells('ping', { times: 3 });

    await lab.step('liveness goes unanswered', async () => {
      await peer.kill();
      const [dead] = await client.tells('dead-peer');
      assert.ok((dead?.detectedAfterMs ?? 0) >= 500 && (dead?.detectedAfterMs ?? 0) < 3_000, JSON.stringify(dead));
    });
    await lab.step('a full exchange with the next one', async () => {
      await peer.restart();
      const [, again] = await client.tells('established', { times: 2 });
      assert.equal(again?.kind, 'full');
      await client.tells('ping', { times: client.told('ping').length + 3 });
    });
  },
};
