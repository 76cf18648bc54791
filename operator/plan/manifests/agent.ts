/**
 * The container that may configure the kernel: uid 0 with NET_ADMIN and nothing else, told what it may do by a file of its own, out of reach of the
 * internet. It is there before the sidecar and after it (a native sidecar container), and they meet at a socket in memory.
 */
import type { VpnGateway } from '../../../crds/v1alpha1/vpngateway.ts';
import { configSecret } from '../names.ts';
import type { Placement } from '../plan.ts';
import { DATAPLANE_FILE } from './config-secret.ts';
import { requestsAndLimits } from './resources.ts';

const CONFIG = { name: 'dataplane', mountPath: '/etc/rekindle/dataplane', readOnly: true } as const;
const MEETING = { name: 'agent', mountPath: '/run/rekindle' } as const;
const SOCKET = `${MEETING.mountPath}/agent.sock`;
/** It holds a socket and no data. */
const MEETING_SIZE = '1Mi';
const GROUP_READABLE = 0o440;

export function agent({ spec }: VpnGateway, { image }: Placement, sidecarUid: number) {
  return {
    name: 'agent',
    image,
    restartPolicy: 'Always',
    command: ['node', 'sidecar/dataplane/kernel/main.ts'],
    args: [
      ...['--config', `${CONFIG.mountPath}/${DATAPLANE_FILE}`],
      ...['--socket', SOCKET, '--socket-mode', '0660', '--allow-uid', `${sidecarUid}`],
    ],
    resources: requestsAndLimits(spec.pod.agentResources, { cpu: '50m', memory: '128Mi' }, deviceOf(spec)),
    securityContext: {
      // The kernel gives NET_ADMIN to uid 0 alone, as long as Kubernetes has no ambient capabilities.
      runAsNonRoot: false,
      runAsUser: 0,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
    },
    startupProbe: {
      // Not over the network, from where nobody reaches the agent.
      exec: { command: ['node', 'sidecar/dataplane/kernel/probe.ts', SOCKET] },
      periodSeconds: 1,
      timeoutSeconds: 5,
      failureThreshold: 60,
    },
    volumeMounts: [CONFIG, MEETING],
  };
}

/** What tells the sidecar where the agent is. Its mount is read-only: one connects to a socket all the same, but cannot take its place. */
export const agentFlags = ['--agent', SOCKET] as const;
export const agentMount = { ...MEETING, readOnly: true } as const;

export const agentVolumes = ({ metadata }: VpnGateway) => [
  {
    name: CONFIG.name,
    secret: {
      secretName: configSecret(metadata.name),
      defaultMode: GROUP_READABLE,
      items: [{ key: DATAPLANE_FILE, path: DATAPLANE_FILE }],
    },
  },
  { name: MEETING.name, emptyDir: { medium: 'Memory', sizeLimit: MEETING_SIZE } },
];

/** The kernel's data plane needs no device. */
const deviceOf = ({ dataplane, userspace: { deviceResource } }: VpnGateway['spec']): Readonly<Record<string, string>> =>
  dataplane === 'kernel' || deviceResource === undefined ? {} : { [deviceResource]: '1' };
