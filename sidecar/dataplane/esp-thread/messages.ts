/** What the two sides of the thread say to each other: orders and their answers, and what is counted. Never a packet. */
import type { DataplaneOrder, DataplaneReport } from '../../contract/dataplane.ts';
import type { ChildTraffic, DropReason } from '../dataplane.ts';
import type { UserspaceSettings } from '../userspace/esp-engine.ts';
import type { EspSocket } from './esp-thread.ts';

/** With what a thread begins. */
export interface Beginning {
  readonly bell: SharedArrayBuffer;
  /** An eventfd: readable when the bell has rung. */
  readonly wakeup: number;
  readonly sockets: readonly EspSocket[];
  readonly tun: readonly number[];
  readonly settings: UserspaceSettings;
  readonly crypto: 'auto' | 'noble' | 'openssl';
  readonly forward: boolean;
}

export type ToThread =
  /** Carried out in order; answered by `done` with one outcome for each. */
  | { readonly type: 'orders'; readonly id: number; readonly orders: readonly DataplaneOrder[] }
  | { readonly type: 'configure'; readonly settings: UserspaceSettings }
  /** Answered by `done`, after the news of all that happened before. */
  | { readonly type: 'settle'; readonly id: number }
  | { readonly type: 'close' };

export type FromThread =
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly id: number; readonly outcomes: readonly Outcome[] }
  | ({ readonly type: 'news' } & News)
  /** The TUN device went away; ESP goes on, for packets between peers. */
  | { readonly type: 'tun-gone'; readonly reason: string };

export interface Outcome {
  /** Why the order could not be carried out. */
  readonly failure?: string | undefined;
  /** The last word on a child that was removed. */
  readonly last?: ChildTraffic | undefined;
}

export interface News {
  readonly reports: readonly DataplaneReport[];
  /** Of the children that carried something since the last news. */
  readonly traffic: readonly ChildTraffic[];
  readonly drops: Readonly<Record<DropReason, number>>;
  /** Datagrams that did not leave, by errno name. */
  readonly failed: Readonly<Record<string, number>>;
}

/** Places in the bell. */
export const Bell = { RUNG: 0, LENGTH: 1 } as const;
/** `END`: the process is about to, and nobody will read an answer. */
export const Rung = { NO: 0, MESSAGES: 1, END: 2 } as const;
