/** Messages over a connected socket, for both ends: bounded in memory and in time, whatever the other side does. */
import type { Socket } from 'node:net';
import type { Bytes } from '../../ike/wire/bytes.ts';
import { FrameReader } from './frame-reader.ts';
import { NoMessage } from './messages.ts';

export interface ChannelOptions<In, Out> {
  readonly decode: (body: Bytes) => In;
  readonly encode: (message: Out) => Bytes;
  /** Default: LIMITS. */
  readonly limits?: Limits;
}

export interface Limits {
  /** So long the other side may take for one frame, once it has begun. */
  readonly frameMs: number;
  /** So much may wait to be taken by the other side. */
  readonly queuedBytes: number;
  /** So long it may take nothing at all while something waits. */
  readonly stalledMs: number;
}

export const LIMITS: Limits = { frameMs: 10_000, queuedBytes: 8 << 20, stalledMs: 10_000 };

/** For what was sent last. */
const LINGER_MS = 1_000;

export class MessageChannel<In, Out> {
  readonly #socket: Socket;
  readonly #options: ChannelOptions<In, Out>;
  readonly #limits: Limits;
  #stalled: NodeJS.Timeout | undefined;
  /** What it had taken when it was looked at last. */
  #taken = 0;

  constructor(socket: Socket, options: ChannelOptions<In, Out>) {
    this.#socket = socket;
    this.#options = options;
    this.#limits = options.limits ?? LIMITS;
    // Whoever reads learns of it there; a writer needs not know.
    socket.on('error', () => {});
    socket.on('close', () => clearTimeout(this.#stalled));
  }

  /**
   * One after the other: nothing more is read before the last one has been dealt with. Ends when the other side closes, or this one does.
   * @throws NoMessage, or an Error that says what became of the connection
   */
  async *messages(): AsyncGenerator<In, void, undefined> {
    const frames = new FrameReader();
    for await (const chunk of this.#chunks(() => frames.midway)) {
      for (const body of frames.read(chunk)) {
        const message = this.#options.decode(body);
        // It may have held keys, which are in the message now and nowhere else.
        body.fill(0);
        yield message;
      }
      chunk.fill(0);
    }
    if (frames.midway !== undefined) throw new NoMessage('frame: the connection ended in the midst of one');
  }

  /** Does nothing when the connection is gone. A side that does not take what it is sent loses it. */
  send(message: Out): void {
    if (this.gone) return;
    const frame = this.#options.encode(message);
    if (this.#socket.writableLength + frame.length > this.#limits.queuedBytes) {
      this.close(new Error(`the other side does not read: ${this.#socket.writableLength} bytes wait for it`));
      return;
    }
    if (!this.#socket.write(frame)) this.#watchOver();
  }

  /** Done when there is room for more, or the connection is gone. */
  ready(): Promise<void> {
    const socket = this.#socket;
    if (!socket.writableNeedDrain || socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off('drain', done).off('close', done);
        resolve();
      };
      socket.on('drain', done).on('close', done);
    });
  }

  get gone(): boolean {
    return this.#socket.destroyed || this.#socket.writableEnded;
  }

  /** Without `why`, what was sent before is still delivered, if the other side takes it soon. `why` is thrown where messages are read. */
  close(why?: Error): void {
    if (why) {
      this.#socket.destroy(why);
      return;
    }
    this.#socket.destroySoon();
    const late = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    this.#socket.once('close', () => clearTimeout(late));
  }

  async *#chunks(frame: () => number | undefined): AsyncGenerator<Bytes, void, undefined> {
    // Whoever reads decides when it is closed: there may be a last word.
    const chunks = this.#socket.iterator({ destroyOnReturn: false });
    const waited = { for: frame(), ms: 0 };
    try {
      for (;;) {
        if (frame() !== waited.for) Object.assign(waited, { for: frame(), ms: 0 });
        const began = performance.now();
        const late = waited.for === undefined ? undefined : setTimeout(() => this.#late(), this.#limits.frameMs - waited.ms);
        const { done, value } = await chunks.next().finally(() => clearTimeout(late));
        waited.ms += performance.now() - began;
        if (done) return;
        yield value as Bytes;
      }
    } catch (error) {
      // It was closed at this end.
      if (!(error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE')) throw error;
    }
  }

  #late(): void {
    this.#socket.destroy(new NoMessage(`frame: not complete after ${this.#limits.frameMs} ms`));
  }

  #watchOver(): void {
    this.#stalled ??= setTimeout(() => this.#look(), this.#limits.stalledMs).unref();
  }

  #look(): void {
    this.#stalled = undefined;
    const taken = this.#socket.bytesWritten - this.#socket.writableLength;
    if (this.#socket.destroyed || this.#socket.writableLength === 0) return;
    if (taken === this.#taken) {
      this.close(new Error(`the other side does not read: nothing in ${this.#limits.stalledMs} ms`));
      return;
    }
    this.#taken = taken;
    this.#watchOver();
  }
}
