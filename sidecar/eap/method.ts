/** One EAP method in one conversation, as server or as peer: type data in, type data out. Whoever drives it minds codes, identifiers and types. */
import type { EapOutcome } from '../ike/eap.ts';
import type { Bytes } from '../ike/wire/bytes.ts';

/** Answers may come at once or later. What throws a ProtocolError has failed. */
export interface ServerMethod {
  /** IANA. */
  readonly type: number;
  /** `data`: of the peer's response, undefined to begin; `identifier`: of the request that comes next. */
  next(data: Bytes | undefined, identifier: number): ServerStep | Promise<ServerStep>;
  /** Lets go of what it holds; called once or more. */
  end(): void;
}

export type ServerStep =
  | { readonly is: 'request'; readonly data: Bytes }
  | { readonly is: 'success'; readonly outcome: EapOutcome }
  | { readonly is: 'failure'; readonly why: string };

export interface PeerMethod {
  readonly type: number;
  /** `data`: of the server's request. */
  next(data: Bytes): PeerStep | Promise<PeerStep>;
  end(): void;
}

export type PeerStep =
  /** `outcome`: there once nothing is missing but the server's EAP-Success. */
  | {
      readonly is: 'response';
      readonly data: Bytes;
      readonly outcome: EapOutcome | undefined /** Why the server's EAP-Failure will follow. */;
      readonly doom?: string;
    }
  | { readonly is: 'failure'; readonly why: string };
