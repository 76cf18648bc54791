/** ESP for tests whose packets are bytes by themselves: put into an arena, worked on, and taken out. */
import type { ChildSa } from '../../../sidecar/contract/dataplane.ts';
import type { DropReason, Path } from '../../../sidecar/dataplane/dataplane.ts';
import { type Arena, arenaOf, HEADROOM } from '../../../sidecar/dataplane/userspace/arena.ts';
import { headOf, nextHeaderOf, openEsp, sealEsp } from '../../../sidecar/dataplane/userspace/esp.ts';
import type { EspCipher, EspCiphers } from '../../../sidecar/dataplane/userspace/esp-cipher.ts';
import { InnerPacket } from '../../../sidecar/dataplane/userspace/inner-packet.ts';
import type { InstalledChild } from '../../../sidecar/dataplane/userspace/installed-child.ts';
import { providerCiphers } from '../../../sidecar/dataplane/userspace/provider-ciphers.ts';
import type { Cryptography } from '../../../sidecar/ike/crypto/cryptography.ts';
import type { Bytes } from '../../../sidecar/ike/wire/bytes.ts';
import { crypto, filled } from './children.ts';

export const arena: Arena = arenaOf(new Uint8Array(4096));
/** The IV of a block cipher is always the same here. */
export const ciphers: EspCiphers = providerCiphers(arena, crypto, (length) => filled(length, 3));
export const ciphersOf = (provider: Cryptography, random = (length: number) => filled(length, 3)): EspCiphers =>
  providerCiphers(arena, provider, random);

/** Sealed and opened by the same keys. */
export class EspInPlace {
  readonly cipher: EspCipher;
  readonly #arena: Arena;
  readonly #open: EspCipher;

  constructor(by: EspCiphers, suite: ChildSa['suite'], keys: ChildSa['keyIn'], where = arena) {
    this.cipher = by.outbound(suite, keys);
    this.#open = by.inbound(suite, keys);
    this.#arena = where;
  }

  seal(spi: number, sequence: number, payload: Bytes, nextHeader = 4): Bytes {
    this.#arena.bytes.set(payload, HEADROOM);
    const length = sealEsp(this.#arena, this.cipher, spi, sequence, HEADROOM, payload.length, nextHeader);
    const at = HEADROOM - headOf(this.cipher);
    return this.#arena.bytes.slice(at, at + length);
  }

  open(packet: Bytes, sequence: number) {
    this.#arena.bytes.set(packet, HEADROOM);
    const length = openEsp(this.#arena, this.#open, HEADROOM, packet.length, sequence);
    if (typeof length === 'string') return length;
    const at = HEADROOM + headOf(this.#open);
    return {
      nextHeader: nextHeaderOf(this.#arena, this.#open, HEADROOM, packet.length),
      payload: this.#arena.bytes.slice(at, at + length),
    };
  }
}

/** What the child sends for an inner packet. */
export function sealedBy(child: InstalledChild, packet: Bytes, limit: number): Bytes | DropReason {
  const inner = new InnerPacket(arena);
  arena.bytes.set(packet, HEADROOM);
  inner.parse(HEADROOM, packet.length);
  const length = child.seal(inner, limit);
  const at = HEADROOM - child.head;
  return typeof length === 'string' ? length : arena.bytes.slice(at, at + length);
}

/** The inner packet that the child finds in one that came by `path`. */
export function openedBy(child: InstalledChild, packet: Bytes, path: Path): Bytes | DropReason {
  const inner = new InnerPacket(arena);
  arena.bytes.set(packet, HEADROOM);
  const origin = { is: (remote: string) => remote === path.remote, path: () => path };
  return child.open(arena, HEADROOM, packet.length, origin, inner) ?? inner.bytes.slice();
}
