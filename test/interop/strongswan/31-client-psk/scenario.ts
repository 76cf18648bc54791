/** Our client connects to a gateway without session resumption: addresses, pings by its own ESP, a DELETE at the end. */
import assert from 'node:assert/strict';
import { GATEWAY_ID } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = { ipv4: '10.20.0.1', ipv6: 'fd20::1' };

export const scenario: Scenario = {
  title: 'our client connects, gets addresses, pings by ESP of its own, deletes',
  async run(lab) {
    for (const address of [`${BEHIND.ipv4}/32`, `${BEHIND.ipv6}/128`])
      await lab.responder.must('ip', 'address', 'add', address, 'dev', 'lo');
    const peer = await lab.strongSwan('responder');
    const client = lab.client('--ping', BEHIND.ipv4, '--interval', '100ms', '--count', '5');

    await lab.step('a full handshake without a ticket', async () => {
      const [established] = await client.tells('established');
      assert.deepEqual([established?.kind, established?.remoteId, established?.keyExchanges], ['full', GATEWAY_ID, 1]);
      assert.deepEqual(established?.inner, ['10.8.0.1', 'fd08::1']);
      assert.deepEqual(established?.routes, ['10.20.0.0/16', 'fd20::/64']);
      await peer.says(/IKE_SA psk\[1\] established between/);
      assert.deepEqual(client.told('ticket'), []);
    });
    await lab.step('all pings are answered', async () => {
      const [summary] = await client.tells('ping-summary');
      assert.deepEqual([summary?.sent, summary?.received], [5, 5]);
    });
    await lab.step('it deletes its session and ends', async () => {
      assert.equal(await client.ended(), 0);
      await peer.says(/received DELETE for IKE_SA psk\[1\]/);
      assert.equal((await peer.must('--list-sas')).trim(), '');
    });
    await lab.step('IPv6 goes through the same tunnel', async () => {
      const again = lab.client('--ping', BEHIND.ipv6, '--interval', '100ms', '--count', '3');
      const [summary] = await again.tells('ping-summary');
      assert.deepEqual([summary?.sent, summary?.received], [3, 3]);
    });
  },
};
