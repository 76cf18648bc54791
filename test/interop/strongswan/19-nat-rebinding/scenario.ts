/** A NAT between both gives the peer another port: our gateway follows what is authentic (RFC 7296 §2.23). */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'a NAT in between: first messages are lost, later its port changes, and the session goes on',
  async run(lab) {
    const gateway = await lab.gateway();
    const relay = await lab.relay();
    const peer = await lab.strongSwan('initiator');

    const { inner } = await lab.step('the first messages are lost, retransmissions arrive', async () => {
      await relay.lose('everything');
      const initiated = peer.tryToInitiate('net');
      await peer.says(/retransmit 1 of request with message ID 0/);
      await relay.lose('nothing');
      assert.equal((await initiated).status, 0);
      await peer.says(/local host is behind NAT/);
      return gateway.session();
    });
    await lab.step('the port of the NAT changes; the next packet of the peer tells us', async () => {
      await lab.ping(inner.ipv4, INNER.ipv4);
      await relay.rebind();
      // The answers to these may still go to the old port.
      await lab.initiator.run('ping', '-n', '-c', '1', '-W', '1', '-I', inner.ipv4, INNER.ipv4);
      await gateway.logged({ event: 'moved' });
      await lab.ping(inner.ipv4, INNER.ipv4);
      assert.equal(await gateway.metric('moves_total'), 1);
      assert.equal((await gateway.status()).sessions, 1);
    });
  },
};
