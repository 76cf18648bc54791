/** The custom resource TicketKey. Generated from crds/ticketkey.yaml by `npm run golden`; change that file instead. */
// biome-ignore-all format: generated
import type { Metadata } from './metadata.ts';

/** A TicketKey makes and rotates the keys that protect session-resumption tickets (RFC 5723). Every VpnGateway that names it opens tickets that were sealed by any other, if their audiences agree. */
export interface TicketKey {
  readonly apiVersion: 'vpn.rekindle.dev/v1alpha1';
  readonly kind: 'TicketKey';
  readonly metadata: Metadata;
  readonly spec: TicketKeySpec;
  readonly status?: TicketKeyStatus;
}

/** How keys are made, rotated and revoked. */
export interface TicketKeySpec {
  /** Where keys come from. Exactly one member is set. */
  readonly source: {
    /** The operator makes random keys and keeps them in a Secret that belongs to this TicketKey. */
    readonly generated?: Readonly<Record<string, unknown>>;
  };
  /** The algorithm that seals tickets. */
  readonly algorithm: 'XChaCha20-Poly1305';
  /** How long a key seals tickets before a new one takes over, for instance 24h or 1h30m. At least 1m. */
  readonly rotationInterval: string;
  /** How long a ticket can be redeemed after it was issued. Between 1m and 168h. */
  readonly ticketLifetime: string;
  /** How long a retired key still opens tickets once every pod has stopped sealing with it. Longer than ticketLifetime; left out, it is ticketLifetime and five minutes. */
  readonly retiredKeyLifetime?: string;
  /** A pod that has been not ready for this long no longer holds up a rotation; a ready one always does. Pods that were passed over are named in the status. At least 10s. */
  readonly ackTimeout: string;
  /** Any text. Each change of it rotates the keys once, without waiting for rotationInterval, so that a rotation can be asked for by a commit. Where the ring's Secret was lost, a change also allows a new ring to begin. */
  readonly rotationToken?: string;
  /** Begin no further rotation, neither by time nor by token. One that has begun is finished, and revocation still works. */
  readonly suspend: boolean;
  /** Keys and tickets that are no longer trusted. What was revoked stays so when the entry is taken out again: its secret is destroyed. */
  readonly revocation?: {
    /** Every key made before this instant is destroyed, and every ticket issued before it is refused. */
    readonly before?: string;
    /** Ids of keys (as in status.keys) to destroy. */
    readonly keyIds?: readonly string[];
  };
}

/** What the operator has seen and done. It holds nothing secret. */
export interface TicketKeyStatus {
  /** The metadata.generation that this status speaks of. */
  readonly observedGeneration?: number;
  /** Which ring this is. It changes only when a new ring begins. */
  readonly ringId?: string;
  /** Grows with every change of the ring. */
  readonly generation?: number;
  /** Id of the key that seals new tickets. */
  readonly activeKey?: string;
  /** When the next key is due. Absent while suspended. */
  readonly nextRotationTime?: string;
  /** The value of spec.rotationToken that was last acted upon. */
  readonly rotationToken?: string;
  /** The keys of the ring, without their secrets. */
  readonly keys?: readonly {
    /** 16 hexadecimal digits, found in clear in every ticket that the key sealed. */
    readonly id: string;
    /** A next key only opens tickets, the active one seals and opens, a retired one only opens. */
    readonly state: 'next' | 'active' | 'retired';
    /** When it was made. */
    readonly createdAt: string;
    /** When a retired key is destroyed. Absent until every pod has stopped sealing with it. */
    readonly openUntil?: string;
  }[];
  /** Ids of revoked keys, kept until their last ticket has expired so that a restored Secret does not bring them back. */
  readonly revokedKeys?: readonly {
    /** Its id. */
    readonly id: string;
    /** When it may be forgotten. */
    readonly until: string;
  }[];
  /** Tickets issued before this instant are refused. */
  readonly revokedBefore?: string;
  /** Pods that have not loaded this generation, at most ten of them. */
  readonly waitingFor?: readonly string[];
  /** Pods that no rotation waits for, because they have been not ready for longer than ackTimeout; at most ten of them. */
  readonly passedOver?: readonly string[];
  /** When waitingFor and passedOver were taken; they are renewed once a minute at most. */
  readonly sampledAt?: string;
  /** Ready, Reconciling, Stalled and KeysAcknowledged, as kstatus reads them. */
  readonly conditions?: readonly {
    /** What is observed. */
    readonly type: string;
    /** Whether it holds. */
    readonly status: 'True' | 'False' | 'Unknown';
    /** Why, as one CamelCase word. */
    readonly reason: string;
    /** Why, as a sentence that says what to do. */
    readonly message: string;
    /** The metadata.generation that this condition speaks of. */
    readonly observedGeneration?: number;
    /** When the status last changed. */
    readonly lastTransitionTime: string;
  }[];
}
