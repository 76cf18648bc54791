/** A TUN device on our side: the traffic of two kernels, behind the gateway; selectors narrowed to its routes (RFC 7296 §2.9). */
import assert from 'node:assert/strict';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = '10.20.0.1';

export const scenario: Scenario = {
  title: 'traffic to a network behind the gateway over its TUN device; selectors are narrowed',
  async run(lab) {
    await lab.responder.must('ip', 'address', 'add', `${BEHIND}/32`, 'dev', 'lo');
    const gateway = await lab.gateway({ settings: { routes: ['10.20.0.0/16'] }, tun: 'vpn0' });
    const peer = await lab.strongSwan('initiator');

    const { inner } = await lab.step('the peer asks for everything and gets what there is', async () => {
      await peer.initiate('net');
      await peer.says(/TS 10\.8\.0\.\d+\/32 === 10\.20\.0\.0\/16/);
      return gateway.session();
    });
    await lab.step('pings of ordinary and of full size pass', async () => {
      await lab.ping(inner.ipv4, BEHIND);
      await lab.initiator.must('ping', '-n', '-c', '3', '-i', '0.1', '-W', '3', '-s', '1200', '-I', inner.ipv4, BEHIND);
      assert.equal(await gateway.metric('esp_dropped_packets_total'), 0);
    });
    await lab.step('the network behind it reaches the peer', async () => {
      await lab.responder.must('ping', '-n', '-c', '3', '-i', '0.1', '-W', '3', '-I', BEHIND, inner.ipv4);
    });
  },
};
