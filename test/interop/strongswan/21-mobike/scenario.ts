/** strongSwan changes its address (RFC 4555): it tells, shows that it receives there, and its traffic follows. */
import assert from 'node:assert/strict';
import { INNER } from '../../lab/gateway.ts';
import { OUTER } from '../../lab/lab.ts';
import type { Scenario } from '../../lab/scenario.ts';

const NEXT = ['10.96.0.21', '10.96.0.22'] as const;

export const scenario: Scenario = {
  title: 'the peer changes its address twice, and its session goes on (MOBIKE)',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.strongSwan('initiator');
    await lab.initiator.must(
      'sysctl',
      '-w',
      'net.ipv4.conf.all.promote_secondaries=1',
      'net.ipv4.conf.outer.promote_secondaries=1',
    );
    await peer.initiate('net');
    const { inner } = await gateway.session();
    await lab.ping(inner.ipv4, INNER.ipv4);

    let before: string = OUTER.initiator.ipv4;
    for (const [moves, address] of NEXT.entries()) {
      await lab.step(`it moves to ${address}`, async () => {
        await lab.initiator.must('ip', 'address', 'add', `${address}/24`, 'dev', 'outer');
        await lab.initiator.must('ip', 'address', 'del', `${before}/24`, 'dev', 'outer');
        before = address;
        await gateway.logged({ event: 'moved' }, moves + 1);
        await lab.eventually(() => lab.ping(inner.ipv4, INNER.ipv4));
        assert.equal((await gateway.status()).sessions, 1);
      });
    }
    await lab.step('both rekeys and a delete work there', async () => {
      await peer.must('--rekey', '--ike', 'psk');
      await gateway.logged({ event: 'ike-rekeyed' });
      await peer.must('--rekey', '--child', 'net');
      await gateway.logged({ event: 'child-rekeyed' });
      await lab.ping(inner.ipv4, INNER.ipv4);
      await peer.must('--terminate', '--ike', 'psk');
      assert.equal((await gateway.status()).sessions, 0);
    });
  },
};
