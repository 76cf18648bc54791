/** What a container of a pod would run: its arguments and environment, with paths of volumes where they are on this machine. */
import type { Manifest } from '../plan/plan.ts';
import { isMapping, type Json } from './field-ownership.ts';
import { mappings, ordinalOf, podAddress, specOf } from './pod-object.ts';

export interface Probe {
  readonly path: string;
  readonly port: number;
  readonly periodMs: number;
  readonly failureThreshold: number;
}

export interface Container {
  readonly name: string;
  /** Without the program: that is the sidecar of this checkout. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly readiness: Probe | undefined;
  readonly liveness: Probe | undefined;
}

/** The container that is the gateway; the local mode runs no other. `directoryOf` says where a volume is. */
export function gatewayContainer(pod: Manifest, directoryOf: (volume: string) => string): Container {
  const [container] = [...mappings(specOf(pod)['initContainers']), ...mappings(specOf(pod)['containers'])].filter(isGateway);
  if (!container) throw new Error(`${pod.metadata.name}: no container runs the sidecar`);
  const mounts = mappings(container['volumeMounts']).map(({ name, mountPath }) => ({
    at: `${mountPath}`,
    is: directoryOf(`${name}`),
  }));
  const env = environment(container['env'], pod);
  return {
    name: `${container['name']}`,
    args: onThisMachine(
      texts(container['args']).map((argument) => relocate(expand(argument, env), mounts)),
      pod,
    ),
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, relocate(value, mounts)])),
    readiness: probe(container['readinessProbe'], container['ports']),
    liveness: probe(container['livenessProbe'], container['ports']),
  };
}

/** Processes here share a host name and the loopback network, so each is told which pod it is. */
function onThisMachine(args: readonly string[], pod: Manifest): readonly string[] {
  const address = podAddress(pod) ?? '';
  const self = [
    '--ordinal',
    `${ordinalOf(pod)}`,
    '--pod-uid',
    pod.metadata.uid ?? '',
    '--address',
    address,
    '--http-address',
    address,
  ];
  return [...args.filter((argument) => argument !== '--ordinal-from-hostname'), ...self];
}

/** It is told by `--config` what it is. */
const isGateway = ({ args }: Readonly<Record<string, Json>>): boolean =>
  texts(args).some((argument) => /^--config(=|$)/.test(argument));

function environment(list: Json, pod: Manifest): Readonly<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const { name, value, valueFrom } of mappings(list)) {
    const field = isMapping(valueFrom) && isMapping(valueFrom['fieldRef']) ? `${valueFrom['fieldRef']['fieldPath']}` : undefined;
    env[`${name}`] = field === undefined ? expand(`${value ?? ''}`, env) : fieldOf(pod, field);
  }
  return env;
}

/** The downward API. */
function fieldOf(pod: Manifest, field: string): string {
  const label = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(field);
  if (label) return `${(label[1] === 'labels' ? pod.metadata.labels : pod.metadata.annotations)?.[label[2] ?? ''] ?? ''}`;
  switch (field) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace;
    case 'metadata.uid':
      return pod.metadata.uid ?? '';
    case 'status.podIP':
    case 'status.podIPs':
    case 'status.hostIP':
      return podAddress(pod) ?? '';
    case 'spec.nodeName':
      return 'local';
    default:
      throw new Error(`the local mode does not know the field ${field} of a pod`);
  }
}

/** `$(NAME)` is the variable, `$$(NAME)` is left as `$(NAME)`. */
const expand = (text: string, env: Readonly<Record<string, string>>): string =>
  text.replace(/\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)/g, (whole, name) => (whole === '$$' ? '$' : (env[name] ?? whole)));

/** A path below a mount, alone or after `--option=` or `name=`. */
function relocate(text: string, mounts: readonly { readonly at: string; readonly is: string }[]): string {
  const [, option = '', path = ''] = /^((?:[^=/]+=)+)?(.*)$/s.exec(text) ?? [];
  const longest = mounts
    .filter(({ at }) => path === at || path.startsWith(`${at}/`))
    .sort((a, b) => b.at.length - a.at.length)[0];
  return longest ? `${option}${longest.is}${path.slice(longest.at.length)}` : text;
}

function probe(value: Json, ports: Json): Probe | undefined {
  const get = isMapping(value) ? value['httpGet'] : undefined;
  if (!isMapping(value) || !isMapping(get)) return undefined;
  const { periodSeconds, failureThreshold } = value;
  return {
    path: `${get['path'] ?? '/'}`,
    port: portOf(get['port'], ports),
    periodMs: (typeof periodSeconds === 'number' ? periodSeconds : 10) * 1000,
    failureThreshold: typeof failureThreshold === 'number' ? failureThreshold : 3,
  };
}

/** A number, or the name of one of the container's ports. */
export function portOf(port: Json, ports: Json): number {
  if (typeof port === 'number') return port;
  return Number(mappings(ports).find(({ name }) => name === port)?.['containerPort'] ?? port);
}

const texts = (value: Json): readonly string[] => (Array.isArray(value) ? value.map((item) => `${item}`) : []);
