/** The lab itself: two strongSwans, with nothing of ours between them, carry traffic by ESP of this kernel. */
import assert from 'node:assert/strict';
import { BulkServer } from '../../interop/lab/bulk.ts';
import { Flood } from '../lab/flood.ts';
import { innerAddresses } from '../lab/inner-addresses.ts';
import { SERVER } from '../lab/kernel-lab.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';
import { statesOf } from '../lab/kernel-state.ts';

const BYTES = 4_000_000;

export const scenario: Scenario = {
  title: 'the lab itself: two strongSwans with ESP of this kernel',
  roots: ['strongswan'],
  async run(lab) {
    await lab.server.must('ip', 'route', 'add', '10.8.0.0/24', 'via', '10.21.0.2');
    await lab.server.must('ip', 'route', 'add', 'fd08::/64', 'via', 'fd21:0::2');
    await lab.strongSwan('pod-0');
    const peer = await lab.strongSwan();

    await lab.step('pings of both families reach the server; no state is missing', async () => {
      await peer.initiate('inner');
      const inner = await innerAddresses(lab.initiator);
      await lab.ping(inner.ipv4, SERVER.ipv4);
      await lab.ping(inner.ipv6, SERVER.ipv6);
      for (const machine of [lab.initiator, lab.pods[0]]) {
        const states = await statesOf(machine);
        assert.equal(states.length, 2);
        assert.ok(states.every(({ packets, encapsulated }) => packets >= 6 && encapsulated));
      }
    });
    await lab.step('what is fetched arrives whole', async () => {
      const { ipv4 } = await innerAddresses(lab.initiator);
      const server = await BulkServer.start(lab.server, SERVER.ipv4, BYTES);
      lab.note(`${(await server.fetch(lab.initiator, ipv4)).toFixed(0)} Mbit/s between two strongSwans`);
    });
    await lab.step('a rekey loses no ping', async () => {
      const { ipv4 } = await innerAddresses(lab.initiator);
      const flood = await Flood.start(lab.initiator, ipv4, SERVER.ipv4);
      await flood.more(50);
      await peer.must('--rekey', '--child', 'inner');
      await flood.more(100);
      const { sent, lost } = await flood.stop();
      lab.note(`${lost} of ${sent} pings lost over a rekey between two strongSwans`);
    });
    await lab.step('nothing is left in the kernel of either', async () => {
      await peer.must('--terminate', '--ike', 'inner');
      for (const machine of [lab.initiator, lab.pods[0]])
        await lab.eventually(async () => assert.deepEqual(await statesOf(machine), []));
    });
  },
};
