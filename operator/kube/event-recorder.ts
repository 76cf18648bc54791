/** Events of events.k8s.io/v1: the same one again within a while raises the count of the first instead of making another. */
import type { Clock } from '../clock.ts';
import type { Manifest, PlannedEvent } from '../plan/plan.ts';
import { isStatus } from './api-error.ts';
import { FIELD_MANAGER, type Regarding } from './cluster.ts';
import { apiVersionOf, collectionPath, objectPath } from './kind.ts';
import type { Transport } from './transport.ts';

interface Remembered {
  readonly namespace: string;
  readonly name: string;
  readonly count: number;
  readonly writtenAt: number;
}

const SERIES_MS = 360_000;
/** A repeated event is counted in memory and written at most this often. */
const WRITE_MS = 60_000;
const MAX_REMEMBERED = 1000;
/** The API refuses longer notes. */
const MAX_NOTE = 1024;

export class EventRecorder {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #remembered: Map<string, Remembered> = new Map();

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  async record(regarding: Regarding, event: PlannedEvent): Promise<void> {
    const key = JSON.stringify([regarding.metadata.uid, event.type, event.reason, event.message]);
    const known = this.#remembered.get(key);
    if (!known || this.#clock.elapsed() - known.writtenAt > SERIES_MS) return this.#create(key, regarding, event);
    const again = { ...known, count: known.count + 1 };
    this.#remember(key, again);
    if (this.#clock.elapsed() - known.writtenAt >= WRITE_MS) await this.#count(key, again, regarding, event);
  }

  async #create(key: string, regarding: Regarding, event: PlannedEvent): Promise<void> {
    const namespace = regarding.metadata.namespace;
    const name = `${regarding.metadata.name}.${Math.trunc(this.#clock.now() * 1000).toString(16)}${this.#remembered.size.toString(16)}`;
    await this.#transport.call({
      method: 'POST',
      path: collectionPath('Event', namespace),
      query: { fieldManager: FIELD_MANAGER },
      body: eventObject(name, regarding, event, this.#clock.now()),
    });
    this.#remember(key, { namespace, name, count: 1, writtenAt: this.#clock.elapsed() });
  }

  async #count(key: string, known: Remembered, regarding: Regarding, event: PlannedEvent): Promise<void> {
    const ref = { apiVersion: apiVersionOf('Event'), kind: 'Event', namespace: known.namespace, name: known.name };
    const series = { count: known.count, lastObservedTime: microTime(this.#clock.now()) };
    try {
      await this.#transport.call({
        method: 'PATCH',
        path: objectPath(ref),
        contentType: 'application/merge-patch+json',
        body: { series },
      });
      this.#remember(key, { ...known, writtenAt: this.#clock.elapsed() });
    } catch (error) {
      // Events live for an hour.
      if (!isStatus(error, 404)) throw error;
      await this.#create(key, regarding, event);
    }
  }

  #remember(key: string, event: Remembered): void {
    this.#remembered.delete(key);
    this.#remembered.set(key, event);
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest);
  }
}

/** An event as the API wants it. */
export function eventObject(name: string, regarding: Regarding, event: PlannedEvent, now: number): Manifest {
  const { namespace, uid, resourceVersion } = regarding.metadata;
  return {
    apiVersion: apiVersionOf('Event'),
    kind: 'Event',
    metadata: { name, namespace },
    eventTime: microTime(now),
    type: event.type,
    reason: event.reason,
    note: event.message.slice(0, MAX_NOTE),
    action: event.reason,
    reportingController: 'vpn.rekindle.dev/operator',
    reportingInstance: FIELD_MANAGER,
    regarding: {
      apiVersion: regarding.apiVersion,
      kind: regarding.kind,
      namespace,
      name: regarding.metadata.name,
      uid,
      resourceVersion,
    },
  };
}

/** MicroTime has six digits. */
export const microTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');
