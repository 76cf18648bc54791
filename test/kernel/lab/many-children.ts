/** Children of as many clients as wanted, each with an inner address of 10.8.0.0/16 and keys of its own. */
import type { ChildSa, Selector } from '../../../sidecar/contract/dataplane.ts';

export const MANY_POOL = '10.8.0.0/16';
const AES_GCM_16 = 20;
const KEY_BITS = 256;
/** With the salt (RFC 4106 §8.1). */
const KEYMAT_BYTES = KEY_BITS / 8 + 4;
const ID_FQDN = 2;
const FIRST_SPI = 0x0100_0000;

/** `random`: so many bytes. */
export function manyChildren(count: number, random: (length: number) => Uint8Array): readonly ChildSa[] {
  return Array.from({ length: count }, (_, index) => ({
    spiIn: FIRST_SPI + index,
    spiOut: 2 * FIRST_SPI + index,
    suite: { encr: AES_GCM_16, keyBits: KEY_BITS, integ: 0, esn: true },
    keyIn: { encr: new Uint8Array(random(KEYMAT_BYTES)), integ: new Uint8Array() },
    keyOut: { encr: new Uint8Array(random(KEYMAT_BYTES)), integ: new Uint8Array() },
    local: [range([10, 20, 0, 0], [10, 20, 255, 255])],
    remote: [host(index + 256)],
    path: { local: '10.98.0.1:4500', remote: `10.96.0.1:${10_000 + index}` },
    encapsulated: true,
    peer: { idType: ID_FQDN, data: new Uint8Array(Buffer.from(`client-${index}.example`)) },
    sequences: { sent: 0, received: 0 },
  }));
}

const host = (number: number): Selector => range([10, 8, number >> 8, number & 255], [10, 8, number >> 8, number & 255]);

const range = (start: readonly number[], end: readonly number[]): Selector => ({
  protocol: 0,
  startPort: 0,
  endPort: 65_535,
  start: new Uint8Array(start),
  end: new Uint8Array(end),
});
