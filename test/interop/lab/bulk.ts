/** Bulk transfers between machines of the lab: what arrives is what was sent, and how long it took. See bulk-process.ts. */
import { join } from 'node:path';
import type { Machine } from './machine.ts';
import type { Program } from './program.ts';

const PROGRAM = join(import.meta.dirname, 'bulk-process.ts');
const PORT = '7000';
const LIMIT_MS = 40_000;

export class BulkServer {
  readonly #program: Program;
  readonly #address: string;
  readonly #bytes: number;
  #fetched = 0;

  private constructor(program: Program, address: string, bytes: number) {
    this.#program = program;
    this.#address = address;
    this.#bytes = bytes;
  }

  /** Sends `bytes` to each who connects, others each time. Done when it listens. */
  static async start(machine: Machine, address: string, bytes: number): Promise<BulkServer> {
    const program = machine.start(`bulk-server-${machine.name}`, [
      process.execPath,
      PROGRAM,
      'serve',
      address,
      PORT,
      String(bytes),
    ]);
    await program.wait((line) => (line.includes('"listening"') ? line : undefined), 1, { what: 'listening' });
    return new BulkServer(program, address, bytes);
  }

  stop(): Promise<void> {
    return this.#program.stop();
  }

  /** Megabit per second. @throws Error when anything is missing, too much or different. */
  async fetch(machine: Machine, from: string): Promise<number> {
    const number = ++this.#fetched;
    const argv = [process.execPath, PROGRAM, 'fetch', from, this.#address, PORT];
    const taken = machine.start(`bulk-client-${machine.name}-${number}`, argv);
    const pick = (line: string) => (line.includes('"hash"') ? JSON.parse(line) : undefined);
    const [here] = await taken.wait(pick, 1, { what: 'a transfer', withinMs: LIMIT_MS });
    const there = (await this.#program.wait(pick, number, { what: 'its end' })).at(-1);
    if (here.received !== this.#bytes) throw new Error(`${here.received} of ${this.#bytes} bytes came from ${this.#address}`);
    if (here.hash !== there.hash) throw new Error(`other bytes came from ${this.#address} than were sent`);
    return (this.#bytes * 8) / 1_000 / here.ms;
  }
}

/** Segments of TCP that a machine sent again, so far. */
export async function retransmissions(machine: Machine): Promise<number> {
  return Number(/TcpRetransSegs\s+(\d+)/.exec(await machine.must('nstat', '-asz', 'TcpRetransSegs'))?.[1]);
}
