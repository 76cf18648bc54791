/** Where the thread begins: its own koffi, its own OpenSSL contexts, then the loop, which does not return before it is told to. */
import { randomFillSync } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { cryptography } from '../../ike/crypto/cryptographies.ts';
import type { Beginning, FromThread } from './messages.ts';
import { loadNative } from './native.ts';
import { PacketLoop } from './packet-loop.ts';

const beginning: Beginning = workerData;
const native = await loadNative();
if (!parentPort || !native) throw new Error('no thread, or no koffi in it');
const loop = new PacketLoop(beginning, {
  ...{ native, port: parentPort },
  crypto: cryptography(beginning.crypto),
  random: (length) => randomFillSync(new Uint8Array(length)),
});
parentPort.postMessage({ type: 'ready' } satisfies FromThread);
loop.run();
