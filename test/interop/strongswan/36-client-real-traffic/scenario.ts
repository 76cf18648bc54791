/** Our client with a TUN interface: the traffic of two kernels. */
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = '10.20.0.1';

export const scenario: Scenario = {
  title: 'traffic of two kernels over the TUN interface of our client, rekeyed underneath',
  async run(lab) {
    await lab.responder.must('ip', 'address', 'add', `${BEHIND}/32`, 'dev', 'lo');
    const peer = await lab.strongSwan('responder');
    const client = lab.client('--tun', 'vpn0');
    await client.tells('established');

    await lab.eventually(() => lab.initiator.must('ip', 'route', 'get', BEHIND));

    const ping = (...size: readonly string[]) =>
      lab.initiator.must('ping', '-n', '-c', '5', '-i', '0.1', '-W', '3', ...size, BEHIND);
    await lab.step('pings of ordinary and of full size pass', async () => {
      await ping();
      await ping('-s', '1200');
    });
    await lab.step('they do after both rekeys', async () => {
      await peer.must('--rekey', '--child', 'net');
      await peer.must('--rekey', '--ike', 'psk');
      await client.tells('rekeyed', { times: 2 });
      await ping();
    });
  },
};
