/** One end of a bulk transfer over TCP: `serve ADDRESS PORT BYTES` sends pseudo-random bytes to whoever connects, `fetch FROM ADDRESS PORT` takes them; both print a hash. */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const CHUNK = Buffer.alloc(65_536);
const [, , what, ...args] = process.argv;
const tell = (fields: object): void => void process.stdout.write(`${JSON.stringify(fields)}\n`);

if (what === 'serve') serve(args[0] ?? '', Number(args[1]), Number(args[2]));
else await take(args[0] ?? '', args[1] ?? '', Number(args[2]));

function serve(address: string, port: number, bytes: number): void {
  const server = createServer(async (socket) => {
    const hash = createHash('sha256');
    await pipeline(Readable.from(noise(bytes, hash)), socket).catch(() => {});
    tell({ sent: bytes, hash: hash.digest('hex') });
  });
  server.listen({ host: address, port }, () => tell({ listening: port }));
}

/** Nothing in it repeats: a packet that is lost, doubled or out of order changes the hash. */
function* noise(bytes: number, hash: { update(chunk: Buffer): unknown }): Generator<Buffer> {
  const source = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  for (let left = bytes; left > 0; left -= CHUNK.length) {
    const chunk = source.update(CHUNK).subarray(0, left);
    hash.update(chunk);
    yield chunk;
  }
}

async function take(from: string, address: string, port: number): Promise<void> {
  const hash = createHash('sha256');
  const began = performance.now();
  let received = 0;
  for await (const chunk of connect({ localAddress: from, host: address, port })) {
    hash.update(chunk);
    received += chunk.length;
  }
  tell({ received, hash: hash.digest('hex'), ms: Math.round(performance.now() - began) });
}
