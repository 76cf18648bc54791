/** A file without a name, in memory: what a program reads that opens its standard input as a file, as `nft` does, which no pipe of Node is. */
import { closeSync, writeSync } from 'node:fs';

const MFD_CLOEXEC = 1;

/** A descriptor, which the caller closes. @throws Error when koffi has no binary for this machine, or memory is short. */
export async function memoryFile(text: string): Promise<number> {
  const { default: koffi } = await import('koffi');
  memfd ??= koffi.load(null).func('int memfd_create(const char *name, unsigned int flags)');
  const fd: number = memfd('rekindle', MFD_CLOEXEC);
  if (fd < 0) throw new Error(`cannot make a file in memory: error ${koffi.errno()}`);
  try {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

let memfd: ((name: string, flags: number) => number) | undefined;
