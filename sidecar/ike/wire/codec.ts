/** What a payload kind has to offer: its number in the registry (RFC 7296 §3.2) and its body in both directions. */
import type { Reader, Writer } from './bytes.ts';

export interface Codec<Body> {
  readonly number: number;
  /** Gets the body only, without the generic header; whoever calls refuses what is left over. */
  decode(reader: Reader): Body;
  encode(writer: Writer, body: Body): void;
}
