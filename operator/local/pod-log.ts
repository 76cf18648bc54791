/** What a pod prints, in a file that is put aside when it has grown enough, so that days of logs stay bounded. */
import { closeSync, existsSync, openSync, renameSync, statSync, writeSync } from 'node:fs';

const MAX_BYTES = 4 * 1024 * 1024;

/** Two files at most: PATH and PATH.1, the older one. */
export class PodLog {
  readonly #path: string;
  readonly #maxBytes: number;
  #file: number;
  #bytes: number;

  constructor(path: string, maxBytes = MAX_BYTES) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#bytes = existsSync(path) ? statSync(path).size : 0;
    this.#file = open(path);
  }

  write(bytes: Uint8Array): void {
    if (this.#bytes + bytes.length > this.#maxBytes && this.#bytes > 0) this.#rotate();
    writeSync(this.#file, bytes);
    this.#bytes += bytes.length;
  }

  close(): void {
    closeSync(this.#file);
  }

  #rotate(): void {
    closeSync(this.#file);
    renameSync(this.#path, `${this.#path}.1`);
    this.#file = open(this.#path);
    this.#bytes = 0;
  }
}

const open = (path: string): number => openSync(path, 'a', 0o600);
