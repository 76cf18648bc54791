/** Where a resumption into libreswan 5.2 cannot be had, or would be of no use, a full exchange follows in the same attempt. */
import assert from 'node:assert/strict';
import type { Client } from '../../lab/client.ts';
import type { Libreswan } from '../../lab/libreswan.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'a full exchange in the same attempt: libreswan does not tell its name; it would go on without UDP',
  async run(lab) {
    const peer = await lab.libreswan('responder');

    await lab.step('it does not tell its name: our client proves itself as the RFC says, and is refused', async () => {
      await peer.add('nameless');
      const client = lab.tunedClient({ deadPeerMs: 1_000, forceEncapsulation: false });
      await comesBack(client, peer);
      await peer.says(/authentication failed: computed hash does not match hash received from peer/);
      const [refused] = client.told('refused');
      assert.deepEqual([refused?.by, refused?.exchange, refused?.notify], ['peer', 'IKE_AUTH', 'AUTHENTICATION_FAILED']);
      await client.stop();
      await peer.must('delete', 'nameless');
    });
    await lab.step('it resumes without NAT traversal: our client, whose ESP lives in UDP, does not follow', async () => {
      await peer.add('named');
      const client = lab.client('--dead-peer', '1s');
      await comesBack(client, peer);
      await peer.says(/responder processed IKE_SESSION_RESUME; sent IKE_SESSION_RESUME response/, 2);
      assert.deepEqual(client.told('refused'), []);
    });
  },
};

/** With a full exchange, the former address and a new ticket. */
async function comesBack(client: Client, peer: Libreswan): Promise<void> {
  await client.tells('ticket');
  peer.signal('SIGSTOP');
  await client.tells('dead-peer');
  await client.tells('resuming');
  peer.signal('SIGCONT');
  const [before, after] = await client.tells('established', { times: 2 });
  assert.deepEqual([after?.kind, after?.inner], ['full', before?.inner]);
  await client.tells('ticket', { times: 2 });
}
