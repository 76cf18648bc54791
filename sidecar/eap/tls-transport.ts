/** TLS messages in type data of EAP (RFC 5216 §3): flags, a length before the first of several fragments, and an empty packet for each fragment that came. */
import { ProtocolError } from '../ike/error.ts';
import { type Bytes, concat, EMPTY, Reader, Writer } from '../ike/wire/bytes.ts';

const Flag = { LENGTH: 0x80, MORE: 0x40, START: 0x20 } as const;

/** A packet of EAP fits in one unfragmented message of IKE then. */
export const FRAGMENT_BYTES = 1_024;
/** A long chain of certificates needs a quarter of it. */
export const MAX_MESSAGE_BYTES = 65_536;

export const START: Bytes = Uint8Array.of(Flag.START);
const ACKNOWLEDGEMENT: Bytes = Uint8Array.of(0);

export type Received =
  /** Nothing is whole yet: send this and wait. */
  | { readonly is: 'reply'; readonly data: Bytes }
  | { readonly is: 'start' }
  /** Of one flight, whole; empty when the other side has nothing to say. */
  | { readonly is: 'message'; readonly bytes: Bytes };

interface Assembly {
  readonly total: number;
  readonly size: number;
  readonly parts: readonly Bytes[];
}

/** One side of a conversation. */
export class TlsTransport {
  #outgoing: Bytes = EMPTY;
  #incoming: Assembly | undefined;

  /** Type data of the other side. @throws ProtocolError (malformed) for fragments out of order, of a wrong length, or too many. */
  receive(data: Bytes): Received {
    const r = new Reader(data);
    const flags = r.u8();
    const total = flags & Flag.LENGTH ? r.u32() : undefined;
    const body = r.rest();
    // RFC 5216 §2.1.5: nothing but an acknowledgement may come between fragments.
    if (this.#outgoing.length > 0) return { is: 'reply', data: this.#afterAcknowledgement(flags, body) };
    if (flags & Flag.START) return { is: 'start' };
    return this.#collect({ total, more: (flags & Flag.MORE) !== 0, body });
  }

  /** The first fragment of a flight. */
  send(message: Bytes): Bytes {
    // RFC 9190 §2.4: "Implementations MUST NOT set the L bit in unfragmented messages".
    if (message.length <= FRAGMENT_BYTES) return this.#fragment(message, undefined);
    return this.#fragment(message, message.length);
  }

  #afterAcknowledgement(flags: number, body: Bytes): Bytes {
    if (body.length > 0 || flags & (Flag.MORE | Flag.START)) throw ProtocolError.malformed('data before all fragments were sent');
    return this.#fragment(this.#outgoing, undefined);
  }

  #fragment(message: Bytes, total: number | undefined): Bytes {
    this.#outgoing = message.subarray(FRAGMENT_BYTES);
    const more = this.#outgoing.length > 0 ? Flag.MORE : 0;
    const w = new Writer(FRAGMENT_BYTES + 5).u8((total === undefined ? 0 : Flag.LENGTH) | more);
    if (total !== undefined) w.u32(total);
    return w.bytes(message.subarray(0, FRAGMENT_BYTES)).finish();
  }

  #collect({
    total,
    more,
    body,
  }: {
    readonly total: number | undefined;
    readonly more: boolean;
    readonly body: Bytes;
  }): Received {
    const known = this.#incoming ?? begun(total, more, body);
    // Whoever repeats the length must repeat the same one.
    if (total !== undefined && total !== known.total) throw ProtocolError.malformed('fragments of two lengths');
    const grown = { total: known.total, size: known.size + body.length, parts: [...known.parts, body] };
    if (more && body.length === 0) throw ProtocolError.malformed('an empty fragment');
    if (more ? grown.size >= grown.total : grown.size !== grown.total)
      throw ProtocolError.malformed(`fragments of ${grown.size} bytes instead of ${grown.total}`);
    this.#incoming = more ? grown : undefined;
    return more ? { is: 'reply', data: ACKNOWLEDGEMENT } : { is: 'message', bytes: concat(...grown.parts) };
  }
}

function begun(total: number | undefined, more: boolean, body: Bytes): Assembly {
  // RFC 5216 §2.1.5: L "MUST be set for the first fragment of a fragmented TLS message".
  if (more && total === undefined) throw ProtocolError.malformed('a first fragment without the length of the whole');
  const length = total ?? body.length;
  if (length > MAX_MESSAGE_BYTES) throw ProtocolError.malformed(`a TLS message of ${length} bytes`);
  return { total: length, size: 0, parts: [] };
}
