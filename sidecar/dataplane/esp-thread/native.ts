/** C as the thread calls it: addresses are plain numbers, for which nothing is allocated, and memory that does not move. */
import { errnoName } from '../../process/errno.ts';
import type { Arena } from '../userspace/arena.ts';

/** Takes and answers integers and addresses. */
export type NativeCall = (...values: readonly number[]) => number;

export interface NativeArena extends Arena {
  /** The same memory in words of the machine. */
  readonly words: Int32Array;
  /** Where its first byte stands in memory. User addresses have 47 bits, which a number holds exactly. */
  readonly base: number;
}

export interface Native {
  /** `signature` in C; addresses are `uintptr_t`. @throws Error for a symbol that is not there. */
  func(signature: string): NativeCall;
  /** Of a function that takes a context, a name and a context: what OpenSSL calls fetching. 0: there is no such thing. */
  fetch(symbol: string, name: string): number;
  /** Zeroed, a multiple of 4; for as long as the process lives. What is not touched takes no memory. */
  allocate(bytes: number): NativeArena;
  /** Name of the reason why the last call failed, for instance EAGAIN. */
  errno(): string;
}

const PROT_READ_WRITE = 1 | 2;
const MAP_PRIVATE_ANONYMOUS = 0x02 | 0x20;

/** Undefined where koffi has no binary, or the machine lays structures out differently. */
export async function loadNative(): Promise<Native | undefined> {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return undefined;
  const koffi = await import('koffi').then(
    (module) => module.default,
    () => undefined,
  );
  if (!koffi) return undefined;
  const itself = koffi.load(null);
  const mmap: NativeCall = itself.func(
    'uintptr_t mmap(uintptr_t at, size_t length, int access, int kind, int fd, int64_t offset)',
  );
  return {
    func: (signature) => itself.func(signature),
    fetch: (symbol, name) =>
      itself.func(`uintptr_t ${symbol}(uintptr_t library, const char *name, uintptr_t properties)`)(0, name, 0),
    allocate(bytes) {
      const base = mmap(0, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
      // MAP_FAILED is -1.
      if (base <= 0 || base > Number.MAX_SAFE_INTEGER) throw new Error(`mmap of ${bytes} bytes failed`);
      const buffer = koffi.view(BigInt(base), bytes);
      return { base, bytes: new Uint8Array(buffer), view: new DataView(buffer), words: new Int32Array(buffer) };
    },
    errno: () => errnoName(koffi.errno()),
  };
}
