/** What is (`Observed`) goes in, what to do (`Plan`) comes out: no clock, no network, no randomness of its own. */
import type { TicketKey, TicketKeyStatus } from '../../crds/v1alpha1/ticketkey.ts';
import type { VpnGateway, VpnGatewayStatus } from '../../crds/v1alpha1/vpngateway.ts';
import type { Secret } from '../../sidecar/contract/secret.ts';
import { planGateway } from './gateway.ts';
import { planTicketKey } from './ticket-key.ts';

/** Names one object. */
export interface Ref {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Any Kubernetes object, as JSON. */
export interface Manifest extends Readonly<Record<string, unknown>> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
}

export interface Metadata extends Readonly<Record<string, unknown>> {
  readonly name: string;
  readonly namespace: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** One gateway pod. Times are milliseconds since the epoch. */
export interface Pod {
  readonly name: string;
  readonly uid: string;
  /** The number at the end of its name. */
  readonly ordinal: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** It has a deletionTimestamp. */
  readonly terminating: boolean;
  /** Its phase is Succeeded or Failed: no container runs any more. */
  readonly finished: boolean;
  readonly ready: boolean;
  /** When `ready` last changed (lastTransitionTime of the Ready condition), or when the pod was created. */
  readonly readyChangedAt: number;
  /** When its node stopped answering (Ready condition of the node Unknown or False since), undefined while it answers. */
  readonly nodeLostAt: number | undefined;
  /** Why a container waits (ImagePullBackOff, CrashLoopBackOff, Unschedulable …) or its kubelet refused the pod (SysctlForbidden), or undefined. */
  readonly waiting: { readonly reason: string; readonly message: string } | undefined;
  /** What `GET /status` on the pod answered, undefined while it does not. */
  readonly report: PodReport | undefined;
}

/** The part of a pod's /status that the plan reads. Nothing in it is trusted but the acknowledgement, which is a MAC. */
export interface PodReport {
  readonly ringGeneration: number;
  /** Hex; see sidecar/contract/acknowledgement.ts. */
  readonly acknowledgement: string;
  readonly configGeneration: number;
  readonly sessions: number;
  /** Sentences about files or credentials that the pod could not use; they name files and objects, never contents. */
  readonly faults: readonly string[];
  /** What carries its packets. */
  readonly dataplane: 'kernel' | 'userspace' | 'none';
  /** What keeps it from carrying packets, or is not as it should be. */
  readonly problems: readonly { readonly severity: 'blocking' | 'warning'; readonly text: string }[];
  /** Why it is not ready, in sentences. */
  readonly reasons: readonly string[];
}

/** Key material that the shell made for this one call; used or thrown away. */
export interface FreshKey {
  /** 8 bytes. */
  readonly id: Uint8Array;
  /** 32 bytes. */
  readonly secret: Secret;
  /** A UUID for the case that a new ring begins. */
  readonly ringId: string;
}

/** What the surroundings decide and no user: where pods listen, how siblings find each other, which image they run. */
export interface Placement {
  readonly image: string;
  readonly ikePort: number;
  readonly natPort: number;
  readonly httpPort: number;
  readonly peerPort: number;
  /** `{name}` and `{namespace}` of the gateway and `{ordinal}` of a pod are replaced. */
  readonly peerHost: string;
  /** The operator's own namespace: it reads /status of the pods. */
  readonly operatorNamespace: string;
  /** Pods have an agent that may configure their network. Without one ESP runs in user space, in the sidecar, and no packet leaves it. */
  readonly hasAgents: boolean;
}

/** Everything that a plan for a VpnGateway may depend on. */
export interface GatewayObserved {
  readonly kind: 'VpnGateway';
  readonly now: number;
  /** With the schema's defaults. */
  readonly resource: VpnGateway;
  /** The TicketKey that `spec.ticketKeyRef` names. */
  readonly ticketKey: TicketKey | undefined;
  /** The object that `ringRef(resource)` names. Read live, not from a cache: an old one could look like a lost ring. */
  readonly ring: Manifest | undefined;
  /** Those of `childRefs(resource)` that exist. */
  readonly children: readonly Manifest[];
  /** Every pod with the label `vpn.rekindle.dev/gateway: NAME`; listed live, as below, where the ring is the gateway's own. */
  readonly pods: readonly Pod[];
  /** Why the StatefulSet cannot create pods (the message of its latest FailedCreate event), undefined when it can. */
  readonly createFailure: string | undefined;
  readonly fresh: FreshKey;
  readonly placement: Placement;
}

/** Everything that a plan for a TicketKey may depend on. */
export interface TicketKeyObserved {
  readonly kind: 'TicketKey';
  readonly now: number;
  readonly resource: TicketKey;
  /** As in GatewayObserved. */
  readonly ring: Manifest | undefined;
  /** VpnGateways of the namespace whose `spec.ticketKeyRef` names this resource. */
  readonly users: readonly { readonly name: string; readonly deleting: boolean }[];
  /**
   * Every pod with the label `vpn.rekindle.dev/key-ring: NAME OF THE RING'S SECRET`. Listed live, after the ring was read, and not from a
   * cache: a pod that a cache does not know yet would not be waited for.
   */
  readonly pods: readonly Pod[];
  readonly fresh: FreshKey;
}

export type Observed = GatewayObserved | TicketKeyObserved;

export interface Condition {
  readonly type: 'Ready' | 'Reconciling' | 'Stalled' | 'DataplaneReady' | 'KeysAcknowledged' | 'Paused';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: Reason;
  readonly message: string;
  readonly observedGeneration: number;
  /** RFC 3339. */
  readonly lastTransitionTime: string;
}

/** The closed set; operator/README.md says what each means and what to do. */
export type Reason =
  | 'Ready'
  | 'Suspended'
  | 'Paused'
  | 'Deleting'
  | 'NameTaken'
  | 'DataplaneUnsupported'
  | 'ConfigRefused'
  | 'TicketKeyMissing'
  | 'KeyRingPending'
  | 'KeyRingMissing'
  | 'KeyRingUnreadable'
  | 'PodsForbidden'
  | 'PodsFailing'
  | 'PodsReportFaults'
  | 'DataplaneDown'
  | 'KernelUnavailable'
  | 'PodsStarting'
  | 'RollingOut'
  | 'ConfigLoading'
  | 'Settled'
  | 'Kernel'
  | 'Userspace'
  | 'Mixed'
  | 'PodsSilent'
  | 'Acknowledged'
  | 'WaitingForPods'
  | 'PodsBehind';

/** What a check says when it fails. `stalled`: only the user can change it; otherwise waiting may. */
export interface Failing {
  readonly reason: Reason;
  readonly message: string;
  readonly stalled: boolean;
}

/** A link of the chain; undefined: nothing wrong. */
export type Check<O> = (observed: O) => Failing | undefined;

/** A write that must not overtake another: create when `resourceVersion` is undefined, else replace exactly that version. */
export interface GuardedWrite {
  readonly manifest: Manifest;
  readonly resourceVersion: string | undefined;
}

export interface PodRef {
  readonly name: string;
  readonly namespace: string;
  /** A precondition: never act on a successor of the same name. */
  readonly uid: string;
}

export interface PlannedEvent {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
}

/**
 * What to do, in the order of the fields. A failed guarded write (conflict, already there) ends the attempt: observe again.
 * Nothing in here but the data of the Secrets is secret.
 */
export interface Plan {
  /** Key rings. */
  readonly guarded: readonly GuardedWrite[];
  /** Server-side apply; only what differs from what was observed. */
  readonly apply: readonly Manifest[];
  readonly remove: readonly Ref[];
  /** Through the eviction API, so that the PodDisruptionBudget counts. */
  readonly evict: readonly PodRef[];
  /** Grace period 0: the node does not answer. */
  readonly forceDelete: readonly PodRef[];
  /** Merge these annotations into the pod, so that its kubelet looks at its volumes at once. */
  readonly touch: readonly { readonly pod: PodRef; readonly annotations: Readonly<Record<string, string>> }[];
  /** Add or remove this finalizer of the resource itself; undefined: leave as it is. */
  readonly finalizer: { readonly name: string; readonly present: boolean } | undefined;
  /** The whole new status, or undefined when it has not changed. */
  readonly status: VpnGatewayStatus | TicketKeyStatus | undefined;
  /** About the resource itself. */
  readonly events: readonly PlannedEvent[];
  /** Look again at this instant even if nothing happens. */
  readonly checkAgainAt: number | undefined;
}

/** Decides everything for one resource. */
export function plan(observed: Observed): Plan {
  return observed.kind === 'VpnGateway' ? planGateway(observed) : planTicketKey(observed);
}
