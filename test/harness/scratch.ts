/** A directory of its own for a test, gone when the test process ends. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Scratch {
  readonly path: string;
  /** Answers the path of the file. */
  write(name: string, text: string): string;
}

const made: string[] = [];
process.once('exit', () => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

export function scratch(): Scratch {
  const path = mkdtempSync(join(tmpdir(), 'rekindle-test-'));
  made.push(path);
  return {
    path,
    write: (name, text) => {
      const file = join(path, name);
      writeFileSync(file, text);
      return file;
    },
  };
}
