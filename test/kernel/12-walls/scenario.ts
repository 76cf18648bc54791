/** What must not pass: forged and clear packets, from client to client where that is off, and orders of a sidecar that was taken over. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { badOrders } from '../lab/bad-orders.ts';
import { DUAL_POOLS } from '../lab/gateway-pod.ts';
import { innerAddresses } from '../lab/inner-addresses.ts';
import { type KernelLab, OUTER, SERVER, SERVICE } from '../lab/kernel-lab.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';
import { statesOf } from '../lab/kernel-state.ts';

const FORGED = '10.8.0.200';
const NOBODY = '10.8.0.77';
const SECOND = 'second.example';
const PINGS = 5;

/** Packets of the inner network that the router sees in clear. */
const WATCH = `
table ip watch {
  counter clear { }
  chain prerouting {
    type filter hook prerouting priority -300
    ip daddr 10.8.0.0/24 counter name clear
  }
}
`;

export const scenario: Scenario = {
  title:
    'forged inner sources, clear packets from and to the pool, client to client, and orders outside of the pools: refused and counted',
  roots: ['strongswan'],
  limitMs: 150_000,
  async run(lab) {
    const pod = await lab.pod(0, { settings: DUAL_POOLS, users: [SECOND], dataplane: { traffic: { isolateClients: true } } });
    const dropped = () => pod.sidecar.metric('esp_dropped_packets_total');
    const rises = async (before: number) =>
      lab.eventually(async () => assert.ok((await dropped()) >= before + PINGS, `${await dropped()} dropped, ${before} before`));
    const peer = await lab.strongSwan();
    await peer.initiate('inner');
    const { ipv4 } = await innerAddresses(lab.initiator);
    await lab.ping(ipv4, SERVER.ipv4);

    await lab.step('a client that sends with the address of another one is not heard, and it is counted', async () => {
      const [heard, before] = [await echoesHeard(lab), await dropped()];
      await forgeSource(lab);
      await unanswered(lab, FORGED, SERVER.ipv4);
      assert.equal(await echoesHeard(lab), heard);
      await rises(before);
    });
    await lab.step('clear packets with a source of the pool do not come in, not even that of a connected client', async () => {
      const heard = await echoesHeard(lab);
      await lab.router.must('ip', 'route', 'add', '10.20.0.0/16', 'via', '10.97.0.2');
      for (const source of [ipv4, NOBODY]) {
        await lab.router.must('ip', 'address', 'add', `${source}/32`, 'dev', 'lo');
        assert.notEqual(
          (await lab.router.run('ping', '-n', '-c', String(PINGS), '-i', '0.05', '-W', '1', '-I', source, SERVER.ipv4)).status,
          0,
        );
        await lab.router.must('ip', 'address', 'del', `${source}/32`, 'dev', 'lo');
      }
      assert.equal(await echoesHeard(lab), heard);
    });
    await lab.step('nothing for an address of the pool that nobody has goes out in clear', async () => {
      await lab.nft(lab.router, WATCH);
      await lab.server.must('ip', 'route', 'add', '10.8.0.0/24', 'via', '10.21.0.2');
      assert.notEqual((await lab.server.run('ping', '-n', '-c', String(PINGS), '-i', '0.05', '-W', '1', NOBODY)).status, 0);
      assert.match(await lab.router.must('nft', 'list', 'counter', 'ip', 'watch', 'clear'), /packets 0 /);
    });
    await lab.step('one client does not reach another; it does when that is allowed, without a restart', async () => {
      const secret = lab.secretFile(`a secret of ${SECOND}`);
      const second = await lab.neighbour(['--id', SECOND, '--psk-file', secret]);
      const [event] = await second.client.tells('established');
      const other = event?.inner.find((address) => address.includes('.')) ?? '';
      await lab.eventually(() => second.machine.must('ping', '-n', '-c', '1', '-W', '1', '-I', other, SERVER.ipv4));
      const before = await dropped();
      assert.match(await unanswered(lab, ipv4, other), /filtered/i);
      await rises(before);
      pod.agent.configure({ traffic: { isolateClients: false } });
      await lab.eventually(() => lab.ping(ipv4, other));
    });
    await lab.step(
      'a sidecar that was taken over gets nothing outside of the pools and routes; another user is not heard at all',
      async () => {
        await pod.sidecar.kill();
        const file = join(lab.folder, 'bad-orders.json');
        const orders = badOrders(SERVICE.ipv4, OUTER.ipv4);
        writeFileSync(file, JSON.stringify(Object.values(orders)), { mode: 0o644 });
        const { outcomes = [] } = await pod.takenOver('orders', file);
        for (const [index, what] of Object.keys(orders).entries())
          assert.deepEqual(
            [what, outcomes[index]?.ok, outcomes[index]?.why],
            [what, false, 'refused'],
            outcomes[index]?.reason ?? 'no reason',
          );
        assert.deepEqual(await statesOf(pod.machine), []);
        assert.match((await pod.stranger()).away ?? '', /ended the connection|EACCES|ECONNRESET|EPIPE/);
      },
    );
  },
};

/** What ping said. */
async function unanswered(lab: KernelLab, from: string, to: string): Promise<string> {
  const { status, text } = await lab.initiator.run('ping', '-n', '-c', String(PINGS), '-i', '0.05', '-W', '1', '-I', from, to);
  assert.notEqual(status, 0, text);
  assert.match(text, /100% packet loss/);
  return text;
}

/** Echo requests that came to the server. */
async function echoesHeard(lab: KernelLab): Promise<number> {
  return Number(/IcmpInEchos\s+(\d+)/.exec(await lab.server.must('nstat', '-asz', 'IcmpInEchos'))?.[1]);
}

/** The kernel of the client sends another source by the SA of its own address: a policy of ours beside strongSwan's. */
async function forgeSource(lab: KernelLab): Promise<void> {
  const { initiator } = lab;
  const [, reqid = ''] =
    /dst 10\.98\.0\.1\n\tproto esp spi \S+ reqid (\d+)/.exec(await initiator.must('ip', 'xfrm', 'state')) ?? [];
  await initiator.must('ip', 'address', 'add', `${FORGED}/32`, 'dev', 'lo');
  const selector = ['src', `${FORGED}/32`, 'dst', '10.20.0.0/16', 'dir', 'out'];
  const template = ['tmpl', 'src', OUTER.ipv4, 'dst', SERVICE.ipv4, 'proto', 'esp', 'reqid', reqid, 'mode', 'tunnel'];
  await initiator.must('ip', 'xfrm', 'policy', 'add', ...selector, ...template);
}
