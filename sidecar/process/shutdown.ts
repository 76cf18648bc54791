/** How a process ends: by the first signal in good order, by the second at once, and never later than a limit. */
import type { Log } from './log.ts';
import { flushLog } from './log.ts';

export interface ShutdownOptions {
  readonly log: Log;
  /** Good order; afterwards nothing keeps the process. */
  readonly close: () => Promise<void>;
  readonly limitMs: number;
}

/** 128 + SIGTERM would say that the signal killed us; good order is 0. */
const IN_GOOD_ORDER = 0;
const CUT_SHORT = 1;
/** EX_SOFTWARE of sysexits.h. */
const BUG = 70;

/** Installs the handlers; answers how to end the process for a reason of its own. */
export function endInGoodOrder({ log, close, limitMs }: ShutdownOptions): (why: string) => void {
  let ending = false;
  const end = (why: string): void => {
    if (ending) {
      log.warn({ why }, 'exit at once');
      void exit(log, CUT_SHORT);
      return;
    }
    ending = true;
    log.info({ why }, 'shutting down');
    setTimeout(() => {
      log.error({ limitMs }, 'shutdown took too long');
      void exit(log, CUT_SHORT);
    }, limitMs).unref();
    close().then(
      () => exit(log, IN_GOOD_ORDER),
      (error: unknown) => {
        log.error({ err: error }, 'shutdown failed');
        return exit(log, CUT_SHORT);
      },
    );
  };
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
  dieOfBugs(log);
  return end;
}

/** After an exception that nobody expected the state is unknown: say so and stop. Whoever supervises starts us again, and sessions come back by ticket. */
function dieOfBugs(log: Log): void {
  const die = (error: unknown): void => {
    log.fatal({ err: error }, 'unexpected exception');
    void exit(log, BUG);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}

async function exit(log: Log, code: number): Promise<void> {
  const late = setTimeout(() => process.exit(code), 1_000);
  await flushLog(log);
  clearTimeout(late);
  process.exit(code);
}
