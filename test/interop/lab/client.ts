/** Our client on a machine of the lab, as users run it, followed through its JSON events. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClientEvent } from '../../../sidecar/client/event.ts';
import { SECRET, USER } from './gateway.ts';
import type { Machine } from './machine.ts';
import type { Program } from './program.ts';
import type { Tuning } from './tuned-client.ts';

const MAIN = join(import.meta.dirname, '../../../sidecar/client/main.ts');
const TUNED = join(import.meta.dirname, 'tuned-client.ts');

type Named<N extends ClientEvent['name']> = Extract<ClientEvent, { name: N }>;

interface Place {
  /** For its files. */
  readonly folder: string;
  /** What runs a program of ours. */
  readonly node: readonly string[];
  readonly gateway: string;
}

/** A pre-shared key, or flags that name files. */
export type Credentials = { readonly secret: string } | { readonly flags: readonly string[] };

export class Client {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  static start(
    machine: Machine,
    { folder, node, gateway, credentials, args }: Place & { credentials: Credentials; args: readonly string[] },
  ): Client {
    const flags = 'secret' in credentials ? ['--id', USER, '--psk-file', pskFile(folder, credentials.secret)] : credentials.flags;
    const argv = [...node, MAIN, 'connect', '--gateway', gateway, ...flags, '--json'];
    return new Client(machine.start('client', [...argv, '--log-level', 'debug', ...args]));
  }

  static startTuned(machine: Machine, { folder, node, gateway, tuning }: Place & { tuning: Tuning }): Client {
    const argv = [...node, TUNED, gateway, USER, pskFile(folder, SECRET), JSON.stringify(tuning)];
    return new Client(machine.start('client', argv));
  }

  /** The first `times` events of that name. */
  async tells<N extends ClientEvent['name']>(
    name: N,
    { times = 1, withinMs, accept }: { times?: number; withinMs?: number; accept?: (event: Named<N>) => boolean } = {},
  ): Promise<Named<N>[]> {
    const pick = (line: string): Named<N> | undefined => {
      const event = parseEvent(line);
      return isNamed(event, name) && (accept?.(event) ?? true) ? event : undefined;
    };
    return this.#program.wait(pick, times, withinMs === undefined ? { what: name } : { what: name, withinMs });
  }

  /** Events of that name so far. */
  told<N extends ClientEvent['name']>(name: N): Named<N>[] {
    return this.#program.lines.map(parseEvent).filter((event) => isNamed(event, name));
  }

  /** Status when it has ended by itself. */
  async ended(): Promise<number | null> {
    await this.#program.ended();
    return this.#program.exitCode;
  }

  /** SIGTERM: it deletes its session. */
  stop(): Promise<void> {
    return this.#program.stop();
  }

  kill(): Promise<void> {
    return this.#program.kill();
  }
}

function pskFile(folder: string, secret: string): string {
  const file = join(folder, 'client.psk');
  writeFileSync(file, `${secret}\n`, { mode: 0o600 });
  return file;
}

const isNamed = <N extends ClientEvent['name']>(event: ClientEvent | undefined, name: N): event is Named<N> =>
  event?.name === name;

/** Diagnostics are JSON too, but have no name. */
function parseEvent(line: string): ClientEvent | undefined {
  return line.startsWith('{"time":') && line.includes('"name":') ? JSON.parse(line) : undefined;
}
