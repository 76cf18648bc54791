/** Child SAs in the kernel, by XFRM over netlink: the port KernelChildren. */
import type { CarriedTraffic, Outcome } from '../../contract/agent-protocol.ts';
import type { InstallOrder, MoveOrder } from '../../contract/dataplane.ts';
import { KernelChild } from './kernel-child.ts';
import { endpoint, isOurState } from './kernel-child-match.ts';
import { moveChild } from './kernel-child-move.ts';
import { Turns } from './kernel-child-order.ts';
import { type Ask, ChildPolicies, settled } from './kernel-child-policies.ts';
import { reconcileChildren } from './kernel-child-reconcile.ts';
import { ChildRegistry, type Installed } from './kernel-child-registry.ts';
import { ChildReports } from './kernel-child-reports.ts';
import { addStates, takeStates } from './kernel-child-states.ts';
import type { KernelChildren, KernelObserver, KernelSettings } from './kernel-port.ts';
import { NetlinkEvents } from './netlink-events.ts';
import type { Message } from './netlink-message.ts';
import { NetlinkError, NetlinkRequests } from './netlink-requests.ts';
import { loadNetlinkSyscalls, type NetlinkSyscalls } from './netlink-syscalls.ts';
import { decodeEvent, reportAfter, XFRMNLGRP, type XfrmEvent } from './xfrm-event.ts';
import { decodeState, dumpStates, type ForeignState } from './xfrm-state.ts';
import { NETLINK_XFRM } from './xfrm-structures.ts';

/** @throws Error that names the remedy. */
export async function openKernelChildren(
  settings: KernelSettings,
  observer: KernelObserver,
  system?: NetlinkSyscalls,
): Promise<KernelChildren> {
  return new XfrmChildren(system ?? (await loadNetlinkSyscalls()), settings, observer);
}

const ALL = -1;

class XfrmChildren implements KernelChildren {
  readonly #requests: NetlinkRequests;
  readonly #events: NetlinkEvents;
  readonly #observer: KernelObserver;
  readonly #ask: Ask;
  readonly #policies: ChildPolicies;
  readonly #reports: ChildReports;
  readonly #turns = new Turns();
  readonly #registry = new ChildRegistry();
  #settings: KernelSettings;
  /** The last one that has begun; never rejects. */
  #reading: Promise<void> = Promise.resolve();
  #nextReading: Promise<void> | undefined;

  constructor(system: NetlinkSyscalls, settings: KernelSettings, observer: KernelObserver) {
    this.#settings = settings;
    this.#observer = observer;
    this.#requests = new NetlinkRequests(system, NETLINK_XFRM);
    this.#ask = (request) => this.#requests.ask(request);
    this.#policies = new ChildPolicies(this.#ask);
    this.#reports = new ChildReports(observer);
    this.#events = new NetlinkEvents(system, NETLINK_XFRM, Object.values(XFRMNLGRP), {
      message: (message) => this.#hear(message),
      overrun: () => this.#inBackground(this.#resynchronise()),
      failed: observer.failed,
    });
  }

  install(order: InstallOrder): Promise<void> {
    return this.#turns.run('install', order.child.spiIn, () => this.#install(order));
  }

  remove(spiIn: number): Promise<CarriedTraffic | undefined> {
    return this.#turns.run('remove', spiIn, () => this.#remove(spiIn));
  }

  move(order: MoveOrder): Promise<void> {
    return this.#turns.run('move', order.spiIn, async () => {
      const child = this.#registry.get(order.spiIn);
      if (!child) throw new Error('no such child is installed');
      await this.#move(child, order);
    });
  }

  reconcile(all: readonly InstallOrder[]): Promise<readonly Outcome[]> {
    const [ask, policies, registry] = [this.#ask, this.#policies, this.#registry];
    const move = (child: KernelChild, to: KernelChild['child']): Promise<void> => this.#move(child, to);
    return this.#turns.run('reconcile', ALL, () => reconcileChildren({ ask, policies, registry, move }, all, this.#settings));
  }

  async flush(): Promise<void> {
    await this.reconcile([]);
  }

  async settle(): Promise<void> {
    await this.#resynchronise();
    this.#events.drain();
    this.#reports.give();
  }

  /** For what is installed from now on. */
  configure(settings: KernelSettings): void {
    this.#settings = settings;
  }

  close(): void {
    this.#reports.close();
    this.#events.close();
    this.#requests.close();
  }

  async #install({ child: sa, sendsAfter }: InstallOrder): Promise<void> {
    const child = new KernelChild(sa, this.#settings);
    const before = this.#registry.get(sa.spiIn);
    if (before?.isSameBut(child)) return this.#move(before, sa);
    if (before) await this.#remove(sa.spiIn);
    if (sendsAfter !== undefined && this.#registry.get(sendsAfter)) child.waitsFor = sendsAfter;
    this.#registry.enter(child);
    try {
      await addStates(this.#ask, child);
    } catch (error) {
      this.#registry.leave(child);
      throw error;
    }
    try {
      await this.#policies.join(child);
    } catch (error) {
      await this.#remove(sa.spiIn);
      throw error;
    }
    child.stands = true;
  }

  async #remove(spiIn: number): Promise<CarriedTraffic | undefined> {
    const child = this.#registry.get(spiIn);
    if (!child) return undefined;
    this.#registry.leave(child);
    this.#reports.forget(child);
    const successors = this.#registry.waitingFor(spiIn);
    for (const successor of successors) successor.waitsFor = undefined;
    const policies = [...successors.map((successor) => this.#policies.refresh(successor)), this.#policies.leave(child)];
    await settled([...policies, takeStates(this.#ask, child)]);
    return child.traffic();
  }

  async #move(child: KernelChild, to: Pick<MoveOrder, 'path' | 'encapsulated'>): Promise<void> {
    const { path, encapsulated } = child.child;
    if (path.local === to.path.local && path.remote === to.path.remote && encapsulated === to.encapsulated) return;
    child.stands = false;
    try {
      await moveChild({ ask: this.#ask, policies: this.#policies }, child, to, () => this.#registry.rename(child));
    } finally {
      child.stands = true;
    }
  }

  #hear(message: Message): void {
    const event = decodeEvent(message);
    const installed = event && this.#registry.byState(event.id);
    if (!event || !installed) return;
    if (event.event === 'progress') this.#progress(installed, event);
    else if (event.event === 'expired') this.#expired(installed, event);
    else this.#elsewhere(installed, event);
  }

  #progress({ child, way }: Installed, { id, used, sequences }: Extract<XfrmEvent, { event: 'progress' }>): void {
    if (!child.note(way, used, sequences)) return;
    this.#reports.carried(child, way);
    if (this.#registry.isFresh(id)) this.#inBackground(this.#ask(reportAfter(0, id, child.sourceOf(way), child.mark)));
    // RFC 7296 §2.8: the peer sends on the new one, so it receives on it, too.
    if (way === 'in' && child.waitsFor !== undefined) {
      child.waitsFor = undefined;
      this.#inBackground(this.#policies.refresh(child));
    }
  }

  #expired({ child, way }: Installed, { hard, used }: Extract<XfrmEvent, { event: 'expired' }>): void {
    if (child.note(way, used, undefined)) this.#reports.carried(child, way);
    if (!hard) this.#reports.expiring(child);
    else if (child.stands) this.#lose(child);
  }

  /** One of its states is gone; the rest is of no use. */
  #lose(child: KernelChild): void {
    const { spiIn } = child;
    child.stands = false;
    this.#inBackground(this.remove(spiIn).then(() => this.#reports.lost(spiIn)));
  }

  #elsewhere({ child }: Installed, { address, port }: Extract<XfrmEvent, { event: 'moved' }>): void {
    const remote = endpoint(address, String(port));
    if (remote !== child.child.path.remote) this.#reports.elsewhere(child, remote);
  }

  /** Reads all counters; all who ask while that is under way share the next reading: siblings may ask many times at once. */
  #resynchronise(): Promise<void> {
    this.#nextReading ??= this.#reading.then(() => {
      this.#nextReading = undefined;
      const reading = this.#readAll();
      this.#reading = reading.catch(() => {});
      return reading;
    });
    return this.#nextReading;
  }

  /** Also finds what somebody else has removed, or what the kernel removed when nobody could hear it. */
  async #readAll(): Promise<void> {
    const standing = this.#registry.standing();
    const seen = new Set<KernelChild>();
    const halves = new Set<KernelChild>();
    for (const message of await this.#ask(dumpStates())) {
      const state = decodeState(message);
      const child = state && this.#noteState(state);
      if (child) (halves.has(child) ? seen : halves).add(child);
    }
    for (const child of standing) {
      if (!seen.has(child) && child.stands && this.#registry.get(child.spiIn) === child) this.#lose(child);
    }
  }

  #noteState(state: ForeignState): KernelChild | undefined {
    const installed = this.#registry.byState(state);
    if (!installed || !isOurState(state, installed.child.mark)) return undefined;
    const { used, sequences } = state;
    this.#progress(installed, { event: 'progress', id: state, used, sequences });
    return installed.child;
  }

  /** What nobody waits for must not fail unseen. That a state or the socket is gone meanwhile is no failure. */
  #inBackground(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (error instanceof NetlinkError && (error.code === 'ESRCH' || error.code === 'EBADF')) return;
      this.#observer.failed(error instanceof Error ? error : new Error(String(error)));
    });
  }
}
