/** What a local cluster is made of, and what is told of each part: objects, pods, a service, the files of the user, the operator. */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { createLog } from '../../sidecar/process/log.ts';
import { type Clock, systemClock } from '../clock.ts';
import { Controller } from '../controller.ts';
import { freshKey } from '../fresh-key.ts';
import { credentials } from '../plan/manifests/credentials.ts';
import type { Manifest } from '../plan/plan.ts';
import { readReport } from '../report.ts';
import { isGateway } from '../resource.ts';
import { Disk } from './disk.ts';
import { EventLog } from './event-log.ts';
import type { Ground } from './ground.ts';
import { fromChange, fromEvent, fromProblems, type Happening, nameOf } from './happening.ts';
import { Kubelet } from './kubelet.ts';
import type { LocalOptions } from './local-options.ts';
import { POD_TIMING } from './local-pod.ts';
import { ManifestDirectory } from './manifest-directory.ts';
import { ObjectStore } from './object-store.ts';
import { PodLog } from './pod-log.ts';
import { ServiceProxy } from './service-proxy.ts';
import { StatefulSets } from './stateful-set.ts';
import { StoreCluster } from './store-cluster.ts';

export interface LocalParts {
  readonly clock: Clock;
  readonly store: ObjectStore;
  readonly events: EventLog;
  readonly sets: StatefulSets;
  readonly kubelet: Kubelet;
  readonly proxy: ServiceProxy;
  readonly manifests: ManifestDirectory;
  readonly controller: Controller;
}

/** What every part stands on. */
interface Site {
  readonly clock: Clock;
  readonly store: ObjectStore;
  readonly events: EventLog;
  readonly ground: Ground;
  readonly options: LocalOptions;
  readonly tell: (happening: Happening) => void;
}

const RESYNC_MS = 30_000;
/** A pod has read new files by then. */
const RELOAD_MS = 1_000;
const SIDECAR = join(import.meta.dirname, '../../sidecar/main.ts');

/** Nothing runs yet. */
export function localParts(directory: string, ground: Ground, options: LocalOptions, tell: Site['tell']): LocalParts {
  const clock = systemClock;
  const store = new ObjectStore(clock, new Disk(join(ground.state, 'objects')));
  const events = new EventLog((event) => tell(fromEvent(event)));
  const site: Site = { clock, store, events, ground, options, tell };
  store.watch((change) => {
    for (const happening of fromChange(change)) tell(happening);
    if ((change.kind === 'Secret' || change.kind === 'ConfigMap') && change.after) expectNews(change.after, site, controller);
  });
  const sets = new StatefulSets(store);
  const kubelet = kubeletOf(site);
  const proxy = proxyOf(site);
  const manifests = new ManifestDirectory(directory, store, clock, {
    applied: (manifest, change) => tell({ event: 'manifest', object: nameOf(manifest), change }),
    removed: (manifest) => tell({ event: 'manifest', object: nameOf(manifest), change: 'removed' }),
    refused: (file, problems) => tell({ event: 'refused', file, problems: fromProblems(problems) }),
    doubted: (problems) => tell({ event: 'warning', problems: fromProblems(problems) }),
  });
  const controller = controllerOf(site);
  return { clock, store, events, sets, kubelet, proxy, manifests, controller };
}

/** Pods say what they think of a credential only when asked, and on a cluster that is once a minute. */
function expectNews({ kind, metadata: { namespace, name } }: Manifest, { store, options }: Site, controller: Controller): void {
  const { projectionMs } = { ...POD_TIMING, ...options.podTiming };
  for (const gateway of store.list('VpnGateway', { namespace }).filter(isGateway)) {
    if (!credentials(gateway).some(({ objects }) => objects.includes(`${kind} ${name}`))) continue;
    controller.lookAgain({ kind: 'VpnGateway', namespace, name: gateway.metadata.name }, projectionMs + RELOAD_MS);
  }
}

const kubeletOf = ({ clock, store, events, options, ground: { state, network } }: Site): Kubelet =>
  new Kubelet({
    store,
    events,
    network,
    clock,
    timing: { ...POD_TIMING, ...options.podTiming },
    program: options.program ?? SIDECAR,
    podsDirectory: join(state, 'pods'),
    logsDirectory: join(state, 'logs'),
  });

const proxyOf = ({ clock, store, options, ground: { network }, tell }: Site): ServiceProxy =>
  new ServiceProxy({
    store,
    network,
    clock,
    random: options.spread ?? random,
    affinity: options.affinity,
    endpointDelayMs: options.endpointDelayMs ?? 3_000,
    ...(options.flowTiming ? { flowTiming: options.flowTiming } : {}),
    failed: (service, error) => tell({ event: 'failure', message: `${nameOf(service)}: ${messageOf(error)}` }),
    serving: (service, address, served) => tell({ event: 'service', object: nameOf(service), address, ports: served }),
  });

function controllerOf({ clock, store, events, options, ground: { state, network }, tell }: Site): Controller {
  const log = new PodLog(join(state, 'logs', 'operator.log'));
  return new Controller({
    cluster: new StoreCluster(store, events, clock),
    clock,
    random,
    freshKey,
    placement: ({ namespace, name }) => network.placement(namespace, name),
    report: readReport,
    log: createLog({
      level: options.logLevel ?? 'info',
      base: {},
      to: { write: (line) => log.write(Buffer.from(line)) },
    }),
    failed: ({ kind, namespace, name }, error) => {
      tell({ event: 'failure', message: `${kind} ${namespace}/${name}: ${messageOf(error)}; see operator.log` });
    },
    workers: 1,
    resyncMs: RESYNC_MS,
  });
}

const random = (): number => randomInt(2 ** 32) / 2 ** 32;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
