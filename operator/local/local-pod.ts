/** One pod as its kubelet sees it: volumes, container, probes, restarts in place, and the end. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { isStatus } from '../kube/api-error.ts';
import { GATEWAY_LABEL } from '../plan/names.ts';
import type { Manifest, PlannedEvent } from '../plan/plan.ts';
import { type Container, gatewayContainer } from './container.ts';
import { makePrivateDirectory } from './disk.ts';
import type { EventLog } from './event-log.ts';
import { sameJson } from './field-ownership.ts';
import { PID_FILE } from './leftover.ts';
import type { LocalNetwork } from './network.ts';
import { isDeleting, type ObjectStore, refTo } from './object-store.ts';
import { PodLog } from './pod-log.ts';
import { ordinalOf, specOf } from './pod-object.ts';
import { type Exit, PodProcess } from './pod-process.ts';
import { type PodState, podStatus } from './pod-status.ts';
import { keepProbing } from './probe.ts';
import { project } from './projection.ts';
import { type SourceKind, VolumeMissing, volumesOf } from './volume.ts';

export interface PodTiming {
  /** After the first crash; kubelets need about a second to notice. */
  readonly firstRestartMs: number;
  /** After the second, doubled with each further one. */
  readonly backoffMs: number;
  readonly longestBackoffMs: number;
  /** A container that ran so long begins anew with the first. */
  readonly resetMs: number;
  /** How late a changed Secret or ConfigMap is in the files of a pod that nobody touches. */
  readonly projectionMs: number;
  readonly readyPollMs: number;
}

export const POD_TIMING: PodTiming = {
  firstRestartMs: 1_000,
  backoffMs: 10_000,
  longestBackoffMs: 300_000,
  resetMs: 600_000,
  projectionMs: 1_000,
  readyPollMs: 100,
};

export interface PodSurroundings {
  readonly store: ObjectStore;
  readonly events: EventLog;
  readonly network: LocalNetwork;
  readonly clock: Clock;
  readonly timing: PodTiming;
  /** The script that the container runs. */
  readonly program: string;
  readonly podsDirectory: string;
  readonly logsDirectory: string;
}

/** Of a pod that is ready. */
const READY_POLL_MS = 1_000;

export class LocalPod {
  readonly #at: PodSurroundings;
  readonly #directory: string;
  readonly #log: PodLog;
  #pod: Manifest;
  #process: PodProcess | undefined;
  #state: PodState = { ready: false, restarts: 0, waiting: { reason: 'ContainerCreating', message: '' }, finished: undefined };
  #crashes = 0;
  /** Longer than the timing says, once: as when a node died. */
  #holdMs = 0;
  #ending = false;
  #ended: Promise<void> | undefined;
  #stamps = 0;
  #cancelRestart: () => void = () => {};
  readonly #probes: (() => void)[] = [];
  #cancelProjection: (() => void) | undefined;

  constructor(pod: Manifest, at: PodSurroundings) {
    this.#at = at;
    this.#pod = pod;
    this.#directory = join(at.podsDirectory, pod.metadata.uid ?? '');
    makePrivateDirectory(this.#directory);
    this.#log = new PodLog(join(at.logsDirectory, `${pod.metadata.namespace}_${pod.metadata.name}.log`));
    this.#report();
    this.#begin();
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get restarts(): number {
    return this.#state.restarts;
  }

  kill(signal: NodeJS.Signals, holdMs: number): boolean {
    this.#holdMs = holdMs;
    return this.#process?.kill(signal) ?? false;
  }

  changed(pod: Manifest): void {
    const touched = !sameJson(pod.metadata.annotations, this.#pod.metadata.annotations);
    this.#pod = pod;
    if (isDeleting(pod)) void this.end(graceMs(pod));
    else if (touched) this.#projectAgain();
  }

  sourcesChanged(): void {
    if (this.#ending) return;
    if (!this.#process && this.#state.restarts === 0) this.#begin();
    this.#cancelProjection ??= this.#at.clock.after(this.#at.timing.projectionMs, () => this.#projectAgain());
  }

  /** Ends the container, then takes the pod out of the store and its files off the disk. */
  end(grace: number): Promise<void> {
    if (this.#ended) this.#process?.end(grace);
    this.#ended ??= this.#end(grace);
    return this.#ended;
  }

  async #end(grace: number): Promise<void> {
    this.#ending = true;
    this.#cancelRestart();
    this.#cancelProjection?.();
    // It stays ready while it drains, so that its flows stay with it: only its exit ends that.
    this.#endProbes();
    await this.#process?.end(grace);
    this.#log.close();
    rmSync(this.#directory, { recursive: true, force: true });
    try {
      this.#at.store.remove(refTo(this.#pod), { uid: this.#pod.metadata.uid, graceSeconds: 0 });
    } catch (error) {
      if (!isStatus(error, 409)) throw error;
    }
  }

  #begin(): void {
    if (this.#ending || this.#process) return;
    try {
      this.#project();
      this.#run(gatewayContainer(this.#withAddress(), (volume) => this.#volume(volume)));
    } catch (error) {
      this.#wait(error instanceof VolumeMissing ? 'FailedMount' : 'CreateContainerConfigError', error);
    }
  }

  #wait(reason: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#event({ type: 'Warning', reason, message });
    this.#update({ waiting: { reason: reason === 'FailedMount' ? 'ContainerCreating' : reason, message } });
  }

  #run(container: Container): void {
    const program = {
      args: [this.#at.program, ...container.args],
      env: container.env,
      directory: this.#directory,
      pidFile: join(this.#directory, PID_FILE),
    };
    const process = new PodProcess(program, this.#log, this.#at.clock);
    this.#process = process;
    this.#update({ waiting: undefined });
    this.#event({ type: 'Normal', reason: 'Started', message: `Started container ${container.name}, process ${process.pid}` });
    this.#watchOver(process, container);
    void process.exited.then((exit) => this.#exited(process, exit));
  }

  #watchOver(process: PodProcess, { readiness, liveness }: Container): void {
    const { clock, timing } = this.#at;
    if (readiness) {
      const pollMs = () => (this.#state.ready ? Math.min(readiness.periodMs, READY_POLL_MS) : timing.readyPollMs);
      const told = (ready: boolean) => this.#update({ ready });
      this.#probes.push(keepProbing({ probe: readiness, address: this.#address(), clock, pollMs, told }));
    } else this.#update({ ready: true });
    if (!liveness) return;
    const told = (alive: boolean) => {
      if (alive) return;
      this.#event({ type: 'Warning', reason: 'Unhealthy', message: 'the liveness probe failed: the container is killed' });
      process.kill('SIGKILL');
    };
    this.#probes.push(keepProbing({ probe: liveness, address: this.#address(), clock, pollMs: () => liveness.periodMs, told }));
  }

  #endProbes(): void {
    for (const end of this.#probes.splice(0)) end();
  }

  #exited(process: PodProcess, exit: Exit): void {
    this.#process = undefined;
    this.#endProbes();
    const how = exit.signal ?? `code ${exit.code}`;
    this.#update({ ready: false });
    if (this.#ending) return;
    const ranMs = this.#at.clock.elapsed() - process.startedAt;
    this.#crashes = ranMs > this.#at.timing.resetMs ? 1 : this.#crashes + 1;
    const wait = Math.max(this.#holdMs, this.#backoff());
    this.#holdMs = 0;
    const message = `the container ended with ${how}; it starts again in ${Math.round(wait / 100) / 10} s`;
    this.#event({ type: 'Warning', reason: this.#crashes > 1 ? 'BackOff' : 'Died', message });
    const reason = this.#crashes > 1 ? 'CrashLoopBackOff' : 'Terminated';
    this.#update({ restarts: this.#state.restarts + 1, waiting: { reason, message }, finished: exit });
    this.#cancelRestart = this.#at.clock.after(wait, () => this.#begin());
  }

  #backoff(): number {
    const { firstRestartMs, backoffMs, longestBackoffMs } = this.#at.timing;
    return this.#crashes <= 1 ? firstRestartMs : Math.min(longestBackoffMs, backoffMs * 2 ** Math.min(this.#crashes - 2, 20));
  }

  #projectAgain(): void {
    this.#cancelProjection?.();
    this.#cancelProjection = undefined;
    if (this.#ending) return;
    try {
      this.#project();
    } catch (error) {
      // The kubelet leaves the files as they are, too.
      this.#event({ type: 'Warning', reason: 'FailedMount', message: error instanceof Error ? error.message : String(error) });
    }
  }

  #project(): void {
    const { namespace } = this.#pod.metadata;
    const find = (kind: SourceKind, name: string) => this.#at.store.get({ apiVersion: 'v1', kind, namespace, name });
    for (const { name, files } of volumesOf(this.#pod, find)) project(this.#volume(name), files, this.#stamp());
  }

  #stamp(): string {
    const time = new Date(this.#at.clock.now()).toISOString().replace(/[-T:]/g, '_').slice(0, 19);
    return `${time}.${process.pid}${++this.#stamps}`;
  }

  #volume(name: string): string {
    const directory = join(this.#directory, 'volumes', name);
    makePrivateDirectory(directory);
    return directory;
  }

  #address(): string {
    const { namespace, labels } = this.#pod.metadata;
    return this.#at.network.podAddress(namespace, labels?.[GATEWAY_LABEL] ?? '', ordinalOf(this.#pod));
  }

  #withAddress(): Manifest {
    return { ...this.#pod, status: { podIP: this.#address() } };
  }

  #update(change: Partial<PodState>): void {
    this.#state = { ...this.#state, ...change };
    this.#report();
  }

  #report(): void {
    const status = podStatus(this.#pod, this.#state, this.#address(), this.#at.clock.now());
    try {
      this.#pod = this.#at.store.merge(refTo(this.#pod), { status }, this.#pod.metadata.uid);
    } catch (error) {
      if (!isStatus(error, 404, 409)) throw error; // taken away by force
    }
  }

  #event(event: PlannedEvent): void {
    this.#at.events.add(this.#pod, event, this.#at.clock.now());
  }
}

function graceMs(pod: Manifest): number {
  const seconds = pod.metadata['deletionGracePeriodSeconds'] ?? specOf(pod)['terminationGracePeriodSeconds'];
  return (typeof seconds === 'number' ? seconds : 30) * 1000;
}
