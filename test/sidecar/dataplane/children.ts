/** Child SAs for tests: both ends of one, and the packets that they carry. */

import type { ChildSa, Selector } from '../../../sidecar/contract/dataplane.ts';
import { echoRequest } from '../../../sidecar/dataplane/userspace/icmp.ts';
import type { InnerPacket } from '../../../sidecar/dataplane/userspace/inner-packet.ts';
import { parseInnerPacket } from '../../../sidecar/dataplane/userspace/inner-packet.ts';
import { cryptography } from '../../../sidecar/ike/crypto/cryptographies.ts';
import type { Bytes } from '../../../sidecar/ike/wire/bytes.ts';

export const providers = [cryptography('noble'), cryptography('openssl'), cryptography('auto')];
export const crypto = cryptography('auto');

type Suite = ChildSa['suite'];
const AES_CBC = 12;
const AES_GCM_16 = 20;
const CHACHA20_POLY1305 = 28;

/** Every combination of algorithms for ESP, with 32-bit sequence numbers and with extended ones. */
export const suites: readonly Suite[] = [
  { encr: AES_GCM_16, keyBits: 128, integ: 0 },
  { encr: AES_GCM_16, keyBits: 256, integ: 0 },
  { encr: CHACHA20_POLY1305, keyBits: 0, integ: 0 },
  ...[12, 13, 14].flatMap((integ) => [128, 256].map((keyBits) => ({ encr: AES_CBC, keyBits, integ }))),
].flatMap((suite) => [false, true].map((esn) => ({ ...suite, esn })));

export const gcm: Suite = { encr: AES_GCM_16, keyBits: 256, integ: 0, esn: true };

export const address = (text: string): Bytes => (text.includes(':') ? ipv6(text) : Uint8Array.from(text.split('.'), Number));

/** `first` to `last`, or one address, with any protocol and port. */
export function selector(first: string, last = first, rest: Partial<Selector> = {}): Selector {
  return { protocol: 0, startPort: 0, endPort: 65535, start: address(first), end: address(last), ...rest };
}

export const anywhere = [selector('0.0.0.0', '255.255.255.255'), selector('::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')];
export const clientPath = { local: '198.51.100.7:4500', remote: '192.0.2.1:4500' };
export const gatewayPath = { local: '192.0.2.1:4500', remote: '198.51.100.7:4500' };

export interface Ends {
  readonly client: ChildSa;
  readonly gateway: ChildSa;
}

/** Both ends of a child for a client with the inner addresses given; `spi` makes it another child with other keys. */
export function ends(
  spi: number,
  { suite = gcm, inner = ['10.8.0.7', 'fd08::7'] }: { suite?: Suite; inner?: readonly string[] } = {},
): Ends {
  const encryption = crypto.encryption(suite.encr, suite.keyBits);
  const integrity = crypto.integrity(suite.integ);
  const keys = (seed: number) => ({
    encr: filled(encryption?.keyLength ?? 0, seed),
    integ: filled(integrity?.keyLength ?? 0, seed + 1),
  });
  const addresses = inner.map((text) => selector(text));
  const sequences = { sent: 0, received: 0 };
  const common = { suite, sequences, encapsulated: true, peer: { idType: 2, data: new Uint8Array([spi & 0xff]) } };
  const [up, down] = [keys(spi), keys(spi + 100)];
  return {
    client: {
      ...common,
      spiIn: spi + 1,
      spiOut: spi,
      keyIn: down,
      keyOut: up,
      local: addresses,
      remote: anywhere,
      path: clientPath,
    },
    gateway: {
      ...common,
      spiIn: spi,
      spiOut: spi + 1,
      keyIn: up,
      keyOut: down,
      local: anywhere,
      remote: addresses,
      path: gatewayPath,
    },
  };
}

export const filled = (length: number, seed: number): Bytes =>
  Uint8Array.from({ length }, (_, at) => (at * 7 + seed * 31 + 1) & 0xff);

/** An inner packet: an ICMP echo request. */
export const ping = (source: string, destination: string, sequence = 1): Bytes =>
  echoRequest({ source: address(source), destination: address(destination), id: 7, sequence, payload: filled(8, sequence) });

export function parsed(bytes: Bytes): InnerPacket {
  const packet = parseInnerPacket(bytes);
  if (!packet) throw new Error('not an IP packet');
  return packet;
}

function ipv6(text: string): Bytes {
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
