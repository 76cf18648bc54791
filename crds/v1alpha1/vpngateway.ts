/** The custom resource VpnGateway. Generated from crds/vpngateway.yaml by `npm run golden`; change that file instead. */
// biome-ignore-all format: generated
import type { Metadata } from './metadata.ts';

/** A VpnGateway is a set of IKEv2 gateway pods behind one address, whose sessions go on at another pod when one dies. */
export interface VpnGateway {
  readonly apiVersion: 'vpn.rekindle.dev/v1alpha1';
  readonly kind: 'VpnGateway';
  readonly metadata: Metadata;
  readonly spec: VpnGatewaySpec;
  readonly status?: VpnGatewayStatus;
}

/** What the gateway shall be. */
export interface VpnGatewaySpec {
  /** How many pods. Leave it out when an autoscaler sets it; without either there is one pod. */
  readonly replicas?: number;
  /** How many pods there may ever be. It divides the address pools into slices, so it cannot be changed later. */
  readonly maxReplicas: number;
  /** Whom the gateway says it is (IDr): a domain name, an address, user@domain or keyid:HEX. Most clients insist on the name that they connect to. */
  readonly identity: string;
  /** How gateway and clients prove who they are: the credentials of this gateway, and the rules that say who comes in by which of them. Secrets are of the same namespace, are mounted into the pods, and take effect when they change. */
  readonly authentication: {
    /** Pre-shared keys. */
    readonly psk?: {
      /** A Secret of the same namespace. Each of its entries whose name ends in .yaml is a YAML map from the identity of a client to its key. */
      readonly secretRef: {
        /** Name of the Secret. */
        readonly name: string;
      };
    };
    /** The certificate by which the gateway proves itself. Its names must hold the identity. */
    readonly certificate?: {
      /** A Secret of the type kubernetes.io/tls, as cert-manager makes it: tls.crt with the certificate and its intermediates, tls.key with the private key. */
      readonly secretRef: {
        /** Name of the Secret. */
        readonly name: string;
      };
    };
    /** Whose certificates of clients are good. Each is a Secret or ConfigMap with certificates in ca.crt or entries that end in .pem, and revocation lists in entries that end in .crl; other entries are left alone. */
    readonly authorities?: readonly {
      /** What rules call it. */
      readonly name: string;
      /** A Secret of the same namespace. */
      readonly secretRef?: {
        /** Name of the Secret. */
        readonly name: string;
      };
      /** A ConfigMap of the same namespace. */
      readonly configMapRef?: {
        /** Name of the ConfigMap. */
        readonly name: string;
      };
    }[];
    /** ifKnown refuses certificates that a revocation list or a stapled OCSP response revokes; required refuses also those of which nothing says that they are good. */
    readonly revocation: 'ifKnown' | 'required';
    /** Users with passwords, for EAP-MSCHAPv2. */
    readonly eap?: {
      /** A Secret of the same namespace. Each of its entries whose name ends in .yaml is a YAML map from the name of a user to the password or its NT hash. */
      readonly secretRef: {
        /** Name of the Secret. */
        readonly name: string;
      };
    };
    /** RADIUS servers that authenticate users by EAP. */
    readonly radius?: {
      /** They are asked in this order; one that is silent is passed over for a while. */
      readonly servers: readonly {
        /** Name or address. */
        readonly host: string;
        /** UDP port for authentication. Left out, 1812. */
        readonly port?: number;
        /** UDP port for accounting. Left out, 1813. */
        readonly accountingPort?: number;
        /** The secret that is shared with the server. */
        readonly secretRef: {
          /** Name of a Secret of the same namespace. */
          readonly name: string;
          /** Its entry. Left out, secret. */
          readonly key?: string;
        };
      }[];
      /** How long an answer may take. */
      readonly timeout: string;
      /** How often a server is asked before the next one is. */
      readonly attempts: number;
      /** How the gateway calls itself (NAS-Identifier). Left out, namespace/name of this object. */
      readonly nasIdentifier?: string;
      /** Tell the servers when sessions begin and end, and what they carried. */
      readonly accounting: boolean;
      /** How often they are told of sessions that last; 0s for what the server says. */
      readonly interim: string;
    };
    /** Post-quantum pre-shared keys (RFC 8784), mixed into the keys of whoever has one, beside the other ways to authenticate. */
    readonly ppk?: {
      /** A Secret of the same namespace. Each of its entries whose name ends in .yaml is a YAML map from the id of a key to the key. */
      readonly secretRef: {
        /** Name of the Secret. */
        readonly name: string;
      };
      /** Refuse clients that have none. */
      readonly required: boolean;
    };
    /** Who comes in by what, and what they get. The first that fits decides. Left out, there is one for everybody per credential: certificate with authorities, then EAP, then pre-shared keys. */
    readonly rules?: readonly {
      /** For logs and metrics. */
      readonly name: string;
      /** How the client proves who it is. */
      readonly method: 'psk' | 'certificate' | 'eap-mschapv2' | 'eap-tls' | 'eap-radius';
      /** Whom the rule is for: identities as clients prove them, with EAP the name of the user; * stands for any text, as in *@staff.example.com. Left out, everybody. */
      readonly identities?: readonly string[];
      /** Names of authentication.authorities that count here. Left out, all. */
      readonly authorities?: readonly string[];
      /** A client may ask to do without the gateway's certificate when the method of EAP proves both sides (RFC 5998). Left out, false. */
      readonly eapOnly?: boolean;
      /** Pools that addresses come from, as written in spec.pools. Left out, all. */
      readonly pools?: readonly string[];
      /** What these clients may reach. Left out, spec.routes. */
      readonly routes?: readonly string[];
      /** Name servers for these clients. Left out, spec.dns. */
      readonly dns?: readonly string[];
      /** Domains that these clients resolve by the name servers here, and no others. Left out, spec.domains. */
      readonly domains?: readonly string[];
      /** After how long the gateway rekeys an IKE SA by itself; 0s for never. Left out, ike.rekey. */
      readonly rekey?: string;
      /** After how long a client must authenticate anew. Left out, ike.reauthentication. */
      readonly reauthentication?: string;
      /** What a further session of the same client does: keep lets the others be, replace ends them, refuse is for the new one. Left out, keep. */
      readonly uniqueness?: 'keep' | 'replace' | 'refuse';
      /** Sessions of one client on one pod. Left out, 10. */
      readonly maxSessions?: number;
    }[];
  };
  /** Addresses for clients inside the tunnel. The first address of each pool is the gateway's own. */
  readonly pools: readonly {
    /** An IPv4 or IPv6 prefix, for instance 10.8.0.0/24. */
    readonly cidr: string;
  }[];
  /** Name servers for clients. */
  readonly dns?: readonly string[];
  /** Domains that clients resolve by the name servers above, and no others (split DNS, RFC 8598). Left out, everything. */
  readonly domains?: readonly string[];
  /** What clients may reach through the tunnel. */
  readonly routes: readonly string[];
  /** Proposals and times of IKE SAs. Lists have the most wanted first. */
  readonly ike: {
    /** Encryption algorithms; phones need the CBC ones (aes256, aes128). */
    readonly encryption: readonly ('aes256gcm16' | 'aes128gcm16' | 'chacha20poly1305' | 'aes256' | 'aes128')[];
    /** Integrity algorithms for aes256 and aes128; sha1 only for clients that have nothing better. */
    readonly integrity: readonly ('sha256' | 'sha384' | 'sha512' | 'sha1')[];
    /** Pseudorandom functions; prfsha1 only for clients that have nothing better. */
    readonly prf: readonly ('prfsha256' | 'prfsha384' | 'prfsha512' | 'prfsha1')[];
    /** Diffie-Hellman groups; phones need modp2048 or modp4096. modp1024 is for Windows as it is delivered, and can be broken. */
    readonly keyExchange: readonly ('x25519' | 'ecp256' | 'ecp384' | 'ecp521' | 'modp2048' | 'modp3072' | 'modp4096' | 'modp1024')[];
    /** Key exchanges that withstand quantum computers (ML-KEM, RFC 9370), on top of the first when a client offers one. */
    readonly additionalKeyExchange: readonly ('mlkem768' | 'mlkem1024' | 'mlkem512')[];
    /** required refuses clients that use neither ML-KEM nor a post-quantum pre-shared key. */
    readonly postQuantum: 'any' | 'required';
    /** After how long the gateway rekeys an IKE SA by itself; 0s for never. */
    readonly rekey: string;
    /** After how long a client must authenticate anew; resumed sessions keep the time of the first one. */
    readonly reauthentication: string;
    /** How long an SA may stay without authentication. */
    readonly halfOpen: string;
    /** Largest UDP payload of an encrypted message when both sides can fragment (RFC 7383). The default fits into packets of 1280 bytes, which every path carries. */
    readonly fragmentBytes: number;
  };
  /** Proposals and limits of child SAs. Lists have the most wanted first. */
  readonly esp: {
    /** Encryption algorithms; phones need the CBC ones (aes256, aes128). */
    readonly encryption: readonly ('aes256gcm16' | 'aes128gcm16' | 'chacha20poly1305' | 'aes256' | 'aes128')[];
    /** Integrity algorithms for aes256 and aes128; sha1 only for clients that have nothing better. */
    readonly integrity: readonly ('sha256' | 'sha384' | 'sha512' | 'sha1')[];
    /** Groups for perfect forward secrecy of child SAs; none allows rekeying without, as most phones do. */
    readonly keyExchange: readonly ('x25519' | 'ecp256' | 'ecp384' | 'ecp521' | 'modp2048' | 'modp3072' | 'modp4096' | 'modp1024' | 'none')[];
    /** Key exchanges that withstand quantum computers (ML-KEM, RFC 9370), on top of the first when a client offers one. */
    readonly additionalKeyExchange: readonly ('mlkem768' | 'mlkem1024' | 'mlkem512')[];
    /** After how long the gateway rekeys a child SA by itself; 0s for never. */
    readonly rekey: string;
    /** After how many bytes in one direction a child SA is rekeyed. */
    readonly lifetimeBytes: number;
  };
  /** Sessions follow their clients to other addresses (RFC 4555). */
  readonly mobike: boolean;
  /** Whether a session may begin without a child SA (RFC 6023). */
  readonly childless: 'allow' | 'never';
  /** Another gateway to which clients are sent (RFC 5685), as far as they can be. Left out, they stay. */
  readonly redirect?: {
    /** Its domain name or address. */
    readonly to: string;
    /** overloaded sends clients away while a pod is at its limits, always also those that are connected. */
    readonly when: 'always' | 'overloaded';
  };
  /** How a silent client is noticed. */
  readonly dpd: {
    /** After this much silence a client is asked for a sign of life. */
    readonly interval: string;
  };
  /** What one pod takes on at most. */
  readonly limits: {
    /** From this many half-open SAs on, a client must show by a cookie that its address is its own. */
    readonly cookieThreshold: number;
    /** Half-open SAs. */
    readonly halfOpen: number;
    /** Established sessions. */
    readonly sessions: number;
  };
  /** The TicketKey of the same namespace whose keys seal tickets here. Left out, the gateway has a ring of its own with the defaults of a TicketKey. */
  readonly ticketKeyRef?: {
    /** Name of the TicketKey. */
    readonly name: string;
  };
  /** Gateways that share a TicketKey and this text open each other's tickets. Left out, only this gateway opens its own. */
  readonly ticketAudience?: string;
  /** How tickets are given and redeemed. */
  readonly tickets: {
    /** Give tickets to clients that ask for one, and redeem them. */
    readonly enabled: boolean;
    /** When a client or the gateway deletes a session, its ticket is spent too. */
    readonly revokeOnDelete: boolean;
    /** Accept the AUTH payload that libreswan 5 computes after a resumption, which departs from RFC 7296. It is as safe, since its key depends on both nonces and the identity must be the one in the ticket. */
    readonly acceptLibreswanAuth: boolean;
    /** What becomes of resumptions by clients that do not ask about NATs (libreswan). Such a client sends ESP without UDP afterwards, which a data plane in user space cannot carry: refuse makes it authenticate in full, after which its traffic flows. */
    readonly withoutNatDetection: 'accept' | 'refuse';
    /** Tickets of these clients are refused. */
    readonly revokedIdentities?: readonly string[];
    /** How many spent tickets each pod remembers. */
    readonly maxSpent: number;
  };
  /** What carries packets. auto takes the kernel of the node where that has ESP, else user space; with kernel a pod whose node has none is not ready. */
  readonly dataplane: 'auto' | 'kernel' | 'userspace';
  /** What becomes of the packets of clients. */
  readonly traffic: {
    /** masquerade hides clients behind the address of their pod. routed leaves them their own, and something outside must route the pools to the pods. */
    readonly forwarding: 'masquerade' | 'routed';
    /** Clients cannot reach each other, only the routes. */
    readonly isolateClients: boolean;
    /** Bytes of the largest packet inside the tunnel. Left out, it is found out from the interface of the pod. Smaller than 1280 only where all pools are IPv4. */
    readonly mtu?: number;
    /** TCP connections through the tunnel are told to send segments that fit into it (MSS). */
    readonly clampMss: boolean;
  };
  /** Settings of the user-space data plane. */
  readonly userspace: {
    /** Resource name of a device plugin that brings /dev/net/tun into the pod, such as squat.ai/tun. Pods ask for it unless dataplane is kernel. */
    readonly deviceResource?: string;
  };
  /** Cryptographic provider; auto takes the faster one of each algorithm. */
  readonly crypto: 'auto' | 'noble' | 'openssl';
  /** How clients reach the pods. */
  readonly exposure: 'LoadBalancer' | 'HostPort' | 'ClusterIP';
  /** Settings of the Service that clients use. */
  readonly service: {
    /** Session affinity. None is right almost always: pods hand sessions to each other, and ClientIP steers a client back to a dead pod. */
    readonly affinity: 'None' | 'ClientIP';
    /** Local (taken when left out) keeps the addresses of clients, Cluster spreads over all nodes. Only with exposure LoadBalancer. */
    readonly externalTrafficPolicy?: 'Cluster' | 'Local';
    /** Which implementation serves the load balancer. Only with exposure LoadBalancer. */
    readonly loadBalancerClass?: string;
    /** Annotations for the Service, as cloud providers want them. */
    readonly annotations?: Readonly<Record<string, string>>;
    /** Prefixes from which clients may connect. Only with exposure LoadBalancer. */
    readonly sourceRanges?: readonly string[];
  };
  /** How long a pod may take to hand its sessions over before it is killed. */
  readonly terminationGracePeriodSeconds: number;
  /** A pod on a node that has not answered for this long is deleted by force, so that its ordinal lives elsewhere; 0s for never. */
  readonly nodeLossGrace: string;
  /** What may be changed about the pods. The list is closed, so that whoever may make a VpnGateway cannot make any pod. */
  readonly pod: {
    /** Further labels. Those of Rekindle itself cannot be changed. */
    readonly labels?: Readonly<Record<string, string>>;
    /** Further annotations. */
    readonly annotations?: Readonly<Record<string, string>>;
    /** Requests and limits of the sidecar, which speaks IKE and in user space also carries the packets. */
    readonly resources?: {
      /** What is reserved. */
      readonly requests?: Readonly<Record<string, number | string>>;
      /** What is not exceeded. */
      readonly limits?: Readonly<Record<string, number | string>>;
    };
    /** Requests and limits of the agent, which configures the kernel. */
    readonly agentResources?: {
      /** What is reserved. */
      readonly requests?: Readonly<Record<string, number | string>>;
      /** What is not exceeded. */
      readonly limits?: Readonly<Record<string, number | string>>;
    };
    /** Pods ask for the sysctls that forward packets of their pools (net.ipv4.ip_forward, net.ipv6.conf.all.forwarding). They are not among the safe ones: kubelets must allow them (allowedUnsafeSysctls), else they refuse the pods. */
    readonly forwardingSysctls: boolean;
    /** Labels that a node must have. */
    readonly nodeSelector?: Readonly<Record<string, string>>;
    /** Taints that are tolerated, as in a Pod. */
    readonly tolerations?: readonly Readonly<Record<string, unknown>>[];
    /** Affinity, as in a Pod. */
    readonly affinity?: Readonly<Record<string, unknown>>;
    /** How pods are spread, as in a Pod. Left out, they spread over nodes where possible. */
    readonly topologySpreadConstraints?: readonly Readonly<Record<string, unknown>>[];
    /** Name of a PriorityClass. */
    readonly priorityClassName?: string;
    /** Secrets for pulling the image. */
    readonly imagePullSecrets?: readonly {
      /** Name of the Secret. */
      readonly name: string;
    }[];
  };
  /** The operator changes nothing of this gateway while this is true; it only observes. */
  readonly paused: boolean;
}

/** What the operator has seen and done. It holds nothing secret. */
export interface VpnGatewayStatus {
  /** The metadata.generation that this status speaks of. */
  readonly observedGeneration?: number;
  /** Pods that exist and are not terminating. */
  readonly replicas?: number;
  /** Pods that are ready. */
  readonly readyReplicas?: number;
  /** Pods made from the latest template. */
  readonly updatedReplicas?: number;
  /** Label selector of the pods, for the scale subresource. */
  readonly selector?: string;
  /** Established sessions on all pods; renewed once a minute at most. */
  readonly sessions?: number;
  /** Where clients connect. */
  readonly addresses?: readonly string[];
  /** What carries packets in the pods that answer: mixed where they differ, none where no pod can carry any. The condition DataplaneReady says which and why. */
  readonly dataplane?: 'kernel' | 'userspace' | 'mixed' | 'none';
  /** The ring that pods of this gateway use, without secrets. */
  readonly keyRing?: {
    /** The Secret that holds it. */
    readonly secretName: string;
    /** Which ring this is. */
    readonly ringId?: string;
    /** Grows with every change of the ring. */
    readonly generation?: number;
    /** Id of the key that seals new tickets. */
    readonly activeKey?: string;
    /** When the next key is due. Only for a ring of the gateway's own. */
    readonly nextRotationTime?: string;
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
  };
  /** Pods that have not loaded this generation, at most ten of them. */
  readonly waitingFor?: readonly string[];
  /** Pods that no rotation waits for, because they have been not ready for longer than ackTimeout; at most ten of them. */
  readonly passedOver?: readonly string[];
  /** When sessions, waitingFor and passedOver were taken; they are renewed once a minute at most. */
  readonly sampledAt?: string;
  /** Ready, Reconciling, Stalled, DataplaneReady, KeysAcknowledged and Paused, as kstatus reads them. */
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
