/** A gateway under load asks our client for a cookie (RFC 7296 §2.6), and answers in small fragments (RFC 7383). */
import assert from 'node:assert/strict';
import { RELAY } from '../../lab/lab.ts';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = '10.20.0.1';

export const scenario: Scenario = {
  title: 'our client returns a cookie and puts a fragmented response together',
  async run(lab) {
    await lab.responder.must('ip', 'address', 'add', `${BEHIND}/32`, 'dev', 'lo');
    const peer = await lab.strongSwan('responder');
    const relay = await lab.relayOfInitiator();

    await lab.step('another client is half-open for long', async () => {
      await relay.loseExchange('IKE_AUTH', 'to gateway');
      await lab.clientWith({ gateway: RELAY }).tells('half-open');
    });
    await lab.step('the cookie makes a round trip more', async () => {
      const client = lab.client('--ping', BEHIND, '--interval', '50ms', '--count', '3');
      const [established] = await client.tells('established');
      assert.deepEqual([established?.kind, established?.roundTrips], ['full', 3]);
      await peer.says(/generating IKE_SA_INIT response 0 \[ N\(COOKIE\) \]/);
      await peer.says(/parsed IKE_SA_INIT request 0 \[ N\(COOKIE\) SA KE No/);
      assert.equal(await client.ended(), 0);
    });
    await lab.step('the response to IKE_AUTH came in fragments', async () => {
      await peer.says(/splitting IKE message \(\d+ bytes\) into [2-9] fragments/);
    });
  },
};
