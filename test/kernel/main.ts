/**
 * `npm run test:kernel`: the kernel data plane with its agent, against strongSwan and libreswan with their kernel's ESP. Needs root and Linux on amd64.
 *
 *     npm run test:kernel -- [--jobs N] [--keep] [WORD …]
 *
 * With words, only scenarios whose folder contains one of them. Each runs in user-mode Linux, a kernel that is a process of this machine
 * and ends with it, however it ends.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { closingLine, details, outcome, table } from '../interop/lab/report.ts';
import { peersInWords, prepareRoots } from '../interop/lab/roots.ts';
import type { Result } from '../interop/lab/scenario.ts';
import { LIMIT_MS, type Scenario } from './lab/kernel-scenario.ts';
import { type Place, run } from './lab/run.ts';
import { killAll, prepareUserModeLinux, releaseOf } from './lab/uml.ts';

const EXIT_FAILED = 1;
const EXIT_INTERRUPTED = 130;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: 'string', default: '2' }, keep: { type: 'boolean', default: false } },
});
const say = (text: string): void => void process.stdout.write(`${text}\n`);

if (process.platform !== 'linux' || process.arch !== 'x64' || process.getuid?.() !== 0) {
  process.stderr.write(
    'the kernel tests need Linux on amd64, where Debian has user-mode Linux, and root; run them with sudo or in a container\n',
  );
  process.exit(EXIT_FAILED);
}
const jobs = Number(values.jobs);
if (!Number.isInteger(jobs) || jobs < 1 || jobs > 16) {
  process.stderr.write(`--jobs: not a whole number from 1 to 16: "${values.jobs}"\n`);
  process.exit(EXIT_FAILED);
}

const began = performance.now();
const seconds = (): string => `${((performance.now() - began) / 1_000).toFixed(1)} s`;
const folder = mkdtempSync(join(tmpdir(), 'rekindle-kernel-'));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    killAll();
    if (!values.keep) rmSync(folder, { recursive: true, force: true });
    say('interrupted');
    process.exit(EXIT_INTERRUPTED);
  });
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = EXIT_FAILED;
} finally {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<number> {
  const scenarios = await findScenarios(positionals);
  if (scenarios.length === 0) throw new Error(`no scenario has one of these words in its name: ${positionals.join(', ')}`);
  const kernel = prepareUserModeLinux();
  const roots = await prepareRoots(new Set(scenarios.flatMap(([, { roots }]) => roots)));
  say(`${[`user-mode Linux ${releaseOf(kernel)}`, ...peersInWords(roots)].join(', ')}; prepared in ${seconds()}`);
  const results = await runAll(scenarios, { folder, keep: values.keep, kernel, roots });
  for (const result of results) if (result.failure) say(`\n${details({ ...result, failure: result.failure })}`);
  say(`\n${table(results)}\n\n${seconds()}`);
  say(closingLine(results));
  return results.some(({ failure }) => failure) ? EXIT_FAILED : 0;
}

/** In order. */
async function findScenarios(wanted: readonly string[]): Promise<[name: string, Scenario][]> {
  const names = readdirSync(import.meta.dirname).filter((name) => existsSync(join(import.meta.dirname, name, 'scenario.ts')));
  const chosen = names.filter((name) => wanted.length === 0 || wanted.some((word) => name.includes(word))).sort();
  return Promise.all(
    chosen.map(async (name): Promise<[string, Scenario]> => [name, (await import(`./${name}/scenario.ts`)).scenario]),
  );
}

async function runAll(scenarios: readonly [string, Scenario][], place: Place): Promise<Result[]> {
  const results: Result[] = [];
  // What may take longest begins first, so that nothing long is left for the end.
  const waiting = [...scenarios.entries()].sort(([, [, a]], [, [, b]]) => (b.limitMs ?? LIMIT_MS) - (a.limitMs ?? LIMIT_MS));
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [index, [name, scenario]] = next;
      const result = await run(name, scenario, place);
      results[index] = result;
      say(outcome(result));
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return results;
}
