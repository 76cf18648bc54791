/** What is printed: a line when a scenario ends, a table at the end, and all that is needed to understand a failure. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Failure, Result } from './scenario.ts';

const LAST_LINES = 15;

export const outcome = ({ name, seconds, failure, steps, notes }: Result): string =>
  failure
    ? `FAILED  ${name}: ${failure.step}: ${message(failure.error)}`
    : [`passed  ${name}  ${seconds.toFixed(1)} s, ${steps.length} steps`, ...notes].join('\n          ');

export function table(results: readonly Result[]): string {
  const width = Math.max(...results.map(({ name }) => name.length));
  const rows = results.map(
    ({ name, title, seconds, failure, steps }) =>
      `${failure ? 'FAILED' : 'passed'}  ${name.padEnd(width)}  ${`${seconds.toFixed(1)} s`.padStart(7)}  ${String(steps.length).padStart(2)} steps  ${title}`,
  );
  return rows.join('\n');
}

export function closingLine(results: readonly Result[]): string {
  const failed = results.filter(({ failure }) => failure).length;
  return `${results.length - failed} passed, ${failed} failed`;
}

/** With the ends of all logs. */
export function details({ name, failure, steps }: Result & { readonly failure: Failure }): string {
  const done = steps.slice(0, -1).map((step) => `  done: ${step}`);
  const logs = existsSync(failure.folder) ? readdirSync(failure.folder).filter((file) => file.endsWith('.log')) : [];
  const ends = logs.map((file) => `  ${file}:\n${lastLines(join(failure.folder, file))}`);
  const head = `${name} failed in: ${failure.step}\n  ${message(failure.error).replaceAll('\n', '\n  ')}`;
  return [head, ...done, ...ends, `  everything, with a capture: ${failure.folder}`].join('\n');
}

const lastLines = (file: string): string =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(-LAST_LINES)
    .map((line) => `    ${line.slice(0, 300)}`)
    .join('\n');

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));
