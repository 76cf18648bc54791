/** Accounting of sessions (RFC 2866): start when established, in between, stop when closed. It learns all from the events of the core and asks the data plane how much went over. */
import { sha256 } from '@noble/hashes/sha2.js';
import type { Traffic } from '../dataplane/dataplane.ts';
import type { Event, TakenSession } from '../ike/step.ts';
import { concat, hex, u32Bytes } from '../ike/wire/bytes.ts';
import {
  type AccountedSession,
  type AccountingRecord,
  causeAttribute,
  Status,
  sessionAttributes,
  usageAttributes,
} from './accounting-record.ts';
import type { Attribute } from './packet.ts';
import type { RadiusPorts } from './ports.ts';

export interface AccountingOptions {
  readonly ports: Pick<RadiusPorts, 'clock' | 'after' | 'random'>;
  /** Tells this process from all others: begins every Acct-Session-Id. */
  readonly pod: string;
  readonly traffic: (spiIn: number) => Traffic | undefined;
  readonly deliver: (record: AccountingRecord) => void;
}

export interface AccountingSettings {
  readonly nasIdentifier: string;
  /** Zero: what the server said, or never. */
  readonly interimMs: number;
}

interface Account {
  session: AccountedSession;
  readonly children: Set<number>;
  /** Of children that are gone. */
  past: Traffic;
  /** Children that are gone, of which the last word has not come. */
  leaving: number;
  /** Tells the stop, which waits for that word. */
  ended: (() => void) | undefined;
  readonly intervalMs: number | undefined;
  callOff: () => void;
}

const NOTHING: Traffic = { packetsIn: 0, bytesIn: 0, packetsOut: 0, bytesOut: 0 };
const MULTI_ID_LENGTH = 16;

export class Accounting {
  readonly #options: AccountingOptions;
  /** By both SPIs, for either may be ours after a rekey. */
  readonly #accounts = new Map<string, Account>();
  readonly #byChild = new Map<number, Account>();
  readonly #awaited = new Set<Promise<void>>();
  #settings: AccountingSettings | undefined;
  #count = 0;

  constructor(options: AccountingOptions) {
    this.#options = options;
  }

  /** Undefined: sessions that begin from now on are not counted; those that are, go on to their stop. */
  configure(settings: AccountingSettings | undefined): void {
    this.#settings = settings;
  }

  get size(): number {
    return this.#accounts.size;
  }

  observe(event: Event): void {
    if (event.name === 'established') this.#start(event);
    else if (event.name === 'taken-over' && event.session) this.#start({ ...event, ...event.session });
    else if (this.#accounts.size > 0) this.#follow(event);
  }

  #follow(event: Event): void {
    switch (event.name) {
      case 'child-installed':
        this.#install(this.#accounts.get(key(event)), event.spiIn);
        break;
      case 'ike-rekeyed':
        this.#rename(key(event), event.newSpiI + event.newSpiR);
        break;
      case 'moved':
        this.#move(this.#accounts.get(key(event)), event.path);
        break;
      case 'handed-over':
        this.#stop(key(event), 'handed over');
        break;
      case 'closed':
        this.#stop(key(event), event.why);
        break;
    }
  }

  /** The last count of a child that is removed, as far as it is known; `more`: the last word, which may come later and never rejects. */
  removed(spiIn: number, counted: Traffic, more?: Promise<Traffic>): void {
    const account = this.#byChild.get(spiIn);
    if (!account) return;
    account.past = plus(account.past, counted);
    account.children.delete(spiIn);
    this.#byChild.delete(spiIn);
    if (more) this.#awaitMore(account, counted, more);
  }

  #awaitMore(account: Account, counted: Traffic, more: Promise<Traffic>): void {
    account.leaving += 1;
    const heard = more.then((last) => {
      account.past = plus(account.past, minus(last, counted));
      account.leaving -= 1;
      this.#awaited.delete(heard);
      if (account.leaving === 0) account.ended?.();
    });
    this.#awaited.add(heard);
  }

  /** All stops have been told. */
  async settled(): Promise<void> {
    await Promise.all(this.#awaited);
  }

  #start(event: TakenSession & Pick<AccountedSession, 'path'> & Parameters<typeof key>[0]): void {
    if (!this.#settings || !event.accounting) return;
    const since = this.#options.ports.clock();
    const { remote, inner, path, accounting, authenticatedAt } = event;
    this.#count += 1;
    const session = {
      ...{ id: `${this.#options.pod}-${this.#count.toString(36)}`, multiId: multiId(event.remote.data, authenticatedAt) },
      ...{ remote, inner, path, since, class: accounting.class },
    };
    const intervalMs = this.#settings.interimMs || accounting.interimMs;
    const account: Account = {
      session,
      children: new Set(),
      past: NOTHING,
      leaving: 0,
      ended: undefined,
      intervalMs,
      callOff: () => {},
    };
    this.#accounts.set(key(event), account);
    this.#tell(account, Status.START, []);
    this.#awaitInterim(account);
  }

  #install(account: Account | undefined, spiIn: number): void {
    if (!account) return;
    account.children.add(spiIn);
    this.#byChild.set(spiIn, account);
  }

  #rename(before: string, after: string): void {
    const account = this.#accounts.get(before);
    if (!account) return;
    this.#accounts.delete(before);
    this.#accounts.set(after, account);
  }

  #move(account: Account | undefined, path: AccountedSession['path']): void {
    if (account) account.session = { ...account.session, path };
  }

  #stop(which: string, why: Extract<Event, { name: 'closed' }>['why']): void {
    const account = this.#accounts.get(which);
    if (!account) return;
    account.callOff();
    this.#accounts.delete(which);
    const at = this.#options.ports.clock();
    const end = (): void => this.#tell(account, Status.STOP, [causeAttribute(why)], at);
    if (account.leaving === 0) end();
    else account.ended = end;
    for (const spiIn of account.children) this.#byChild.delete(spiIn);
  }

  /** RFC 2869 §2.1: a little earlier or later, so that sessions which began together do not report together. */
  #awaitInterim(account: Account): void {
    if (!account.intervalMs) return;
    const [byte = 0] = this.#options.ports.random(1);
    account.callOff = this.#options.ports.after(account.intervalMs * (0.9 + (0.2 * byte) / 255), () => {
      this.#tell(account, Status.INTERIM, []);
      this.#awaitInterim(account);
    });
  }

  #tell(account: Account, status: Status, more: readonly Attribute[], at = this.#options.ports.clock()): void {
    const { session } = account;
    const usage = status === Status.START ? [] : usageAttributes(this.#trafficOf(account), at - session.since);
    const attributes = sessionAttributes(session, status, at, this.#settings?.nasIdentifier ?? '');
    this.#options.deliver({ status, session: session.id, at, attributes: [...attributes, ...usage, ...more] });
  }

  #trafficOf({ children, past }: Account): Traffic {
    let sum = past;
    for (const spiIn of children) sum = plus(sum, this.#options.traffic(spiIn) ?? NOTHING);
    return sum;
  }
}

const key = ({ spiI, spiR }: { readonly spiI: string; readonly spiR: string }): string => spiI + spiR;

/** A ticket keeps identity and time of authentication, so every pod that resumes comes to the same. */
const multiId = (identity: Uint8Array, authenticatedAt: number): string =>
  hex(
    sha256(concat(u32Bytes(Math.floor(authenticatedAt / 2 ** 32)), u32Bytes(authenticatedAt % 2 ** 32), identity)).subarray(
      0,
      MULTI_ID_LENGTH,
    ),
  );

/** Never less than nothing: what was counted once stays so. */
const minus = (a: Traffic, b: Traffic): Traffic => ({
  packetsIn: Math.max(0, a.packetsIn - b.packetsIn),
  bytesIn: Math.max(0, a.bytesIn - b.bytesIn),
  packetsOut: Math.max(0, a.packetsOut - b.packetsOut),
  bytesOut: Math.max(0, a.bytesOut - b.bytesOut),
});

const plus = (a: Traffic, b: Traffic): Traffic => ({
  packetsIn: a.packetsIn + b.packetsIn,
  bytesIn: a.bytesIn + b.bytesIn,
  packetsOut: a.packetsOut + b.packetsOut,
  bytesOut: a.bytesOut + b.bytesOut,
});
