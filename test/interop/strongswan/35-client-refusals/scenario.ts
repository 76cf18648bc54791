/** What a gateway may refuse to our client, and what it makes of that. */
import assert from 'node:assert/strict';
import type { Client } from '../../lab/client.ts';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = '10.20.0.1';

export const scenario: Scenario = {
  title: 'our client follows INVALID_KE_PAYLOAD, and reports wrong keys, identities and proposals',
  async run(lab) {
    await lab.responder.must('ip', 'address', 'add', `${BEHIND}/32`, 'dev', 'lo');
    const peer = await lab.strongSwan('responder');
    const failed = async (client: Client): Promise<readonly string[]> => {
      const [refused] = await client.tells('refused');
      assert.equal(await client.ended(), 1);
      return [refused?.by ?? '', refused?.exchange ?? '', refused?.notify ?? ''];
    };

    await lab.step('the group that the gateway asks for', async () => {
      const client = lab.client('--ping', BEHIND, '--interval', '50ms', '--count', '3');
      const [established] = await client.tells('established');
      assert.equal(established?.roundTrips, 3);
      assert.equal(await client.ended(), 0);
      await peer.says(/generating IKE_SA_INIT response 0 \[ N\(INVAL_KE\) \]/);
    });
    await lab.step('a wrong key', async () => {
      const client = lab.clientWith({ secret: 'not the secret of anybody' }, '--once');
      assert.deepEqual(await failed(client), ['peer', 'IKE_AUTH', 'AUTHENTICATION_FAILED']);
    });
    await lab.step('another gateway than expected', async () => {
      assert.equal((await failed(lab.client('--once', '--remote-id', 'other.example')))[1], 'IKE_AUTH');
    });
    await lab.step('no proposal in common', async () => {
      assert.deepEqual(await failed(lab.client('--once', '--proposal', 'aes256gcm16-x25519')), [
        'peer',
        'IKE_SA_INIT',
        'NO_PROPOSAL_CHOSEN',
      ]);
    });
    await lab.step('no ESP proposal in common', async () => {
      assert.deepEqual(await failed(lab.client('--once', '--esp-proposal', 'aes256gcm16')), [
        'peer',
        'IKE_AUTH',
        'NO_PROPOSAL_CHOSEN',
      ]);
    });
  },
};
