/** A path that carries 1 280 bytes: segments of TCP are made to fit, which IPv6 cannot do without: nobody sends it packets of less than 1 280 bytes. */
import { BulkServer } from '../../interop/lab/bulk.ts';
import { DUAL_POOLS } from '../lab/gateway-pod.ts';
import { innerAddresses } from '../lab/inner-addresses.ts';
import { SERVER } from '../lab/kernel-lab.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';

const PATH_BYTES = '1280';
const BYTES = 1_000_000;

export const scenario: Scenario = {
  title: 'a path of 1 280 bytes: TCP passes over IPv4 and IPv6, its segments fit; larger packets of IPv4 travel in fragments',
  roots: ['strongswan'],
  limitMs: 120_000,
  async run(lab) {
    await lab.router.must('ip', 'link', 'set', 'pod-0', 'mtu', PATH_BYTES);
    await lab.pods[0].must('ip', 'link', 'set', 'eth0', 'mtu', PATH_BYTES);
    await lab.pod(0, { settings: DUAL_POOLS });
    const peer = await lab.strongSwan();
    await peer.initiate('inner');
    const inner = await innerAddresses(lab.initiator);

    for (const [family, to, from] of [
      ['IPv4', SERVER.ipv4, inner.ipv4],
      ['IPv6', SERVER.ipv6, inner.ipv6],
    ] as const) {
      await lab.step(`${family}: what is fetched from the server arrives whole`, async () => {
        const server = await BulkServer.start(lab.server, to, BYTES);
        lab.note(
          `${(await server.fetch(lab.initiator, from)).toFixed(0)} Mbit/s over ${family} down a path of ${PATH_BYTES} bytes`,
        );
      });
      await lab.step(`${family}: a ping of 1 000 bytes passes`, async () => {
        await lab.initiator.must('ping', '-n', '-c', '2', '-i', '0.1', '-W', '3', '-s', '1000', '-I', from, to);
      });
    }
    await lab.step('a ping that does not fit travels in fragments', async () => {
      const large = ['-n', '-c', '2', '-i', '0.1', '-W', '3', '-M', 'dont', '-s', '1300', '-I', inner.ipv4, SERVER.ipv4];
      await lab.initiator.must('ping', ...large);
    });
  },
};
