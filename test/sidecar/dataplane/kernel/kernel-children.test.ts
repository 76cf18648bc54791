/** Children in a kernel that answers every dump with nothing: what is asked of it, and how often. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openKernelChildren } from '../../../../sidecar/dataplane/kernel/kernel-children.ts';
import { decodeMessages } from '../../../../sidecar/dataplane/kernel/netlink-message.ts';
import type { NetlinkSyscalls } from '../../../../sidecar/dataplane/kernel/netlink-syscalls.ts';

const NLMSG_DONE = 3;
const XFRM_MSG_GETSA = 0x12;

/** A system whose kernel has no state; `dumps` counts how often it was asked for all of them. */
function emptyKernel() {
  const counted = { dumps: 0 };
  const answers: Uint8Array[] = [];
  const system: NetlinkSyscalls = {
    open: () => 3,
    async send(_, bytes) {
      for (const { type, sequence } of decodeMessages(bytes)) {
        if (type === XFRM_MSG_GETSA) counted.dumps++;
        const done = new DataView(new ArrayBuffer(20));
        done.setUint32(0, 20, true);
        done.setUint16(4, NLMSG_DONE, true);
        done.setUint32(8, sequence, true);
        answers.push(new Uint8Array(done.buffer));
      }
      return bytes.length;
    },
    sendNow: () => -1,
    receive(_, into) {
      const answer = answers.shift();
      if (!answer) return -1;
      into.set(answer);
      return answer.length;
    },
    errno: () => 'EAGAIN',
    watch: () => ({ close: () => {} }),
    close: () => {},
  };
  return { counted, system };
}

describe('children in the kernel', () => {
  it('are read once for all who ask while they are being read, and again for who comes then', async () => {
    const { counted, system } = emptyKernel();
    const observer = { reports: () => {}, traffic: () => {}, failed: assert.fail };
    const children = await openKernelChildren({ natPort: 4500, lifetimeBytes: 0, mark: 0 }, observer, system);
    await Promise.all(Array.from({ length: 100 }, () => children.settle()));
    assert.equal(counted.dumps, 1);
    const first = children.settle();
    await Promise.resolve();
    await Promise.all([first, ...Array.from({ length: 100 }, () => children.settle())]);
    assert.equal(counted.dumps, 3);
    children.close();
  });
});
