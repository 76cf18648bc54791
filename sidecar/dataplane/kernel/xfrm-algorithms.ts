/** ESP's transforms (RFC 7296 §3.3.2) as the kernel's crypto API names them: attributes of an XFRM state. */
import type { ChildSa } from '../../contract/dataplane.ts';
import { type Bytes, equalBytes } from '../../ike/wire/bytes.ts';
import { type Attribute, viewOf } from './netlink-message.ts';
import { XfrmAttribute } from './xfrm-structures.ts';

type Keys = ChildSa['keyIn'];

const NAME_BYTES = 64;
/** An ICV of 16 octets: RFC 4106 §6, RFC 7634 §2. */
const AEAD_ICV_BITS = 128;
const AES_CBC = 12;
const AES_GCM_16 = 20;
const CHACHA20_POLY1305 = 28;
/** Keys hold the salt: 4 octets (RFC 4106 §8.1, RFC 7634 §2). */
const SALT_BYTES = 4;
const CHACHA_KEY_BYTES = 32;

const HMAC: Readonly<Record<number, { readonly name: string; readonly keyBytes: number; readonly icvBits: number }>> = {
  2: { name: 'hmac(sha1)', keyBytes: 20, icvBits: 96 },
  12: { name: 'hmac(sha256)', keyBytes: 32, icvBits: 128 },
  13: { name: 'hmac(sha384)', keyBytes: 48, icvBits: 192 },
  14: { name: 'hmac(sha512)', keyBytes: 64, icvBits: 256 },
};

/** @throws Error for a transform that was never negotiable, or a key of another size than its own. */
export function algorithmAttributes(suite: ChildSa['suite'], keys: Keys): readonly Attribute[] {
  if (suite.encr === AES_GCM_16) return [aead('rfc4106(gcm(aes))', keys, suite.keyBits / 8 + SALT_BYTES)];
  if (suite.encr === CHACHA20_POLY1305) return [aead('rfc7539esp(chacha20,poly1305)', keys, CHACHA_KEY_BYTES + SALT_BYTES)];
  const hmac = HMAC[suite.integ];
  if (suite.encr !== AES_CBC || !hmac) {
    throw new Error(`ESP with encryption ${suite.encr} and integrity ${suite.integ} is none that the kernel is asked for`);
  }
  return [
    algorithm(XfrmAttribute.ALG_CRYPT, 'cbc(aes)', sized(keys.encr, suite.keyBits / 8), []),
    algorithm(XfrmAttribute.ALG_AUTH_TRUNC, hmac.name, sized(keys.integ, hmac.keyBytes), [hmac.icvBits]),
  ];
}

/** Whether a state that the kernel has is one with these algorithms and keys. Takes a time that depends on lengths only. */
export function hasAlgorithms(attributes: ReadonlyMap<number, Bytes>, wanted: readonly Attribute[]): boolean {
  const kinds = [XfrmAttribute.ALG_AEAD, XfrmAttribute.ALG_CRYPT, XfrmAttribute.ALG_AUTH_TRUNC];
  return kinds.every((kind) => {
    const [has, wants] = [attributes.get(kind), wanted.find(({ type }) => type === kind)?.value];
    return has && wants ? equalBytes(has, wants) : has === wants;
  });
}

function aead(name: string, { encr }: Keys, keyBytes: number): Attribute {
  return algorithm(XfrmAttribute.ALG_AEAD, name, sized(encr, keyBytes), [AEAD_ICV_BITS]);
}

/** struct xfrm_algo, xfrm_algo_aead, xfrm_algo_auth: a name, the length of the key in bits, that of the ICV where there is one, the key. */
function algorithm(type: number, name: string, key: Bytes, icvBits: readonly number[]): Attribute {
  const keyAt = NAME_BYTES + 4 + 4 * icvBits.length;
  const value = new Uint8Array(keyAt + key.length);
  new TextEncoder().encodeInto(name, value.subarray(0, NAME_BYTES - 1));
  [8 * key.length, ...icvBits].forEach((bits, index) => void viewOf(value).setUint32(NAME_BYTES + 4 * index, bits, true));
  value.set(key, keyAt);
  return { type, value };
}

function sized(key: Bytes, bytes: number): Bytes {
  if (key.length !== bytes) throw new Error(`a key of ${key.length} bytes where ${bytes} are wanted`);
  return key;
}
