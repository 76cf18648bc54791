/** Leadership by a Lease (coordination.k8s.io/v1): one of several operators works, and knows by its own clock until when it may. */
import { type Clock, pause } from '../clock.ts';
import type { Manifest } from '../plan/plan.ts';
import { isStatus } from './api-error.ts';
import { microTime } from './event-recorder.ts';
import { apiVersionOf, collectionPath, objectPath } from './kind.ts';
import { readObject } from './list-watch.ts';
import type { Transport } from './transport.ts';

export interface LeaseTiming {
  /** Others may take over when they have seen no renewal for so long. */
  readonly durationMs: number;
  /** We stop writing so long after our last renewal began: earlier than others begin. */
  readonly deadlineMs: number;
  readonly retryMs: number;
}

export const LEASE_TIMING: LeaseTiming = { durationMs: 15_000, deadlineMs: 10_000, retryMs: 2_000 };

export interface LeaseOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  readonly namespace: string;
  readonly name: string;
  /** Unique to this process. */
  readonly holder: string;
  readonly timing?: LeaseTiming;
  readonly failed: (error: unknown) => void;
}

export class NotLeading extends Error {
  constructor() {
    super('this operator does not hold the lease (any more), so it writes nothing');
    this.name = 'NotLeading';
  }
}

export class Lease {
  readonly #options: LeaseOptions;
  readonly #timing: LeaseTiming;
  #mayWriteUntil = Number.NEGATIVE_INFINITY;
  /** The lease of another as last seen to change, by our clock: clocks of two machines are never compared. */
  #seen: { readonly version: string | undefined; readonly at: number } | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#timing = options.timing ?? LEASE_TIMING;
  }

  get leading(): boolean {
    return this.#options.clock.elapsed() < this.#mayWriteUntil;
  }

  /** Throws NotLeading. */
  assertLeading(): void {
    if (!this.leading) throw new NotLeading();
  }

  /** Calls `lead` each time that leadership begins, with a signal that aborts when it ends. Until `stop` aborts. */
  async run(lead: (leading: AbortSignal) => Promise<void>, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      if (await this.#renew()) await this.#hold(lead, stop);
      else await this.#pause(stop);
    }
  }

  async #hold(lead: (leading: AbortSignal) => Promise<void>, stop: AbortSignal): Promise<void> {
    const end = new AbortController();
    const work = lead(AbortSignal.any([end.signal, stop]));
    while (!stop.aborted && this.leading) {
      await this.#pause(stop);
      if (!stop.aborted) await Promise.race([this.#renew(), this.#untilDeadline()]);
    }
    end.abort();
    await work;
    if (this.leading) await this.#release();
  }

  /** Takes or keeps the lease if it is ours, free or abandoned. */
  async #renew(): Promise<boolean> {
    const began = this.#options.clock.elapsed();
    try {
      const lease = await this.#read();
      if (lease && !this.#mayTake(lease)) return false;
      await this.#write(lease, this.#options.holder, this.#timing.durationMs);
      this.#mayWriteUntil = began + this.#timing.deadlineMs;
      return true;
    } catch (error) {
      if (isStatus(error, 409)) this.#mayWriteUntil = Number.NEGATIVE_INFINITY;
      this.#options.failed(error);
      return false;
    }
  }

  #mayTake(lease: Manifest): boolean {
    const { holderIdentity, leaseDurationSeconds } = specOf(lease);
    if (!holderIdentity || holderIdentity === this.#options.holder) return true;
    this.#mayWriteUntil = Number.NEGATIVE_INFINITY;
    const now = this.#options.clock.elapsed();
    if (this.#seen?.version !== lease.metadata.resourceVersion) this.#seen = { version: lease.metadata.resourceVersion, at: now };
    const duration = typeof leaseDurationSeconds === 'number' ? leaseDurationSeconds * 1000 : this.#timing.durationMs;
    return this.#seen !== undefined && now - this.#seen.at > duration;
  }

  async #release(): Promise<void> {
    this.#mayWriteUntil = Number.NEGATIVE_INFINITY;
    try {
      const lease = await this.#read();
      if (lease && specOf(lease)['holderIdentity'] === this.#options.holder) await this.#write(lease, '', 1000);
    } catch (error) {
      this.#options.failed(error);
    }
  }

  async #read(): Promise<Manifest | undefined> {
    try {
      return readObject(await this.#options.transport.call({ method: 'GET', path: objectPath(this.#ref()) }), 'Lease');
    } catch (error) {
      if (isStatus(error, 404)) return undefined;
      throw error;
    }
  }

  async #write(lease: Manifest | undefined, holder: string, durationMs: number): Promise<void> {
    const now = microTime(this.#options.clock.now());
    const { holderIdentity, acquireTime, leaseTransitions } = lease ? specOf(lease) : {};
    const same = holderIdentity === holder;
    const transitions = typeof leaseTransitions === 'number' ? leaseTransitions : 0;
    const spec = {
      holderIdentity: holder,
      leaseDurationSeconds: Math.ceil(durationMs / 1000),
      acquireTime: same ? acquireTime : now,
      renewTime: now,
      leaseTransitions: same || !lease || holder === '' ? transitions : transitions + 1,
    };
    const { namespace, name } = this.#options;
    const { transport } = this.#options;
    const resourceVersion = lease?.metadata.resourceVersion;
    const body = { apiVersion: apiVersionOf('Lease'), kind: 'Lease', metadata: { namespace, name, resourceVersion }, spec };
    if (lease) await transport.call({ method: 'PUT', path: objectPath(this.#ref()), body });
    else await transport.call({ method: 'POST', path: collectionPath('Lease', namespace), body });
  }

  #ref() {
    const { namespace, name } = this.#options;
    return { apiVersion: apiVersionOf('Lease'), kind: 'Lease', namespace, name };
  }

  #pause(stop: AbortSignal): Promise<void> {
    return pause(this.#options.clock, this.#timing.retryMs * (0.8 + this.#options.random() * 0.4), stop);
  }

  #untilDeadline(): Promise<void> {
    return pause(this.#options.clock, this.#mayWriteUntil - this.#options.clock.elapsed());
  }
}

function specOf({ spec }: Manifest): Readonly<Record<string, unknown>> {
  return typeof spec === 'object' && spec !== null ? { ...spec } : {};
}
