/** The library that makes libreswan believe that the kernel has ESP; compiled once, kept in the user's cache. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './roots.ts';

const SOURCE = join(import.meta.dirname, 'esp-shim.c');

/** Where it is, or will be: its name changes with its source. */
export function shimFile(): string {
  const digest = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 12);
  return join(cacheFolder(), `esp-shim-${digest}.so`);
}

export function prepareShim(): string {
  const file = shimFile();
  if (existsSync(file)) return file;
  mkdirSync(cacheFolder(), { recursive: true });
  const partial = `${file}.${process.pid}`;
  execFileSync('gcc', ['-O2', '-Wall', '-shared', '-fPIC', '-o', partial, SOURCE, '-ldl'], { stdio: 'pipe' });
  renameSync(partial, file);
  return file;
}
