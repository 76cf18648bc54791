import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Egress } from '../../../../sidecar/dataplane/kernel/egress.ts';
import type { Sysctls } from '../../../../sidecar/dataplane/kernel/forwarding.ts';
import { checkHost, type HostFacts } from '../../../../sidecar/dataplane/kernel/host-checks.ts';
import { type Change, configured } from './rulesets.ts';

const FORWARDING = { 'net/ipv4/ip_forward': '1', 'net/ipv6/conf/all/forwarding': '1' };
const egress: Egress = { name: 'eth0', mtu: 1500, families: [4], advertised: false };
const usual: HostFacts = { dataplane: 'kernel', egress, interfaces: ['lo', 'eth0'] };

/** `readOnly`: as the runtime of a container leaves /proc/sys. */
function kernel(values: Readonly<Record<string, string>>, readOnly = false): Sysctls & { readonly values: Map<string, string> } {
  const present = new Map(Object.entries(values));
  return {
    values: present,
    read: async (name) => present.get(name),
    async write(name, value) {
      if (readOnly) throw Object.assign(new Error('read-only file system'), { code: 'EROFS' });
      present.set(name, value);
    },
  };
}

async function problems(settings: Sysctls, change: Change = {}, facts: Partial<HostFacts> = {}): Promise<readonly string[]> {
  const found = await checkHost(configured(change), { ...usual, ...facts }, settings);
  return found.map(({ severity, text }) => `${severity}: ${text}`);
}

describe('the checks of a host', () => {
  it('find nothing where all is well', async () => assert.deepEqual(await problems(kernel(FORWARDING)), []));

  it('switch forwarding on where that is permitted', async () => {
    const host = kernel({ 'net/ipv4/ip_forward': '0', 'net/ipv6/conf/all/forwarding': '0' });
    assert.deepEqual(await problems(host), []);
    assert.deepEqual(Object.fromEntries(host.values), FORWARDING);
  });

  it('leave the forwarding of a version of IP alone that no pool is of', async () => {
    const host = kernel({ 'net/ipv4/ip_forward': '0', 'net/ipv6/conf/all/forwarding': '0' });
    await problems(host, { pools: ['10.8.0.0/24'] });
    assert.equal(host.values.get('net/ipv6/conf/all/forwarding'), '0');
  });

  it('keep a default route that a router advertises, before this host becomes a router itself', async () => {
    const host = kernel({ ...FORWARDING, 'net/ipv6/conf/all/forwarding': '0' });
    await problems(host, {}, { egress: { ...egress, families: [6], advertised: true } });
    assert.equal(host.values.get('net/ipv6/conf/eth0/accept_ra'), '2');
  });

  it('say how to switch forwarding on where the agent may not', async () => {
    const [ipv4, ipv6] = await problems(kernel({ 'net/ipv4/ip_forward': '0', 'net/ipv6/conf/all/forwarding': '0' }, true));
    assert.match(
      ipv4 ?? '',
      /^blocking: IPv4 .* net\.ipv4\.ip_forward is 0 .*EROFS.*securityContext\.sysctls.*allowed-unsafe-sysctls=net\.ipv4\.ip_forward.*sysctl -w/,
    );
    assert.match(ipv6 ?? '', /^blocking: IPv6 .* net\.ipv6\.conf\.all\.forwarding is 0/);
  });

  it('say that there is no IPv6 where a pool is of it', async () => {
    const [problem] = await problems(kernel({ 'net/ipv4/ip_forward': '1' }));
    assert.match(problem ?? '', /^blocking: there is no IPv6 in this network, and a pool is of it/);
  });

  it('warn of an MTU that makes fragments', async () => {
    const [small] = await problems(kernel(FORWARDING), {}, { egress: { ...egress, mtu: 1280 } });
    assert.match(small ?? '', /^warning: eth0 has an MTU of 1280, which leaves 1182 bytes .* a pool needs 1280/);
    const [large] = await problems(kernel(FORWARDING), { traffic: { mtu: 1450 } });
    assert.match(large ?? '', /leaves 1406 bytes .* traffic\.mtu is 1450/);
  });

  it('warn where nothing leads out', async () => {
    const [problem] = await problems(kernel(FORWARDING), {}, { egress: undefined });
    assert.match(problem ?? '', /^warning: no default route/);
  });

  it('name configured interfaces that are not there', async () => {
    const [problem] = await problems(kernel(FORWARDING), { interfaces: ['eth0', 'net1'] });
    assert.match(problem ?? '', /there is no interface net1; there are lo, eth0/);
  });

  it('warn of strict reverse path filtering where packets may come in by several interfaces', async () => {
    const host = kernel({
      ...FORWARDING,
      'net/ipv4/conf/all/rp_filter': '0',
      'net/ipv4/conf/eth0/rp_filter': '1',
      'net/ipv4/conf/net1/rp_filter': '2',
    });
    const interfaces = ['eth0', 'net1'];
    const [problem] = await problems(host, { interfaces }, { interfaces });
    assert.match(problem ?? '', /strict reverse path filtering on eth0 drops/);
    assert.deepEqual(await problems(host, { interfaces: ['eth0'] }), []);
  });

  it('warn of small socket buffers in user space only, and where they can be seen', async () => {
    const host = kernel({ ...FORWARDING, 'net/core/rmem_max': '212992' });
    assert.deepEqual(await problems(host), []);
    const [problem] = await problems(host, {}, { dataplane: 'userspace' });
    assert.match(problem ?? '', /net\.core\.rmem_max is 212992/);
    assert.deepEqual(await problems(kernel(FORWARDING), {}, { dataplane: 'userspace' }), []);
  });
});
