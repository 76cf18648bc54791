/** What every program of ours does with its command line. */
import { version } from './version.ts';

export type CommandLine<Options> =
  | { readonly do: 'run'; readonly options: Options }
  | { readonly do: 'help' | 'version' }
  | { readonly do: 'refuse'; readonly problems: readonly string[] };

const EXIT_USAGE = 2;

/** Answers when it is done, or when `run` is. */
export async function runCommand<Options>(
  line: CommandLine<Options>,
  usage: string,
  run: (options: Options) => Promise<void>,
): Promise<void> {
  switch (line.do) {
    case 'help':
      process.stdout.write(usage);
      break;
    case 'version':
      process.stdout.write(`${version()}\n`);
      break;
    case 'refuse':
      process.stderr.write(`${line.problems.join('\n')}\n\n${usage}`);
      process.exitCode = EXIT_USAGE;
      break;
    case 'run':
      await run(line.options);
  }
}
