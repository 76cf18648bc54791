/** Accounting records on their way: kept until a server has acknowledged them (RFC 2866 §4.1), and no longer than there is room. */
import { type AccountingRecord, Status } from './accounting-record.ts';
import { integerAttribute, Type } from './attribute.ts';
import { sealAccounting } from './authenticity.ts';
import type { RadiusPorts } from './ports.ts';
import type { Request } from './server.ts';
import type { ServerList } from './server-list.ts';

export interface QueueOptions {
  readonly ports: Pick<RadiusPorts, 'clock' | 'after' | 'observer'>;
  readonly mostRecords: number;
}

/** A server that comes back is not to drown in what waited for it. */
const AT_ONCE = 32;
const RETRY_MS = 10_000;
const FLUSH_STEP_MS = 50;

export class AccountingQueue {
  readonly #options: QueueOptions;
  /** The oldest first. An interim record makes an older one of its session superfluous, and so does the stop. */
  readonly #records = new Map<string, AccountingRecord>();
  readonly #underWay = new Set<AccountingRecord>();
  #servers: ServerList | undefined;
  #resting: (() => void) | undefined;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** Undefined: what waits, and what comes, is lost. */
  configure(servers: ServerList | undefined): void {
    this.#servers = servers;
    if (servers) this.#pump();
    else this.#lose(this.#records.size);
  }

  get waiting(): number {
    return this.#records.size;
  }

  put(record: AccountingRecord): void {
    this.#records.delete(nameOf(record.session, Status.INTERIM));
    this.#records.set(nameOf(record.session, record.status), record);
    this.#lose(this.#servers ? this.#records.size - this.#options.mostRecords : this.#records.size);
    this.#pump();
  }

  /** Done when everything is acknowledged, or `ms` have passed. */
  async flush(ms: number): Promise<void> {
    this.#endRest();
    this.#pump();
    const until = this.#options.ports.clock() + ms;
    while (this.#records.size > 0 && this.#options.ports.clock() < until)
      await new Promise<void>((resolve) => this.#options.ports.after(FLUSH_STEP_MS, resolve));
    this.#endRest();
    this.#lose(this.#records.size);
  }

  #endRest(): void {
    this.#resting?.();
    this.#resting = undefined;
  }

  #lose(count: number): void {
    if (count <= 0) return;
    for (const name of [...this.#records.keys()].slice(0, count)) this.#records.delete(name);
    this.#options.ports.observer.lost(count);
  }

  #pump(): void {
    if (this.#resting || !this.#servers) return;
    for (const record of this.#records.values()) {
      if (this.#underWay.size >= AT_ONCE) return;
      if (!this.#underWay.has(record)) void this.#send(record, this.#servers);
    }
  }

  async #send(record: AccountingRecord, servers: ServerList): Promise<void> {
    this.#underWay.add(record);
    const acknowledged = await servers.ask(this.#request(record));
    this.#underWay.delete(record);
    const name = nameOf(record.session, record.status);
    if (acknowledged && this.#records.get(name) === record) this.#records.delete(name);
    if (!acknowledged) this.#rest();
    this.#pump();
  }

  /** No server answers: all wait. */
  #rest(): void {
    this.#resting ??= this.#options.ports.after(RETRY_MS, () => {
      this.#resting = undefined;
      this.#pump();
    });
  }

  /** RFC 2866 §5.2: with another Acct-Delay-Time it is another request, with an identifier of its own. */
  #request({ at, attributes }: AccountingRecord): Request {
    const { clock } = this.#options.ports;
    return {
      renewed: true,
      seal: (identifier, secret) => {
        const delay = integerAttribute(Type.ACCT_DELAY_TIME, Math.max(0, Math.floor((clock() - at) / 1_000)));
        return sealAccounting({ identifier, attributes: [...attributes, delay] }, secret);
      },
    };
  }
}

const nameOf = (session: string, status: Status): string => `${session} ${status}`;
