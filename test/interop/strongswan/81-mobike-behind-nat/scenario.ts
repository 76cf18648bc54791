/** strongSwan moves behind a NAT (RFC 4555 §3.8), and the NAT changes its port: one after the other, and again. */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import { OUTER } from '../../lab/lab.ts';
import type { Scenario } from '../../lab/scenario.ts';

const ADDRESSES = ['10.96.0.21', '10.96.0.22'] as const;

export const scenario: Scenario = {
  title: 'behind a NAT: the peer changes its address, the NAT its port, twice; the session goes on',
  async run(lab) {
    const gateway = await lab.gateway();
    const relay = await lab.relay();
    const peer = await lab.strongSwan('initiator');
    for (const device of ['all', 'outer'])
      await lab.initiator.must('sysctl', '-w', `net.ipv4.conf.${device}.promote_secondaries=1`);
    await peer.initiate('net');
    const { inner } = await gateway.session();
    await lab.ping(inner.ipv4, INNER.ipv4);

    let before: string = OUTER.initiator.ipv4;
    for (const [times, address] of ADDRESSES.entries()) {
      await lab.step(`the peer moves to ${address}: it tells`, async () => {
        await lab.initiator.must('ip', 'address', 'add', `${address}/24`, 'dev', 'outer');
        await lab.initiator.must('ip', 'address', 'del', `${before}/24`, 'dev', 'outer');
        before = address;
        await gateway.logged({ event: 'moved' }, 2 * times + 1);
        await lab.eventually(() => lab.ping(inner.ipv4, INNER.ipv4));
      });
      await lab.step('the NAT changes its port: the next packet tells', async () => {
        await relay.rebind();
        // The answers to these may still go to the old port.
        await lab.initiator.run('ping', '-n', '-c', '1', '-W', '1', '-I', inner.ipv4, INNER.ipv4);
        await gateway.logged({ event: 'moved' }, 2 * times + 2);
        await lab.eventually(() => lab.ping(inner.ipv4, INNER.ipv4));
      });
    }
    await lab.step('a rekey and a delete work there; it was one session all the time', async () => {
      await peer.must('--rekey', '--ike', 'psk');
      await gateway.logged({ event: 'ike-rekeyed' });
      assert.equal((await gateway.status()).sessions, 1);
      await lab.ping(inner.ipv4, INNER.ipv4);
      await peer.must('--terminate', '--ike', 'psk');
      assert.equal((await gateway.status()).sessions, 0);
      assert.equal(gateway.log({ event: 'established' }).length, 1);
    });
  },
};
