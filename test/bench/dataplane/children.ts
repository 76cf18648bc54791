/** How fast children come and go: orders to the thread for ESP, all of a turn together, until it has carried them out. */
import { startEspThread } from '../../../sidecar/dataplane/esp-thread/esp-thread.ts';
import { bindUdp } from '../../../sidecar/shell/udp.ts';
import { ends } from '../../sidecar/dataplane/children.ts';

export interface ChildRate {
  readonly what: string;
  /** Per second, of every run. */
  readonly perSecond: readonly number[];
}

const CHILDREN = 10_000;

export async function measureChildren(runs: number): Promise<readonly ChildRate[]> {
  const udp = await bindUdp({ addresses: ['127.0.0.1'], ikePort: 0, natPort: 0, espApart: true });
  const thread = await startEspThread({
    ...{ sockets: udp.espSockets ?? [], tun: [], crypto: 'auto', forward: true, active: () => {} },
    settings: { ownAddresses: [], lifetimeBytes: 0 },
    failed: (error) => process.stderr.write(`${error.stack}\n`),
  });
  if (!thread) return [];
  const children = Array.from({ length: CHILDREN }, (_, at) => {
    const inner = [`10.${64 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}`];
    return ends(0x1_0000 + 2 * at, { inner }).gateway;
  });
  const [installed, removed]: [number[], number[]] = [[], []];
  for (let run = 0; run <= runs; run++) {
    const install = await perSecond(() => children.map((child) => thread.order({ order: 'install', child })));
    const remove = await perSecond(() => children.map(({ spiIn }) => thread.order({ order: 'remove', spiIn })));
    if (run === 0) continue;
    installed.push(install);
    removed.push(remove);
  }
  thread.close();
  await thread.ended;
  await udp.close();
  return [
    { what: 'installed', perSecond: installed },
    { what: 'removed', perSecond: removed },
  ];
}

async function perSecond(act: () => readonly Promise<unknown>[]): Promise<number> {
  const began = performance.now();
  await Promise.all(act());
  return (CHILDREN / (performance.now() - began)) * 1_000;
}
