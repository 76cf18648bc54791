/** One run per state directory. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { readJsonIfThere, writeWhole } from './disk.ts';
import { identify, isRunning } from './own-process.ts';

/** Throws when another process that still runs has it; answers how to give it back. */
export function lockState(directory: string): () => void {
  const file = join(directory, 'lock.json');
  const { pid, startTime, bootId } = { ...Object(readJsonIfThere(file)) };
  if (typeof pid === 'number' && isRunning({ pid, startTime: `${startTime}`, bootId: `${bootId}` })) {
    throw new Error(`${directory}: process ${pid} uses this state directory; stop it, or choose another one with --state`);
  }
  writeWhole(file, `${JSON.stringify(identify(process.pid) ?? {})}\n`);
  return () => rmSync(file, { force: true });
}
