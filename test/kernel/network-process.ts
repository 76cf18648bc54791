/** A process in a network: a kernel data plane with its socket for ESP in UDP, and the host of an agent. Does what it is sent, one after the other. */
import type { ChildSa } from '../../sidecar/contract/dataplane.ts';
import type { DataplaneConfig } from '../../sidecar/contract/dataplane-config.ts';
import { createHost } from '../../sidecar/dataplane/kernel/host.ts';
import { openKernelChildren } from '../../sidecar/dataplane/kernel/kernel-children.ts';
import type { KernelChildren } from '../../sidecar/dataplane/kernel/kernel-port.ts';
import { loadEspInUdp } from '../../sidecar/shell/esp-in-udp.ts';
import { loadUdpBatches } from '../../sidecar/shell/udp-batches.ts';

const host = createHost();
let children: KernelChildren | undefined;

const calls = {
  async open(natPort: number, mark: number): Promise<void> {
    const [udp, leaveEsp] = [await loadUdpBatches(), await loadEspInUdp()];
    for (const address of ['0.0.0.0', '::']) leaveEsp(udp?.open(address, natPort) ?? -1);
    const failed = (error: Error): never => {
      throw error;
    };
    children = await openKernelChildren({ natPort, lifetimeBytes: 0, mark }, { reports: () => {}, traffic: () => {}, failed });
  },
  install: (child: ChildSa) => children?.install({ order: 'install', child }),
  flush: () => children?.flush(),
  probe: () => host.probeKernel(),
  apply: (config: DataplaneConfig) => host.applyPacketFilter(config, 'kernel'),
  async applyOften(config: DataplaneConfig, times: number): Promise<void> {
    for (let time = 0; time < times; time++)
      await host.applyPacketFilter({ ...config, routes: [...config.routes, `198.18.${time}.0/24`] }, 'kernel');
  },
  check: (config: DataplaneConfig) => host.checkHost(config, 'kernel'),
  remove: (config: DataplaneConfig) => host.removePacketFilter(config),
} as const;

export type Calls = typeof calls;

process.on('message', async ({ call, args }: { readonly call: keyof Calls; readonly args: readonly never[] }) => {
  try {
    process.send?.({ value: await (calls[call] as (...args: readonly never[]) => unknown)(...args) });
  } catch (error) {
    process.send?.({ error: error instanceof Error ? error.message : String(error) });
  }
});
