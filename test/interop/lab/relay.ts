/** Something in the way between peer and gateway: a NAT, a balancer, a bad network. See relay-process.ts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Machine } from './machine.ts';
import { PATIENCE_MS } from './program.ts';
import { PATH } from './tools.ts';

const PROGRAM = join(import.meta.dirname, 'relay-process.ts');
export const EXCHANGE = {
  IKE_SA_INIT: 34,
  IKE_AUTH: 35,
  CREATE_CHILD_SA: 36,
  INFORMATIONAL: 37,
  IKE_SESSION_RESUME: 38,
} as const;

export type Way = 'to gateway' | 'to client';
export type Loss = 'everything' | 'nothing' | { readonly exchange: number; readonly way: Way };

/** Of each datagram, in hundredths; what is delayed is overtaken by others. */
export interface Disturbance {
  readonly lost: number;
  readonly doubled: number;
  readonly delayed: number;
  /** Begins the pseudo-random sequence. */
  readonly seed: number;
}

export type RelayOrder =
  /** Datagrams wait from now on, or go all at once. */
  | { readonly order: 'hold' | 'release' | 'rebind' }
  | { readonly order: 'lose'; readonly what: Loss }
  | { readonly order: 'disturb'; readonly how: Disturbance }
  /** What last went to the gateway in this exchange comes again, from somebody else. */
  | { readonly order: 'replay'; readonly exchange: number }
  /** Addresses of gateways for ports 500 and 4500. */
  | { readonly order: 'retarget'; readonly targets: readonly string[] };

export type RelayReport =
  | { readonly report: 'open'; readonly port: number }
  | { readonly report: 'done'; readonly order: string }
  | { readonly report: 'ike'; readonly way: Way; readonly exchange: number; readonly held: boolean };

export class Relay {
  readonly #process: ChildProcess;
  readonly #reports: RelayReport[] = [];
  #heldSince = 0;
  #wake = Promise.withResolvers<void>();

  private constructor(process: ChildProcess) {
    this.#process = process;
    process.on('message', (report: RelayReport) => {
      this.#reports.push(report);
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
  }

  /** `targets`: where port 500 leads to and where port 4500 does; one for both. Done when its ports are open. */
  static async start(machine: Machine, address: string, targets: readonly string[]): Promise<Relay> {
    const argv = [`--net=/run/netns/${machine.name}`, process.execPath, PROGRAM, address, ...targets];
    const child = spawn('nsenter', argv, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: { ...process.env, PATH } });
    machine.own(child);
    const relay = new Relay(child);
    await relay.#reported(({ report }) => report === 'open', 2);
    return relay;
  }

  /** Until they are released. */
  hold(): Promise<void> {
    this.#heldSince = this.#reports.length;
    return this.#order({ order: 'hold' });
  }

  release(): Promise<void> {
    return this.#order({ order: 'release' });
  }

  /** Throws it away from now on, until another order. */
  lose(what: 'everything' | 'nothing'): Promise<void> {
    return this.#order({ order: 'lose', what });
  }

  loseExchange(exchange: keyof typeof EXCHANGE, way: Way): Promise<void> {
    return this.#order({ order: 'lose', what: { exchange: EXCHANGE[exchange], way } });
  }

  /** A bad network from now on; all zero: a good one. */
  disturb(how: Disturbance): Promise<void> {
    return this.#order({ order: 'disturb', how });
  }

  rebind(): Promise<void> {
    return this.#order({ order: 'rebind' });
  }

  replay(exchange: keyof typeof EXCHANGE): Promise<void> {
    return this.#order({ order: 'replay', exchange: EXCHANGE[exchange] });
  }

  retarget(...targets: readonly string[]): Promise<void> {
    return this.#order({ order: 'retarget', targets });
  }

  /** Waits until a message of this exchange is held on its way. */
  async holds(exchange: keyof typeof EXCHANGE, way: Way): Promise<void> {
    const wanted = EXCHANGE[exchange];
    await this.#reported(
      (one, index) => index >= this.#heldSince && one.report === 'ike' && one.held && one.exchange === wanted && one.way === way,
      1,
    );
  }

  async #order(order: RelayOrder): Promise<void> {
    const isDone = (one: RelayReport): boolean => one.report === 'done' && one.order === order.order;
    const before = this.#reports.filter(isDone).length;
    this.#process.send(order);
    await this.#reported(isDone, before + 1);
  }

  async #reported(accept: (report: RelayReport, index: number) => boolean, times: number): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error('the relay did not report what was awaited')), PATIENCE_MS);
    try {
      while (this.#reports.filter(accept).length < times) await Promise.race([this.#wake.promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}
