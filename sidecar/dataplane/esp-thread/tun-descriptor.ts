/** One queue of a TUN device, as system calls have it. */
import type { Native, NativeArena, NativeCall } from './native.ts';

export class TunDescriptor {
  readonly fd: number;
  readonly #native: Native;
  readonly #arena: NativeArena;
  readonly #read: NativeCall;
  readonly #write: NativeCall;

  constructor(native: Native, arena: NativeArena, fd: number) {
    this.fd = fd;
    this.#native = native;
    this.#arena = arena;
    this.#read = native.func('intptr_t read(int fd, uintptr_t into, size_t length)');
    this.#write = native.func('intptr_t write(int fd, uintptr_t from, size_t length)');
  }

  /** How many bytes are now at `at`; 0: there is nothing to read. @throws TunGone */
  read(at: number, most: number): number {
    const length = this.#read(this.fd, this.#arena.base + at, most);
    if (length > 0) return length;
    const reason = length < 0 ? this.#native.errno() : 'EOF';
    if (reason === 'EAGAIN' || reason === 'EINTR') return 0;
    throw new TunGone(reason);
  }

  /** What the kernel does not take (no room, interface down) is lost, as on any way. */
  write(at: number, length: number): void {
    this.#write(this.fd, this.#arena.base + at, length);
  }
}

export class TunGone extends Error {
  constructor(reason: string) {
    super(`reading from the TUN device failed with ${reason}; was it removed?`);
  }
}
