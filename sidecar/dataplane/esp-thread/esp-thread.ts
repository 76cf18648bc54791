/** User-space ESP in a thread of its own: the kernel hands it ESP (see the shell's Udp) and inner packets, and no packet passes through here. */
import { closeSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { DataplaneOrder, DataplaneReport } from '../../contract/dataplane.ts';
import type { ChildTraffic, Dataplane, DataplaneStats, DropReason, LastTraffic, Traffic } from '../dataplane.ts';
import type { UserspaceSettings } from '../userspace/esp-engine.ts';
import { NO_DROPS, NO_TRAFFIC, plus } from '../userspace/traffic.ts';
import { type Beginning, Bell, type FromThread, type News, type Outcome, Rung, type ToThread } from './messages.ts';
import { loadNative } from './native.ts';

/** A bound UDP socket that receives nothing but ESP, and sends it. */
export interface EspSocket {
  readonly fd: number;
  /** `192.0.2.1:4500`: where children send from whose path has this local end. */
  readonly local: string;
}

export interface EspThreadOptions {
  readonly sockets: readonly EspSocket[];
  /** Descriptors of the queues of one TUN device, without packet information, that do not block; none: inner packets leave nowhere. */
  readonly tun: readonly number[];
  readonly settings: UserspaceSettings;
  /** Of `gateway.yaml`: which cryptography. `auto` calls OpenSSL directly where that is possible. */
  readonly crypto: 'auto' | 'noble' | 'openssl';
  /** Whether packets from one peer to another are ours to look at: true at a gateway, false at a client. */
  readonly forward: boolean;
  /** There is something in `reports`. */
  readonly active: () => void;
  /** The thread died of a bug, and another has begun, without children: they are reported as lost. */
  readonly failed: (error: Error) => void;
  /** The TUN device went away: inner packets leave nowhere from now on. Default: `failed`. */
  readonly deviceGone?: (error: Error) => void;
}

/** Of one life of the thread. */
interface Life {
  readonly since: number;
  readonly worker: Worker;
  readonly waiting: Map<number, (outcomes: readonly Outcome[]) => void>;
}

interface Queued {
  readonly order: DataplaneOrder;
  readonly done: (last: LastTraffic) => void;
  readonly refused: (error: Error) => void;
}

/** Undefined where the platform has no such thing (koffi, Linux on x64 or arm64): UserspaceDataplane serves there. */
export async function startEspThread(options: EspThreadOptions): Promise<EspThread | undefined> {
  const native = await loadNative();
  if (!native) return undefined;
  const wakeup = native.func('int eventfd(unsigned int initial, int flags)')(0, EVENTFD_FLAGS);
  if (wakeup < 0) throw new Error(`eventfd failed with ${native.errno()}`);
  const thread = new EspThread(options, wakeup);
  try {
    await thread.ready;
  } catch (error) {
    // One that nobody holds would begin later, and take packets away from the one that serves by then.
    thread.close();
    throw error;
  }
  return thread;
}

/** EFD_NONBLOCK | EFD_CLOEXEC */
const EVENTFD_FLAGS = 0o4000 | 0o2000000;
const ONE = new Uint8Array(BigUint64Array.of(1n).buffer);
/** A thread that dies at once is not begun again and again without a pause. */
const RESTART_MS = 1_000;

/** Descriptors stay the caller's: to be closed after `ended`. */
export class EspThread implements Dataplane {
  /** Fulfilled after `close`, when the thread uses no descriptor any more. */
  readonly ended: Promise<void>;
  /** Fulfilled when the first thread has begun. */
  readonly ready: Promise<void>;
  readonly #options: EspThreadOptions;
  readonly #wakeup: number;
  readonly #bell = new Int32Array(new SharedArrayBuffer(4 * Bell.LENGTH));
  readonly #ready = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #children = new Map<number, ChildTraffic>();
  readonly #endNow = (): void => this.#ring(Rung.END);
  #settings: UserspaceSettings;
  #reports: DataplaneReport[] = [];
  #drops: Drops = NO_DROPS;
  /** Of threads before this one. */
  #dropsBefore: Drops = NO_DROPS;
  #failedSends: Readonly<Record<string, number>> = {};
  #past: Traffic = NO_TRAFFIC;
  #queue: Queued[] = [];
  #messages = 0;
  #closed = false;
  /** Undefined while a thread that died at once waits for its next try. */
  #life: Life | undefined;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: EspThreadOptions, wakeup: number) {
    this.#options = options;
    this.#settings = options.settings;
    this.#wakeup = wakeup;
    this.ready = this.#ready.promise;
    this.ended = this.#ended.promise;
    this.#life = this.#begin();
    // A process that ends waits for its threads, and this one waits in the kernel.
    process.on('exit', this.#endNow);
  }

  /** Fulfilled when the thread has carried it out, of a removal with the last word on the child. @throws (by the promise) Error for an algorithm or key size that was never negotiable. */
  order(order: DataplaneOrder): Promise<LastTraffic> {
    const { promise, resolve, reject } = Promise.withResolvers<LastTraffic>();
    if (this.#closed) return Promise.resolve();
    // Orders of one turn go together: a message costs more than an order.
    if (this.#queue.length === 0) queueMicrotask(() => this.#sendOrders());
    this.#queue.push({ order, done: resolve, refused: reject });
    return promise;
  }

  configure(settings: UserspaceSettings): void {
    this.#settings = settings;
    this.#send({ type: 'configure', settings });
  }

  reports(): readonly DataplaneReport[] {
    const reports = this.#reports;
    this.#reports = [];
    return reports;
  }

  async settle(): Promise<void> {
    if (!this.#closed) await this.#ask((id) => ({ type: 'settle', id }));
  }

  /** As of the last news, which come once a second. */
  stats(): DataplaneStats {
    const children = [...this.#children.values()];
    return { children, totals: children.reduce(plus, this.#past), drops: sum(this.#dropsBefore, this.#drops) };
  }

  traffic(spiIn: number): Traffic | undefined {
    return this.#children.get(spiIn);
  }

  /** Datagrams that did not leave, by errno name. */
  failedSends(): Readonly<Record<string, number>> {
    return this.#failedSends;
  }

  close(): void {
    if (this.#closed) return;
    this.#sendOrders();
    this.#send({ type: 'close' });
    this.#closed = true;
    if (this.#life) return;
    clearTimeout(this.#restart);
    this.#finish();
  }

  #begin(): Life {
    const { sockets, tun, crypto, forward } = this.#options;
    const beginning: Beginning = {
      bell: this.#bell.buffer,
      ...{ wakeup: this.#wakeup, sockets, tun, crypto, forward },
      settings: this.#settings,
    };
    const worker = new Worker(new URL('./esp-worker.ts', import.meta.url), { workerData: beginning, name: 'esp' });
    const life: Life = { since: performance.now(), worker, waiting: new Map() };
    worker.on('message', (message: FromThread) => this.#hear(life, message));
    worker.on('error', (error) => this.#options.failed(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.#end(life));
    return life;
  }

  #hear(life: Life, message: FromThread): void {
    switch (message.type) {
      case 'ready':
        this.#ready.resolve();
        break;
      case 'news':
        this.#learn(message);
        break;
      case 'done':
        life.waiting.get(message.id)?.(message.outcomes);
        life.waiting.delete(message.id);
        break;
      case 'tun-gone':
        (this.#options.deviceGone ?? this.#options.failed)(new Error(message.reason));
    }
  }

  #learn({ reports, traffic, drops, failed }: News): void {
    for (const child of traffic) if (this.#children.has(child.spiIn)) this.#children.set(child.spiIn, child);
    this.#drops = drops;
    this.#failedSends = failed;
    if (reports.length === 0) return;
    this.#reports.push(...reports);
    this.#options.active();
  }

  #sendOrders(): void {
    const queue = this.#queue;
    this.#queue = [];
    if (queue.length === 0) return;
    for (const { order } of queue) if (order.order === 'install') this.#note(order.child.spiIn);
    const orders = queue.map(({ order }) => order);
    void this.#ask((id) => ({ type: 'orders', id, orders })).then((outcomes) => {
      for (const [index, queued] of queue.entries()) this.#conclude(queued, outcomes[index]);
    });
  }

  #note(spiIn: number): void {
    if (!this.#children.has(spiIn)) this.#children.set(spiIn, { spiIn, ...NO_TRAFFIC });
  }

  #conclude({ order, done, refused }: Queued, outcome: Outcome | undefined): void {
    const known = order.order === 'remove' ? this.#children.get(order.spiIn) : undefined;
    if (order.order === 'remove') this.#forget(order.spiIn, outcome?.last);
    if (order.order === 'install' && outcome?.failure !== undefined) this.#forget(order.child.spiIn, undefined);
    if (order.order === 'install' && !outcome) this.#lose([order.child.spiIn]);
    if (outcome?.failure === undefined) done(outcome?.last ?? known);
    else refused(new Error(outcome.failure));
  }

  #forget(spiIn: number, last: Traffic | undefined): void {
    const known = this.#children.get(spiIn);
    if (known) this.#past = plus(this.#past, last ?? known);
    this.#children.delete(spiIn);
  }

  /** No outcomes: the thread died meanwhile. */
  #ask(message: (id: number) => ToThread): Promise<readonly Outcome[]> {
    const id = ++this.#messages;
    return new Promise((resolve) => {
      if (!this.#life) return resolve([]);
      this.#life.waiting.set(id, resolve);
      this.#send(message(id));
    });
  }

  #send(message: ToThread): void {
    // The descriptor that wakes it may be another's by now.
    if (this.#closed) return;
    this.#life?.worker.postMessage(message);
    this.#ring();
  }

  #ring(what: number = Rung.MESSAGES): void {
    Atomics.store(this.#bell, Bell.RUNG, what);
    writeSync(this.#wakeup, ONE);
  }

  #end(life: Life): void {
    this.#life = undefined;
    for (const outcomes of life.waiting.values()) outcomes([]);
    if (this.#closed) {
      this.#finish();
      return;
    }
    this.#ready.reject(new Error('the thread for ESP could not begin'));
    this.#lose([...this.#children.keys()]);
    this.#dropsBefore = sum(this.#dropsBefore, this.#drops);
    this.#drops = NO_DROPS;
    // Orders wait in the port of the next one until it has begun.
    this.#restart = setTimeout(
      () => {
        this.#life = this.#begin();
      },
      Math.max(0, life.since + RESTART_MS - performance.now()),
    );
  }

  #finish(): void {
    process.off('exit', this.#endNow);
    closeSync(this.#wakeup);
    this.#ended.resolve();
  }

  /** What carried them is gone; the core has their peers told. */
  #lose(children: readonly number[]): void {
    const lost = children.filter((spiIn) => this.#children.has(spiIn));
    for (const spiIn of lost) this.#forget(spiIn, undefined);
    this.#reports.push(...lost.map((spiIn) => ({ report: 'lost', spiIn }) as const));
    if (lost.length > 0) this.#options.active();
  }
}

type Drops = Readonly<Record<DropReason, number>>;

const sum = (left: Drops, right: Drops): Drops => {
  const both = { ...left };
  for (const reason of Object.keys(NO_DROPS) as DropReason[]) both[reason] += right[reason];
  return both;
};
