/**
 * What the sidecar, which parses the internet, and the agent, which may configure the kernel, say to each other over a Unix socket.
 *
 * A frame is a length (4 bytes, big-endian, MAX_FRAME_BYTES at most) and one message in CBOR. The first message of the sidecar is `hello`,
 * the first of the agent `welcome`; the next one of the sidecar is `sync`. Requests carry an `id`, and the answers come in the order of the requests.
 * A message that is none ends the connection; an order that the agent's own configuration does not allow is refused by itself.
 */
import type { ChildSa, DataplaneOrder, DataplaneReport, InstallOrder } from './dataplane.ts';

export const AGENT_PROTOCOL = 1;
export const MAX_FRAME_BYTES = 1 << 20;
/** Orders in one request, children in one part of a `sync`. */
export const MOST_ORDERS = 256;

export type ToAgent =
  /** `incarnation`: 16 random bytes, new at every start of the sidecar. */
  | { readonly type: 'hello'; readonly protocol: number; readonly incarnation: Uint8Array }
  /** The only message of a connection of its own: descriptors of the TUN device come with the answer, one for each queue. */
  | { readonly type: 'tun'; readonly protocol: number; readonly queues: number }
  /** All children there are, in parts; with the last part, what the kernel has besides is removed. Children that it has with the same keys go on undisturbed. */
  | { readonly type: 'sync'; readonly id: number; readonly children: readonly InstallOrder[]; readonly last: boolean }
  /** Carried out in order, one outcome for each. */
  | { readonly type: 'orders'; readonly id: number; readonly orders: readonly DataplaneOrder[] }
  /** Reports of all that happened before come before the answer. */
  | { readonly type: 'settle'; readonly id: number };

export type FromAgent =
  | {
      readonly type: 'welcome';
      readonly protocol: number;
      /** Which data plane serves here: found by asking the kernel, or forced by the agent's configuration. */
      readonly dataplane: 'kernel' | 'userspace';
      /** Of inner packets, in bytes. */
      readonly mtu: number;
      /** Whether clients are kept from each other; the user-space data plane must know. */
      readonly isolateClients: boolean;
    }
  /** So many TUN descriptors come along as SCM_RIGHTS. */
  | { readonly type: 'tun'; readonly descriptors: number }
  /** `outcomes`: one for each order, or child of a `sync`; none for `settle`. */
  | { readonly type: 'done'; readonly id: number; readonly outcomes: readonly Outcome[] }
  | { readonly type: 'reports'; readonly reports: readonly DataplaneReport[] }
  /** Of the children that carried something since the last such message, about once a second. */
  | { readonly type: 'traffic'; readonly children: readonly CarriedTraffic[]; readonly drops: Readonly<Record<string, number>> }
  /** What keeps the agent from its work or is not as it should be, in sentences that say how to mend it; sent when it changes, and after `welcome`. */
  | { readonly type: 'health'; readonly problems: readonly Problem[] };

export interface Problem {
  /** `blocking`: no child can be carried; the gateway is not ready. */
  readonly severity: 'blocking' | 'warning';
  readonly text: string;
}

/** Since the child was installed; inner packets and their bytes. */
export interface CarriedTraffic {
  readonly spiIn: ChildSa['spiIn'];
  readonly packetsIn: number;
  readonly bytesIn: number;
  readonly packetsOut: number;
  readonly bytesOut: number;
}

export type Outcome =
  /** `traffic`: the last word on a child that was removed. */
  | { readonly ok: true; readonly traffic?: CarriedTraffic | undefined }
  /** `refused`: outside of what the agent's configuration allows. `failed`: the kernel would not. */
  | { readonly ok: false; readonly why: 'refused' | 'failed'; readonly reason: string };
