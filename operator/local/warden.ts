/** Loaded into every pod before its program: when the local cluster dies without a word, its pods end, too. */
import { Socket } from 'node:net';

/** A pipe whose other end only the local cluster holds; it closes with the last breath of that process. */
const LIFELINE_FD = 3;
const GRACE_MS = 2_000;

const lifeline = new Socket({ fd: LIFELINE_FD, readable: true, writable: false });
lifeline.on('error', () => {});
lifeline.on('close', () => {
  process.kill(process.pid, 'SIGTERM');
  setTimeout(() => process.exit(1), GRACE_MS).unref();
});
lifeline.resume();
// Alone it keeps no program from ending.
lifeline.unref();
