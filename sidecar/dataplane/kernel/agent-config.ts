/** `dataplane.yaml` as it is in force: reloaded live, the old one kept while the new one is bad, and what needs a restart kept until then. */
import { basename, dirname } from 'node:path';
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import { parseDataplaneConfig } from '../../contract/dataplane-yaml.ts';
import { formatProblem, type Problem } from '../../contract/problem.ts';
import { LiveFile } from '../../process/live-file.ts';
import type { Log } from '../../process/log.ts';
import { readOne } from '../../process/snapshot.ts';

export interface AgentConfigOptions {
  readonly path: string;
  readonly log: Log;
  /** In force from now on. */
  readonly loaded: (config: DataplaneConfig) => void;
  /** What is wrong with it has changed. */
  readonly judged: () => void;
}

/** Taken at start only: states of the kernel carry the mark, the sidecar holds the device, and whoever changes the data plane changes both processes. */
const FIXED = ['dataplane', 'mark', 'tun'] as const;

export class AgentConfig {
  readonly #options: AgentConfigOptions;
  readonly #file: LiveFile<DataplaneConfig>;
  #first: DataplaneConfig | undefined;

  constructor(options: AgentConfigOptions) {
    const { path } = options;
    this.#options = options;
    this.#file = new LiveFile({
      name: basename(path),
      directories: [dirname(path)],
      read: readOne(path),
      parse: ([file]) => parseDataplaneConfig(basename(path), file?.text ?? ''),
      loaded: (config) => this.#loaded(config),
      refused: (problems) => this.#refused(problems),
      missing: () => this.#missing(),
    });
  }

  /** Done when the file is in force or refused. */
  look(): Promise<void> {
    return this.#file.look();
  }

  /** Sentences: what is wrong with the file, and what of it waits for a restart. */
  get problems(): readonly string[] {
    const [now, first] = [this.#file.value, this.#first];
    const waiting = now && first ? FIXED.filter((field) => now[field] !== first[field]) : [];
    return [
      ...this.#file.problems.map(formatProblem),
      ...waiting.map(
        (field) => `${basename(this.#options.path)}: ${field}: changed; it takes effect when agent and sidecar are started anew`,
      ),
    ];
  }

  close(): void {
    this.#file.close();
  }

  #loaded(config: DataplaneConfig): void {
    this.#first ??= config;
    const { dataplane, mark, tun } = this.#first;
    this.#options.log.info({ generation: config.generation, gateway: config.name }, 'dataplane.yaml loaded');
    this.#options.loaded({ ...config, dataplane, mark, tun });
    this.#options.judged();
  }

  #refused(problems: readonly Problem[]): void {
    const { log } = this.#options;
    for (const problem of problems.slice(0, MOST_LINES)) log.error({ file: problem.file }, formatProblem(problem));
    log.error(
      { problems: problems.length },
      `refused; ${this.#first ? 'what was loaded before stays in force' : 'waiting for a good one'}`,
    );
    this.#options.judged();
  }

  #missing(): void {
    const { log, path } = this.#options;
    if (this.#first) log.error({ file: path }, 'dataplane.yaml is gone; what was loaded before stays in force');
    else log.info({ file: path }, 'dataplane.yaml is not there yet; waiting');
    this.#options.judged();
  }
}

const MOST_LINES = 100;
