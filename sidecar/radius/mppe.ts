/** Keys that a server gives us in MS-MPPE-Send-Key and MS-MPPE-Recv-Key (RFC 2548 §2.4): EAP's master session key in two parts. */
import { md5 } from '@noble/hashes/legacy.js';
import { type Bytes, concat, Reader } from '../ike/wire/bytes.ts';
import { Type, valuesOf } from './attribute.ts';
import type { Attribute } from './packet.ts';

const MICROSOFT = 311;
const Vendor = { MPPE_SEND_KEY: 16, MPPE_RECV_KEY: 17 } as const;
const BLOCK = 16;
const SALT_LENGTH = 2;
const MSK_LENGTH = 64;

/**
 * 64 bytes (RFC 3748 §7.10): Recv before Send, then zeros (EAP-MSCHAPv2 has keys of 16 bytes, others of 32). Undefined when there are no such
 * keys, or broken ones.
 */
export function masterSessionKey(
  attributes: readonly Attribute[],
  requestAuthenticator: Bytes,
  secret: Bytes,
): Bytes | undefined {
  const key = (type: number): Bytes | undefined => {
    const sealed = microsoftValue(attributes, type);
    return sealed && openKey(sealed, requestAuthenticator, secret);
  };
  const [receive, send] = [key(Vendor.MPPE_RECV_KEY), key(Vendor.MPPE_SEND_KEY)];
  if (!receive || !send || receive.length + send.length > MSK_LENGTH) return undefined;
  return concat(receive, send, new Uint8Array(MSK_LENGTH - receive.length - send.length));
}

/** Of the only one of that kind: RFC 2865 §5.26 lets several sub-attributes share a Vendor-Specific. */
function microsoftValue(attributes: readonly Attribute[], type: number): Bytes | undefined {
  const all = valuesOf(attributes, Type.VENDOR_SPECIFIC).flatMap(microsoftParts);
  const found = all.filter((part) => part.type === type);
  return found.length === 1 ? found[0]?.value : undefined;
}

function microsoftParts(value: Bytes): readonly Attribute[] {
  const r = new Reader(value);
  if (r.left < 4 || r.u32() !== MICROSOFT) return [];
  const parts: Attribute[] = [];
  while (r.left >= 2) {
    const type = r.u8();
    const length = r.u8() - 2;
    // Other vendors' ideas of a format are no reason to discard a packet.
    if (length < 0 || length > r.left) return parts;
    parts.push({ type, value: r.take(length) });
  }
  return parts;
}

/** RFC 2548 §2.4.2: salt | blocks, each XORed with MD5 of the secret and what came before it; inside length | key | padding. */
function openKey(sealed: Bytes, requestAuthenticator: Bytes, secret: Bytes): Bytes | undefined {
  const salt = sealed.subarray(0, SALT_LENGTH);
  const blocks = sealed.subarray(SALT_LENGTH);
  // "The leftmost bit of the Salt field MUST be set".
  if (((salt[0] ?? 0) & 0x80) === 0 || blocks.length === 0 || blocks.length % BLOCK !== 0) return undefined;
  const plain = new Uint8Array(blocks.length);
  let before = concat(requestAuthenticator, salt);
  for (let at = 0; at < blocks.length; at += BLOCK) {
    const mask = md5(concat(secret, before));
    before = blocks.subarray(at, at + BLOCK);
    plain.set(
      before.map((byte, i) => byte ^ (mask[i] ?? 0)),
      at,
    );
  }
  const [length = 0] = plain;
  return length > 0 && length < plain.length ? plain.slice(1, 1 + length) : undefined;
}
