/** The program against a real gateway on loopback: connect, ping, suspend, resume, outlive the gateway, leave. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import type { ClientEvent } from '../../../sidecar/client/event.ts';
import { createLog } from '../../../sidecar/process/log.ts';
import { Sidecar } from '../../../sidecar/shell/sidecar.ts';
import { scratch } from '../../harness/scratch.ts';
import { exampleConfig, exampleRing } from '../shell/example-files.ts';

const PROGRAM = join(import.meta.dirname, '../../../sidecar/client/main.ts');
const ADDRESS = '127.84.0.1';
const PORTS = '{ ikePort: 16500, natPort: 16501, httpPort: 16502, peerPort: 16503 }';
const PSK = 'a secret of sixteen';

const files = scratch();
const config = files.write('gateway.yaml', exampleConfig(1).replace(/\{ ikePort.*\}/, PORTS));
const keyRing = files.write('key-ring.yaml', exampleRing(1));
mkdirSync(join(files.path, 'psk'));
files.write('psk/users.yaml', `"alice@example.com": "${PSK}"\n`);
const pskFile = files.write('alice.psk', `${PSK}\n`);
const wrongPskFile = files.write('wrong.psk', 'another secret of sixteen\n');
const ticketFile = join(files.path, 'ticket.json');
const log = createLog({ level: 'silent', base: {} });

async function startGateway(): Promise<Sidecar> {
  const sidecar = new Sidecar(
    {
      paths: { config, keyRing, preSharedKeys: join(files.path, 'psk') },
      ...{ addresses: [ADDRESS], ordinal: 0, podUid: undefined, http: { host: ADDRESS, port: undefined }, tun: undefined },
      ...{ logLevel: 'silent', version: 'test' },
    },
    log,
  );
  await sidecar.start();
  return sidecar;
}

class Program {
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

let gateway: Sidecar;
before(async () => {
  for (const file of [pskFile, wrongPskFile]) chmodSync(file, 0o600);
  gateway = await startGateway();
});
after(() => gateway.close());

describe('the client program', { timeout: 30_000 }, () => {
  it('connects, pings through the tunnel, and leaves with its ticket kept', async () => {
    const program = new Program(
      ...[
        '--psk-file',
        pskFile,
        '--ticket-file',
        ticketFile,
        '--ping',
        '10.8.0.1',
        '--interval',
        '20ms',
        '--count',
        '3',
        '--suspend-on-exit',
      ],
    );
    assert.deepEqual(await program.end(), { status: 0, stderr: '' });
    const { kind, roundTrips, keyExchanges } = await program.next('established');
    assert.deepEqual({ kind, roundTrips, keyExchanges }, { kind: 'full', roundTrips: 2, keyExchanges: 1 });
    const { sent, received } = await program.next('ping-summary');
    assert.deepEqual({ sent, received }, { sent: 3, received: 3 });
    assert.equal(statSync(ticketFile).mode & 0o777, 0o600);
  });

  it('resumes at its next start, and again when the gateway has died, with two round trips and no key exchange', async () => {
    const program = new Program(
      ...['--psk-file', pskFile, '--ticket-file', ticketFile, '--ping', '10.8.0.1', '--interval', '50ms', '--dead-peer', '500ms'],
    );
    const first = await program.next('established');
    await program.next('ping');
    await gateway.close();
    gateway = await startGateway();
    const since = program.events.length;
    assert.ok((await program.next('dead-peer', since)).detectedAfterMs < 1_000);
    const second = await program.next('established', since);
    for (const { kind, roundTrips, keyExchanges } of [first, second]) {
      assert.deepEqual({ kind, roundTrips, keyExchanges }, { kind: 'resumed', roundTrips: 2, keyExchanges: 0 });
    }
    assert.deepEqual(second.inner, first.inner);
    await program.next('ping', program.events.indexOf(second));
    program.signal('SIGTERM');
    assert.deepEqual(await program.end(), { status: 0, stderr: '' });
    assert.equal((await program.next('closed')).why, 'deleted');
    assert.equal(existsSync(ticketFile), false);
  });

  it('ends with a status and a word when it is to run once and the key is wrong', async () => {
    const program = new Program('--psk-file', wrongPskFile, '--once', '--log-level', 'silent');
    const { status, stderr } = await program.end();
    assert.equal(status, 1);
    assert.match(stderr, /^attempt 1: IKE_AUTH refused with AUTHENTICATION_FAILED\n$/);
  });

  it('ends with another status when it cannot begin', async () => {
    assert.deepEqual(await new Program('--psk-file', join(files.path, 'none')).end(), {
      status: 2,
      stderr: `--psk-file: ${files.path}/none: does not exist; write the pre-shared key into it, with mode 0600\n`,
    });
  });
});
