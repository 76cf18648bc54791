/** The gateway rekeys child and IKE SA of our client, and deletes. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = '10.20.0.1';

export const scenario: Scenario = {
  title: 'strongSwan rekeys the child and the IKE SA of our client, asks whether it lives, deletes',
  async run(lab) {
    await lab.responder.must('ip', 'address', 'add', `${BEHIND}/32`, 'dev', 'lo');
    const peer = await lab.strongSwan('responder');
    const client = lab.client('--ping', BEHIND, '--interval', '50ms');
    await client.tells('established');
    /** Pings that are sent from now on. */
    const pinged = async (): Promise<void> => void (await client.tells('ping', { times: client.told('ping').length + 5 }));

    await lab.step('the child', async () => {
      await pinged();
      await peer.must('--rekey', '--child', 'net');
      await client.tells('rekeyed', { accept: ({ what }) => what === 'child' });
      await pinged();
    });
    await lab.step('the IKE SA', async () => {
      await peer.must('--rekey', '--ike', 'psk');
      await client.tells('rekeyed', { accept: ({ what }) => what === 'ike' });
      await pinged();
    });
    await lab.step('no ping was lost', async () => assert.deepEqual(client.told('ping-lost'), []));
    await lab.step('a DELETE of the gateway is answered, and the client comes back', async () => {
      await peer.must('--terminate', '--ike', 'psk');
      await client.tells('closed', { accept: ({ why }) => why === 'deleted by peer' });
      await client.tells('established', { times: 2 });
      await pinged();
    });
  },
};
