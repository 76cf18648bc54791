/** A strongSwan of the lab: charon with ESP in its own process (kernel-libipsec), told what to do by swanctl. */
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Machine, Output } from './machine.ts';
import { mountRoot } from './peer-root.ts';
import { PATIENCE_MS, type Program } from './program.ts';

const PEERS = join(import.meta.dirname, '../strongswan');
const SOCKET = 'run/charon.vici';
/** swanctl.conf and folders of credentials. */
const SETTINGS = 'etc/swanctl';

export interface StrongSwanPlace {
  readonly machine: Machine;
  readonly root: string;
  /** Where its view of the root appears. */
  readonly at: string;
  /** The folder of configurations that it sees as /peer; undefined: that of the scenarios. */
  readonly peers?: string;
  /** The scenario's folder in `peers`: has swanctl.conf, and may have a strongswan.conf. */
  readonly scenario: string;
  /** Makes it believe that the kernel has ESP, where it is told to leave ESP to the kernel. */
  readonly shim?: string;
  /** Below the folder of swanctl.conf: `x509/client.pem`, `private/client.pem`, `x509ca/root.pem`. */
  readonly files?: Readonly<Record<string, string>>;
}

export class StrongSwan {
  readonly #place: StrongSwanPlace;
  #charon: Program;

  private constructor(place: StrongSwanPlace, charon: Program) {
    this.#place = place;
    this.#charon = charon;
  }

  /** Done when its configuration is loaded. */
  static async start(place: StrongSwanPlace): Promise<StrongSwan> {
    mountRoot({ root: place.root, at: place.at, peer: place.peers ?? PEERS, scratch: [SETTINGS] });
    writeFileSync(join(place.at, SETTINGS, 'swanctl.conf'), `include /peer/${place.scenario}/swanctl.conf\n`);
    if (place.shim) copyFileSync(place.shim, join(place.at, 'tmp/shim.so'));
    const peer = new StrongSwan(place, startCharon(place));
    peer.write(place.files ?? {});
    await peer.#load();
    return peer;
  }

  get pid(): number {
    return this.#charon.pid;
  }

  /** Files below the folder of swanctl.conf; read with `--load-creds`. */
  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      const file = join(this.#place.at, SETTINGS, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text, { mode: 0o600 });
    }
  }

  /** Killed without a word and started again; its log begins anew. */
  async restart(): Promise<void> {
    await this.#charon.kill();
    this.#charon = startCharon(this.#place);
    await this.#load();
  }

  kill(): Promise<void> {
    return this.#charon.kill();
  }

  /** @throws Error with what it said when the child does not come up. */
  async initiate(child: string): Promise<string> {
    const { status, text } = await this.tryToInitiate(child);
    if (status !== 0) throw new Error(`strongSwan did not bring up ${child}:\n${text}`);
    return text;
  }

  tryToInitiate(child: string): Promise<Output> {
    return this.swanctl('--initiate', '--child', child, '--timeout', '10');
  }

  /** @throws Error when swanctl fails. */
  async must(...args: readonly string[]): Promise<string> {
    const { status, text } = await this.swanctl(...args);
    if (status !== 0) throw new Error(`swanctl ${args.join(' ')} ended with ${status}:\n${text}`);
    return text;
  }

  swanctl(...args: readonly string[]): Promise<Output> {
    return this.#place.machine.run('chroot', this.#place.at, '/usr/sbin/swanctl', ...args, '--uri', `unix:///${SOCKET}`);
  }

  /** Waits until its log has this `times` times. */
  async says(pattern: RegExp, times = 1, withinMs = PATIENCE_MS): Promise<string[]> {
    const pick = (line: string) => (pattern.test(line) ? line : undefined);
    return this.#charon.wait(pick, times, { what: String(pattern), withinMs });
  }

  said(pattern: RegExp): string[] {
    return this.#charon.lines.filter((line) => pattern.test(line));
  }

  async #load(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!existsSync(join(this.#place.at, SOCKET))) {
      if (!this.#charon.running || performance.now() > deadline)
        throw new Error(`charon does not start:\n${this.#charon.lines.slice(-10).join('\n')}`);
      await pause(20);
    }
    await this.must('--load-all');
  }
}

function startCharon({ machine, at, scenario, shim, peers = PEERS }: StrongSwanPlace): Program {
  const own = existsSync(join(peers, scenario, 'strongswan.conf'));
  const config = `/peer/${own ? `${scenario}/` : ''}strongswan.conf`;
  const preload = shim === undefined ? '' : 'LD_PRELOAD=/tmp/shim.so ';
  // A killed one leaves these behind; gone before the new one starts, for its socket says that it answers.
  for (const file of [SOCKET, 'run/charon-systemd.pid']) rmSync(join(at, file), { force: true });
  const begin = `exec env ${preload}STRONGSWAN_CONF=${config} /usr/sbin/charon-systemd`;
  return machine.start(`strongswan-${machine.name}`, ['chroot', at, '/bin/bash', '-c', begin]);
}
