/** Frames out of a stream of bytes, however it was cut: never more memory than one frame. */
import { MAX_FRAME_BYTES } from '../../contract/agent-protocol.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import { LENGTH_BYTES, NoMessage } from './messages.ts';

export class FrameReader {
  readonly #length = new Uint8Array(LENGTH_BYTES);
  #body: Bytes | undefined;
  /** Of the length, or of the body once that is known. */
  #filled = 0;
  #complete = 0;

  /** The number of the frame that has begun and not ended; undefined between two. */
  get midway(): number | undefined {
    return this.#filled > 0 || this.#body !== undefined ? this.#complete : undefined;
  }

  /** The bodies of all frames that end in `chunk`, one at a time; whoever has read one may wipe it. @throws NoMessage for a length that is none. */
  *read(chunk: Bytes): Generator<Bytes, void, undefined> {
    for (let at = 0; at < chunk.length; ) {
      const into = this.#body ?? this.#length;
      const taken = chunk.subarray(at, at + into.length - this.#filled);
      into.set(taken, this.#filled);
      at += taken.length;
      this.#filled += taken.length;
      if (this.#filled < into.length) return;
      this.#filled = 0;
      const body = this.#body;
      this.#body = body ? undefined : new Uint8Array(lengthOf(into));
      if (body) {
        this.#complete++;
        yield body;
      }
    }
  }
}

function lengthOf(header: Bytes): number {
  const length = new DataView(header.buffer).getUint32(0);
  // The shortest CBOR is one byte: a frame of nothing is none.
  if (length === 0 || length > MAX_FRAME_BYTES)
    throw new NoMessage(`frame: ${length} bytes; send 1 to ${MAX_FRAME_BYTES} in one`);
  return length;
}
