/** The command line of the agent, parsed once. */

import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { parseDuration } from '../../contract/duration.ts';
import type { CommandLine } from '../../process/command.ts';
import { LOG_LEVELS, type LogLevel } from '../../process/log.ts';

export interface AgentOptions {
  /** Of dataplane.yaml. */
  readonly config: string;
  /** Of the Unix socket. */
  readonly socket: string;
  readonly socketMode: number;
  /** Who may connect. */
  readonly allowUids: readonly number[];
  /** So long children stay that no sidecar answers for. */
  readonly orphanGraceMs: number;
  readonly logLevel: LogLevel;
  /** Undefined: nothing is served over HTTP. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
}

export const USAGE = `usage: node sidecar/dataplane/kernel/main.ts --config FILE --socket PATH [options]

The privileged half of a gateway: it programs the kernel for the sidecar, within the limits of its own configuration. Needs CAP_NET_ADMIN.

  --config FILE             dataplane.yaml: what a sidecar may have this agent do; reloaded when it changes
  --socket PATH             Unix socket that the sidecar connects to
  --socket-mode MODE        permissions of the socket, in octal: 0600 (default) or 0660
  --allow-uid UID           user whose processes may connect, besides that of the agent; may be repeated
  --orphan-grace DURATION   so long children stay in the kernel that no sidecar answers for; default: 1m
  --metrics-address IP:PORT listen here for /healthz, /readyz and /metrics; default: nowhere
  --log-level LEVEL         ${LOG_LEVELS.join(', ')}; default: info
  --version                 print the version and exit
  --help                    print this and exit
`;

const FLAGS = {
  config: { type: 'string' },
  socket: { type: 'string' },
  'socket-mode': { type: 'string' },
  'allow-uid': { type: 'string', multiple: true },
  'orphan-grace': { type: 'string' },
  'metrics-address': { type: 'string' },
  'log-level': { type: 'string' },
  version: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

/** `uid`: of this process. */
export function parseCommandLine(args: readonly string[], { uid }: { readonly uid: number }): CommandLine<AgentOptions> {
  const problems: string[] = [];
  const values = parseFlags(args, problems);
  if (values?.help) return { do: 'help' };
  if (values?.version) return { do: 'version' };
  if (!values) return { do: 'refuse', problems };
  const needed = (flag: 'config' | 'socket', what: string): string => {
    if (!values[flag]) problems.push(`--${flag} is missing; name ${what}`);
    return values[flag] ?? '';
  };
  const options: AgentOptions = {
    config: needed('config', 'the file'),
    socket: needed('socket', 'the path'),
    socketMode: parseMode(values['socket-mode'] ?? '0600', problems),
    allowUids: [...new Set([uid, ...parseUids(values['allow-uid'] ?? [], problems)])],
    orphanGraceMs: parseGrace(values['orphan-grace'] ?? '1m', problems),
    logLevel: parseLevel(values['log-level'] ?? 'info', problems),
    metrics: parseMetrics(values['metrics-address'], problems),
  };
  return problems.length > 0 ? { do: 'refuse', problems } : { do: 'run', options };
}

function parseFlags(args: readonly string[], problems: string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    problems.push(error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error));
    return undefined;
  }
}

function parseMode(text: string, problems: string[]): number {
  if (/^0?6[06]0$/.test(text)) return Number.parseInt(text, 8);
  problems.push(`--socket-mode: neither 0600 nor 0660: "${text}"; others than user and group have no business here`);
  return 0o600;
}

function parseUids(given: readonly string[], problems: string[]): readonly number[] {
  return given.flatMap((text) => {
    // 2^32 - 1 is nobody at all: (uid_t) -1.
    if (/^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff) return [Number(text)];
    problems.push(`--allow-uid: not a user id: "${text}"; write a number, such as that of runAsUser`);
    return [];
  });
}

function parseGrace(text: string, problems: string[]): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms <= LONGEST_GRACE_MS) return ms;
  problems.push(`--orphan-grace: not a span of time up to 24h: "${text}"; write for instance 30s or 5m`);
  return 0;
}

const LONGEST_GRACE_MS = 24 * 3_600_000;

function parseMetrics(text: string | undefined, problems: string[]): AgentOptions['metrics'] {
  if (text === undefined) return undefined;
  const [, ipv6, ipv4, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = ipv6 ?? ipv4 ?? '';
  if (isIP(host) && Number(digits) <= 65_535) return { host, port: Number(digits) };
  problems.push(`--metrics-address: not an IP address with a port: "${text}"; write for instance 127.0.0.1:8082 or [::]:8082`);
  return undefined;
}

function parseLevel(text: string, problems: string[]): LogLevel {
  const level = LOG_LEVELS.find((one) => one === text);
  if (!level) problems.push(`--log-level: unknown: "${text}"; write one of ${LOG_LEVELS.join(', ')}`);
  return level ?? 'info';
}
