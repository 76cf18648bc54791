/** A peer that changes its address behind a balancer reaches another pod: its session goes on there, with address and traffic. */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import { OUTER } from '../../lab/lab.ts';
import type { Scenario } from '../../lab/scenario.ts';

const PODS = ['10.96.0.10', '10.96.0.11'] as const;
const NEXT = ['10.96.0.21', '10.96.0.22', '10.96.0.23'] as const;

export const scenario: Scenario = {
  title: 'the peer changes its address and reaches another pod each time: its session goes along (MOBIKE, hand-off)',
  async run(lab) {
    const pods = await Promise.all([lab.pod(0, PODS), lab.pod(1, PODS)]);
    const relay = await lab.relay(PODS[0]);
    const peer = await lab.strongSwan('initiator');
    await lab.initiator.must(
      'sysctl',
      '-w',
      'net.ipv4.conf.all.promote_secondaries=1',
      'net.ipv4.conf.outer.promote_secondaries=1',
    );
    await peer.initiate('net');
    const { inner } = await pods[0].session();
    await lab.ping(inner.ipv4, INNER.ipv4);

    let before: string = OUTER.initiator.ipv4;
    for (const [index, address] of NEXT.entries()) {
      const [from, to] = index % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const);
      await lab.step(`it moves to ${address}, which leads to pod ${to}`, async () => {
        await relay.retarget(PODS[to]);
        await lab.initiator.must('ip', 'address', 'add', `${address}/24`, 'dev', 'outer');
        await lab.initiator.must('ip', 'address', 'del', `${before}/24`, 'dev', 'outer');
        before = address;
        await pods[from].logged({ event: 'handed-over', to }, index < 2 ? 1 : 2);
        await lab.eventually(() => lab.ping(inner.ipv4, INNER.ipv4));
        assert.deepEqual([(await pods[from].status()).sessions, (await pods[to].status()).sessions], [0, 1]);
      });
    }
    await lab.step('both rekeys and a delete work there', async () => {
      await peer.must('--rekey', '--ike', 'psk');
      await pods[1].logged({ event: 'ike-rekeyed' });
      await peer.must('--rekey', '--child', 'net');
      await pods[1].logged({ event: 'child-rekeyed' });
      await lab.ping(inner.ipv4, INNER.ipv4);
      await peer.must('--terminate', '--ike', 'psk');
      assert.equal((await pods[1].status()).sessions, 0);
    });
  },
};
