/** A NAT between both gives the peer another port: the kernel sees it at the next packet that is authentic (XFRM_MSG_MAPPING), and says so. */
import assert from 'node:assert/strict';
import { Flood } from '../lab/flood.ts';
import { DUAL_POOLS } from '../lab/gateway-pod.ts';
import { innerAddresses } from '../lab/inner-addresses.ts';
import { SERVER } from '../lab/kernel-lab.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';
import { statesOf } from '../lab/kernel-state.ts';

/** Connections that go out by the device of the pods get ports at random, and lose them when that device was down. */
const NAT = `
table ip nat {
  chain postrouting {
    type nat hook postrouting priority 100
    ip saddr 10.96.0.0/24 oifname "pod-0" masquerade fully-random
  }
}
`;

export const scenario: Scenario = {
  title: 'a NAT changes the port of strongSwan twice: the kernel reports it, session and traffic follow',
  roots: ['strongswan'],
  limitMs: 90_000,
  async run(lab) {
    await lab.nft(lab.router, NAT);
    const pod = await lab.pod(0, { settings: DUAL_POOLS });
    const peer = await lab.strongSwan();
    await peer.initiate('inner');
    const inner = await innerAddresses(lab.initiator);
    await lab.ping(inner.ipv4, SERVER.ipv4);
    const portOf = async (): Promise<string> =>
      /encap type espinudp sport 4500 dport (\d+)/.exec(await pod.machine.must('ip', 'xfrm', 'state'))?.[1] ?? '';

    for (const times of [1, 2]) {
      await lab.step(`the NAT forgets for the ${times}. time: the next packet tells, and traffic goes on`, async () => {
        const before = await portOf();
        await lab.router.must('ip', 'link', 'set', 'pod-0', 'down');
        await lab.router.must('ip', 'link', 'set', 'pod-0', 'up');
        // IPv6 addresses go with the link.
        await lab.router.must('ip', 'address', 'add', 'fd97:0::fe/64', 'dev', 'pod-0', 'nodad');
        await lab.serve(0);
        const flood = await Flood.start(lab.initiator, inner.ipv4, SERVER.ipv4);
        await pod.sidecar.logged({ event: 'moved' }, times);
        await flood.more(50);
        const { sent, lost } = await flood.stop();
        lab.note(`${lost} of ${sent} pings lost after the first one that was answered at a new port`);
        assert.equal(lost, 0);
        assert.notEqual(await portOf(), before);
      });
    }
    await lab.step('a rekey and a DELETE by the gateway reach the new port', async () => {
      await peer.must('--rekey', '--child', 'inner');
      await lab.ping(inner.ipv4, SERVER.ipv4);
      assert.equal(await pod.sidecar.metric('moves_total'), 2);
      assert.equal((await pod.sidecar.status()).sessions, 1);
      await peer.must('--terminate', '--ike', 'inner');
      await lab.eventually(async () => assert.deepEqual(await statesOf(pod.machine), []));
    });
  },
};
