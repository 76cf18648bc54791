/** The command line of the local mode, parsed once. */
import { parseArgs } from 'node:util';
import type { LocalOptions } from './local-options.ts';

export interface LocalCommand {
  readonly directory: string;
  readonly json: boolean;
  readonly options: LocalOptions;
}

export type CommandLine =
  | { readonly do: 'run'; readonly command: LocalCommand }
  | { readonly do: 'help' }
  | { readonly do: 'refuse'; readonly problems: readonly string[] };

export const USAGE = `usage: npm start -- DIRECTORY [options]

Runs what the manifests in DIRECTORY say: operator, gateway pods and the service in front of them, on this machine, without root.
Edit a file there and it takes effect. Ctrl-C ends everything in good order.

  --state DIR             keys and objects are kept here (default: .rekindle/NAME OF DIRECTORY)
  --affinity WHICH        none or ClientIP: how the service keeps clients on pods (default: as the VpnGateway says)
  --endpoint-delay TIME   how late the service hears of a lost pod, for instance 500ms or 3s (default: 3s)
  --network PREFIX        use PREFIX.0.0/16, for instance 127.80 (default: the first free one from 127.71 on)
  --json                  one event per line
`;

const FLAGS = {
  state: { type: 'string' },
  affinity: { type: 'string' },
  'endpoint-delay': { type: 'string' },
  network: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

export function parseCommandLine(args: readonly string[]): CommandLine {
  const problems: string[] = [];
  const parsed = parseFlags(args, problems);
  if (!parsed) return { do: 'refuse', problems };
  const { values, positionals } = parsed;
  if (values.help) return { do: 'help' };
  const [directory = '', ...more] = positionals;
  if (directory === '' || more.length > 0) problems.push('name one directory of manifests, for instance examples/quickstart');
  const affinity = values.affinity === undefined ? undefined : parseAffinity(values.affinity, problems);
  const delay = values['endpoint-delay'] === undefined ? undefined : parseDelay(values['endpoint-delay'], problems);
  const network = values.network === undefined ? undefined : parseNetwork(values.network, problems);
  if (problems.length > 0) return { do: 'refuse', problems };
  const options = {
    ...(values.state === undefined ? {} : { state: values.state }),
    ...(affinity === undefined ? {} : { affinity }),
    ...(delay === undefined ? {} : { endpointDelayMs: delay }),
    ...(network === undefined ? {} : { network }),
  };
  return { do: 'run', command: { directory, json: values.json === true, options } };
}

function parseFlags(args: readonly string[], problems: string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true, allowPositionals: true });
  } catch (error) {
    problems.push(error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error));
    return undefined;
  }
}

function parseAffinity(text: string, problems: string[]): 'None' | 'ClientIP' | undefined {
  const known = (['None', 'ClientIP'] as const).find((affinity) => affinity.toLowerCase() === text.toLowerCase());
  if (!known) problems.push(`--affinity: unknown: "${text}"; write none or ClientIP`);
  return known;
}

function parseDelay(text: string, problems: string[]): number | undefined {
  const [, digits, unit] = /^(\d{1,6})(ms|s)$/.exec(text) ?? [];
  if (digits === undefined) problems.push(`--endpoint-delay: not a time: "${text}"; write for instance 500ms or 3s`);
  return digits === undefined ? undefined : Number(digits) * (unit === 's' ? 1000 : 1);
}

function parseNetwork(text: string, problems: string[]): string | undefined {
  const second = Number(/^127\.(\d{1,3})$/.exec(text)?.[1] ?? Number.NaN);
  if (second >= 1 && second <= 255) return text;
  problems.push(`--network: not two bytes of the loopback network: "${text}"; write for instance 127.80`);
  return undefined;
}
