/** What a scenario of the kernel tests is, and what is told of it to whoever booted the kernel. */

import type { RootName } from '../../interop/lab/roots.ts';
import type { Result } from '../../interop/lab/scenario.ts';
import type { KernelLab } from './kernel-lab.ts';

export interface Scenario {
  readonly title: string;
  /** What runs as a peer. */
  readonly roots: readonly RootName[];
  /** Of a kernel that has a processor to itself; undefined: 60 s. */
  readonly limitMs?: number;
  readonly run: (lab: KernelLab) => Promise<void>;
}

export const LIMIT_MS = 60_000;

/** In the scenario's folder: for the inside, and from it. */
export const ORDER_FILE = 'order.json';
export const ACCOUNT_FILE = 'account.json';

export interface Order {
  readonly name: string;
  readonly roots: readonly (readonly [RootName, string])[];
  readonly limitMs: number;
}

export interface Account extends Pick<Result, 'title' | 'steps' | 'notes'> {
  /** What was measured, for a program. */
  readonly figures: Readonly<Record<string, number>>;
  /** In words; undefined: passed. */
  readonly failure: string | undefined;
}
