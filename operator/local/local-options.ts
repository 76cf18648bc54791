/** How a local cluster is to be; everything has a default. */
import type { LogLevel } from '../../sidecar/process/log.ts';
import type { Happening } from './happening.ts';
import type { PodTiming } from './local-pod.ts';
import type { Ports } from './network.ts';
import type { FlowTiming } from './udp-service.ts';

export interface LocalOptions {
  /** Default: `.rekindle/NAME OF THE DIRECTORY`. */
  readonly state?: string;
  /** Overrides what the VpnGateways say. */
  readonly affinity?: 'None' | 'ClientIP';
  /** How late the service hears that a pod is lost. */
  readonly endpointDelayMs?: number;
  /** `127.71`; default: the first free one from there on. */
  readonly network?: string;
  readonly ports?: Ports;
  readonly podTiming?: Partial<PodTiming>;
  readonly flowTiming?: FlowTiming;
  /** From 0 to 1: spreads new flows over pods. */
  readonly spread?: () => number;
  /** What a pod runs. */
  readonly program?: string;
  readonly logLevel?: LogLevel;
  /** Told from the start, also of what happens before `start` answers. */
  readonly heard?: (happening: Happening) => void;
}
