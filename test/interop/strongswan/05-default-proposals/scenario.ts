/** What strongSwan proposes when it is told nothing, to a gateway that is told nothing. */
import { INNER } from '../../lab/gateway.ts';
import type { Scenario } from '../../lab/scenario.ts';

export const scenario: Scenario = {
  title: 'the default proposals of both sides fit',
  async run(lab) {
    const gateway = await lab.gateway();
    const peer = await lab.strongSwan('initiator');

    await lab.step('a session with pings', async () => {
      await peer.initiate('default');
      const { inner } = await gateway.session();
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
    await lab.step('the child is rekeyed with a group of its own choice', async () => {
      await peer.must('--rekey', '--child', 'default');
      await gateway.logged({ event: 'child-rekeyed' });
      await peer.says(/inbound CHILD_SA default\{2\} established/);
      const { inner } = await gateway.session();
      await lab.ping(inner.ipv4, INNER.ipv4);
    });
  },
};
