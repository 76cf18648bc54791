/** Which data plane serves here: what the configuration forces, or what the kernel can do. */
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import type { Host } from './kernel-port.ts';

export interface Choice {
  readonly dataplane: 'kernel' | 'userspace';
  /** For people. */
  readonly why: string;
  /** The kernel is forced and cannot: no child is carried before it can. */
  readonly lacking: string | undefined;
}

export async function choose(
  { dataplane }: Pick<DataplaneConfig, 'dataplane'>,
  host: Pick<Host, 'probeKernel'>,
): Promise<Choice> {
  if (dataplane === 'userspace') return { dataplane, why: 'dataplane.yaml says so', lacking: undefined };
  const probed = await host.probeKernel();
  const can = probed === 'kernel';
  if (dataplane === 'kernel') return { dataplane, why: 'dataplane.yaml says so', lacking: can ? undefined : probed.reason };
  return can
    ? { dataplane: 'kernel', why: 'this kernel does ESP', lacking: undefined }
    : { dataplane: 'userspace', why: probed.reason, lacking: undefined };
}
