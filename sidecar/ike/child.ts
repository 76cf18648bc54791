/** A child SA (RFC 7296 §1.3.1, §2.9, §2.17): its state, and the offer from which it comes to be. */
import type { Selector } from '../contract/dataplane.ts';
import type { EspSuite } from './crypto/suite.ts';
import type { Instant } from './sa.ts';
import type { Bytes } from './wire/bytes.ts';

export interface Child {
  readonly spiIn: number;
  readonly spiOut: number;
  readonly suite: EspSuite;
  readonly keyIn: { readonly encr: Bytes; readonly integ: Bytes };
  readonly keyOut: { readonly encr: Bytes; readonly integ: Bytes };
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
  readonly rekeyAt: Instant;
  /** A newer child took over; this one is deleted by whoever made the newer one, at the latest by us at this instant. */
  readonly replacedUntil: Instant | undefined;
}

/** What an initiator remembers of a child that it asked for. */
export interface ChildOffer {
  readonly spiIn: number;
  readonly nonce: Bytes;
  /** Undefined without perfect forward secrecy, and in IKE_AUTH. */
  readonly ke: { readonly id: number; readonly privateKey: Bytes } | undefined;
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
}
