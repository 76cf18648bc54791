/** A TCP stream and its end: `sink ADDRESS PORT` tells how fast each came that arrived, `source FROM ADDRESS PORT SECONDS` sends one. Nothing is computed for a byte. */
import { connect, createServer } from 'node:net';

const CHUNK = Buffer.alloc(1 << 18, 7);
const [, , what, ...args] = process.argv;
const tell = (fields: object): void => void process.stdout.write(`${JSON.stringify(fields)}\n`);

if (what === 'sink') sink(args[0] ?? '', Number(args[1]));
else source(args[0] ?? '', args[1] ?? '', Number(args[2]), Number(args[3]));

function sink(address: string, port: number): void {
  const server = createServer((socket) => {
    let [bytes, began] = [0, 0];
    socket.on('data', (chunk) => {
      began ||= performance.now();
      bytes += chunk.length;
    });
    socket.on('error', () => {});
    socket.on('close', () => tell({ bytes, ms: performance.now() - began }));
  });
  server.listen({ host: address, port }, () => tell({ listening: port }));
}

function source(from: string, address: string, port: number, seconds: number): void {
  const socket = connect({ localAddress: from, host: address, port });
  const until = performance.now() + seconds * 1_000;
  const push = (): void => {
    while (performance.now() < until) if (!socket.write(CHUNK)) return;
    socket.end();
  };
  socket.on('connect', push);
  socket.on('drain', push);
  socket.on('close', () => tell({ sent: socket.bytesWritten }));
}
