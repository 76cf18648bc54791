/** An IKE SA as bytes, for the pod that it moves to. The first byte is the version: a pod that cannot read it says so and the client starts anew. */
import { ProtocolError } from './error.ts';
import type { IkeSa } from './sa.ts';
import { type Bytes, concat } from './wire/bytes.ts';
import { decodeCbor, encodeCbor } from './wire/cbor.ts';

/** Grows whenever the shape of an IkeSa changes. */
export const SA_VERSION = 10;

export const encodeSa = (sa: IkeSa): Bytes => concat(Uint8Array.of(SA_VERSION), encodeCbor(sa));

/** @throws ProtocolError (malformed) for another version, and for what is no SA. */
export function decodeSa(bytes: Bytes): IkeSa {
  if (bytes[0] !== SA_VERSION) throw ProtocolError.malformed(`an SA of version ${bytes[0]}, we read ${SA_VERSION}`);
  const plain = decodeCbor(bytes.subarray(1));
  if (!isSa(plain)) throw ProtocolError.malformed('not an SA');
  return plain;
}

/** Only siblings seal SAs, and of one version they write one shape: this guards against a mistake, not against an enemy. */
const isSa = (value: unknown): value is IkeSa =>
  typeof value === 'object' &&
  value !== null &&
  'role' in value &&
  'spiI' in value &&
  'spiR' in value &&
  'window' in value &&
  'phase' in value;
