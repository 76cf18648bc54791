import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openTun } from '../../../sidecar/dataplane/userspace/tun.ts';

const refused = (name: string, device: string): Promise<unknown> =>
  openTun({ name, device, addresses: [], routes: [], receive: () => {}, failed: () => {} });

// What needs root is in test/tun/tun.ts.
describe('a TUN device that cannot be had', () => {
  it('says that there is none, and what to do', async () => {
    await assert.rejects(
      refused('rk0', '/nonexistent/tun'),
      /^Error: \/nonexistent\/tun: there is no TUN device; load the kernel module \(modprobe tun\)/,
    );
  });

  it('says that another device was named', async () => {
    await assert.rejects(
      refused('rk0', '/dev/null'),
      /^Error: \/dev\/null: cannot create the interface rk0: it is no TUN device; the usual one is/,
    );
  });

  it('says that its name is none', async () => {
    for (const name of ['', 'sixteen-letters-', 'a/b', 'a b'])
      await assert.rejects(refused(name, '/dev/null'), /not the name of an interface/);
  });
});
