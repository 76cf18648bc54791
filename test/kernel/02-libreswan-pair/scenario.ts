/** The lab itself: two libreswans, with nothing of ours between them, carry traffic by ESP of this kernel and resume. */
import assert from 'node:assert/strict';
import { SERVER } from '../lab/kernel-lab.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';
import { statesOf } from '../lab/kernel-state.ts';

export const scenario: Scenario = {
  title: 'the lab itself: two libreswans with ESP of this kernel, one of which resumes',
  roots: ['libreswan'],
  async run(lab) {
    await lab.server.must('ip', 'route', 'add', '10.8.0.0/24', 'via', '10.21.0.2');
    const gateway = await lab.libreswan('pod-0');
    await gateway.add('net');
    const peer = await lab.libreswan();
    await peer.add('inner');
    await peer.leaveSilently();

    await lab.step('pings reach the server', async () => {
      await peer.up('inner');
      await lab.initiator.must('ip', 'address', 'add', '10.8.0.10/32', 'dev', 'lo');
      await lab.ping('10.8.0.10', SERVER.ipv4);
      assert.equal((await statesOf(lab.initiator)).length, 2);
    });
    await lab.step('they do after a resumption', async () => {
      await peer.suspend('inner');
      assert.match(await peer.up('inner'), /authby=session-resume/);
      await lab.ping('10.8.0.10', SERVER.ipv4);
    });
  },
};
