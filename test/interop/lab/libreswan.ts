/** A libreswan of the lab: pluto with a kernel that seems to have ESP, told what to do by whack. Its IKE is real, no data flows. */
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Machine, Output } from './machine.ts';
import { mountRoot } from './peer-root.ts';
import { PATIENCE_MS, type Program } from './program.ts';

const PEERS = join(import.meta.dirname, '../libreswan');
const NSS = 'var/lib/ipsec/nss';

export interface LibreswanPlace {
  readonly machine: Machine;
  readonly root: string;
  /** Where its view of the root appears. */
  readonly at: string;
  /** The scenario's folder in `libreswan/`: has ipsec.conf. */
  readonly scenario: string;
  readonly shim: string;
}

export class Libreswan {
  readonly #place: LibreswanPlace;
  readonly #pluto: Program;

  private constructor(place: LibreswanPlace, pluto: Program) {
    this.#place = place;
    this.#pluto = pluto;
  }

  /** Done when it answers. */
  static async start(place: LibreswanPlace): Promise<Libreswan> {
    const { root, at, machine, scenario, shim } = place;
    mountRoot({ root, at, peer: PEERS, scratch: [NSS] });
    copyFileSync(shim, join(at, 'tmp/shim.so'));
    execFileSync('chroot', [at, '/bin/bash', '-c', 'mkdir -p /run/pluto; exec /usr/sbin/ipsec initnss'], { stdio: 'pipe' });
    const config = ['--config', `/peer/${scenario}/ipsec.conf`, '--secretsfile', '/peer/ipsec.secrets'];
    const argv = ['env', 'LD_PRELOAD=/tmp/shim.so', '/usr/libexec/ipsec/pluto', '--nofork', '--stderrlog', ...config];
    const peer = new Libreswan(place, machine.start(`libreswan-${machine.name}`, ['chroot', at, ...argv]));
    await peer.#answers();
    return peer;
  }

  kill(): Promise<void> {
    return this.#pluto.kill();
  }

  /** Loads a connection of its ipsec.conf. */
  async add(connection: string): Promise<void> {
    await this.must('addconn', '--config', `/peer/${this.#place.scenario}/ipsec.conf`, connection);
  }

  /** @throws Error with what it said when the child does not come up. */
  async up(connection: string): Promise<string> {
    return this.must('up', connection);
  }

  /** Leaves with its ticket kept. It tells the other side by a DELETE unless it was told not to. */
  async suspend(connection: string): Promise<void> {
    await this.must('whack', '--suspend', '--name', connection);
  }

  /** @throws Error when the command fails. */
  async must(...args: readonly string[]): Promise<string> {
    const { status, text } = await this.ipsec(...args);
    if (status !== 0) throw new Error(`ipsec ${args.join(' ')} ended with ${status}:\n${text}`);
    return text;
  }

  ipsec(...args: readonly string[]): Promise<Output> {
    return this.#place.machine.run('chroot', this.#place.at, '/usr/sbin/ipsec', ...args);
  }

  /** Waits until its log has this `times` times. */
  async says(pattern: RegExp, times = 1, withinMs = PATIENCE_MS): Promise<string[]> {
    const pick = (line: string) => (pattern.test(line) ? line : undefined);
    return this.#pluto.wait(pick, times, { what: String(pattern), withinMs });
  }

  said(pattern: RegExp): string[] {
    return this.#pluto.lines.filter((line) => pattern.test(line));
  }

  async #answers(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const { status } = await this.ipsec('whack', '--briefstatus');
      if (status === 0) return;
      if (!this.#pluto.running || performance.now() > deadline)
        throw new Error(`pluto does not start:\n${this.#pluto.lines.slice(-10).join('\n')}`);
      await pause(50);
    }
  }
}
