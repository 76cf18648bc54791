/** ESP ciphers out of any cryptographic provider: each packet is copied and allocated for, which is what noble and node:crypto do. */
import type { ChildSa } from '../../contract/dataplane.ts';
import type { Cryptography } from '../../ike/crypto/cryptography.ts';
import { type Bytes, equalBytes } from '../../ike/wire/bytes.ts';
import type { Arena } from './arena.ts';
import { espAlgorithms } from './esp-algorithms.ts';
import type { EspCipher, EspCiphers } from './esp-cipher.ts';
import { highHalf } from './sequence.ts';

const HEADER = 8;

export function providerCiphers(arena: Arena, crypto: Cryptography, random: (length: number) => Bytes): EspCiphers {
  const cipher = (suite: ChildSa['suite'], keys: ChildSa['keyIn']): EspCipher => {
    const { encryption, integrity } = espAlgorithms(crypto, suite, keys);
    const { ivLength } = encryption;
    const part = (from: number, to: number): Bytes => arena.bytes.subarray(from, to);
    if (!integrity) {
      const aad = (at: number, sequence: number): Bytes => additionalData(part(at, at + HEADER), suite.esn, sequence);
      return {
        ...{ ivLength, icvLength: encryption.icvLength, blockLength: encryption.blockLength, free: () => {} },
        seal(at, length, sequence) {
          const start = at + HEADER + ivLength;
          arena.view.setBigUint64(at + HEADER, BigInt(sequence));
          const iv = part(at + HEADER, start);
          arena.bytes.set(encryption.seal(keys.encr, iv, part(start, at + length), aad(at, sequence)), start);
        },
        open(at, length, sequence) {
          const start = at + HEADER + ivLength;
          const opened = encryption.open(keys.encr, part(at + HEADER, start), part(start, at + length), aad(at, sequence));
          if (!opened) return 'authentication';
          arena.bytes.set(opened, start);
          return 'authentic';
        },
      };
    }
    const { icvLength } = integrity;
    const mac = (from: number, to: number, sequence: number): Bytes =>
      integrity.mac(keys.integ, withHighHalf(part(from, to), suite.esn, sequence));
    return {
      ...{ ivLength, icvLength, blockLength: encryption.blockLength, free: () => {} },
      seal(at, length, sequence) {
        const [start, end] = [at + HEADER + ivLength, at + length];
        const iv = random(ivLength);
        arena.bytes.set(iv, at + HEADER);
        arena.bytes.set(encryption.seal(keys.encr, iv, part(start, end), NOTHING), start);
        arena.bytes.set(mac(at, end, sequence), end);
      },
      open(at, length, sequence) {
        const [start, end] = [at + HEADER + ivLength, at + length - icvLength];
        // RFC 4303 §3.4.4.1: the ICV is checked before anything is decrypted.
        if (!equalBytes(mac(at, end, sequence), part(end, at + length))) return 'authentication';
        const opened = encryption.open(keys.encr, part(at + HEADER, start), part(start, end), NOTHING);
        if (!opened) return 'malformed';
        arena.bytes.set(opened, start);
        return 'authentic';
      },
    };
  };
  return { outbound: cipher, inbound: cipher };
}

const NOTHING = new Uint8Array();

/** RFC 4106 §5, RFC 7634 §2.1: SPI and sequence number, whole when it is extended. */
function additionalData(header: Bytes, esn: boolean, sequence: number): Bytes {
  if (!esn) return header;
  const aad = new Uint8Array(12);
  aad.set(header.subarray(0, 4));
  new DataView(aad.buffer).setUint32(4, highHalf(sequence));
  aad.set(header.subarray(4), 8);
  return aad;
}

/** RFC 4303 §2.2.1: a separate integrity algorithm covers the high half as if it stood after the packet. */
function withHighHalf(body: Bytes, esn: boolean, sequence: number): Bytes {
  if (!esn) return body;
  const covered = new Uint8Array(body.length + 4);
  covered.set(body);
  new DataView(covered.buffer).setUint32(body.length, highHalf(sequence));
  return covered;
}
