/** Packets of EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2 §2), as type data of EAP: an operation, an id, and the MSCHAPv2 message. */
import { ProtocolError } from '../ike/error.ts';
import { type Bytes, hex, Reader, text, unhex, utf8, Writer } from '../ike/wire/bytes.ts';

export const Op = { CHALLENGE: 1, RESPONSE: 2, SUCCESS: 3, FAILURE: 4 } as const;

export type ServerPacket =
  | { readonly op: 1; readonly id: number; readonly challenge: Bytes; readonly name: Bytes }
  /** `proof`: the authenticator response, 20 bytes. */
  | { readonly op: 3; readonly id: number; readonly proof: Bytes }
  | { readonly op: 4; readonly id: number; readonly message: string };

export type PeerPacket =
  | { readonly op: 2; readonly id: number; readonly peerChallenge: Bytes; readonly ntResponse: Bytes; readonly name: Bytes }
  | { readonly op: 3 | 4 };

const CHALLENGE_LENGTH = 16;
/** RFC 2759 §4: peer challenge, eight reserved bytes, NT response, flags. */
const RESPONSE_LENGTH = 49;

export function encodeServerPacket(packet: ServerPacket): Bytes {
  switch (packet.op) {
    case Op.CHALLENGE:
      return framed(packet, (w) => w.u8(CHALLENGE_LENGTH).bytes(packet.challenge).bytes(packet.name));
    case Op.SUCCESS:
      // RFC 2759 §5: 40 digits in upper case.
      return framed(packet, (w) => w.bytes(utf8(`S=${hex(packet.proof).toUpperCase()} M=OK`)));
    case Op.FAILURE:
      return framed(packet, (w) => w.bytes(utf8(packet.message)));
  }
}

/** @throws ProtocolError (malformed). */
export function decodeServerPacket(data: Bytes): ServerPacket {
  const { op, id, r } = unframed(data);
  switch (op) {
    case Op.CHALLENGE:
      return { op, id, challenge: value(r, CHALLENGE_LENGTH), name: r.rest() };
    case Op.SUCCESS:
      return { op, id, proof: proofIn(text(r.rest())) };
    case Op.FAILURE:
      return { op, id, message: text(r.rest()) };
    default:
      throw ProtocolError.malformed(`operation ${op} of MSCHAPv2`);
  }
}

export function encodePeerPacket(packet: PeerPacket): Bytes {
  if (packet.op !== Op.RESPONSE) return Uint8Array.of(packet.op);
  const { peerChallenge, ntResponse, name } = packet;
  return framed(packet, (w) =>
    w.u8(RESPONSE_LENGTH).bytes(peerChallenge).bytes(new Uint8Array(8)).bytes(ntResponse).u8(0).bytes(name),
  );
}

/** @throws ProtocolError (malformed). */
export function decodePeerPacket(data: Bytes): PeerPacket {
  const [first] = data;
  // Acknowledgements are the operation alone; what some peers append says nothing.
  if (first === Op.SUCCESS || first === Op.FAILURE) return { op: first };
  const { op, id, r } = unframed(data);
  if (op !== Op.RESPONSE) throw ProtocolError.malformed(`operation ${op} of MSCHAPv2`);
  const whole = new Reader(value(r, RESPONSE_LENGTH));
  const peerChallenge = whole.take(CHALLENGE_LENGTH);
  whole.skip(8);
  return { op, id, peerChallenge, ntResponse: whole.take(24), name: r.rest() };
}

function framed({ op, id }: { readonly op: number; readonly id: number }, body: (w: Writer) => Writer): Bytes {
  const w = body(new Writer().u8(op).u8(id).u16(0));
  w.u16At(2, w.length);
  return w.finish();
}

function unframed(data: Bytes): { readonly op: number; readonly id: number; readonly r: Reader } {
  const r = new Reader(data);
  const [op, id, length] = [r.u8(), r.u8(), r.u16()];
  if (length !== data.length) throw ProtocolError.malformed(`length ${length} of ${data.length} of MSCHAPv2`);
  return { op, id, r };
}

function value(r: Reader, length: number): Bytes {
  const size = r.u8();
  if (size !== length) throw ProtocolError.malformed(`a value of ${size} bytes in MSCHAPv2`);
  return r.take(length);
}

function proofIn(message: string): Bytes {
  const [, digits] = /^S=([0-9A-Fa-f]{40})(?: |$)/.exec(message) ?? [];
  if (digits === undefined) throw ProtocolError.malformed('no authenticator response');
  return unhex(digits);
}
