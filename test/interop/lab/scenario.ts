/** What a scenario is: a title, and steps that say what is done and must be seen. Its folder holds the configuration of the peer. */
import type { Lab } from './lab.ts';
import type { RootName } from './roots.ts';

export interface Scenario {
  readonly title: string;
  /** Undefined: the one that its folder is named after. */
  readonly roots?: readonly RootName[];
  /** Undefined: 60 s. */
  readonly limitMs?: number;
  readonly run: (lab: Lab) => Promise<void>;
}

export interface Result {
  /** Its folder, `strongswan/01-psk`. */
  readonly name: string;
  readonly title: string;
  readonly steps: readonly string[];
  /** What was measured, in words. */
  readonly notes: readonly string[];
  readonly seconds: number;
  /** Undefined: passed. */
  readonly failure: Failure | undefined;
}

export interface Failure {
  /** The step that was under way. */
  readonly step: string;
  readonly error: unknown;
  /** Logs, configuration and capture. */
  readonly folder: string;
}
