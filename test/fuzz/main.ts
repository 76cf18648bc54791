/** `npm run fuzz`: the properties of the tests and some more, with new seeds until the time is over or something breaks. */
import fc, { type RunDetails } from 'fast-check';
import { type Options, readOptions, USAGE } from './options.ts';

/** A failure is made smaller for no longer than this. */
const LIMIT = { interruptAfterTimeLimit: 180_000 };
const say = (text: string): boolean => process.stdout.write(`${text}\n`);

const options = read();
process.exitCode = options ? fuzz(options) : 2;

function read(): Options | undefined {
  try {
    return readOptions(process.argv.slice(2), () => Math.floor(Math.random() * 1e9));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return undefined;
  }
}

/** Answers the exit status. */
function fuzz({ minutes, seed: first, path, chosen }: Options): number {
  const end = Date.now() + minutes * 60_000;
  const runs = new Map<string, number>();
  say(`${chosen.map(([name]) => name).join(', ')}: seeds from ${first}, ${minutes} minutes`);
  for (let seed = first; seed === first || Date.now() < end; seed++) {
    for (const [name, { property, batch }] of chosen) {
      const began = Date.now();
      const details = checked(property(), { seed, numRuns: batch, ...LIMIT, ...(path === undefined ? {} : { path }) });
      runs.set(name, (runs.get(name) ?? 0) + details.numRuns);
      if (details.failed) return failed(name, details);
      say(`${name.padEnd(16)} seed ${seed}  ${runs.get(name)} runs  ${Date.now() - began} ms`);
      if (seed !== first && Date.now() >= end) break;
    }
    if (path !== undefined) break;
  }
  say('nothing broke');
  return 0;
}

/** None of our properties is asynchronous. */
function checked(...[property, how]: Parameters<typeof fc.check<unknown>>): RunDetails<unknown> {
  const details = fc.check(property, how);
  if (details instanceof Promise) throw new TypeError('a property that takes its time');
  return details;
}

function failed(
  name: string,
  { seed, counterexamplePath, counterexample, errorInstance, numShrinks }: RunDetails<unknown>,
): number {
  say(`\n${name} broke with seed ${seed}; made smaller ${numShrinks} times:\n`);
  say(fc.stringify(counterexample));
  say(`\n${errorInstance instanceof Error ? errorInstance.stack : errorInstance}\n`);
  say(`again: npm run fuzz -- --only ${name} --seed ${seed} --path ${counterexamplePath}`);
  return 1;
}
