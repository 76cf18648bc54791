/** The sidecar as it runs in a pod, alone on a core, with files made for the purpose. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { encodeGatewayConfig } from '../../sidecar/contract/gateway-yaml.ts';
import { encodeKeyRing } from '../../sidecar/contract/key-ring-yaml.ts';
import { AEAD, CERTIFICATE_RULE, config, ESP, ring } from '../harness/policy.ts';
import type { Endpoint } from './initiator.ts';
import { pin, pinned, processorUs, residentBytes } from './process-cost.ts';
import { SECRET, userName } from './user.ts';

const PORTS = { ikePort: 25500, natPort: 25501, httpPort: 25502, peerPort: 25503 };
const PROGRAM = join(import.meta.dirname, '../../sidecar/main.ts');
const DAY_MS = 86_400_000;
export const GATEWAY_CORE = 0;
export const CLIENT_CORE = 1;

export interface GatewayChoice {
  /** So many have a pre-shared key. */
  readonly users: number;
  readonly crypto: string;
  readonly certificates?: GatewayCertificates | undefined;
  /** Undefined: on the loopback interface. */
  readonly place?: Place;
  /** Further options of node. */
  readonly node?: readonly string[];
}

/** PEM. */
export interface GatewayCertificates {
  /** Its own, with intermediates. */
  readonly chain: string;
  readonly key: string;
  /** Whom clients must have their certificates from. */
  readonly authority: string;
}

export interface Place {
  readonly address: string;
  /** What comes before a command that is to run there. */
  readonly within: readonly string[];
}

export class GatewayProcess {
  readonly endpoint: Endpoint;
  readonly #process: ChildProcess;
  readonly #directory: string;

  /** The process that calls this is pinned to the other core. */
  static async start(choice: GatewayChoice): Promise<GatewayProcess> {
    const { address, within } = choice.place ?? { address: '127.0.0.1', within: [] };
    const directory = mkdtempSync(join(tmpdir(), 'rekindle-bench-'));
    const file = (name: string): string => join(directory, name);
    writeFiles(directory, choice);
    const args = [
      ...['--config', file('gateway.yaml'), '--key-ring', file('key-ring.yaml'), '--psk-dir', file('psk')],
      ...['--address', address, '--http-address', `${address}:${PORTS.httpPort}`, '--ordinal', '0', '--log-level', 'warn'],
      ...(choice.certificates ? ['--certificate-dir', file('own'), '--authority', `staff=${file('staff')}`] : []),
    ];
    const node = [process.execPath, ...(choice.node ?? []), PROGRAM];
    const [command = '', ...rest] = [...within, ...pinned(GATEWAY_CORE, [...node, ...args])];
    const child = spawn(command, rest, { stdio: ['ignore', 'inherit', 'inherit'] });
    const gateway = new GatewayProcess(child, directory, address);
    await gateway.#ready().catch(async (error) => {
      await gateway.stop();
      throw error;
    });
    pin(CLIENT_CORE, process.pid);
    return gateway;
  }

  private constructor(child: ChildProcess, directory: string, address: string) {
    this.#process = child;
    this.#directory = directory;
    this.endpoint = { address, port: PORTS.ikePort };
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Processor time so far, user and system. */
  cpuUs(): number {
    return processorUs(this.pid);
  }

  rssBytes(): number {
    return residentBytes(this.pid);
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
      const answer = await fetch(`http://${this.endpoint.address}:${PORTS.httpPort}/readyz`).catch(() => undefined);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the gateway is not ready after 10 s');
  }
}

function writeFiles(directory: string, { users, crypto, certificates }: GatewayChoice): void {
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(join(directory, name)), { recursive: true, mode: 0o700 });
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  };
  const gateway = config({
    listen: PORTS,
    pools: [{ cidr: '10.64.0.0/10' }],
    slices: 1,
    // Clients of the load answer nothing, so that nobody asks whether they live.
    ike: { algorithms: AEAD, cookieThreshold: 1_000_000, maxHalfOpen: 100_000, maxSessions: 1_000_000, deadPeerMs: DAY_MS },
    esp: { algorithms: ESP, forceEncapsulation: true },
    tickets: { maxSpent: 1_000_000 },
    ...(certificates && { authentication: [CERTIFICATE_RULE] }),
  });
  write('gateway.yaml', encodeGatewayConfig({ ...gateway, crypto: crypto as typeof gateway.crypto }));
  write('key-ring.yaml', encodeKeyRing(ring()));
  const lines = Array.from({ length: users }, (_, user) => `${userName(user)}: ${SECRET}\n`);
  write('psk/users.yaml', lines.join(''));
  if (!certificates) return;
  write('own/tls.crt', certificates.chain);
  write('own/tls.key', certificates.key);
  write('staff/ca.crt', certificates.authority);
}
