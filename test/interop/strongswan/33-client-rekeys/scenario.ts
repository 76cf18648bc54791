/** Our client rekeys children and IKE SA by itself. */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = '10.20.0.1';

/** Milliseconds. */
const SHORT_LIVED = { rekeyMs: 3_000, childRekeyMs: 2_000 };

export const scenario: Scenario = {
  title: 'our client rekeys children and the IKE SA by itself; no ping is lost',
  async run(lab) {
    await lab.responder.must('ip', 'address', 'add', `${BEHIND}/32`, 'dev', 'lo');
    const peer = await lab.strongSwan('responder');
    const client = lab.tunedClient({ ...SHORT_LIVED, target: BEHIND });
    await client.tells('established');

    await lab.step('children', async () => {
      await client.tells('rekeyed', { times: 2, accept: ({ what }) => what === 'child' });
      await peer.says(/inbound CHILD_SA net\{3\} established/);
    });
    await lab.step('the IKE SA', async () => {
      await client.tells('rekeyed', { times: 2, accept: ({ what }) => what === 'ike' });
      await peer.says(/IKE_SA psk\[3\] rekeyed between/);
    });
    await lab.step('pings passed all the time', async () => {
      await client.tells('ping', { times: client.told('ping').length + 3 });
      assert.deepEqual(client.told('ping-lost'), []);
    });
    await lab.step('strongSwan has one IKE SA and one child', async () => {
      const sas = await peer.must('--list-sas');
      assert.equal(sas.match(/^psk: #.*ESTABLISHED/gm)?.length, 1, sas);
      assert.equal(sas.match(/net: #.*INSTALLED/g)?.length, 1, sas);
    });
  },
};
