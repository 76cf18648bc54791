/** The client as users run it, a process of its own, followed through its JSON events. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ClientEvent } from '../../sidecar/client/event.ts';

type Named<N extends ClientEvent['name']> = Extract<ClientEvent, { name: N }> & { readonly at: number };

const PROGRAM = join(import.meta.dirname, '../../sidecar/client/main.ts');

export class ClientProgram {
  readonly #process: ChildProcess;
  readonly #events: (ClientEvent & { readonly at: number })[] = [];
  readonly #complaints: string[] = [];
  #wake = Promise.withResolvers<void>();
  #ended = false;

  constructor(args: readonly string[], observe: (event: ClientEvent) => void) {
    this.#process = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const { stdout, stderr } = this.#process;
    if (stdout) createInterface(stdout).on('line', (line) => this.#hear(line, observe));
    stderr?.setEncoding('utf8').on('data', (text: string) => this.#complaints.push(text));
    this.#process.once('exit', () => {
      this.#ended = true;
      this.#wake.resolve();
    });
  }

  /** How many events there are so far: `next` looks from there on. */
  get now(): number {
    return this.#events.length;
  }

  /** The first event of that name from `since` on. */
  async next<N extends ClientEvent['name']>(
    name: N,
    since: number,
    accept: (event: Named<N>) => boolean = () => true,
  ): Promise<Named<N>> {
    for (let index = since; ; ) {
      for (; index < this.#events.length; index++) {
        const event = this.#events[index];
        if (event?.name === name && accept(event as Named<N>)) return event as Named<N>;
      }
      if (this.#ended) throw new Error(`the client ended: ${this.#complaints.join('').trim() || 'without a word'}`);
      await this.#wake.promise;
    }
  }

  count(name: ClientEvent['name'], since = 0): number {
    return this.#events.slice(since).filter((event) => event.name === name).length;
  }

  /** SIGTERM: it deletes its session; SIGKILL if that takes too long. */
  async stop(): Promise<void> {
    if (this.#ended) return;
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 5_000);
    await exit;
    clearTimeout(timer);
  }

  #hear(line: string, observe: (event: ClientEvent) => void): void {
    const event: ClientEvent = JSON.parse(line);
    this.#events.push({ ...event, at: performance.now() });
    observe(event);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
