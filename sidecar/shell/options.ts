/** The command line of the sidecar, parsed once. */

import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import type { CommandLine } from '../process/command.ts';
import { LOG_LEVELS, type LogLevel } from '../process/log.ts';
import type { Folder } from '../process/snapshot.ts';
import { splitEndpoint } from './endpoint.ts';
import type { PolicyPaths } from './policy-files.ts';

export interface SidecarOptions {
  readonly paths: PolicyPaths;
  /** `0.0.0.0` and `::` stand for all of this machine. */
  readonly addresses: readonly string[];
  readonly ordinal: number;
  /** Undefined: this process cannot acknowledge a key ring. */
  readonly podUid: string | undefined;
  /** Host undefined: all addresses. Port undefined: the one of gateway.yaml, once that is loaded. */
  readonly http: { readonly host: string | undefined; readonly port: number | undefined };
  readonly tun: string | undefined;
  /** The socket of the agent; undefined: there is none. */
  readonly agent: string | undefined;
  readonly logLevel: LogLevel;
  readonly version: string;
}

export const USAGE = `usage: node sidecar/main.ts --config FILE --key-ring FILE [options]

  --config FILE             gateway.yaml: what this gateway is; reloaded when it changes
  --key-ring FILE           key-ring.yaml: the keys that protect tickets; reloaded when it changes
  --psk-dir DIR             directory of YAML files that map identities to pre-shared keys; reloaded when it changes
  --certificate-dir DIR     directory with tls.crt and tls.key, by which the gateway proves itself; reloaded when they change
  --authority NAME=DIR      directory of authorities for certificates of clients: ca.crt, *.pem, and revocation lists *.crl; rules
                            know them by this name; may be repeated; reloaded when they change
  --eap-dir DIR             directory of YAML files that map names of EAP users to passwords or NT hashes; reloaded when it changes
  --radius-dir DIR          directory of secrets that are shared with RADIUS servers, one per file; reloaded when it changes
  --ppk-dir DIR             directory of YAML files that map ids to post-quantum pre-shared keys; reloaded when it changes
  --address IP              listen here for IKE and ESP; may be repeated; default 0.0.0.0 and ::, all addresses of this machine
  --ordinal N               number of this pod among its siblings, 0 to 254
  --ordinal-from-hostname   take the number from the end of the host name, as a StatefulSet gives it; default: 0
  --pod-uid UID             proves to the operator that this pod has loaded a key ring; default: $POD_UID
  --http-address IP[:PORT]  listen here for probes, metrics and sibling pods; default: all addresses, port of gateway.yaml
  --tun NAME                carry inner packets over a TUN device of this name (needs CAP_NET_ADMIN)
  --agent SOCKET            let the agent behind this Unix socket, which holds CAP_NET_ADMIN, program the kernel or make the TUN device
  --log-level LEVEL         ${LOG_LEVELS.join(', ')}; default: info
  --version                 print the version and exit
  --help                    print this and exit
`;

const FLAGS = {
  config: { type: 'string' },
  'key-ring': { type: 'string' },
  'psk-dir': { type: 'string' },
  'certificate-dir': { type: 'string' },
  authority: { type: 'string', multiple: true },
  'eap-dir': { type: 'string' },
  'radius-dir': { type: 'string' },
  'ppk-dir': { type: 'string' },
  address: { type: 'string', multiple: true },
  ordinal: { type: 'string' },
  'ordinal-from-hostname': { type: 'boolean' },
  'pod-uid': { type: 'string' },
  'http-address': { type: 'string' },
  tun: { type: 'string' },
  agent: { type: 'string' },
  'log-level': { type: 'string' },
  version: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  readonly version: string;
}

export function parseCommandLine(args: readonly string[], { env, hostname, version }: Surroundings): CommandLine<SidecarOptions> {
  const problems: string[] = [];
  const values = parseFlags(args, problems);
  if (values?.help) return { do: 'help' };
  if (values?.version) return { do: 'version' };
  if (!values) return { do: 'refuse', problems };
  const needed = (flag: 'config' | 'key-ring'): string => {
    if (!values[flag]) problems.push(`--${flag} is missing; name the file`);
    return values[flag] ?? '';
  };
  const options: SidecarOptions = {
    paths: {
      config: needed('config'),
      keyRing: needed('key-ring'),
      credentials: {
        psk: folder(values['psk-dir']),
        certificate: folder(values['certificate-dir']),
        authorities: parseAuthorities(values.authority ?? [], problems),
        eap: folder(values['eap-dir']),
        radius: folder(values['radius-dir']),
        ppk: folder(values['ppk-dir']),
      },
    },
    addresses: parseAddresses(values.address ?? ['0.0.0.0', '::'], problems),
    ordinal: values['ordinal-from-hostname']
      ? ordinalOf(hostname, values.ordinal, problems)
      : parseOrdinal(values.ordinal ?? '0', problems),
    podUid: values['pod-uid'] ?? (env['POD_UID'] || undefined),
    http: parseHttp(values['http-address'], problems),
    tun: values.tun,
    agent: values.agent,
    logLevel: parseLevel(values['log-level'] ?? 'info', problems),
    version,
  };
  if (values.tun !== undefined && values.agent !== undefined)
    problems.push('--agent and --tun exclude each other; the agent makes the device that it needs');
  return problems.length > 0 ? { do: 'refuse', problems } : { do: 'run', options };
}

function parseFlags(args: readonly string[], problems: string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    // Its messages name the flag, never a value that could be secret: no flag takes one.
    problems.push(error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error));
    return undefined;
  }
}

const folder = (path: string | undefined): readonly Folder[] | undefined =>
  path === undefined ? undefined : [{ path, name: undefined }];

function parseAuthorities(given: readonly string[], problems: string[]): readonly Folder[] {
  const folders = given.flatMap((text) => {
    const [, name, path] = /^([\w.-]+)=(.+)$/.exec(text) ?? [];
    if (name !== undefined && path !== undefined) return [{ name, path }];
    problems.push(`--authority: not a name and a directory: "${text}"; write for instance staff=/etc/rekindle/staff`);
    return [];
  });
  const twice = folders.find(({ name }, index) => folders.findIndex((other) => other.name === name) < index);
  if (twice) problems.push(`--authority: named twice: ${twice.name}; give each directory a name of its own`);
  return folders;
}

function parseAddresses(given: readonly string[], problems: string[]): readonly string[] {
  for (const text of given)
    if (!isIP(text)) problems.push(`--address: not an IP address: "${text}"; write for instance 192.0.2.1 or ::`);
  return given;
}

function parseOrdinal(text: string, problems: string[]): number {
  const ordinal = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (ordinal <= 254) return ordinal;
  problems.push(`--ordinal: not a number from 0 to 254: "${text}"; it is the number of the pod among its siblings`);
  return 0;
}

function ordinalOf(hostname: string, ordinal: string | undefined, problems: string[]): number {
  if (ordinal !== undefined) problems.push('--ordinal and --ordinal-from-hostname exclude each other; give one of them');
  const [, digits] = /-(\d{1,3})$/.exec(hostname.split('.')[0] ?? '') ?? [];
  if (digits === undefined) problems.push(`--ordinal-from-hostname: no number at the end of "${hostname}"; give --ordinal`);
  return parseOrdinal(digits ?? '0', problems);
}

function parseHttp(text: string | undefined, problems: string[]): SidecarOptions['http'] {
  if (text === undefined) return { host: undefined, port: undefined };
  if (isIP(text)) return { host: text, port: undefined };
  const { address, port } = splitEndpoint(text);
  if (isIP(address) && /:\d{1,5}$/.test(text) && port <= 65_535) return { host: address, port };
  problems.push(
    `--http-address: not an IP address with or without a port: "${text}"; write for instance 127.0.0.1:8080 or [::1]:8080`,
  );
  return { host: undefined, port: undefined };
}

function parseLevel(text: string, problems: string[]): LogLevel {
  const level = LOG_LEVELS.find((one) => one === text);
  if (!level) problems.push(`--log-level: unknown: "${text}"; write one of ${LOG_LEVELS.join(', ')}`);
  return level ?? 'info';
}
