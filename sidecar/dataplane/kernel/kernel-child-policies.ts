/**
 * Policies of all children. Children with an equal pair of selectors (a rekeyed one and its successor, a session that came back) share the three
 * policies of the pair: the newest that need not wait sends, and what arrives may come by any with the reqid of the newest.
 */

import type { KernelChild } from './kernel-child.ts';
import type { Message, Request } from './netlink-message.ts';
import { NetlinkError } from './netlink-requests.ts';
import {
  type Direction,
  deletePolicy,
  newPolicy,
  type PolicyId,
  type Template,
  updatePolicy,
  type XfrmPolicy,
} from './xfrm-policy.ts';
import { priorityOf, reversed, selectorKey } from './xfrm-selectors.ts';
import type { XfrmSelector } from './xfrm-structures.ts';

export type Ask = (request: Request) => Promise<readonly Message[]>;

interface Lane {
  readonly pair: XfrmSelector;
  readonly mark: number;
  /** The newest last. */
  readonly children: KernelChild[];
}

/** What arrives is allowed before anything leaves. */
const ORDER: readonly Direction[] = ['in', 'fwd', 'out'];

export class ChildPolicies {
  readonly #ask: Ask;
  readonly #lanes = new Map<string, Lane>();
  /** What the kernel has, or will have when it has answered: the template, in words. */
  #written = new Map<string, string>();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Rejects with Error when the kernel refuses one of its policies; the caller then lets it leave. */
  async join(child: KernelChild): Promise<void> {
    for (const pair of child.pairs) {
      const key = `${child.mark} ${selectorKey(pair)}`;
      const lane = this.#lanes.get(key) ?? { pair, mark: child.mark, children: [] };
      this.#lanes.set(key, lane);
      lane.children.push(child);
    }
    await this.refresh(child);
  }

  /** The last one takes the policies along. */
  async leave(child: KernelChild): Promise<void> {
    for (const lane of this.#lanesOf(child)) {
      const at = lane.children.indexOf(child);
      if (at >= 0) lane.children.splice(at, 1);
    }
    await this.refresh(child);
  }

  /** Rewrites what has to be another way: it sends now, or goes elsewhere. */
  async refresh(child: KernelChild): Promise<void> {
    await settled(this.#lanesOf(child).flatMap((lane) => this.#write(lane)));
  }

  /** Forgets all children, and takes what the kernel has as written. */
  reset(policies: readonly XfrmPolicy[]): void {
    this.#lanes.clear();
    this.#written = new Map(policies.map((policy) => [policyKey(policy), contentOf(policy)]));
  }

  /** Removes what was written and serves no child. */
  async removeUnused(policies: readonly XfrmPolicy[]): Promise<void> {
    const used = new Set([...this.#lanes.values()].flatMap((lane) => ORDER.map((direction) => policyKey(idOf(lane, direction)))));
    await settled(policies.filter((policy) => !used.has(policyKey(policy))).map((policy) => this.#delete(policy)));
  }

  #lanesOf(child: KernelChild): readonly Lane[] {
    return child.pairs.flatMap((pair) => this.#lanes.get(`${child.mark} ${selectorKey(pair)}`) ?? []);
  }

  #write(lane: Lane): readonly Promise<unknown>[] {
    const newest = lane.children.at(-1);
    if (newest) {
      const sender = lane.children.findLast(({ waitsFor }) => waitsFor === undefined) ?? newest;
      return ORDER.map((direction) =>
        this.#put(lane, direction, direction === 'out' ? sending(sender) : { reqid: newest.reqid }),
      );
    }
    this.#lanes.delete(`${lane.mark} ${selectorKey(lane.pair)}`);
    return ORDER.toReversed().map((direction) => this.#delete(idOf(lane, direction)));
  }

  #put(lane: Lane, direction: Direction, template: Template): Promise<unknown> {
    const policy = { ...idOf(lane, direction), priority: priorityOf(lane.pair), template };
    const [key, content] = [policyKey(policy), contentOf(policy)];
    const before = this.#written.get(key);
    if (before === content) return Promise.resolve();
    this.#written.set(key, content);
    return this.#ask(before === undefined ? newPolicy(policy) : updatePolicy(policy)).catch((error: unknown) => {
      if (before === undefined) this.#written.delete(key);
      else this.#written.set(key, before);
      if (!(error instanceof NetlinkError) || error.code !== 'EEXIST') throw error;
      throw new Error('another program has a policy for the same packets (ip xfrm policy shows it); remove it');
    });
  }

  async #delete(id: PolicyId): Promise<void> {
    if (!this.#written.delete(policyKey(id))) return;
    await this.#ask(deletePolicy(id)).catch((error: unknown) => {
      // ENOENT: somebody else was faster.
      if (!(error instanceof NetlinkError) || error.code !== 'ENOENT') throw error;
    });
  }
}

function idOf({ pair, mark }: Lane, direction: Direction): PolicyId {
  return { direction, mark, selector: direction === 'out' ? pair : reversed(pair) };
}

/** The SPI is named: which of several children sends is decided here, not by their age. */
const sending = (child: KernelChild): Template => ({
  reqid: child.reqid,
  through: { source: child.ends.local, destination: child.ends.remote, spi: child.child.spiOut },
});

const policyKey = ({ direction, selector, mark }: PolicyId): string => `${direction} ${mark} ${selectorKey(selector)}`;

function contentOf({ priority, template: { reqid, through } }: XfrmPolicy): string {
  return `${priority} ${reqid} ${through ? `${through.spi} ${through.source} ${through.destination}` : ''}`;
}

/** All of them, even when one fails; the first failure is thrown. */
export async function settled(all: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(all)).find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
