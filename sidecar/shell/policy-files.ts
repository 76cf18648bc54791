/** The files that say what is in force: configuration, key ring, pre-shared keys. Together they make the core's policy. */
import { dirname } from 'node:path';
import type { GatewayConfig } from '../contract/gateway-config.ts';
import { parseGatewayConfig } from '../contract/gateway-yaml.ts';
import type { KeyRing } from '../contract/key-ring.ts';
import { parseKeyRing } from '../contract/key-ring-yaml.ts';
import { type PreSharedKeys, parsePreSharedKeys } from '../contract/pre-shared-keys.ts';
import { formatProblem, type Parsed, type Problem } from '../contract/problem.ts';
import type { Policy } from '../ike/context.ts';
import { TRUSTS_NOBODY } from '../ike/pki/trust.ts';
import type { Log } from '../process/log.ts';
import { LiveFile } from './live-file.ts';
import { readAll, readOne, type Snapshot } from './snapshot.ts';

export interface PolicyPaths {
  readonly config: string;
  readonly keyRing: string;
  /** Undefined: nobody has a pre-shared key. */
  readonly preSharedKeys: string | undefined;
}

export type FileRole = 'config' | 'key_ring' | 'psk';

export interface PolicyObserver {
  /** All of it is there, and something of it is new. */
  readonly changed: (policy: Policy) => void;
  readonly looked: (role: FileRole, outcome: 'loaded' | 'refused' | 'missing') => void;
}

const NOBODY: PreSharedKeys = { psk: () => undefined, size: 0, warnings: [] };

export class PolicyFiles {
  readonly #config: LiveFile<GatewayConfig>;
  readonly #keyRing: LiveFile<KeyRing>;
  readonly #preSharedKeys: LiveFile<PreSharedKeys> | undefined;
  readonly #log: Log;
  readonly #observer: PolicyObserver;

  constructor(paths: PolicyPaths, log: Log, observer: PolicyObserver) {
    this.#log = log;
    this.#observer = observer;
    this.#config = this.#single('config', 'gateway.yaml', paths.config, parseGatewayConfig);
    this.#keyRing = this.#single('key_ring', 'key-ring.yaml', paths.keyRing, parseKeyRing);
    if (paths.preSharedKeys === undefined) return;
    const directory = paths.preSharedKeys;
    this.#preSharedKeys = this.#live('psk', 'pre-shared keys', directory, readAll(directory), parsePreSharedKeys);
  }

  /** Done when each file is in force or refused. */
  async look(): Promise<void> {
    await Promise.all(this.#all().map((file) => file.look()));
  }

  get config(): GatewayConfig | undefined {
    return this.#config.value;
  }

  get policy(): Policy | undefined {
    const [config, ring] = [this.#config.value, this.#keyRing.value];
    const keys = this.#preSharedKeys ? this.#preSharedKeys.value : NOBODY;
    if (!config || !ring || !keys) return undefined;
    const credentials = { psk: keys.psk, certificate: undefined, trust: TRUSTS_NOBODY, ppk: () => undefined };
    return { config, ring, credentials };
  }

  /** Why there is no policy yet, by file. */
  missing(): readonly string[] {
    return this.#all().flatMap((file) =>
      file.value === undefined && file.problems.length > 0 ? [withoutContent(file.problems)] : [],
    );
  }

  /** Files whose present content is refused, or that are gone. */
  faults(): readonly { readonly file: string; readonly problems: number }[] {
    const byFile = Map.groupBy(
      this.#all().flatMap((file) => (file.value === undefined && isMissing(file.problems) ? [] : file.problems)),
      ({ file }) => file,
    );
    return Array.from(byFile, ([file, problems]) => ({ file, problems: problems.length }));
  }

  close(): void {
    for (const file of this.#all()) file.close();
  }

  #all(): readonly Pick<LiveFile<unknown>, 'value' | 'problems' | 'look' | 'close'>[] {
    return [this.#config, this.#keyRing, ...(this.#preSharedKeys ? [this.#preSharedKeys] : [])];
  }

  #single<T>(role: FileRole, name: string, path: string, parse: (file: string, text: string) => Parsed<T>): LiveFile<T> {
    return this.#live(role, name, dirname(path), readOne(path), (files) => parse(files[0]?.file ?? name, files[0]?.text ?? ''));
  }

  #live<T>(
    role: FileRole,
    name: string,
    directory: string,
    read: () => Promise<Snapshot>,
    parse: (files: NonNullable<Snapshot>) => Parsed<T>,
  ): LiveFile<T> {
    return new LiveFile({
      name,
      directory,
      read,
      parse,
      loaded: () => this.#loaded(role, name),
      refused: (problems) => this.#refused(role, problems),
      missing: () => this.#missed(role, name, directory),
    });
  }

  #loaded(role: FileRole, name: string): void {
    this.#observer.looked(role, 'loaded');
    const [config, ring] = [this.#config.value, this.#keyRing.value];
    if (role === 'config') this.#log.info({ generation: config?.generation, gateway: config?.name }, `${name} loaded`);
    if (role === 'key_ring') this.#log.info({ generation: ring?.generation, ringId: ring?.ringId }, `${name} loaded`);
    if (role === 'psk') this.#warnOfWeakKeys();
    const policy = this.policy;
    if (policy) this.#observer.changed(policy);
  }

  #warnOfWeakKeys(): void {
    const loaded = this.#preSharedKeys?.value ?? NOBODY;
    this.#log.info({ identities: loaded.size }, 'pre-shared keys loaded');
    for (const warning of loaded.warnings.slice(0, MOST_LINES)) this.#log.warn({ file: warning.file }, formatProblem(warning));
  }

  #missed(role: FileRole, name: string, directory: string): void {
    this.#observer.looked(role, 'missing');
    if (this.policy) this.#log.error({ file: name, directory }, `${name} is gone; what was loaded before stays in force`);
    else this.#log.info({ file: name, directory }, `${name} is not there yet; waiting`);
  }

  #refused(role: FileRole, problems: readonly Problem[]): void {
    this.#observer.looked(role, 'refused');
    const inForce = this.#all().every((file) => file.value !== undefined)
      ? 'what was loaded before stays in force'
      : 'waiting for a good one';
    for (const problem of problems.slice(0, MOST_LINES)) this.#log.error({ file: problem.file }, formatProblem(problem));
    this.#log.error({ file: problems[0]?.file, problems: problems.length }, `refused; ${inForce}`);
  }
}

/** A file of ten thousand mistakes is told by its first hundred. */
const MOST_LINES = 100;

const isMissing = ([first]: readonly Problem[]): boolean => first?.path === '' && first.message === 'not there';

/** For readers on the pod network: which file, not what stands in it. */
const withoutContent = (problems: readonly Problem[]): string =>
  isMissing(problems)
    ? `${problems[0]?.file}: not there`
    : `${problems[0]?.file}: refused, ${problems.length} problems; they are in the log`;
