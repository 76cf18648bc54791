/** Libraries that are preloaded into a program to change what the kernel tells it; compiled once, kept in the user's cache. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cacheFolder } from './roots.ts';

/** Makes libreswan believe that the kernel has ESP. */
export const ESP_SHIM = join(import.meta.dirname, 'esp-shim.c');

/** Where the library of a source in C is, or will be: its name changes with its source. */
export function shimFile(source: string): string {
  const digest = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  return join(cacheFolder(), `${basename(source, '.c')}-${digest}.so`);
}

export function prepareShim(source: string): string {
  const file = shimFile(source);
  if (existsSync(file)) return file;
  mkdirSync(cacheFolder(), { recursive: true });
  const partial = `${file}.${process.pid}`;
  execFileSync('gcc', ['-O2', '-Wall', '-shared', '-fPIC', '-o', partial, source, '-ldl'], { stdio: 'pipe' });
  renameSync(partial, file);
  return file;
}
