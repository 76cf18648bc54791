/** C as the thread calls it: addresses are plain numbers, for which nothing is allocated, and memory that does not move. */
import type { Bytes } from '../../ike/wire/bytes.ts';
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
  /** Zeroed, a multiple of 4; for as long as the process lives. */
  allocate(bytes: number): NativeArena;
  /** Name of the reason why the last call failed, for instance EAGAIN. */
  errno(): string;
}

/** Undefined where koffi has no binary, or the machine lays structures out differently. */
export async function loadNative(): Promise<Native | undefined> {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return undefined;
  const koffi = await import('koffi').then(
    (module) => module.default,
    () => undefined,
  );
  if (!koffi) return undefined;
  const itself = koffi.load(null);
  // EWOULDBLOCK is EAGAIN by another name.
  const codes = Object.entries(koffi.os.errno).filter(([name]) => name !== 'EWOULDBLOCK');
  const names = new Map(codes.map(([name, value]) => [value, name]));
  return {
    func: (signature) => itself.func(signature),
    fetch: (symbol, name) =>
      itself.func(`uintptr_t ${symbol}(uintptr_t library, const char *name, uintptr_t properties)`)(0, name, 0),
    allocate(bytes) {
      const pointer = koffi.alloc('uint8_t', bytes);
      const buffer = koffi.view(pointer, bytes);
      const memory: Bytes = new Uint8Array(buffer);
      memory.fill(0);
      return { base: Number(koffi.address(pointer)), bytes: memory, view: new DataView(buffer), words: new Int32Array(buffer) };
    },
    errno: () => names.get(koffi.errno()) ?? `errno ${koffi.errno()}`,
  };
}
