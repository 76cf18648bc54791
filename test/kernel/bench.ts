/** The part of `npm run bench:dataplane` that needs a kernel with ESP: what the agent and both data planes do in user-mode Linux. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareRoots } from '../interop/lab/roots.ts';
import { run } from './lab/run.ts';
import { killAll, prepareUserModeLinux, releaseOf } from './lab/uml.ts';

const NAME = 'bench/dataplane';

export interface PlaneCost {
  readonly megabits: number;
  /** Processor time of the kernel with all in it, both ends of the transfer and of the tunnel. */
  readonly msPerGigabit: number;
  /** Of that, the processes of sidecar and agent. */
  readonly podMsPerGigabit: number;
}

export interface KernelBench {
  /** `user-mode Linux 6.1.176, no AES instructions`. */
  readonly where: string;
  readonly children: { readonly installedPerSecond: number; readonly removedPerSecond: number };
  readonly planes: Readonly<Record<'kernel' | 'userspace', PlaneCost>>;
}

/** Needs Linux on amd64 and root; installs what is missing. @throws Error */
export async function benchKernel(): Promise<KernelBench> {
  const kernel = prepareUserModeLinux();
  const { scenario } = await import('./bench/dataplane/scenario.ts');
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-kernel-bench-'));
  process.once('exit', killAll);
  const place = { folder, keep: false, kernel, roots: await prepareRoots(new Set(scenario.roots)) };
  const { figures, failure } = await run(NAME, scenario, place);
  if (failure) throw new Error(`${failure.error}; see ${failure.folder}`);
  rmSync(folder, { recursive: true, force: true });
  const figure = (name: string): number => figures[name] ?? Number.NaN;
  const plane = (name: string): PlaneCost => ({
    megabits: figure(`${name}Megabits`),
    msPerGigabit: figure(`${name}MsPerGigabit`),
    podMsPerGigabit: figure(`${name}PodMsPerGigabit`),
  });
  return {
    where: `user-mode Linux ${releaseOf(kernel)}, no AES instructions`,
    children: { installedPerSecond: figure('installedPerSecond'), removedPerSecond: figure('removedPerSecond') },
    planes: { kernel: plane('kernel'), userspace: plane('userspace') },
  };
}
