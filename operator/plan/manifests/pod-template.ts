/** The gateway pod: a container without any capability beside an agent that may configure its network, files by projection, no API token. What users may change is a closed list. */
import type { VpnGateway } from '../../../crds/v1alpha1/vpngateway.ts';
import { fingerprint } from '../fingerprint.ts';
import { configSecret, DATAPLANE_LABEL, KEY_RING_LABEL, ringRef, TEMPLATE_LABEL } from '../names.ts';
import type { Placement } from '../plan.ts';
import { KEY_RING_FILE } from '../ring-secret.ts';
import { agent, agentFlags, agentMount, agentVolumes } from './agent.ts';
import { CONFIG_FILE } from './config-secret.ts';
import { credentialFlags, credentialMounts, credentialVolumes } from './credentials.ts';
import { gatewayLabels, selectorOf } from './ownership.ts';
import { requestsAndLimits } from './resources.ts';

export interface PodTemplate {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Its label with the hash tells pods of this template from earlier ones. */
export function podTemplate(gateway: VpnGateway, placement: Placement): PodTemplate {
  const { pod, dataplane } = gateway.spec;
  const own = { ...gatewayLabels(gateway), [KEY_RING_LABEL]: ringRef(gateway).name, [DATAPLANE_LABEL]: dataplane };
  const labels = { ...pod.labels, ...own };
  const template = { metadata: { labels, ...given({ annotations: pod.annotations }) }, spec: podSpec(gateway, placement) };
  const hash = fingerprint(template);
  return { ...template, metadata: { ...template.metadata, labels: { ...labels, [TEMPLATE_LABEL]: hash } } };
}

/** A user without a name, as distroless images have it. */
const NOBODY = 65_532;
const GROUP_READABLE = 0o440;
const MOUNTS = { config: '/etc/rekindle/config', ring: '/etc/rekindle/key-ring' } as const;

function podSpec(gateway: VpnGateway, placement: Placement) {
  const { pod, terminationGracePeriodSeconds } = gateway.spec;
  const { name } = gateway.metadata;
  return {
    serviceAccountName: name,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds,
    securityContext: podSecurity(gateway, placement),
    ...(placement.hasAgents ? { initContainers: [agent(gateway, placement, NOBODY)] } : {}),
    containers: [sidecar(gateway, placement)],
    volumes: [...volumes(gateway), ...(placement.hasAgents ? agentVolumes(gateway) : [])],
    topologySpreadConstraints: pod.topologySpreadConstraints ?? [spread(gateway)],
    ...given({
      nodeSelector: pod.nodeSelector,
      tolerations: pod.tolerations,
      affinity: pod.affinity,
      priorityClassName: pod.priorityClassName,
      imagePullSecrets: pod.imagePullSecrets,
    }),
  };
}

const podSecurity = (gateway: VpnGateway, placement: Placement) => ({
  runAsNonRoot: true,
  runAsUser: NOBODY,
  runAsGroup: NOBODY,
  fsGroup: NOBODY,
  seccompProfile: { type: 'RuntimeDefault' },
  ...given({ sysctls: sysctls(gateway, placement) }),
});

function sysctls({ spec: { pod, pools } }: VpnGateway, { ikePort, hasAgents }: Placement) {
  const isIpv6 = (cidr: string): boolean => cidr.includes(':');
  const forwarding = pod.forwardingSysctls && hasAgents;
  const wanted = [
    // A safe one: it binds port 500 without a capability.
    ...(ikePort < 1024 ? [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] : []),
    ...(forwarding && pools.some(({ cidr }) => !isIpv6(cidr)) ? [{ name: 'net.ipv4.ip_forward', value: '1' }] : []),
    ...(forwarding && pools.some(({ cidr }) => isIpv6(cidr)) ? [{ name: 'net.ipv6.conf.all.forwarding', value: '1' }] : []),
  ];
  return wanted.length > 0 ? wanted : undefined;
}

function sidecar(gateway: VpnGateway, { image, ikePort, natPort, peerPort, httpPort, hasAgents }: Placement) {
  const hostPort = (port: number) => (gateway.spec.exposure === 'HostPort' ? { hostPort: port } : {});
  return {
    name: 'sidecar',
    image,
    command: ['node', 'sidecar/main.ts'],
    args: [
      ...['--config', `${MOUNTS.config}/${CONFIG_FILE}`],
      ...['--key-ring', `${MOUNTS.ring}/${KEY_RING_FILE}`],
      ...credentialFlags(gateway),
      ...(hasAgents ? agentFlags : []),
      '--ordinal-from-hostname',
    ],
    env: [fieldRef('POD_NAME', 'metadata.name'), fieldRef('POD_UID', 'metadata.uid'), fieldRef('POD_IP', 'status.podIP')],
    ports: [
      { name: 'ike', protocol: 'UDP', containerPort: ikePort, ...hostPort(500) },
      { name: 'ike-nat', protocol: 'UDP', containerPort: natPort, ...hostPort(4500) },
      { name: 'peer', protocol: 'TCP', containerPort: peerPort },
      { name: 'http', protocol: 'TCP', containerPort: httpPort },
    ],
    resources: requestsAndLimits(gateway.spec.pod.resources, { cpu: '100m', memory: '256Mi' }),
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    startupProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 1, failureThreshold: 60 },
    livenessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
    readinessProbe: { httpGet: { path: '/readyz', port: 'http' }, periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 2 },
    volumeMounts: [
      ...Object.entries(MOUNTS).map(([volume, mountPath]) => ({ name: volume, mountPath, readOnly: true })),
      ...credentialMounts(gateway),
      ...(hasAgents ? [agentMount] : []),
    ],
  };
}

const fieldRef = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });

/** Whole Secrets, never by subPath: only so does the kubelet renew them in a running pod. */
function volumes(gateway: VpnGateway) {
  const secret = (name: string, source: object) => ({ name, secret: { ...source, defaultMode: GROUP_READABLE } });
  const config = { secretName: configSecret(gateway.metadata.name), items: [{ key: CONFIG_FILE, path: CONFIG_FILE }] };
  return [secret('config', config), secret('ring', { secretName: ringRef(gateway).name }), ...credentialVolumes(gateway)];
}

const spread = (gateway: VpnGateway) => ({
  maxSkew: 1,
  topologyKey: 'kubernetes.io/hostname',
  whenUnsatisfiable: 'ScheduleAnyway',
  labelSelector: { matchLabels: selectorOf(gateway) },
});

/** Without the fields that are undefined. */
const given = (fields: Readonly<Record<string, unknown>>): Readonly<Record<string, object | string>> =>
  Object.fromEntries(Object.entries(fields).flatMap(([name, value]) => (isGiven(value) ? [[name, value]] : [])));

const isGiven = (value: unknown): value is object | string => value !== undefined;
