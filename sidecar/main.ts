/** The sidecar: an IKEv2 gateway in one process. The only reader of its command line and environment. */
import { hostname } from 'node:os';
import { runCommand } from './process/command.ts';
import { createLog, flushLog } from './process/log.ts';
import { endInGoodOrder } from './process/shutdown.ts';
import { version } from './process/version.ts';
import { parseCommandLine, type SidecarOptions, USAGE } from './shell/options.ts';
import { Sidecar } from './shell/sidecar.ts';

const EXIT_FAILED = 1;
/** Less than the grace that Kubernetes gives by default. */
const SHUTDOWN_LIMIT_MS = 10_000;

await runCommand(
  parseCommandLine(process.argv.slice(2), { env: process.env, hostname: hostname(), version: version() }),
  USAGE,
  run,
);

async function run(options: SidecarOptions): Promise<void> {
  const log = createLog({ level: options.logLevel, base: { ordinal: options.ordinal } });
  log.info({ version: options.version, node: process.version, pid: process.pid }, 'starting');
  const sidecar = new Sidecar(options, log);
  endInGoodOrder({ log, close: () => sidecar.close(), limitMs: SHUTDOWN_LIMIT_MS });
  try {
    await sidecar.start();
  } catch (error) {
    log.fatal(error instanceof Error ? error.message : String(error));
    await flushLog(log);
    process.exit(EXIT_FAILED);
  }
}
