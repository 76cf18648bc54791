/** RADIUS for one gateway process: EAP and accounting over the servers that the configuration names. Whether they answer never decides whether the pod is ready. */
import type { RadiusConfig, RadiusServer } from '../contract/authentication.ts';
import type { RadiusSecrets } from '../contract/radius-secrets.ts';
import type { Traffic } from '../dataplane/dataplane.ts';
import type { EapSpeaker } from '../eap/speaker.ts';
import type { EapAnswer, EapQuestion } from '../ike/eap.ts';
import type { Event } from '../ike/step.ts';
import { equalBytes } from '../ike/wire/bytes.ts';
import { Accounting } from './accounting.ts';
import { AccountingQueue } from './accounting-queue.ts';
import { EapPassThrough } from './eap-pass-through.ts';
import type { RadiusPorts } from './ports.ts';
import { Server, type ServerOptions } from './server.ts';
import { ServerList } from './server-list.ts';

export interface RadiusOptions {
  readonly ports: RadiusPorts;
  /** Tells this process from all others that say the same NAS-Identifier. */
  readonly pod: string;
  readonly traffic: (spiIn: number) => Traffic | undefined;
}

const MOST_CONVERSATIONS = 10_000;
const MOST_RECORDS = 10_000;
const FAREWELL_MS = 2_000;

interface Known {
  readonly options: ServerOptions;
  readonly server: Server;
}

export class Radius implements EapSpeaker {
  readonly #ports: RadiusPorts;
  readonly #eap: EapPassThrough;
  readonly #queue: AccountingQueue;
  readonly #accounting: Accounting;
  /** Those that stay the same keep their conversations and what is known of them. */
  #known: readonly Known[] = [];

  constructor({ ports, pod, traffic }: RadiusOptions) {
    this.#ports = ports;
    this.#eap = new EapPassThrough({ ports, mostConversations: MOST_CONVERSATIONS });
    this.#queue = new AccountingQueue({ ports, mostRecords: MOST_RECORDS });
    this.#accounting = new Accounting({ ports, pod, traffic, deliver: (record) => this.#queue.put(record) });
  }

  /** Answers the names of secrets that are not there; their servers are left out. */
  configure(config: RadiusConfig | undefined, secrets: RadiusSecrets): readonly string[] {
    const before = this.#known;
    this.#known = [];
    const list = (port: (server: RadiusServer) => number) => this.#list(config, secrets, port, before);
    const servers = list((server) => server.port);
    const counting = config?.accounting ? list((server) => server.accountingPort) : undefined;
    for (const { server } of before) if (!this.#known.some((one) => one.server === server)) server.close();
    this.#ports.observer.configured(this.#known.map(({ server }) => server.name));
    this.#eap.configure(config && !servers.isEmpty ? { servers, nasIdentifier: config.nasIdentifier } : undefined);
    this.#queue.configure(counting && !counting.isEmpty ? counting : undefined);
    this.#accounting.configure(config?.accounting ? config : undefined);
    return (config?.servers ?? []).flatMap(({ secret }) => (secrets.secret(secret) ? [] : [secret]));
  }

  answer(question: EapQuestion): Promise<EapAnswer> {
    return this.#eap.answer(question);
  }

  forget(conversation: string): void {
    this.#eap.forget(conversation);
  }

  observe(event: Event): void {
    this.#accounting.observe(event);
  }

  /** The last count of a child that is removed, as far as it is known; `more`: the last word, which may come later and never rejects. */
  removed(spiIn: number, counted: Traffic, more?: Promise<Traffic>): void {
    this.#accounting.removed(spiIn, counted, more);
  }

  /** After all sessions were closed: their stops get a moment to arrive. */
  async close(): Promise<void> {
    const patience = Promise.withResolvers<void>();
    const callOff = this.#ports.after(FAREWELL_MS, patience.resolve);
    await Promise.race([this.#accounting.settled(), patience.promise]);
    callOff();
    if (this.#queue.waiting > 0) await this.#queue.flush(FAREWELL_MS);
    for (const { server } of this.#known) server.close();
  }

  #list(
    config: RadiusConfig | undefined,
    secrets: RadiusSecrets,
    port: (server: RadiusServer) => number,
    before: readonly Known[],
  ): ServerList {
    const { timeoutMs = 0, attempts = 0, nasIdentifier = '', servers = [] } = config ?? {};
    const all = servers.flatMap((one) => {
      const secret = secrets.secret(one.secret)?.expose();
      if (!secret) return [];
      const options = { ports: this.#ports, host: one.host, port: port(one), secret, timeoutMs, attempts, nasIdentifier };
      const known = before.find((other) => isSame(other.options, options)) ?? { options, server: new Server(options) };
      this.#known = [...this.#known, known];
      return [known.server];
    });
    return new ServerList(all);
  }
}

const isSame = (a: ServerOptions, b: ServerOptions): boolean =>
  a.host === b.host &&
  a.port === b.port &&
  a.timeoutMs === b.timeoutMs &&
  a.attempts === b.attempts &&
  a.nasIdentifier === b.nasIdentifier &&
  equalBytes(a.secret, b.secret);
