/**
 * Requests to the kernel over netlink, in the order in which they are made, each answered by a promise.
 *
 * The kernel carries requests out while the sending system call lasts, so when it returns all answers are there to be read and nothing has to
 * be waited for. What is asked while a batch is under way makes up the next batch.
 */

import type { Bytes } from '../../ike/wire/bytes.ts';
import { errnoName } from '../../process/errno.ts';
import { decodeMessages, encodeMessage, endingOf, type Message, NLM_F_ACK, NLM_F_DUMP, type Request } from './netlink-message.ts';
import type { NetlinkSyscalls } from './netlink-syscalls.ts';

/** A request that the kernel refused; `code` is the errno name, the message the kernel's own words where it has some. */
export class NetlinkError extends Error {
  readonly code: string;

  constructor(code: string, text: string | undefined) {
    super(text === undefined || text === '' ? code : `${text} (${code})`);
    this.code = code;
  }
}

interface Pending {
  readonly bytes: Bytes;
  readonly sequence: number;
  readonly isDump: boolean;
  readonly answers: Message[];
  readonly resolve: (answers: readonly Message[]) => void;
  readonly reject: (error: Error) => void;
}

/** Half of what a socket may send at once by default, and so few that all answers fit the receive buffer. */
const BATCH_BYTES = 96 * 1024;
const BATCH_REQUESTS = 128;
const RECEIVE_BUFFER = 4 << 20;
/** The kernel fills at most 32 KiB of a dump at a time. */
const DATAGRAM_BYTES = 64 * 1024;
/** Parts of a dump that are read before others get their turn. */
const PARTS_AT_ONCE = 8;

export class NetlinkRequests {
  readonly #system: NetlinkSyscalls;
  readonly #fd: number;
  readonly #into = new Uint8Array(new ArrayBuffer(DATAGRAM_BYTES));
  #queue: Pending[] = [];
  #sequence = 0;
  #underWay = false;
  #closed = false;

  /** @throws Error that names the remedy. */
  constructor(system: NetlinkSyscalls, protocol: number) {
    this.#system = system;
    this.#fd = system.open(protocol, RECEIVE_BUFFER, []);
  }

  /** Fulfilled with what the kernel answers beside its acknowledgement. Rejects with NetlinkError. */
  ask(request: Request): Promise<readonly Message[]> {
    if (this.#closed) return Promise.reject(new NetlinkError('EBADF', 'the netlink socket is closed'));
    return new Promise((resolve, reject) => {
      this.#sequence = (this.#sequence % 0xffff_ffff) + 1;
      const isDump = (request.flags & NLM_F_DUMP) === NLM_F_DUMP;
      const flagged = isDump ? request : { ...request, flags: request.flags | NLM_F_ACK };
      const bytes = encodeMessage(flagged, this.#sequence);
      this.#queue.push({ bytes, sequence: this.#sequence, isDump, answers: [], resolve, reject });
      if (!this.#underWay) this.#begin();
    });
  }

  /** What is not answered yet is rejected. */
  close(): void {
    this.#closed = true;
    if (!this.#underWay) this.#end();
  }

  #begin(): void {
    this.#underWay = true;
    // What is asked in the same turn goes along.
    queueMicrotask(() => void this.#work());
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0 && !this.#closed) await this.#exchange(this.#takeBatch());
    this.#underWay = false;
    if (this.#closed) this.#end();
  }

  /** A dump goes by itself: a socket has one at a time. */
  #takeBatch(): readonly Pending[] {
    let [bytes, count] = [0, 0];
    for (const pending of this.#queue) {
      if (count > 0 && (pending.isDump || bytes + pending.bytes.length > BATCH_BYTES || count === BATCH_REQUESTS)) break;
      bytes += pending.bytes.length;
      count++;
      if (pending.isDump) break;
    }
    return this.#queue.splice(0, count);
  }

  async #exchange(batch: readonly Pending[]): Promise<void> {
    const bytes = joined(batch);
    try {
      // Which error it was is known to the thread that sent alone; the kernel has seen nothing then, so it may be sent again.
      if ((await this.#system.send(this.#fd, bytes)) < 0 && this.#system.sendNow(this.#fd, bytes) < 0) {
        const error = new NetlinkError(this.#system.errno(), 'the kernel takes no request over netlink');
        for (const { reject } of batch) reject(error);
        return;
      }
    } finally {
      // Keys were in it.
      bytes.fill(0);
      for (const pending of batch) pending.bytes.fill(0);
    }
    await this.#collect(new Map(batch.map((pending) => [pending.sequence, pending])));
  }

  async #collect(waiting: Map<number, Pending>): Promise<void> {
    for (let parts = 1; waiting.size > 0; parts++) {
      const length = this.#system.receive(this.#fd, this.#into);
      if (length < 0) {
        const code = this.#system.errno();
        if (code === 'EINTR') continue;
        for (const { reject } of waiting.values()) reject(new NetlinkError(code, 'an answer of the kernel was lost'));
        return;
      }
      for (const message of decodeMessages(this.#into.subarray(0, length))) take(message, waiting);
      if (parts % PARTS_AT_ONCE === 0 && [...waiting.values()].some(({ isDump }) => isDump)) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }

  #end(): void {
    this.#system.close(this.#fd);
    for (const { reject } of this.#queue.splice(0)) reject(new NetlinkError('EBADF', 'the netlink socket is closed'));
  }
}

function take(message: Message, waiting: Map<number, Pending>): void {
  const pending = waiting.get(message.sequence);
  if (!pending) return;
  const ending = endingOf(message);
  if (!ending) {
    pending.answers.push({ ...message, body: message.body.slice() });
    return;
  }
  waiting.delete(message.sequence);
  if (ending.errno === 0) pending.resolve(pending.answers);
  else pending.reject(new NetlinkError(errnoName(ending.errno), ending.text));
}

function joined(batch: readonly Pending[]): Bytes {
  const bytes = new Uint8Array(new ArrayBuffer(batch.reduce((sum, pending) => sum + pending.bytes.length, 0)));
  let at = 0;
  for (const pending of batch) {
    bytes.set(pending.bytes, at);
    at += pending.bytes.length;
  }
  return bytes;
}
