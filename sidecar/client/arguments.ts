/** The command line of the client: every problem at once, each with its flag and remedy. */
import { parseArgs } from 'node:util';
import type { Identity } from '../contract/gateway-config.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import { type CredentialFlags, readCredentialFlags } from './credential-flags.ts';
import { FLAGS, type Flag } from './flags.ts';
import type { ClientOptions, GatewayAddress } from './options.ts';

export interface Connect {
  readonly gateway: GatewayAddress;
  /** Undefined: as the credentials say. */
  readonly identity: Identity | undefined;
  readonly credentials: CredentialFlags;
  readonly ppk: { readonly id: string; readonly file: string; readonly required: boolean } | undefined;
  readonly ticketFile: string | undefined;
  readonly ping: { readonly address: Bytes; readonly intervalMs: number; readonly count: number | undefined } | undefined;
  readonly tun: string | undefined;
  readonly json: boolean;
  readonly suspendOnExit: boolean;
  readonly crypto: 'auto' | 'noble' | 'openssl';
  readonly logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug';
  /** What differs from the defaults of every client. */
  readonly options: Partial<ClientOptions>;
}

export type CommandLine =
  | { readonly command: 'connect'; readonly connect: Connect }
  | { readonly command: 'help' }
  | { readonly command: 'version' }
  | { readonly command: 'refuse'; readonly problems: readonly string[] };

/** `argv` without interpreter and script. */
export function parseArguments(argv: readonly string[]): CommandLine {
  const given = new Given(argv);
  if (argv.length === 0 || given.words[0] === 'help' || given.has('--help') || given.has('-h')) return { command: 'help' };
  if (given.has('--version')) return { command: 'version' };
  const connect = readConnect(given);
  return connect && given.problems.length === 0
    ? { command: 'connect', connect }
    : { command: 'refuse', problems: given.problems };
}

function readConnect(given: Given): Connect | undefined {
  given.checkNames();
  const gateway = given.required(FLAGS.gateway);
  const credentials = readCredentialFlags(given);
  const identity = credentials?.method === 'psk' ? given.required(FLAGS.identity) : given.read(FLAGS.identity);
  const natPort = given.read(FLAGS.natPort) ?? 4500;
  const ping = readPing(given);
  const options = readOptions(given);
  const ticketFile = given.read(FLAGS.ticketFile);
  if (ticketFile !== undefined && options.tickets === false)
    given.refuse(FLAGS.ticketFile, 'of no use with --no-ticket', 'leave one of the two out');
  if (gateway?.ikePort === natPort)
    given.refuse(FLAGS.natPort, `the port ${natPort} is in --gateway already`, 'IKE and its NAT traversal have two ports');
  const rest = {
    ...{ ticketFile, ping, options },
    ppk: readPpk(given),
    tun: given.read(FLAGS.tun),
    json: given.read(FLAGS.json) ?? false,
    suspendOnExit: given.read(FLAGS.suspendOnExit) ?? false,
    crypto: given.read(FLAGS.crypto) ?? 'auto',
    logLevel: given.read(FLAGS.logLevel) ?? 'error',
  } as const;
  if (gateway === undefined || credentials === undefined) return undefined;
  return { gateway: { ...gateway, natPort }, identity, credentials, ...rest };
}

function readPing(given: Given): Connect['ping'] {
  const address = given.read(FLAGS.ping);
  const intervalMs = given.read(FLAGS.interval);
  const count = given.read(FLAGS.count);
  if (address) return { address, intervalMs: intervalMs ?? 1_000, count };
  if (given.has('--ping')) return undefined;
  if (intervalMs !== undefined) given.refuse(FLAGS.interval, 'there are no pings', 'add --ping ADDRESS');
  if (count !== undefined) given.refuse(FLAGS.count, 'there are no pings', 'add --ping ADDRESS');
  return undefined;
}

function readPpk(given: Given): Connect['ppk'] {
  const [idFlag, fileFlag] = [FLAGS.ppkId, FLAGS.ppkFile];
  if (![idFlag, fileFlag, FLAGS.ppkRequired].some(({ name }) => given.has(`--${name}`))) return undefined;
  const [id, file, required] = [given.required(idFlag), given.required(fileFlag), given.read(FLAGS.ppkRequired) ?? false];
  return id === undefined || file === undefined ? undefined : { id, file, required };
}

function readOptions(given: Given): Partial<ClientOptions> {
  const remoteIdentity = given.read(FLAGS.remoteIdentity);
  const source = given.read(FLAGS.source);
  const deadPeerMs = given.read(FLAGS.deadPeer);
  const ike = given.read(FLAGS.proposal);
  const esp = given.read(FLAGS.espProposal);
  const postQuantum = given.read(FLAGS.postQuantum);
  return {
    ...(remoteIdentity && { remoteIdentity }),
    ...(source !== undefined && { source }),
    ...(deadPeerMs !== undefined && { deadPeerMs }),
    ...(ike && { ike }),
    ...(esp && { esp }),
    ...(postQuantum && { postQuantum }),
    ...(given.read(FLAGS.noMobike) && { mobike: false }),
    ...(given.read(FLAGS.childless) && { childless: true }),
    ...(given.read(FLAGS.noRedirect) && { redirects: false }),
    ...(given.read(FLAGS.noTicket) && { tickets: false }),
    ...(given.read(FLAGS.once) && { once: true }),
  };
}

const ALL: readonly Flag<unknown>[] = Object.values(FLAGS);

class Given {
  readonly words: readonly string[];
  readonly problems: string[] = [];
  readonly #options: readonly { readonly name: string; readonly value: string | undefined }[];

  constructor(argv: readonly string[]) {
    const types = Object.fromEntries(
      ALL.map(({ name, takes }) => [name, { type: takes ? ('string' as const) : ('boolean' as const) }]),
    );
    const { tokens } = parseArgs({ args: [...argv], strict: false, tokens: true, allowPositionals: true, options: types });
    this.words = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
    this.#options = tokens.flatMap((token) => (token.kind === 'option' ? [{ name: token.rawName, value: token.value }] : []));
  }

  has(name: string): boolean {
    return this.#options.some((option) => option.name === name);
  }

  refuse(flag: Pick<Flag<unknown>, 'name'>, message: string, remedy: string): undefined {
    this.problems.push(`--${flag.name}: ${message}; ${remedy}`);
  }

  say(problem: string): undefined {
    this.problems.push(problem);
  }

  required<T>(flag: Flag<T>): T | undefined {
    return this.has(`--${flag.name}`) ? this.read(flag) : this.refuse(flag, 'missing', flag.remedy);
  }

  read<T>(flag: Flag<T>): T | undefined {
    const [first, ...more] = this.readAll(flag);
    return more.length > 0 ? this.refuse(flag, `given ${more.length + 1} times`, 'give it once') : first;
  }

  /** In the order in which they were given. */
  readAll<T>(flag: Flag<T>): readonly T[] {
    return this.#options.flatMap(({ name, value }) => (name === `--${flag.name}` ? (this.#parse(flag, value) ?? []) : []));
  }

  #parse<T>(flag: Flag<T>, value: string | undefined): T | undefined {
    if (!flag.takes && value !== undefined) return this.refuse(flag, 'takes no value', flag.remedy);
    if (flag.takes && value === undefined) return this.refuse(flag, `needs ${flag.takes}`, flag.remedy);
    return flag.parse(value ?? '') ?? this.refuse(flag, `not ${flag.takes}: ${JSON.stringify(value)}`, flag.remedy);
  }

  /** What is no flag is not repeated: it may be a secret. */
  checkNames(): void {
    const [command, ...rest] = this.words;
    if (command !== 'connect') this.problems.push('no command; begin with: connect --gateway HOST');
    else if (rest.length > 0) this.problems.push('a word that belongs to no flag; flags begin with --, see --help');
    for (const { name } of this.#options) {
      if (!ALL.some((flag) => `--${flag.name}` === name)) this.problems.push(`${name}: not a flag; ${remedyFor(name)}`);
    }
  }
}

const remedyFor = (name: string): string =>
  /psk|secret|pass|key$/.test(name)
    ? 'a secret never stands on the command line: write it into a file and name that with --psk-file or --eap-password-file'
    : 'see --help';
