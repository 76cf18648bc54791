import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NLM_F_DUMP, type Request } from '../../../../sidecar/dataplane/kernel/netlink-message.ts';
import { NetlinkError, NetlinkRequests } from '../../../../sidecar/dataplane/kernel/netlink-requests.ts';
import { loadNetlinkSyscalls, type NetlinkSyscalls } from '../../../../sidecar/dataplane/kernel/netlink-syscalls.ts';

// Interfaces, which anybody may ask about; everybody has a loopback.
const NETLINK_ROUTE = 0;
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const interfaces: Request = { type: RTM_GETLINK, flags: NLM_F_DUMP, fixed: new Uint8Array(16), attributes: [] };

/** struct ifinfomsg */
function byIndex(index: number): Request {
  const fixed = new Uint8Array(16);
  new DataView(fixed.buffer).setInt32(4, index, true);
  return { type: RTM_GETLINK, flags: 0, fixed, attributes: [] };
}

const system = await loadNetlinkSyscalls();

describe('requests to the kernel', () => {
  it('are answered each by its own, in one batch and in several', async () => {
    const requests = new NetlinkRequests(system, NETLINK_ROUTE);
    const all = [interfaces, ...Array.from({ length: 300 }, (_, at) => byIndex(at % 2 === 0 ? 1 : 0x7fff_fff0))];
    const answers = await Promise.allSettled(all.map((request) => requests.ask(request)));
    const [dump, ...rest] = answers;
    assert.ok(dump?.status === 'fulfilled' && dump.value.length >= 1 && dump.value.every(({ type }) => type === RTM_NEWLINK));
    rest.forEach((answer, at) => {
      if (at % 2 === 0) assert.ok(answer.status === 'fulfilled' && answer.value.length === 1);
      else assert.ok(answer.status === 'rejected' && answer.reason instanceof NetlinkError && answer.reason.code === 'ENODEV');
    });
    requests.close();
  });

  it('are rejected when the socket is closed, before and after', async () => {
    const requests = new NetlinkRequests(system, NETLINK_ROUTE);
    const first = requests.ask(byIndex(1));
    requests.close();
    await assert.rejects(first, { code: 'EBADF' });
    await assert.rejects(requests.ask(byIndex(1)), { code: 'EBADF' });
  });

  it('are rejected when answers are lost, and the next are answered', async () => {
    let lose = true;
    const losing: NetlinkSyscalls = {
      ...system,
      receive: (fd, into) => (lose ? -1 : system.receive(fd, into)),
      errno: () => (lose ? 'ENOBUFS' : system.errno()),
    };
    const requests = new NetlinkRequests(losing, NETLINK_ROUTE);
    await assert.rejects(requests.ask(byIndex(1)), { code: 'ENOBUFS' });
    lose = false;
    assert.equal((await requests.ask(byIndex(1))).length, 1);
    requests.close();
  });

  it('leave no key behind', async () => {
    const sent: Uint8Array[] = [];
    const watched: NetlinkSyscalls = {
      ...system,
      send: (fd, bytes) => {
        sent.push(bytes);
        return system.send(fd, bytes);
      },
    };
    const requests = new NetlinkRequests(watched, NETLINK_ROUTE);
    await requests.ask(byIndex(1));
    assert.deepEqual(sent, [new Uint8Array(32)]);
    requests.close();
  });
});
