/** What must be refused, and how each side words it. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'wrong keys, users, proposals and selectors are refused with the right notify',
  async run(lab) {
    const gateway = await lab.gateway({ users: ['mallory.example'] });
    const peer = await lab.strongSwan('initiator');
    const refused = async (name: string, says: RegExp): Promise<void> => {
      const { status, text } = await peer.tryToInitiate(name);
      assert.notEqual(status, 0, text);
      assert.match(text, says);
    };

    await lab.step('a wrong key: AUTHENTICATION_FAILED', async () => {
      await refused('wrong-key', /received AUTHENTICATION_FAILED notify error/);
      await gateway.logged({ msg: 'refused', notify: 'AUTHENTICATION_FAILED' });
    });
    await lab.step('an unknown user gets the same answer', async () => {
      await refused('wrong-user', /received AUTHENTICATION_FAILED notify error/);
      assert.equal(await gateway.metric('handshakes_total', { outcome: 'authentication_failed' }), 2);
    });
    await lab.step('a peer that expects another gateway goes away', async () => {
      await refused('wrong-gateway', /no matching config|constraint check failed|IDr|identity/i);
      assert.equal((await gateway.status()).sessions, 0);
    });
    await lab.step('no IKE proposal in common: NO_PROPOSAL_CHOSEN', async () => {
      await refused('wrong-proposal', /received NO_PROPOSAL_CHOSEN notify error/);
      await gateway.logged({ msg: 'refused', exchange: 'IKE_SA_INIT', notify: 'NO_PROPOSAL_CHOSEN' });
    });
    await lab.step('no ESP proposal in common: the IKE SA stands without a child', async () => {
      await refused('wrong-child', /received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built/);
    });
    await lab.step('no traffic selectors in common: TS_UNACCEPTABLE', async () => {
      await refused('wrong-traffic', /received TS_UNACCEPTABLE notify, no CHILD_SA built/);
    });
    await lab.step('nothing broke', async () => {
      assert.equal(await gateway.metric('internal_errors_total'), 0);
    });
  },
};
