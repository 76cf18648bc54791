/** `dataplane.yaml`: what the agent may do, which it learns from the operator and never from the sidecar. Reloaded live. */
export interface DataplaneConfig {
  /** `metadata.generation` of the VpnGateway that this was made from. */
  readonly generation: number;
  /** namespace/name of the VpnGateway. */
  readonly name: string;
  /** `auto`: the kernel if it has ESP, else user space. */
  readonly dataplane: 'auto' | 'kernel' | 'userspace';
  /** Inner addresses that children may have at the far end. The first address of each is the gateway's own. */
  readonly pools: readonly string[];
  /** What children may reach; also the pools themselves, unless clients are isolated. */
  readonly routes: readonly string[];
  /** ESP in UDP goes from and to this port of ours. */
  readonly natPort: number;
  /** A child carries at most so many bytes each way, and is reported as expiring at nine tenths of it; 0 for any number. */
  readonly lifetimeBytes: number;
  readonly traffic: {
    /** `masquerade`: clients hide behind the pod's address. `routed`: they keep their own, and someone routes the pools to this pod. */
    readonly forwarding: 'masquerade' | 'routed';
    /** Clients cannot reach each other. */
    readonly isolateClients: boolean;
    /** Bytes of an inner packet; 0: found out from the interface that clients come through. */
    readonly mtu: number;
    /** TCP segments are made to fit (MSS) in both directions. */
    readonly clampMss: boolean;
  };
  /** Interfaces that inner packets may go out by and come in by, such as eth0; empty: any. */
  readonly interfaces: readonly string[];
  /** Name of the TUN device of the user-space data plane. */
  readonly tun: string;
  /** Where several gateways share a host's network: policies and states are ours by this mark. 0: none. */
  readonly mark: number;
}
