/** A FreeRADIUS of the lab: what it said of each request, and what it wrote down of each session. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Credential } from './authority.ts';
import type { Machine } from './machine.ts';
import { mountRoot } from './peer-root.ts';
import { PATIENCE_MS, type Program } from './program.ts';

/** radiusd.conf and users. */
const CONFIGURATION = join(import.meta.dirname, '../freeradius');
const CREDENTIALS = 'run/credentials';
const ACCOUNTING = 'run/accounting';

export const RADIUS_SECRET = 'shared by the lab alone';
export const RADIUS_PORTS = { port: 1812, accountingPort: 1813 } as const;

export interface FreeRadiusSettings {
  /** What it shows in EAP-TLS, with intermediates. */
  readonly server: Credential;
  /** PEM of who vouches for clients. */
  readonly anchor: string;
  readonly newestTls?: '1.2' | '1.3';
}

export interface FreeRadiusPlace {
  readonly machine: Machine;
  readonly root: string;
  /** Where its view of the root appears. */
  readonly at: string;
  readonly address: string;
}

/** One block of its detail file: names of attributes to what was said, `Acct-Status-Type` to `Start`; what comes twice stands side by side. */
export type AccountingEntry = ReadonlyMap<string, string>;

export class FreeRadius {
  readonly address: string;
  readonly #at: string;
  readonly #process: Program;

  private constructor({ address, at }: FreeRadiusPlace, process: Program) {
    this.address = address;
    this.#at = at;
    this.#process = process;
  }

  /** Done when it takes requests. */
  static async start(place: FreeRadiusPlace, { server, anchor, newestTls = '1.3' }: FreeRadiusSettings): Promise<FreeRadius> {
    const { machine, root, at } = place;
    mountRoot({ root, at, peer: CONFIGURATION, scratch: [] });
    mkdirSync(join(at, CREDENTIALS));
    const write = (file: string, text: string): void => writeFileSync(join(at, CREDENTIALS, file), text, { mode: 0o600 });
    write('server.pem', server.certificate);
    write('server.key', server.key);
    write('anchor.pem', anchor);
    const environment = ['env', `RADIUS_SECRET=${RADIUS_SECRET}`, `RADIUS_TLS=${newestTls}`];
    const command = ['chroot', at, '/usr/sbin/freeradius', '-X', '-d', '/peer', '-D', '/usr/share/freeradius'];
    const process = machine.start('freeradius', [...environment, ...command]);
    const radius = new FreeRadius(place, process);
    await radius.says(/^Ready to process requests/);
    return radius;
  }

  /** @throws Error when it does not say so `times` times. */
  async says(pattern: RegExp, times = 1, withinMs = PATIENCE_MS): Promise<void> {
    await this.#process.wait((line) => (pattern.test(line) ? line : undefined), times, { what: String(pattern), withinMs });
  }

  count(pattern: RegExp): number {
    return this.#process.lines.filter((line) => pattern.test(line)).length;
  }

  /** It hears nothing and says nothing until it thaws; what came meanwhile it answers then. */
  freeze(): void {
    this.#process.signal('SIGSTOP');
  }

  thaw(): void {
    this.#process.signal('SIGCONT');
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }

  /** All that it wrote down, in order. */
  accounting(): readonly AccountingEntry[] {
    const file = join(this.#at, ACCOUNTING);
    const blocks = existsSync(file) ? readFileSync(file, 'utf8').split('\n\n') : [];
    return blocks.filter((block) => block.includes('Acct-Status-Type')).map(entry);
  }
}

function entry(block: string): AccountingEntry {
  const all = new Map<string, string>();
  for (const [, name = '', value = ''] of block.matchAll(/^\t([\w-]+) = "?(.*?)"?$/gm))
    all.set(name, [all.get(name) ?? [], value].flat().join(', '));
  return all;
}
