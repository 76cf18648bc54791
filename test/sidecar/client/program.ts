/** The client program as a process, and a gateway for it on loopback. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ClientEvent } from '../../../sidecar/client/event.ts';
import { createLog } from '../../../sidecar/process/log.ts';
import { Sidecar } from '../../../sidecar/shell/sidecar.ts';
import { scratch } from '../../harness/scratch.ts';
import { exampleConfig, exampleRing } from '../shell/example-files.ts';

const PROGRAM = join(import.meta.dirname, '../../../sidecar/client/main.ts');
const ADDRESS = '127.84.0.1';
const PORTS = '{ ikePort: 16500, natPort: 16501, httpPort: 16502, peerPort: 16503 }';
const PSK = 'a secret of sixteen';

export const files = scratch();
const config = files.write('gateway.yaml', exampleConfig(1).replace(/\{ ikePort.*\}/, PORTS));
const keyRing = files.write('key-ring.yaml', exampleRing(1));
mkdirSync(join(files.path, 'psk'));
files.write('psk/users.yaml', `"alice@example.com": "${PSK}"\n`);
export const pskFile = files.write('alice.psk', `${PSK}\n`);
export const wrongPskFile = files.write('wrong.psk', 'another secret of sixteen\n');
export const ticketFile = join(files.path, 'ticket.json');
for (const file of [pskFile, wrongPskFile]) chmodSync(file, 0o600);
const log = createLog({ level: 'silent', base: {} });

export async function startGateway(): Promise<Sidecar> {
  const sidecar = new Sidecar(
    {
      paths: { config, keyRing, credentials: { psk: [{ path: join(files.path, 'psk'), name: undefined }] } },
      ...{ addresses: [ADDRESS], ordinal: 0, podUid: undefined, http: { host: ADDRESS, port: undefined }, tun: undefined },
      ...{ logLevel: 'silent', version: 'test' },
    },
    log,
  );
  await sidecar.start();
  return sidecar;
}

export class Program {
  readonly events: ClientEvent[] = [];
  readonly #process: ChildProcess;
  readonly #status: Promise<unknown[]>;
  #stderr = '';
  #wake: (() => void) | undefined;

  constructor(...flags: readonly string[]) {
    const argv = [
      'connect',
      '--gateway',
      `${ADDRESS}:16500`,
      '--nat-port',
      '16501',
      '--id',
      'alice@example.com',
      '--json',
      ...flags,
    ];
    this.#process = spawn(process.execPath, [PROGRAM, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#status = once(this.#process, 'close');
    const { stdout, stderr } = this.#process;
    assert.ok(stdout && stderr);
    createInterface(stdout).on('line', (line) => {
      this.events.push(JSON.parse(line));
      this.#wake?.();
    });
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
  }

  async next<N extends ClientEvent['name']>(name: N, since = 0): Promise<Extract<ClientEvent, { name: N }>> {
    for (;;) {
      const found = this.events.slice(since).find((event): event is Extract<ClientEvent, { name: N }> => event.name === name);
      if (found) return found;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async end(): Promise<{ readonly status: unknown; readonly stderr: string }> {
    const [status] = await this.#status;
    return { status, stderr: this.#stderr };
  }
}
