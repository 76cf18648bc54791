/** The operator on a cluster. The only reader of its command line and environment. */
import { hostname } from 'node:os';
import { runCommand } from '../sidecar/process/command.ts';
import { createLog, flushLog } from '../sidecar/process/log.ts';
import { endInGoodOrder } from '../sidecar/process/shutdown.ts';
import { version } from '../sidecar/process/version.ts';
import { Operator } from './operator.ts';
import { type OperatorOptions, parseCommandLine, USAGE } from './operator-options.ts';

const EXIT_FAILED = 1;
const SHUTDOWN_LIMIT_MS = 10_000;

await runCommand(
  parseCommandLine(process.argv.slice(2), { env: process.env, hostname: hostname(), pid: process.pid }),
  USAGE,
  run,
);

async function run(options: OperatorOptions): Promise<void> {
  const log = createLog({ level: options.logLevel, base: { version: version() } });
  const operator = new Operator(options, log);
  endInGoodOrder({ log, close: () => operator.stop(), limitMs: SHUTDOWN_LIMIT_MS });
  try {
    await operator.start();
  } catch (error) {
    log.fatal({}, error instanceof Error ? error.message : String(error));
    await flushLog(log);
    process.exit(EXIT_FAILED);
  }
}
