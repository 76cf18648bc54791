/** The local mode as a program: `npm start -- examples/quickstart`. The only reader of its command line and environment. */

import { type LocalCommand, parseCommandLine, USAGE } from './command-line.ts';
import { Display } from './display.ts';
import type { Happening } from './happening.ts';
import { LocalCluster } from './local-cluster.ts';

const EXIT_USAGE = 2;
const EXIT_FAILED = 1;

const line = parseCommandLine(process.argv.slice(2));
switch (line.do) {
  case 'help':
    process.stdout.write(USAGE);
    break;
  case 'refuse':
    process.stderr.write(`${line.problems.join('\n')}\n\n${USAGE}`);
    process.exitCode = EXIT_USAGE;
    break;
  case 'run':
    await run(line.command);
}

async function run({ directory, json, options }: LocalCommand): Promise<void> {
  const display = new Display(screen(), () => new Date());
  const heard = json ? printJson : (happening: Happening) => display.show(happening);
  try {
    const cluster = await LocalCluster.start(directory, { ...options, heard });
    if (!json) display.follow(cluster);
    stopOnSignals(cluster);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = EXIT_FAILED;
  }
}

function stopOnSignals(cluster: LocalCluster): void {
  let asked = false;
  const stop = () => {
    // The second time somebody is impatient: the pods are found and ended by the next run.
    if (asked) process.exit(EXIT_FAILED);
    asked = true;
    cluster.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
        process.exit(EXIT_FAILED);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);
}

function printJson(happening: Happening): void {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), ...happening })}\n`);
}

function screen() {
  const { stdout, env } = process;
  return {
    write: (text: string) => void stdout.write(text),
    colours: stdout.isTTY === true && env['NO_COLOR'] === undefined,
    columns: stdout.isTTY ? () => stdout.columns : undefined,
  };
}
