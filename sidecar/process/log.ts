/** Logs as JSON lines on standard output, for people with jq and for collectors. */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';

export type Log = Logger;
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  /** In every line. */
  readonly base: Readonly<Record<string, unknown>>;
  /** Default: standard output, without ever waiting for it. */
  readonly to?: DestinationStream;
}

/** Names under which a secret might be logged by mistake; `Secret` values are unprintable anyway. */
const SECRET_NAMES = ['secret', 'psk', 'key', 'keys', 'privateKey', 'skD', 'ticket', 'bytes', 'authorization'];

export function createLog({ level, base, to = destination({ dest: 1, sync: false }) }: LogOptions): Log {
  return pino(
    {
      level,
      base,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (name) => ({ level: name }) },
      redact: { paths: SECRET_NAMES.flatMap((name) => [name, `*.${name}`]), censor: '[secret]' },
    },
    to,
  );
}

/** Waits until all lines are written. */
export const flushLog = (log: Log): Promise<void> => new Promise((resolve) => log.flush(() => resolve()));
