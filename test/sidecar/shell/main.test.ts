/** The program as an operator runs it: started, asked, fed with good and bad files, stopped. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { acknowledgement } from '../../../sidecar/contract/acknowledgement.ts';
import { parseKeyRing } from '../../../sidecar/contract/key-ring-yaml.ts';
import { type GatewayStatus, parseStatus } from '../../../sidecar/contract/status.ts';
import { exampleConfig, exampleRing } from './example-files.ts';

const MAIN = join(import.meta.dirname, '../../../sidecar/main.ts');

class Program {
  readonly child: ChildProcess;
  readonly lines: Record<string, unknown>[] = [];
  readonly exited: Promise<number | null>;
  errors = '';
  #waiting: (() => void)[] = [];

  constructor(args: readonly string[], env = process.env) {
    this.child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.exited = new Promise((resolve) => void this.child.once('close', resolve));
    this.child.stderr?.on('data', (data) => {
      this.errors += data;
    });
    if (!this.child.stdout) return;
    createInterface(this.child.stdout).on('line', (line) => {
      this.lines.push(line.startsWith('{') ? JSON.parse(line) : { msg: line });
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  /** The first line with this message, now or later. */
  async line(message: string): Promise<Record<string, unknown>> {
    for (;;) {
      const found = this.lines.find(({ msg }) => msg === message);
      if (found) return found;
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    }
  }
}

describe('the sidecar', { timeout: 20_000 }, () => {
  let directory: string;
  let program: Program;
  let http: string;
  const get = async (path: string) => {
    const response = await fetch(`${http}${path}`);
    return { status: response.status, text: await response.text() };
  };
  const status = async (): Promise<GatewayStatus> => {
    const parsed = parseStatus('pod', (await get('/status')).text);
    assert.ok(parsed.ok);
    return parsed.value;
  };

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rekindle-sidecar-'));
    await mkdir(join(directory, 'psk'));
    await writeFile(join(directory, 'gateway.yaml'), exampleConfig(1));
    await writeFile(join(directory, 'psk', 'users.yaml'), '"alice@example.com": a secret of sixteen');
    const flags = { config: 'gateway.yaml', 'key-ring': 'key-ring.yaml', 'psk-dir': 'psk' };
    const files = Object.entries(flags).flatMap(([flag, file]) => [`--${flag}`, join(directory, file)]);
    program = new Program([...files, '--address', '127.0.0.1', '--http-address', '127.0.0.1:0', '--ordinal', '0'], {
      ...process.env,
      POD_UID: 'uid-1',
    });
    http = `http://127.0.0.1:${(await program.line('listening for probes and metrics'))['port']}`;
  });
  after(async () => {
    program.child.kill('SIGKILL');
    await program.exited;
    await rm(directory, { recursive: true });
  });

  it('is alive but not ready while there is no key ring, and says why', async () => {
    await program.line('key-ring.yaml is not there yet; waiting');
    await program.line('listening for sibling pods');
    assert.deepEqual(await get('/healthz'), { status: 200, text: 'ok\n' });
    const { status: code, text } = await get('/readyz');
    assert.equal(code, 503);
    assert.match(text, /^key-ring.yaml: not there\n/);
    assert.equal((await status()).keyRing, undefined);
  });

  it('is ready when the ring comes, and acknowledges it', async () => {
    await writeFile(join(directory, 'key-ring.yaml'), exampleRing(1));
    await program.line('ready');
    assert.deepEqual(await get('/readyz'), { status: 200, text: 'ready\n' });
    const ring = parseKeyRing('key-ring.yaml', exampleRing(1));
    assert.ok(ring.ok);
    assert.deepEqual((await status()).keyRing, {
      ringId: 'ring-1',
      generation: 1,
      acknowledgement: acknowledgement(ring.value, 'uid-1'),
    });
  });

  it('refuses a bad file whole, goes on with the old one and says so everywhere', async () => {
    await writeFile(join(directory, 'gateway.yaml'), exampleConfig(2).replace('10.8.0.0/24', '10.8.0.0'));
    const line = await program.line(
      'gateway.yaml: pools[0].cidr: not an IPv4 or IPv6 prefix: "10.8.0.0"; write it as address/length, for instance 10.8.0.0/24',
    );
    assert.equal(line['level'], 'error');
    const { config, faults, ready } = await status();
    assert.deepEqual(
      { generation: config?.generation, faults, ready },
      { generation: 1, faults: [{ file: 'gateway.yaml', problems: 1 }], ready: true },
    );
    assert.match((await get('/metrics')).text, /^rekindle_reloads_total\{file="config",outcome="refused"\} 1$/m);
  });

  it('loads the next good one', async () => {
    await writeFile(join(directory, 'gateway.yaml'), exampleConfig(3));
    while ((await status()).config?.generation !== 3) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual((await status()).faults, []);
  });

  it('lists sessions to this machine', async () => {
    assert.deepEqual(await get('/sessions'), { status: 200, text: '[]\n' });
  });

  it('ends with 0 after SIGTERM', async () => {
    program.child.kill('SIGTERM');
    assert.equal(await program.exited, 0);
    assert.equal(program.errors, '');
    assert.deepEqual(
      program.lines.filter(({ level }) => level === 'fatal'),
      [],
    );
  });
});

describe('a sidecar that cannot run', { timeout: 20_000 }, () => {
  it('explains its command line and ends with 2', async () => {
    const program = new Program(['--config', 'gateway.yaml', '--colour']);
    assert.equal(await program.exited, 2);
    assert.match(program.errors, /^Unknown option '--colour'\n\nusage: node sidecar\/main.ts --config FILE --key-ring FILE/);
  });

  it('explains an address that it does not have and ends with 1', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rekindle-sidecar-'));
    await writeFile(join(directory, 'gateway.yaml'), exampleConfig(1));
    const files = ['--config', join(directory, 'gateway.yaml'), '--key-ring', join(directory, 'key-ring.yaml')];
    const program = new Program([...files, '--address', '192.0.2.1', '--http-address', '127.0.0.1']);
    assert.equal(await program.exited, 1);
    assert.equal(
      program.lines.find(({ level }) => level === 'fatal')?.['msg'],
      'cannot listen on UDP port 0 of 192.0.2.1: EADDRNOTAVAIL; no interface of this machine has this address: choose one that `ip address` lists',
    );
    await rm(directory, { recursive: true });
  });

  it('prints its version', async () => {
    const program = new Program(['--version']);
    assert.equal(await program.exited, 0);
    assert.match(String((await program.line(String(program.lines[0]?.['msg'])))['msg']), /^\d+\.\d+\.\d+$/);
  });
});
