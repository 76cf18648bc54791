/** How clients prove who they are, and what the proven get. The first rule that fits decides. */

export type AuthenticationMethod = 'psk' | 'certificate' | 'eap-mschapv2' | 'eap-tls' | 'eap-radius';

export interface AuthenticationRule {
  /** For logs, events and metrics. */
  readonly name: string;
  readonly method: AuthenticationMethod;
  /** Patterns of the identity that is proven (IDi; with EAP the EAP identity), `*@staff.example.com`; empty: everybody. */
  readonly identities: readonly string[];
  /** Names of files with trust anchors (certificate, eap-tls); empty: all. */
  readonly authorities: readonly string[];
  /** With EAP: the gateway need not show a certificate when the client asks for that and the method proves both (RFC 5998). */
  readonly eapOnly: boolean;
  /** Prefixes from the gateway's pools; empty: all. */
  readonly pools: readonly string[];
  /** Undefined: as the gateway has them. */
  readonly routes: readonly string[] | undefined;
  readonly dns: readonly string[] | undefined;
  /** Domains that clients resolve by `dns` alone (RFC 8598). */
  readonly domains: readonly string[] | undefined;
  readonly rekeyMs: number | undefined;
  readonly reauthenticationMs: number | undefined;
  /** When an identity connects once more: `replace` ends its other sessions, `keep` lets them be, `refuse` refuses the new one. */
  readonly uniqueness: 'replace' | 'keep' | 'refuse';
  /** Of one identity, on one pod. */
  readonly maxSessions: number;
}

export interface RadiusConfig {
  /** Asked in this order; one that is silent is passed over for a while. */
  readonly servers: readonly RadiusServer[];
  readonly timeoutMs: number;
  readonly attempts: number;
  /** NAS-Identifier. */
  readonly nasIdentifier: string;
  readonly accounting: boolean;
  /** Zero: what the server says (Acct-Interim-Interval), or none. */
  readonly interimMs: number;
}

export interface RadiusServer {
  readonly host: string;
  readonly port: number;
  readonly accountingPort: number;
  /** File with the shared secret, in the folder of RADIUS secrets. */
  readonly secret: string;
}
