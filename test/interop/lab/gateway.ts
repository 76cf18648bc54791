/** Our gateway on a machine of the lab, and what it says of itself: log, /status, /metrics. */
import { chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { dump } from 'js-yaml';
import type { KeyRing } from '../../../sidecar/contract/key-ring.ts';
import { encodeKeyRing } from '../../../sidecar/contract/key-ring-yaml.ts';
import { parseStatus } from '../../../sidecar/contract/status.ts';
import { ring } from '../../harness/policy.ts';
import type { Machine } from './machine.ts';
import { sumOf } from './metric.ts';
import type { Program } from './program.ts';

const MAIN = join(import.meta.dirname, '../../../sidecar/main.ts');
const HTTP_PORT = 9500;

/** Name → content. */
export type Files = Readonly<Record<string, string>>;
/** As in gateway.yaml. */
type Fields = { readonly [name: string]: unknown };
export type LogLine = Readonly<Record<string, unknown>>;

export const GATEWAY_ID = 'gw.example';
export const USER = 'psk.example';
export const SECRET = 'interop-psk-0123456789';
/** The gateway's own inner addresses, which answer pings. */
export const INNER = { ipv4: '10.8.0.1', ipv6: 'fd08::1' };

const BASE: Fields = {
  name: 'interop/gateway',
  audience: 'interop',
  identity: GATEWAY_ID,
  listen: { httpPort: HTTP_PORT, peerPort: HTTP_PORT + 1 },
  pools: [{ cidr: '10.8.0.0/24' }],
  slices: 4,
  dns: [INNER.ipv4],
  routes: ['10.8.0.0/24'],
};

/** Pools and routes of both families. */
export const DUAL: Fields = { pools: [{ cidr: '10.8.0.0/24' }, { cidr: 'fd08::/64' }], routes: ['10.8.0.0/24', 'fd08::/64'] };

export interface GatewayPlace {
  readonly machine: Machine;
  /** For its files. */
  readonly folder: string;
  /** Where IKE is served. */
  readonly addresses: readonly string[];
  /** What runs a program of ours. */
  readonly node: readonly string[];
  /** Where the tests ask for its status. */
  readonly httpAddress: string;
  /** User and group that its files belong to; undefined: root. */
  readonly owner?: number;
}

export interface GatewayOptions {
  /** What differs from a plain gateway.yaml. */
  readonly settings?: Fields;
  readonly ring?: KeyRing;
  readonly ordinal?: number;
  readonly tun?: string;
  /** Its own certificate, followed by intermediates, and its private key; PEM. */
  readonly certificate?: { readonly chain: string; readonly key: string };
  /** Name of an authority → its files. */
  readonly authorities?: Readonly<Record<string, Files>>;
  /** Name → password. */
  readonly eapUsers?: Readonly<Record<string, string>>;
  /** Post-quantum pre-shared keys by their ids. */
  readonly ppks?: Readonly<Record<string, string>>;
  /** Secrets shared with RADIUS servers, by the names that gateway.yaml has for them. */
  readonly radiusSecrets?: Files;
  /** Further identities; each has a secret that no peer of a scenario knows. */
  readonly users?: readonly string[];
  /** Further flags of the command line. */
  readonly flags?: readonly string[];
}

export interface Session {
  readonly kind: string;
  readonly identity: string;
  readonly spiI: string;
  readonly spiR: string;
  /** Empty: none of that family. */
  readonly inner: { readonly ipv4: string; readonly ipv6: string };
}

export class Gateway {
  readonly #program: Program;
  readonly #place: GatewayPlace;
  readonly #files: string;

  private constructor(program: Program, place: GatewayPlace, files: string) {
    this.#program = program;
    this.#place = place;
    this.#files = files;
  }

  /** Done when it is ready. */
  static async start(place: GatewayPlace, options: GatewayOptions = {}): Promise<Gateway> {
    const { settings = {}, ordinal = 0, tun, users = [] } = options;
    const files = join(place.folder, `gateway-${ordinal}`);
    mkdirSync(join(files, 'psk'), { recursive: true });
    const write = (name: string, text: string) => writePrivate(join(files, name), text);
    write('gateway.yaml', gatewayYaml(settings));
    write('key-ring.yaml', encodeKeyRing(options.ring ?? ring()));
    write('psk/users.yaml', dump({ [USER]: SECRET, ...Object.fromEntries(users.map((user) => [user, `a secret of ${user}`])) }));
    const args = [
      ...['--config', join(files, 'gateway.yaml'), '--key-ring', join(files, 'key-ring.yaml'), '--psk-dir', join(files, 'psk')],
      ...place.addresses.flatMap((address) => ['--address', address]),
      ...['--ordinal', String(ordinal), '--http-address', place.httpAddress, '--log-level', 'debug'],
      ...(tun === undefined ? [] : ['--tun', tun]),
      ...writeCredentials(files, options),
      ...(options.flags ?? []),
    ];
    if (place.owner !== undefined) giveTo(place.owner, files);
    const gateway = new Gateway(place.machine.start(`gateway-${ordinal}`, [...place.node, MAIN, ...args]), place, files);
    await gateway.logged({ msg: 'ready' });
    return gateway;
  }

  get pid(): number {
    return this.#program.pid;
  }

  /** The first `times` lines of its log that have all of these fields. */
  async logged(fields: LogLine, times = 1, withinMs?: number): Promise<LogLine[]> {
    const what = JSON.stringify(fields);
    return this.#program.wait<LogLine>(
      (line) => matching(line, fields),
      times,
      withinMs === undefined ? { what } : { what, withinMs },
    );
  }

  /** Lines of its log so far that have all of these fields. */
  log(fields: LogLine = {}): LogLine[] {
    return this.#program.lines.map((line) => matching(line, fields)).filter((line) => line !== undefined);
  }

  /** The session that was established as the `nth`. */
  async session(nth = 1): Promise<Session> {
    return sessionOf((await this.logged({ event: 'established' }, nth))[nth - 1] ?? {});
  }

  async status() {
    const parsed = parseStatus('gateway', await this.#get('/status'));
    if (!parsed.ok) throw new Error(`/status is not valid: ${JSON.stringify(parsed.problems)}`);
    return parsed.value;
  }

  /** The sum over all series of `rekindle_${name}` that have these labels. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    return sumOf(await this.#get('/metrics'), name, labels);
  }

  /** Writes its files anew and waits until it has them. */
  async reload(change: { readonly settings?: Fields; readonly ring?: KeyRing }): Promise<void> {
    const loaded = this.log().filter(({ msg }) => String(msg).endsWith('.yaml loaded')).length;
    if (change.settings) writeFileSync(join(this.#files, 'gateway.yaml'), gatewayYaml(change.settings));
    if (change.ring) writeFileSync(join(this.#files, 'key-ring.yaml'), encodeKeyRing(change.ring));
    const expected = (change.settings ? 1 : 0) + (change.ring ? 1 : 0);
    const pick = (line: string) => (/\.yaml loaded"/.test(line) ? line : undefined);
    await this.#program.wait(pick, loaded + expected, { what: 'files loaded anew' });
  }

  /** A file of an authority is new, or another one; the gateway reads it by itself. */
  writeAuthority(name: string, file: string, text: string): void {
    writePrivate(join(this.#files, `authority-${name}`, file), text);
  }

  /** SIGKILL: nobody is told. */
  kill(): Promise<void> {
    return this.#program.kill();
  }

  /** SIGTERM, to its end. */
  stop(): Promise<void> {
    return this.#program.stop();
  }

  async #get(path: string): Promise<string> {
    const response = await fetch(`http://${this.#place.httpAddress}:${HTTP_PORT}${path}`, { signal: AbortSignal.timeout(5_000) });
    return response.text();
  }
}

/** Answers the flags that name the folders. */
function writeCredentials(
  home: string,
  { certificate, authorities = {}, eapUsers, radiusSecrets, ppks }: GatewayOptions,
): string[] {
  const folder = (name: string, files: Files): string => {
    for (const [file, text] of Object.entries(files)) writePrivate(join(home, name, file), text);
    return join(home, name);
  };
  return [
    ...(certificate
      ? ['--certificate-dir', folder('certificate', { 'tls.crt': certificate.chain, 'tls.key': certificate.key })]
      : []),
    ...Object.entries(authorities).flatMap(([name, files]) => ['--authority', `${name}=${folder(`authority-${name}`, files)}`]),
    ...(eapUsers ? ['--eap-dir', folder('eap', { 'users.yaml': dump(eapUsers) })] : []),
    ...(ppks ? ['--ppk-dir', folder('ppk', { 'keys.yaml': dump(ppks) })] : []),
    ...(radiusSecrets ? ['--radius-dir', folder('radius', radiusSecrets)] : []),
  ];
}

function giveTo(owner: number, folder: string): void {
  const below = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  for (const path of [folder, ...below]) chownSync(path, owner, owner);
}

function writePrivate(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode: 0o600 });
}

/** What the log says of an established one. */
export function sessionOf(line: LogLine): Session {
  const text = (name: string): string => String(line[name]);
  const [ipv4 = '', ipv6 = ''] = [4, 6].map((family) =>
    [line['inner']]
      .flat()
      .map(String)
      .find((address) => isIP(address) === family),
  );
  return { kind: text('kind'), identity: text('identity'), spiI: text('spiI'), spiR: text('spiR'), inner: { ipv4, ipv6 } };
}

const gatewayYaml = (settings: Fields): string => `${dump(merged(BASE, settings))}...\n`;

function merged(base: Fields, change: Fields): Fields {
  const entries = Object.entries(change).map(([name, value]) => {
    const before = base[name];
    return [name, isFields(before) && isFields(value) ? merged(before, value) : value] as const;
  });
  return { ...base, ...Object.fromEntries(entries) };
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

function matching(line: string, fields: LogLine): LogLine | undefined {
  const parsed = parseLine(line);
  return parsed && Object.entries(fields).every(([name, value]) => JSON.stringify(parsed[name]) === JSON.stringify(value))
    ? parsed
    : undefined;
}

export function parseLine(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
