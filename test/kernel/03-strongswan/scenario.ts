/** strongSwan with its kernel's ESP, and ours with the kernel's: every algorithm, both families, inside and outside. */
import assert from 'node:assert/strict';
import { BulkServer } from '../../interop/lab/bulk.ts';
import { DUAL_POOLS } from '../lab/gateway-pod.ts';
import { innerAddresses } from '../lab/inner-addresses.ts';
import { SERVER } from '../lab/kernel-lab.ts';
import type { Scenario } from '../lab/kernel-scenario.ts';
import { policiesOf, statesOf } from '../lab/kernel-state.ts';

const BYTES = 1_000_000;

/** Connection of swanctl.conf → what the kernel says that it does. */
const CASES: Readonly<
  Record<string, { readonly algorithms: readonly string[]; readonly esn?: boolean; readonly over?: string }>
> = {
  aes128gcm: { algorithms: ['rfc4106(gcm(aes)) 160'] },
  aes256gcm: { algorithms: ['rfc4106(gcm(aes)) 288'] },
  chacha20: { algorithms: ['rfc7539esp(chacha20,poly1305) 288'] },
  'cbc-sha256': { algorithms: ['hmac(sha256) 256', 'cbc(aes) 128'] },
  'cbc-sha512': { algorithms: ['hmac(sha512) 512', 'cbc(aes) 256'] },
  esn: { algorithms: ['rfc4106(gcm(aes)) 288'], esn: true },
  'esn-cbc': { algorithms: ['hmac(sha384) 384', 'cbc(aes) 256'], esn: true },
  outer6: { algorithms: ['rfc4106(gcm(aes)) 288'], over: 'fd98::1' },
};

export const scenario: Scenario = {
  title: 'strongSwan: every algorithm of ESP, IPv4 and IPv6 inside and outside, pings and bulk transfers',
  roots: ['strongswan'],
  limitMs: 150_000,
  async run(lab) {
    const pod = await lab.pod(0, { settings: DUAL_POOLS });
    const peer = await lab.strongSwan();
    const servers = {
      ipv4: await BulkServer.start(lab.server, SERVER.ipv4, BYTES),
      ipv6: await BulkServer.start(lab.server, SERVER.ipv6, BYTES),
    };

    await lab.step('the sidecar has no capability and cannot get one, the agent has NET_ADMIN alone', async () => {
      pod.assertPrivileges();
    });
    for (const [name, { algorithms, esn = false, over }] of Object.entries(CASES)) {
      await lab.step(`${name}: the kernel has what was agreed upon, both families pass, nothing is left`, async () => {
        await peer.initiate(name);
        const inner = await innerAddresses(lab.initiator);
        await lab.ping(inner.ipv4, SERVER.ipv4);
        await lab.ping(inner.ipv6, SERVER.ipv6);
        const states = await statesOf(pod.machine);
        assert.equal(states.length, 2);
        for (const state of states) {
          assert.deepEqual([...state.algorithms].sort(), [...algorithms].sort());
          assert.deepEqual([state.esn, state.encapsulated], [esn, true]);
          assert.ok(state.packets >= 6, `${state.packets} packets of ${name}`);
          if (over) assert.ok([state.source, state.destination].includes(over));
        }
        const rates = [await servers.ipv4.fetch(lab.initiator, inner.ipv4), await servers.ipv6.fetch(lab.initiator, inner.ipv6)];
        lab.note(`${name}: ${rates.map((rate) => rate.toFixed(0)).join(' and ')} Mbit/s over IPv4 and IPv6`);
        await peer.must('--terminate', '--ike', name);
        await lab.eventually(async () => assert.deepEqual([await statesOf(pod.machine), await policiesOf(pod.machine)], [[], 0]));
      });
    }
  },
};
