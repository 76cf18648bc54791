/** A path of 1 280 bytes, the least that IPv6 allows: what is longer goes in fragments of IP, and nothing is lost for its size. */
import assert from 'node:assert/strict';
import { BulkServer } from '../../lab/bulk.ts';
import { DUAL, type Session } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = { ipv4: '10.20.0.1', ipv6: 'fd20::1' };
const BYTES = 2_000_000;

export const scenario: Scenario = {
  title: 'a path of 1 280 bytes, over IPv4 and IPv6: large packets and 2 MB each way pass',
  async run(lab) {
    for (const machine of [lab.initiator, lab.responder]) await machine.must('ip', 'link', 'set', 'outer', 'mtu', '1280');
    await lab.responder.must('ip', 'address', 'add', `${BEHIND.ipv4}/32`, 'dev', 'lo');
    await lab.responder.must('ip', 'address', 'add', `${BEHIND.ipv6}/128`, 'dev', 'lo');
    const gateway = await lab.gateway({ settings: { ...DUAL, routes: ['10.20.0.0/16', 'fd20::/64'] }, tun: 'vpn0' });
    const peer = await lab.strongSwan('initiator');
    const down = await BulkServer.start(lab.responder, BEHIND.ipv4, BYTES);

    await lab.step('over IPv4', async () => {
      await peer.initiate('ipv4');
      const session = await gateway.session(1);
      await pings(session);
      await transfers(session);
      await peer.must('--terminate', '--ike', 'ipv4');
    });
    await lab.step('over IPv6', async () => {
      await peer.initiate('ipv6');
      await pings(await gateway.session(2));
      await down.fetch(lab.initiator, (await gateway.session(2)).inner.ipv4);
    });
    assert.equal(await gateway.metric('esp_dropped_packets_total'), 0);

    async function pings({ inner }: Session): Promise<void> {
      // The first ones also tell the sender the size of the path, when it does not know yet.
      for (const [from, to] of [
        [inner.ipv4, BEHIND.ipv4],
        [inner.ipv6, BEHIND.ipv6],
      ] as const)
        for (const size of ['56', '1200', '1340'])
          await lab.initiator.must('ping', '-n', '-c', '3', '-i', '0.1', '-W', '3', '-s', size, '-I', from, to);
    }

    async function transfers({ inner }: Session): Promise<void> {
      const up = await BulkServer.start(lab.initiator, inner.ipv4, BYTES);
      await Promise.all([down.fetch(lab.initiator, inner.ipv4), up.fetch(lab.responder, BEHIND.ipv4)]);
    }
  },
};
