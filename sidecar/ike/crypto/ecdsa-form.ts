/** ECDSA signatures in the older methods 9, 10 and 11 (RFC 4754 §7): r | s, each as long as the order of the curve, instead of DER. */
import { type Bytes, concat } from '../wire/bytes.ts';
import { DerReader, encodeDer, Tag } from '../wire/der.ts';
import { Hash, type KeyKind, type SignatureScheme } from './signature.ts';

export interface EcdsaMethod {
  readonly key: KeyKind;
  readonly scheme: SignatureScheme;
  /** Of r, and of s, in bytes. */
  readonly length: number;
}

/** By IANA authentication method: each is one curve with one hash. */
export const ecdsaMethods: Readonly<Record<9 | 10 | 11, EcdsaMethod>> = {
  9: { key: 'ec-p256', scheme: { kind: 'ecdsa', hash: Hash.SHA2_256 }, length: 32 },
  10: { key: 'ec-p384', scheme: { kind: 'ecdsa', hash: Hash.SHA2_384 }, length: 48 },
  11: { key: 'ec-p521', scheme: { kind: 'ecdsa', hash: Hash.SHA2_512 }, length: 66 },
};

/** DER of r | s; undefined when that has another length. */
export function derOfEcdsa({ length }: EcdsaMethod, raw: Bytes): Bytes | undefined {
  // RFC 4754 §7: exactly 64, 96 or 132 bytes, zeros in front where need be.
  if (raw.length !== 2 * length) return undefined;
  return encodeDer(Tag.SEQUENCE, concat(integer(raw.subarray(0, length)), integer(raw.subarray(length))));
}

/** r | s of the DER that our own key signed. @throws ProtocolError (malformed), RangeError for numbers that are too long. */
export function rawOfEcdsa({ length }: EcdsaMethod, der: Bytes): Bytes {
  const inside = new DerReader(der).enter(Tag.SEQUENCE);
  return concat(...[1, 2].map(() => padded(inside.element(Tag.INTEGER).body, length)));
}

function padded(integer: Bytes, length: number): Bytes {
  const digits = unpadded(integer);
  const out = new Uint8Array(length);
  out.set(digits, length - digits.length);
  return out;
}

/** The shortest positive INTEGER. */
function integer(value: Bytes): Bytes {
  const digits = unpadded(value);
  const negative = digits.length === 0 || (digits[0] ?? 0) >= 0x80;
  return encodeDer(Tag.INTEGER, negative ? concat(Uint8Array.of(0), digits) : digits);
}

function unpadded(value: Bytes): Bytes {
  const first = value.findIndex((byte) => byte !== 0);
  return first < 0 ? value.subarray(value.length) : value.subarray(first);
}
