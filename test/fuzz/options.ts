/** The command line of `npm run fuzz`. */
import { parseArgs } from 'node:util';
import { type Target, targets } from './targets.ts';

export interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly path: string | undefined;
  readonly chosen: readonly (readonly [name: string, target: Target])[];
}

export const USAGE = `npm run fuzz [-- options]
  --minutes N   how long, 5 if not said
  --seed S      begin with this seed: the same seed tries the same
  --only NAME   one of: ${Object.keys(targets).join(', ')}
  --path P      with --seed and --only: the one case that a failure named
`;

/** @throws Error with a sentence for whoever typed it. */
export function readOptions(args: readonly string[], randomSeed: () => number): Options {
  const { values } = parseArgs({
    args: [...args],
    options: { minutes: { type: 'string' }, seed: { type: 'string' }, only: { type: 'string' }, path: { type: 'string' } },
  });
  const { only } = values;
  if (only !== undefined && !targets[only]) throw new Error(`--only ${only}: no such target`);
  return {
    minutes: numberOf('minutes', values.minutes ?? '5'),
    seed: values.seed === undefined ? randomSeed() : numberOf('seed', values.seed),
    path: values.path,
    chosen: Object.entries(targets).filter(([name]) => only === undefined || name === only),
  };
}

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number) || number < 0)
    throw new Error(`--${name} ${text}: not a number of at least 0`);
  return number;
}
