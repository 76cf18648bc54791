/** How the AUTH payloads cover IKE_INTERMEDIATE (RFC 9242 §3.3.2): each side's messages, chained by a prf, before encryption and fragmentation. */
import { prfOf } from './algorithms.ts';
import type { Context } from './context.ts';
import type { FirstMessages } from './handshake-phase.ts';
import type { Secured } from './sa.ts';
import { type Bytes, concat, EMPTY, u32Bytes } from './wire/bytes.ts';
import { encodePrefix, type Header } from './wire/message.ts';
import { encodePayloads, type Payload, SK, SKF } from './wire/payload.ts';

/** IntAuth_iN and IntAuth_rN, and the number of exchanges. */
export interface Intermediate {
  readonly initiator: Bytes;
  readonly responder: Bytes;
  readonly exchanges: number;
}

/** A protected message as it came: what precedes the encrypted body (of fragment 1), and the inner payloads. */
export interface Received {
  readonly head: Bytes;
  readonly bytes: Bytes;
}

/** IntAuth_*A | IntAuth_*P of a message of ours. */
export function ownContent(header: Header, payloads: readonly Payload[]): Bytes {
  const { first, bytes } = encodePayloads(payloads);
  return concat(encodePrefix(header, { first, bodyLength: bytes.length }), bytes);
}

const NEXT_PAYLOAD_AT = 16;
const LENGTH_AT = 24;
const HEADER_LENGTH = 28;

/** The same of a message of the peer, made whole: both lengths without IV, padding and checksum, no Fragment header, RESERVED of the first fragment. */
export function receivedContent({ head, bytes }: Received): Bytes {
  const fragmented = nextOf(head) === SKF;
  const content = concat(fragmented ? head.subarray(0, -4) : head, bytes);
  if (fragmented) content[nextAt(head)] = SK;
  content.set(u32Bytes(content.length), LENGTH_AT);
  const payloadLength = bytes.length + 4;
  content.set([payloadLength >>> 8, payloadLength & 0xff], content.length - bytes.length - 2);
  return content;
}

const nextOf = (head: Bytes): number | undefined => head[nextAt(head)];

/** Where it says that the encrypted payload comes next: in the header, or in the last of the payloads in clear. */
function nextAt(head: Bytes): number {
  let at = NEXT_PAYLOAD_AT;
  for (let payload = HEADER_LENGTH; head[at] !== SK && head[at] !== SKF && payload + 4 <= head.length; ) {
    at = payload;
    payload += Math.max(4, (head[payload + 2] ?? 0) * 256 + (head[payload + 3] ?? 0));
  }
  return at;
}

/** After an exchange; `proof` has the keys that the exchange was protected with. */
export function chained(
  { suite, keys, first }: Pick<Secured, 'suite' | 'keys'> & { readonly first: FirstMessages },
  contents: { readonly initiator: Bytes; readonly responder: Bytes },
  ctx: Pick<Context, 'crypto'>,
): FirstMessages {
  const prf = prfOf(ctx.crypto, suite);
  const { initiator, responder, exchanges } = first.intermediate ?? { initiator: EMPTY, responder: EMPTY, exchanges: 0 };
  const intermediate = {
    initiator: prf.mac(keys.pi, concat(initiator, contents.initiator)),
    responder: prf.mac(keys.pr, concat(responder, contents.responder)),
    exchanges: exchanges + 1,
  };
  return { ...first, intermediate };
}

/** IntAuth = IntAuth_iN | IntAuth_rN | IKE_AUTH_MID; nothing when there was no such exchange. */
export const intAuth = ({ intermediate }: FirstMessages): Bytes =>
  intermediate ? concat(intermediate.initiator, intermediate.responder, u32Bytes(intermediate.exchanges + 1)) : EMPTY;
