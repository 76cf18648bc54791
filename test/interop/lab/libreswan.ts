/** A libreswan of the lab: pluto, told what to do by whack. With a shim the kernel seems to have ESP: its IKE is real, no data flows. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { PKCS12_PASSWORD } from './authority.ts';
import type { Machine, Output } from './machine.ts';
import { mountRoot } from './peer-root.ts';
import { PATIENCE_MS, type Program } from './program.ts';
import { PATH } from './tools.ts';

const PEERS = join(import.meta.dirname, '../libreswan');
const IPSEC = '/usr/sbin/ipsec';
/** Longer than its own time for retransmissions where a scenario shortens that. */
const UP_LIMIT_S = 6;
const NSS = 'var/lib/ipsec/nss';

export interface LibreswanPlace {
  readonly machine: Machine;
  readonly root: string;
  /** Where its view of the root appears. */
  readonly at: string;
  /** The folder of configurations that it sees as /peer; undefined: that of the scenarios. */
  readonly peers?: string;
  /** The scenario's folder in `peers`: has ipsec.conf. */
  readonly scenario: string;
  /** Undefined: the kernel has ESP. */
  readonly shim?: string;
  readonly certificates?: Certificates | undefined;
}

export interface Certificates {
  /** PKCS #12 files with its own certificate, key and intermediates. */
  readonly own: readonly string[];
  /** Trust anchors, PEM by name. */
  readonly roots: Readonly<Record<string, string>>;
}

export class Libreswan {
  readonly #place: LibreswanPlace;
  #pluto: Program;

  private constructor(place: LibreswanPlace, pluto: Program) {
    this.#place = place;
    this.#pluto = pluto;
  }

  /** Done when it answers. */
  static async start(place: LibreswanPlace): Promise<Libreswan> {
    const { root, at, shim, peers = PEERS } = place;
    mountRoot({ root, at, peer: peers, scratch: [NSS] });
    if (shim !== undefined) copyFileSync(shim, join(at, 'tmp/shim.so'));
    const initialize = 'mkdir -p /run/pluto; exec /usr/sbin/ipsec initnss';
    execFileSync('chroot', [at, '/bin/bash', '-c', initialize], { stdio: 'pipe', env: { PATH } });
    if (place.certificates) importCertificates(at, place.certificates);
    const peer = new Libreswan(place, startPluto(place));
    await peer.#answers();
    return peer;
  }

  /** Killed without a word and started again: no key of a ticket and no connection is left. */
  async restart(): Promise<void> {
    await this.#pluto.kill();
    this.#pluto = startPluto(this.#place);
    await this.#answers();
  }

  get pid(): number {
    return this.#pluto.pid;
  }

  kill(): Promise<void> {
    return this.#pluto.kill();
  }

  /** SIGSTOP makes it silent, SIGCONT lets it go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#pluto.signal(signal);
  }

  /** Loads a connection of its ipsec.conf. */
  async add(connection: string): Promise<void> {
    const said = await this.must('addconn', '--config', `/peer/${this.#place.scenario}/ipsec.conf`, connection);
    if (!/: added /.test(said)) throw new Error(`libreswan did not load ${connection}:\n${said}`);
  }

  /** @throws Error with what it said when the child does not come up. */
  async up(connection: string): Promise<string> {
    const { text } = await this.tryUp(connection);
    if (!/established Child SA using/.test(text)) throw new Error(`libreswan did not bring up ${connection}:\n${text}`);
    return text;
  }

  /** What it said; it goes on trying behind our back unless it succeeds. */
  async tryUp(connection: string): Promise<Output> {
    return this.#place.machine.run('timeout', String(UP_LIMIT_S), 'chroot', this.#place.at, IPSEC, 'up', connection);
  }

  /** It tries and gives up. @throws Error when it succeeds. */
  async fails(connection: string): Promise<string> {
    const { text } = await this.tryUp(connection);
    if (/established Child SA using/.test(text)) throw new Error(`libreswan brought up ${connection}:\n${text}`);
    return text;
  }

  /** Leaves with its ticket kept. The other side gets a DELETE unless it was told to leave silently. */
  async suspend(connection: string): Promise<void> {
    await this.must('whack', '--suspend', '--name', connection);
  }

  /** No DELETE from now on, as when its network is gone. */
  async leaveSilently(): Promise<void> {
    await this.must('whack', '--impair', 'send-no-delete');
  }

  /** @throws Error when the command fails. */
  async must(...args: readonly string[]): Promise<string> {
    const { status, text } = await this.ipsec(...args);
    if (status !== 0) throw new Error(`ipsec ${args.join(' ')} ended with ${status}:\n${text}`);
    return text;
  }

  ipsec(...args: readonly string[]): Promise<Output> {
    return this.#place.machine.run('chroot', this.#place.at, IPSEC, ...args);
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

function importCertificates(at: string, { own, roots }: Certificates): void {
  const run = (...args: readonly string[]) => execFileSync('chroot', [at, ...args], { stdio: 'pipe', env: { PATH } });
  const store = `sql:/${NSS}`;
  for (const file of own) {
    copyFileSync(file, join(at, 'tmp/own.p12'));
    run('/usr/bin/pk12util', '-i', '/tmp/own.p12', '-d', store, '-W', PKCS12_PASSWORD);
  }
  for (const [name, pem] of Object.entries(roots)) {
    writeFileSync(join(at, 'tmp/root.pem'), pem);
    run('/usr/bin/certutil', '-A', '-d', store, '-n', name, '-t', 'CT,C,C', '-i', '/tmp/root.pem');
  }
}

function startPluto({ machine, at, scenario, shim }: LibreswanPlace): Program {
  const preload = shim === undefined ? '' : 'LD_PRELOAD=/tmp/shim.so ';
  const config = `--config /peer/${scenario}/ipsec.conf --secretsfile /peer/ipsec.secrets`;
  // A killed one leaves these behind.
  const begin = `rm -f /run/pluto/*; ${preload}exec /usr/libexec/ipsec/pluto --nofork --stderrlog ${config}`;
  return machine.start(`libreswan-${machine.name}`, ['chroot', at, '/bin/bash', '-c', begin]);
}
