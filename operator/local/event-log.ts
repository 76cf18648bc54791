/** The latest events of the local mode; the same one again counts up, so that a loop cannot fill memory. */
import type { Regarding } from '../kube/cluster.ts';
import type { Manifest, PlannedEvent } from '../plan/plan.ts';

export interface LocalEvent extends PlannedEvent {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly count: number;
  /** Milliseconds since the epoch. */
  readonly firstAt: number;
  readonly lastAt: number;
}

const MAX_EVENTS = 500;

export class EventLog {
  readonly #events: Map<string, LocalEvent> = new Map();
  readonly #heard: (event: LocalEvent) => void;

  constructor(heard: (event: LocalEvent) => void) {
    this.#heard = heard;
  }

  add({ kind, metadata }: Regarding, { type, reason, message }: PlannedEvent, now: number): void {
    const { namespace, name, uid = '' } = metadata;
    const key = JSON.stringify([kind, namespace, name, uid, reason, message]);
    const known = this.#events.get(key);
    const count = (known?.count ?? 0) + 1;
    const event = { kind, namespace, name, uid, type, reason, message, count, firstAt: known?.firstAt ?? now, lastAt: now };
    this.#events.delete(key);
    this.#events.set(key, event);
    const [oldest] = this.#events.keys();
    if (this.#events.size > MAX_EVENTS && oldest !== undefined) this.#events.delete(oldest);
    this.#heard(event);
  }

  /** Oldest first. */
  all(): readonly LocalEvent[] {
    return [...this.#events.values()];
  }

  /** Newest first. */
  about({ kind, metadata }: Manifest): readonly LocalEvent[] {
    return this.all()
      .filter((event) => event.kind === kind && event.name === metadata.name && event.uid === (metadata.uid ?? ''))
      .reverse();
  }
}
