/** ESP ciphers by the OpenSSL inside Node, in place and with contexts that keep their keys: nothing is copied or allocated for a packet. */
import type { ChildSa } from '../../contract/dataplane.ts';
import type { Cryptography } from '../../ike/crypto/cryptography.ts';
import { Encr, Integ } from '../../ike/wire/registry.ts';
import { espAlgorithms } from '../userspace/esp-algorithms.ts';
import type { EspCipher, EspCiphers } from '../userspace/esp-cipher.ts';
import { InPlaceAead, SALT } from './in-place-aead.ts';
import { InPlaceCbc } from './in-place-cbc.ts';
import type { Native, NativeArena } from './native.ts';
import { DECRYPT, ENCRYPT, OpenSsl } from './openssl.ts';

/**
 * For packets in this arena; `scratch` are SCRATCH_BYTES of it. `others`: for algorithms that are not known here.
 * @throws Error when Node hides its OpenSSL.
 */
export function inPlaceCiphers(
  native: Native,
  arena: NativeArena,
  scratch: number,
  crypto: Cryptography,
  others: EspCiphers,
): EspCiphers {
  const openssl = new OpenSsl(native, arena, scratch);
  const cipher =
    (direction: number) =>
    (suite: ChildSa['suite'], keys: ChildSa['keyIn']): EspCipher => {
      const { encryption, integrity } = espAlgorithms(crypto, suite, keys);
      const name = nameOf(suite);
      const digest = digestOf(suite.integ);
      if (name === undefined) return others[direction === ENCRYPT ? 'outbound' : 'inbound'](suite, keys);
      if (!integrity)
        return new InPlaceAead(openssl, openssl.context(name, keys.encr.subarray(0, -SALT), direction), keys.encr, suite.esn);
      if (digest === undefined) return others[direction === ENCRYPT ? 'outbound' : 'inbound'](suite, keys);
      const contexts = { cipher: openssl.context(name, keys.encr, direction), mac: openssl.macContext(digest, keys.integ) };
      return new InPlaceCbc(
        openssl,
        contexts,
        { icvLength: integrity.icvLength, blockLength: encryption.blockLength },
        suite.esn,
      );
    };
  return { outbound: cipher(ENCRYPT), inbound: cipher(DECRYPT) };
}

function nameOf({ encr, keyBits }: ChildSa['suite']): string | undefined {
  if (encr === Encr.AES_GCM_16) return `AES-${keyBits}-GCM`;
  if (encr === Encr.CHACHA20_POLY1305) return 'ChaCha20-Poly1305';
  return encr === Encr.AES_CBC ? `AES-${keyBits}-CBC` : undefined;
}

function digestOf(integ: number): string | undefined {
  if (integ === Integ.HMAC_SHA2_256_128) return 'SHA256';
  if (integ === Integ.HMAC_SHA2_384_192) return 'SHA384';
  return integ === Integ.HMAC_SHA2_512_256 ? 'SHA512' : undefined;
}
