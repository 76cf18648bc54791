/** One end of a tunnel of our user-space ESP, with keys that both ends know: `esp-end.ts client|gateway`. ESP runs in its thread as in a gateway; there is no IKE. */

import { startEspThread } from '../../../sidecar/dataplane/esp-thread/esp-thread.ts';
import { configureInterface } from '../../../sidecar/dataplane/userspace/tun-interface.ts';
import { openQueue } from '../../../sidecar/dataplane/userspace/tun-queue.ts';
import { loadTunSyscalls } from '../../../sidecar/dataplane/userspace/tun-syscalls.ts';
import { bindUdp } from '../../../sidecar/shell/udp.ts';
import { ends, selector } from '../../sidecar/dataplane/children.ts';
import { INNER, OUTER } from './tunnel.ts';

const MTU = 1400;

const [, , side] = process.argv;
if (side !== 'client' && side !== 'gateway') throw new Error('esp-end.ts client|gateway');
const other = side === 'client' ? 'gateway' : 'client';

const fd = openQueue(await loadTunSyscalls(), 'bench', 'offload');
await configureInterface({ name: 'bench', addresses: [`${INNER[side]}/32`], routes: [`${INNER[other]}/32`], mtu: MTU });
const udp = await bindUdp({ addresses: [OUTER[side]], ikePort: 500, natPort: 4500, espApart: true });
const thread = await startEspThread({
  sockets: udp.espSockets ?? [],
  ...{ tun: [fd], crypto: 'auto', forward: side === 'gateway', active: () => void thread?.reports() },
  settings: { ownAddresses: [], lifetimeBytes: 0 },
  failed: (error) => process.stderr.write(`${error.stack}\n`),
});
const child = ends(0x1000, { inner: [INNER.client] })[side];
const path = { local: `${OUTER[side]}:4500`, remote: `${OUTER[other]}:4500` };
const everywhere = [selector('0.0.0.0', '255.255.255.255')];
await thread?.order({ order: 'install', child: { ...child, path, [side === 'client' ? 'remote' : 'local']: everywhere } });
process.stdout.write('{"ready":true}\n');
process.on('SIGUSR2', () =>
  process.stdout.write(`${JSON.stringify({ stats: thread?.stats(), failed: thread?.failedSends() })}\n`),
);
setInterval(() => {}, 60_000);
