/**
 * libreswan 5.2 computes AUTH after a resumption in a form of its own, prf(SK_p, first message), where RFC 5723 §4.3.3 points to RFC
 * 7296 §2.15. Our client speaks it with a gateway that told its name (`send-vendorid=yes`) before it proved itself.
 */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'our client resumes twice into a libreswan that tells its name: no key exchange, the same address, a new ticket',
  async run(lab) {
    const peer = await lab.libreswan('responder');
    await peer.add('psk');
    // libreswan resumes in plain ESP, whatever it was asked for.
    const client = lab.tunedClient({ deadPeerMs: 1_000, forceEncapsulation: false });
    const [first] = await client.tells('established');
    assert.equal(first?.kind, 'full');
    await client.tells('ticket');

    for (const times of [1, 2])
      await lab.step(`libreswan falls silent, our client resumes (${times} of 2)`, async () => {
        peer.signal('SIGSTOP');
        await client.tells('dead-peer', { times });
        await client.tells('resuming', { times });
        peer.signal('SIGCONT');
        const again = (await client.tells('established', { times: times + 1 })).at(-1);
        assert.deepEqual([again?.kind, again?.keyExchanges, again?.inner], ['resumed', 0, first?.inner]);
        await client.tells('ticket', { times: times + 1 });
      });
    await lab.step('libreswan says the same', async () => {
      await peer.says(/responder processed IKE_SESSION_RESUME; sent IKE_SESSION_RESUME response/, 2);
      assert.equal((await peer.says(/established Child SA/, 3)).length, 3);
      assert.deepEqual(client.told('refused'), []);
    });
    await client.stop();
  },
};
