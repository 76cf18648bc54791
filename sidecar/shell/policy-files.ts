/** The files that say what is in force: configuration, key ring, credentials. Together they make the core's policy. */
import { dirname } from 'node:path';
import type { GatewayConfig } from '../contract/gateway-config.ts';
import { parseGatewayConfig } from '../contract/gateway-yaml.ts';
import type { KeyRing } from '../contract/key-ring.ts';
import { parseKeyRing } from '../contract/key-ring-yaml.ts';
import { formatProblem, type Parsed, type Problem } from '../contract/problem.ts';
import type { Policy } from '../ike/context.ts';
import { cryptography } from '../ike/crypto/cryptographies.ts';
import { LiveFile } from '../process/live-file.ts';
import type { Log } from '../process/log.ts';
import { readOne } from '../process/snapshot.ts';
import { CredentialFiles, type CredentialFolders, type ServerCredentials } from './credential-files.ts';
import { CREDENTIALS, type CredentialRole, type Loaded } from './credential-kinds.ts';

export interface PolicyPaths {
  readonly config: string;
  readonly keyRing: string;
  readonly credentials: CredentialFolders;
}

export type FileRole = 'config' | 'key_ring' | CredentialRole;

/** What is in force in the core, and in the servers beside it. */
export interface InForce {
  readonly policy: Policy;
  readonly servers: ServerCredentials;
}

export interface PolicyObserver {
  /** All of it is there, and something of it is new. */
  readonly changed: (inForce: InForce) => void;
  readonly looked: (role: FileRole, outcome: 'loaded' | 'refused' | 'missing') => void;
}

type AnyFile = Pick<LiveFile<unknown>, 'value' | 'problems' | 'look' | 'close'>;

export class PolicyFiles {
  readonly #config: LiveFile<GatewayConfig>;
  readonly #keyRing: LiveFile<KeyRing>;
  readonly #credentials: CredentialFiles;
  readonly #log: Log;
  readonly #observer: PolicyObserver;

  constructor(paths: PolicyPaths, log: Log, observer: PolicyObserver) {
    this.#log = log;
    this.#observer = observer;
    this.#config = this.#single('config', 'gateway.yaml', paths.config, parseGatewayConfig, ({ generation, name }) =>
      log.info({ generation, gateway: name }, 'gateway.yaml loaded'),
    );
    this.#keyRing = this.#single('key_ring', 'key-ring.yaml', paths.keyRing, parseKeyRing, ({ generation, ringId }) =>
      log.info({ generation, ringId }, 'key-ring.yaml loaded'),
    );
    this.#credentials = new CredentialFiles(paths.credentials, (role) => ({
      loaded: (loaded) => this.#loaded(role, () => this.#tellOfCredentials(role, loaded)),
      refused: (problems) => this.#refused(role, problems),
      missing: () => this.#missed(role, CREDENTIALS[role].title),
    }));
  }

  /** Done when each file is in force or refused. */
  async look(): Promise<void> {
    await Promise.all(this.#all().map(([, file]) => file.look()));
  }

  get config(): GatewayConfig | undefined {
    return this.#config.value;
  }

  get inForce(): InForce | undefined {
    const [config, ring] = [this.#config.value, this.#keyRing.value];
    if (!config || !ring) return undefined;
    const made = this.#credentials.make({ crypto: cryptography(config.crypto), revocation: config.revocation });
    return made && { policy: { config, ring, credentials: made.core }, servers: made.servers };
  }

  /** Why there is no policy yet, by file. */
  missing(): readonly string[] {
    return this.#all().flatMap(([role, { value, problems }]) =>
      value === undefined && problems.length > 0 ? [withoutContent(role, problems)] : [],
    );
  }

  /** Files whose present content is refused, or that are gone; and credentials that are not there, which somebody has to bring. */
  faults(): readonly { readonly file: string; readonly problems: number }[] {
    const faults = this.#all().flatMap(([role, { value, problems }]) =>
      value === undefined && titleOf(role) === undefined && isMissing(problems)
        ? []
        : problems.map(({ file }) => nameOf(role, file)),
    );
    return Array.from(
      Map.groupBy(faults, (file) => file),
      ([file, all]) => ({ file, problems: all.length }),
    );
  }

  close(): void {
    for (const [, file] of this.#all()) file.close();
  }

  #all(): readonly (readonly [role: FileRole, file: AnyFile])[] {
    return [['config', this.#config], ['key_ring', this.#keyRing], ...this.#credentials.all()];
  }

  #single<T>(
    role: 'config' | 'key_ring',
    name: string,
    path: string,
    parse: (file: string, text: string) => Parsed<T>,
    tell: (value: T) => void,
  ): LiveFile<T> {
    return new LiveFile<T>({
      name,
      directories: [dirname(path)],
      read: readOne(path),
      parse: (files) => parse(files[0]?.file ?? name, files[0]?.text ?? ''),
      loaded: (value) => this.#loaded(role, () => tell(value)),
      refused: (problems) => this.#refused(role, problems),
      missing: () => this.#missed(role, name),
    });
  }

  #loaded(role: FileRole, tell: () => void): void {
    this.#observer.looked(role, 'loaded');
    tell();
    const { inForce } = this;
    if (inForce) this.#observer.changed(inForce);
  }

  #tellOfCredentials(role: CredentialRole, { size, warnings }: Loaded<unknown>): void {
    const { title, unit } = CREDENTIALS[role];
    this.#log.info({ [unit]: size }, `${title} loaded`);
    for (const warning of warnings.slice(0, MOST_LINES)) this.#log.warn({ file: warning.file }, formatProblem(warning));
  }

  #missed(role: FileRole, name: string): void {
    this.#observer.looked(role, 'missing');
    if (this.inForce) this.#log.error({ file: name }, `${name} is gone; what was loaded before stays in force`);
    else this.#log.info({ file: name }, `${name} is not there yet; waiting`);
  }

  #refused(role: FileRole, problems: readonly Problem[]): void {
    this.#observer.looked(role, 'refused');
    const inForce = this.#all().every(([, file]) => file.value !== undefined)
      ? 'what was loaded before stays in force'
      : 'waiting for a good one';
    for (const problem of problems.slice(0, MOST_LINES)) this.#log.error({ file: problem.file }, formatProblem(problem));
    this.#log.error({ file: problems[0]?.file, problems: problems.length }, `refused; ${inForce}`);
  }
}

/** A file of ten thousand mistakes is told by its first hundred. */
const MOST_LINES = 100;

const isMissing = ([first]: readonly Problem[]): boolean => first?.path === '' && first.message === 'not there';

const titleOf = (role: FileRole): string | undefined =>
  role === 'config' || role === 'key_ring' ? undefined : CREDENTIALS[role].title;

/** Files of credentials by what they hold as well: their names are the user's. */
function nameOf(role: FileRole, file: string): string {
  const title = titleOf(role);
  return title === undefined || title === file ? file : `${title}: ${file}`;
}

/** For readers on the pod network: which file, not what stands in it. */
function withoutContent(role: FileRole, problems: readonly Problem[]): string {
  const name = nameOf(role, problems[0]?.file ?? '');
  return isMissing(problems) ? `${name}: not there` : `${name}: refused, ${problems.length} problems; they are in the log`;
}
