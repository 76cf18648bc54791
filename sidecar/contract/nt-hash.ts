/** NtPasswordHash (RFC 2759 §8.3): what MSCHAPv2 needs of a password, and all that is kept of it. */
import { md4 } from './md4.ts';

/** 16 bytes; as good as the password for whoever gets hold of it. */
export function ntHash(password: string): Uint8Array {
  const bytes = new Uint8Array(2 * password.length);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < password.length; index++) view.setUint16(2 * index, password.charCodeAt(index), true);
  return md4(bytes);
}
