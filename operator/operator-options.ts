/** The command line of the operator on a cluster, parsed once. */

import { parseArgs } from 'node:util';
import type { CommandLine } from '../sidecar/process/command.ts';
import { LOG_LEVELS, type LogLevel } from '../sidecar/process/log.ts';

export interface OperatorOptions {
  /** undefined: the whole cluster. */
  readonly namespace: string | undefined;
  readonly leaderElect: boolean;
  readonly leaseNamespace: string;
  readonly holder: string;
  readonly kubeconfig: string | undefined;
  /** Of the gateway pods. */
  readonly image: string;
  /** The operator's own. */
  readonly operatorNamespace: string;
  readonly metrics: { readonly host: string; readonly port: number };
  readonly logLevel: LogLevel;
}

export const USAGE = `usage: node operator/main.ts --image IMAGE [options]

  --image IMAGE             image of the gateway pods; default: $REKINDLE_IMAGE
  --namespace NAME          care for this namespace only; default: for all, which needs the right to read all Secrets
  --leader-elect            write only while holding a lease, so that several operators can stand by
  --lease-namespace NAME    where the lease is; default: the operator's own namespace
  --kubeconfig FILE         default: $KUBECONFIG, ~/.kube/config or the pod's service account
  --metrics-port PORT       probes and metrics; default: 8080
  --metrics-address IP      default: all addresses
  --log-level LEVEL         ${LOG_LEVELS.join(', ')}; default: info
  --version                 print the version and exit
  --help                    print this and exit
`;

const FLAGS = {
  image: { type: 'string' },
  namespace: { type: 'string' },
  'leader-elect': { type: 'boolean' },
  'lease-namespace': { type: 'string' },
  kubeconfig: { type: 'string' },
  'metrics-port': { type: 'string' },
  'metrics-address': { type: 'string' },
  'log-level': { type: 'string' },
  version: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  readonly pid: number;
}

export function parseCommandLine(args: readonly string[], { env, hostname, pid }: Surroundings): CommandLine<OperatorOptions> {
  const problems: string[] = [];
  const values = parseFlags(args, problems);
  if (!values) return { do: 'refuse', problems };
  if (values.help) return { do: 'help' };
  if (values.version) return { do: 'version' };
  const operatorNamespace = env['POD_NAMESPACE'] || values.namespace || 'rekindle-system';
  const options: OperatorOptions = {
    namespace: parseName('namespace', values.namespace, problems),
    leaderElect: values['leader-elect'] === true,
    leaseNamespace: parseName('lease-namespace', values['lease-namespace'], problems) ?? operatorNamespace,
    holder: `${env['POD_NAME'] || hostname}_${pid}`,
    kubeconfig: values.kubeconfig,
    image: values.image || env['REKINDLE_IMAGE'] || '',
    operatorNamespace,
    metrics: { host: values['metrics-address'] ?? '::', port: parsePort(values['metrics-port'] ?? '8080', problems) },
    logLevel: parseLevel(values['log-level'] ?? 'info', problems),
  };
  if (options.image === '') problems.push('--image is missing; name the image of the gateway pods, or set REKINDLE_IMAGE');
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

function parseName(flag: string, text: string | undefined, problems: string[]): string | undefined {
  if (text !== undefined && !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)) {
    problems.push(`--${flag}: not the name of a namespace: "${text}"; it has lower-case letters, digits and hyphens`);
  }
  return text;
}

function parsePort(text: string, problems: string[]): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  problems.push(`--metrics-port: not a port: "${text}"; write a number from 1 to 65535, or 0 for none`);
  return 0;
}

function parseLevel(text: string, problems: string[]): LogLevel {
  const level = LOG_LEVELS.find((one) => one === text);
  if (!level) problems.push(`--log-level: unknown: "${text}"; write one of ${LOG_LEVELS.join(', ')}`);
  return level ?? 'info';
}
