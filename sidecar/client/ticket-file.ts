/** A ticket on disk (RFC 5723 §6.2): with SK_d it is worth a session, so the file is its owner's alone, whole or absent, and gone before the ticket is presented. */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { formatProblem } from '../contract/problem.ts';
import type { HeldTicket } from '../ike/connection.ts';
import { decodeTicket, encodeTicket } from './ticket-document.ts';
import { type Audience, isFresh, mismatch, type TicketStore } from './ticket-store.ts';

const LARGEST = 64 * 1024;

/** Never throws: a ticket spares a handshake, and whoever cannot have it does the handshake. `warn` is told why, with the remedy. */
export class TicketFile implements TicketStore {
  readonly #file: string;
  readonly #audience: Audience;
  readonly #warn: (message: string) => void;

  constructor(file: string, audience: Audience, warn: (message: string) => void) {
    this.#file = file;
    this.#audience = audience;
    this.#warn = warn;
  }

  take(now: number): HeldTicket | undefined {
    const ticket = this.#read();
    if (ticket === undefined) return undefined;
    // Of two processes that have read it, one removes it. One that cannot be removed would be presented again.
    if (!this.#remove()) return undefined;
    return isFresh(ticket, now) ? ticket : undefined;
  }

  keep(ticket: HeldTicket): void {
    const { gateway, provenBy } = this.#audience;
    const beside = `${this.#file}.tmp`;
    try {
      rmSync(beside, { force: true });
      writeWhole(beside, encodeTicket({ ticket, gateway, provenBy }));
      renameSync(beside, this.#file);
      syncFolder(this.#file);
    } catch (error) {
      rmSync(beside, { force: true });
      this.#warn(
        `${this.#file}: the ticket cannot be kept: ${reason(error)}; make its folder writable or choose another with --ticket-file`,
      );
    }
  }

  discard(): void {
    this.#remove();
  }

  #read(): HeldTicket | undefined {
    try {
      return this.#usable(readOwn(this.#file));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.#warn(`${this.#file}: ticket not used: ${reason(error)}`);
      return undefined;
    }
  }

  #usable(text: string): HeldTicket | undefined {
    const read = decodeTicket(text, this.#file);
    if (!read.ok) {
      this.#warn(`ticket not used: ${read.problems.map(formatProblem).join('\n')}`);
      return undefined;
    }
    const why = mismatch(read.value, this.#audience);
    if (why === undefined) return read.value.ticket;
    this.#warn(`${this.#file}: ticket not used: ${why}; use another --ticket-file for each gateway and identity`);
    return undefined;
  }

  #remove(): boolean {
    try {
      unlinkSync(this.#file);
      syncFolder(this.#file);
      return true;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.#warn(`${this.#file}: cannot be removed: ${reason(error)}; make its folder writable`);
      return false;
    }
  }
}

/** @throws Error with a remedy when others may read or have placed the file. */
function readOwn(file: string): string {
  const handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const status = fstatSync(handle);
    if (!status.isFile() || status.size > LARGEST) throw new Error('not a ticket file; remove it');
    if (status.uid !== process.geteuid?.()) throw new Error('it belongs to somebody else; remove it');
    if ((status.mode & 0o077) !== 0)
      throw new Error(`others may read it (mode ${octal(status.mode)}); remove it, a new one is written with mode 0600`);
    return readFileSync(handle, 'utf8');
  } finally {
    closeSync(handle);
  }
}

/** On disk when it answers. */
function writeWhole(file: string, text: string): void {
  const handle = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    fchmodSync(handle, 0o600); // whatever the umask
    writeFileSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function syncFolder(file: string): void {
  const handle = openSync(dirname(file), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0');
const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);
