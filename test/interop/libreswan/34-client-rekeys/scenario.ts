/** Our client rekeys children and IKE SA by itself, with libreswan. */
import type { Scenario } from '../../lab/scenario.ts';

/** Milliseconds. */
const SHORT_LIVED = { rekeyMs: 3_000, childRekeyMs: 2_000 };

export const scenario: Scenario = {
  title: 'our client rekeys children and the IKE SA by itself',
  async run(lab) {
    const peer = await lab.libreswan('responder');
    await peer.add('psk');
    const client = lab.tunedClient({ ...SHORT_LIVED, target: '10.20.0.1' });
    await client.tells('established');

    await lab.step('children', async () => {
      await client.tells('rekeyed', { times: 2, accept: ({ what }) => what === 'child' });
      await peer.says(/responder rekeyed Child SA/, 2);
    });
    await lab.step('the IKE SA', async () => {
      await client.tells('rekeyed', { times: 2, accept: ({ what }) => what === 'ike' });
      await peer.says(/responder rekeyed IKE SA/, 2);
    });
  },
};
