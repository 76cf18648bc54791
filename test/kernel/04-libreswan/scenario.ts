/** libreswan with its kernel's ESP: pings, a bulk transfer, a rekey and resumptions, after which it means plain ESP instead of ESP in UDP. */
import assert from 'node:assert/strict';
import { BulkServer } from '../../interop/lab/bulk.ts';
import { Flood } from '../lab/flood.ts';
import { DUAL_POOLS } from '../lab/gateway-pod.ts';
import { SERVER } from '../lab/kernel-lab.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';
import { statesOf } from '../lab/kernel-state.ts';

const BYTES = 2_000_000;

export const scenario: Scenario = {
  title: 'libreswan: pings, a bulk transfer, a rekey under load; it resumes at the same pod and at another one, into plain ESP',
  roots: ['libreswan'],
  limitMs: 90_000,
  async run(lab) {
    const pods = [await lab.pod(0, { settings: DUAL_POOLS }), await lab.pod(1, { settings: DUAL_POOLS })] as const;
    const peer = await lab.libreswan();
    await peer.add('inner');
    await peer.leaveSilently();

    const { ipv4 } = await lab.step('pings and a bulk transfer pass', async () => {
      await peer.up('inner');
      const { inner } = await pods[0].sidecar.session();
      await lab.initiator.must('ip', 'address', 'add', `${inner.ipv4}/32`, 'dev', 'lo');
      await lab.ping(inner.ipv4, SERVER.ipv4);
      const server = await BulkServer.start(lab.server, SERVER.ipv4, BYTES);
      lab.note(`${(await server.fetch(lab.initiator, inner.ipv4)).toFixed(0)} Mbit/s with libreswan`);
      return inner;
    });
    await lab.step('it rekeys the child, and no ping is lost', async () => {
      const flood = await Flood.start(lab.initiator, ipv4, SERVER.ipv4);
      await peer.must('whack', '--rekey-child', '--name', 'inner');
      await pods[0].sidecar.logged({ event: 'child-rekeyed' });
      await flood.more(100);
      const { sent, lost } = await flood.stop();
      lab.note(`${lost} of ${sent} pings lost over a rekey by libreswan`);
      assert.equal(lost, 0);
      assert.equal((await statesOf(pods[0].machine)).length, 2);
    });
    await lab.step('it resumes at the same pod: plain ESP from now on, the same address', async () => {
      await peer.suspend('inner');
      await peer.up('inner');
      assert.deepEqual(
        [(await pods[0].sidecar.session(2)).kind, (await pods[0].sidecar.session(2)).inner.ipv4],
        ['resumed', ipv4],
      );
      await lab.ping(ipv4, SERVER.ipv4);
      const states = await statesOf(pods[0].machine);
      assert.deepEqual(
        states.map(({ encapsulated }) => encapsulated),
        [false, false],
      );
    });
    await lab.step('its pod is killed with traffic running: it resumes at another one, which carries the traffic', async () => {
      const flood = await Flood.start(lab.initiator, ipv4, SERVER.ipv4);
      await pods[0].kill();
      await lab.serve(1);
      await peer.suspend('inner');
      await peer.up('inner');
      assert.deepEqual([(await pods[1].sidecar.session()).kind, (await pods[1].sidecar.session()).inner.ipv4], ['resumed', ipv4]);
      await flood.more(50);
      const { sent, lost, gapMs } = await flood.stop();
      lab.note(`${lost} of ${sent} pings lost (${gapMs} ms) while libreswan, told to, resumed at another pod`);
    });
  },
};
