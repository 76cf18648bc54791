import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { it } from 'node:test';
import { loadEspInUdp } from '../../../sidecar/shell/esp-in-udp.ts';
import { loadUdpBatches } from '../../../sidecar/shell/udp-batches.ts';

it('a UDP socket leaves ESP to the kernel without any privilege', async () => {
  const [udp, leaveEspToKernel] = [await loadUdpBatches(), await loadEspInUdp()];
  for (const address of ['127.0.0.1', '::1']) {
    const fd = udp?.open(address, 0) ?? -1;
    leaveEspToKernel(fd);
    closeSync(fd);
  }
});

it('what cannot leave ESP to the kernel is told with a remedy', async () => {
  const leaveEspToKernel = await loadEspInUdp();
  assert.throws(() => leaveEspToKernel(-1), /UDP_ENCAP: EBADF.*dataplane: userspace/);
});
