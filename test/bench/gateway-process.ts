/** The sidecar as it runs in a pod, alone on a core, with files made for the purpose. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeGatewayConfig } from '../../sidecar/contract/gateway-yaml.ts';
import { encodeKeyRing } from '../../sidecar/contract/key-ring-yaml.ts';
import { AEAD, config, ESP, ring } from '../harness/policy.ts';
import { secretOf, userName } from './user.ts';

const ADDRESS = '127.0.0.1';
const PORTS = { ikePort: 25500, natPort: 25501, httpPort: 25502, peerPort: 25503 };
const PROGRAM = join(import.meta.dirname, '../../sidecar/main.ts');
/** USER_HZ, in which /proc counts processor time: 100 on every Linux. */
const TICK_US = 10_000;

export class GatewayProcess {
  readonly endpoint = { address: ADDRESS, port: PORTS.ikePort };
  readonly #process: ChildProcess;
  readonly #directory: string;

  static async start(options: { readonly users: number; readonly crypto: string }): Promise<GatewayProcess> {
    const directory = mkdtempSync(join(tmpdir(), 'rekindle-bench-'));
    writeFiles(directory, options);
    const args = [
      ...[
        '--config',
        join(directory, 'gateway.yaml'),
        '--key-ring',
        join(directory, 'key-ring.yaml'),
        '--psk-dir',
        join(directory, 'psk'),
      ],
      ...['--address', ADDRESS, '--http-address', `${ADDRESS}:${PORTS.httpPort}`, '--ordinal', '0', '--log-level', 'warn'],
    ];
    const child = spawn(...pinned(0, [process.execPath, PROGRAM, ...args]), { stdio: ['ignore', 'inherit', 'inherit'] });
    const gateway = new GatewayProcess(child, directory);
    await gateway.#ready();
    pinSelf(1);
    return gateway;
  }

  private constructor(child: ChildProcess, directory: string) {
    this.#process = child;
    this.#directory = directory;
  }

  /** Processor time so far, user and system. */
  cpuUs(): number {
    const stat = readFileSync(`/proc/${this.#process.pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_US;
  }

  rssBytes(): number {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.#process.pid}/status`, 'latin1'))?.[1]) * 1024;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      const exit = once(this.#process, 'exit');
      this.#process.kill('SIGTERM');
      await exit;
    }
    rmSync(this.#directory, { recursive: true });
  }

  async #ready(): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt++) {
      if (this.#process.exitCode !== null) throw new Error(`the gateway ended with code ${this.#process.exitCode}`);
      const answer = await fetch(`http://${ADDRESS}:${PORTS.httpPort}/readyz`).catch(() => undefined);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the gateway is not ready after 10 s');
  }
}

function writeFiles(directory: string, { users, crypto }: { readonly users: number; readonly crypto: string }): void {
  const gateway = config({
    listen: PORTS,
    pools: [{ cidr: '10.64.0.0/10' }],
    slices: 1,
    ike: { algorithms: AEAD, cookieThreshold: 1_000_000, maxHalfOpen: 100_000, maxSessions: 1_000_000 },
    esp: { algorithms: ESP, forceEncapsulation: true },
    tickets: { maxSpent: 1_000_000 },
  });
  writeFileSync(join(directory, 'gateway.yaml'), encodeGatewayConfig({ ...gateway, crypto: crypto as typeof gateway.crypto }), {
    mode: 0o600,
  });
  writeFileSync(join(directory, 'key-ring.yaml'), encodeKeyRing(ring()), { mode: 0o600 });
  mkdirSync(join(directory, 'psk'), { mode: 0o700 });
  const lines = Array.from({ length: users }, (_, user) => `${userName(user)}: ${secretOf(user)}\n`);
  writeFileSync(join(directory, 'psk', 'users.yaml'), lines.join(''), { mode: 0o600 });
}

const canPin = spawnSync('taskset', ['--version']).status === 0;

function pinned(core: number, [program = '', ...args]: readonly string[]): [string, string[]] {
  return canPin ? ['taskset', ['-c', String(core), program, ...args]] : [program, args];
}

function pinSelf(core: number): void {
  if (canPin) spawnSync('taskset', ['-a', '-cp', String(core), String(process.pid)]);
}
