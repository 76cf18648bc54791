/** The agent: the privileged half of a gateway, in one process. The only reader of its command line. */

import { runCommand } from '../../process/command.ts';
import { type HttpServer, startHttpServer } from '../../process/http-server.ts';
import { createLog, flushLog, type Log } from '../../process/log.ts';
import { Readiness } from '../../process/readiness.ts';
import { endInGoodOrder } from '../../process/shutdown.ts';
import { version } from '../../process/version.ts';
import { loadUnixSyscalls } from '../agent/unix-syscalls.ts';
import { Agent } from './agent.ts';
import { agentRoutes } from './agent-metrics.ts';
import { type AgentOptions, parseCommandLine, USAGE } from './agent-options.ts';
import { createHost } from './host.ts';
import { openKernelChildren } from './kernel-children.ts';
import { ownAddresses } from './own-addresses.ts';

const EXIT_FAILED = 1;
const SHUTDOWN_LIMIT_MS = 15_000;

await runCommand(parseCommandLine(process.argv.slice(2), { uid: process.getuid?.() ?? 0 }), USAGE, run);

async function run(options: AgentOptions): Promise<void> {
  const log = createLog({ level: options.logLevel, base: { part: 'agent' } });
  log.info({ version: version(), node: process.version, pid: process.pid }, 'starting');
  try {
    await serve(options, log);
  } catch (error) {
    log.fatal(error instanceof Error ? error.message : String(error));
    await flushLog(log);
    process.exit(EXIT_FAILED);
  }
}

async function serve(options: AgentOptions, log: Log): Promise<void> {
  const readiness = new Readiness();
  const syscalls = await loadUnixSyscalls();
  const agent: Agent = new Agent(options, {
    ...{ host: createHost(), openKernel: openKernelChildren, syscalls, isOwn: ownAddresses(), log, readiness },
    failed(error) {
      // Without a last word to the kernel: the next agent finds all that is there and goes on with it.
      log.fatal(`${error.message}; the agent ends, to be started anew`);
      void flushLog(log).then(() => process.exit(EXIT_FAILED));
    },
  });
  let http: HttpServer | undefined;
  const close = async (): Promise<void> => {
    await Promise.all([http?.close(), agent.close()]);
  };
  endInGoodOrder({ log, close, limitMs: SHUTDOWN_LIMIT_MS });
  if (options.metrics) http = await startHttpServer({ ...options.metrics, routes: agentRoutes(agent, readiness), log });
  await agent.start();
}
