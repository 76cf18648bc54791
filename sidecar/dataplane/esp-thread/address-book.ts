/** Endpoints of peers as socket addresses in memory (struct sockaddr_in, sockaddr_in6), and the one that a datagram came from. */
import { formatAddress, parseAddress } from '../../ike/ip-address.ts';
import type { Path } from '../dataplane.ts';
import type { Origin } from '../userspace/installed-child.ts';
import { LONGEST, NAME_BYTES, NAMES } from './layout.ts';
import type { NativeArena } from './native.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const IPV4_NAME = 16;
const IPV6_NAME = 28;

export class AddressBook {
  readonly #arena: NativeArena;
  readonly #at: number;
  readonly #known = new Map<string, number>();
  readonly #together = new Int32Array(NAMES).fill(LONGEST);

  /** `at`: NAMES times NAME_BYTES of the arena. */
  constructor(arena: NativeArena, at: number) {
    this.#arena = arena;
    this.#at = at;
  }

  get full(): boolean {
    return this.#known.size === NAMES;
  }

  /** Forgets all; nothing may be about to be sent to any of them. */
  clear(): void {
    this.#known.clear();
    this.#together.fill(LONGEST);
  }

  /** Where the socket address of an endpoint stands; undefined for one that nothing can be sent to. */
  find(endpoint: string): number | undefined {
    return this.#known.get(endpoint) ?? this.#add(endpoint);
  }

  /** Packets up to this long leave together for the endpoint whose name stands there: its path may be narrower than others. */
  longestTogether(name: number): number {
    return this.#together[(name - this.#at) / NAME_BYTES] ?? 0;
  }

  limitTogether(name: number, longest: number): void {
    this.#together[(name - this.#at) / NAME_BYTES] = longest;
  }

  #add(endpoint: string): number | undefined {
    const at = this.#at + this.#known.size * NAME_BYTES;
    if (this.full || !this.#write(endpoint, at)) return undefined;
    this.#known.set(endpoint, at);
    return at;
  }

  #write(endpoint: string, at: number): boolean {
    const { view, bytes } = this.#arena;
    const { address, port } = split(endpoint);
    const binary = addressBytes(address);
    if (!binary || !(port > 0 && port <= 0xffff)) return false;
    bytes.fill(0, at, at + NAME_BYTES);
    view.setUint16(at, binary.length === 4 ? AF_INET : AF_INET6, true);
    view.setUint16(at + 2, port);
    bytes.set(binary, at + (binary.length === 4 ? 4 : 8));
    return true;
  }
}

/** Length of a socket address in memory. */
export const nameLength = ({ view }: NativeArena, at: number): number =>
  view.getUint16(at, true) === AF_INET ? IPV4_NAME : IPV6_NAME;

/** Where the datagram at hand came from; one object for all of them. */
export class NamedOrigin implements Origin {
  readonly #arena: NativeArena;
  readonly #book: AddressBook;
  #at = 0;
  #local = '';

  constructor(arena: NativeArena, book: AddressBook) {
    this.#arena = arena;
    this.#book = book;
  }

  /** `at`: of its socket address, `local`: the endpoint of ours that it came to. */
  set(at: number, local: string): void {
    this.#at = at;
    this.#local = local;
  }

  /** RFC 768 lets a sender give no port, and an address of a single interface is one only with the interface: no answer could reach these. */
  get answerable(): boolean {
    const { view } = this.#arena;
    return (
      view.getUint16(this.#at + 2) !== 0 &&
      (view.getUint16(this.#at, true) === AF_INET || view.getUint32(this.#at + 24, true) === 0)
    );
  }

  /** False, too, while the book is full and has no such endpoint: it is not cleared here, for something may be about to be sent. */
  is(remote: string): boolean {
    const other = this.#book.find(remote);
    if (other === undefined) return false;
    const { view } = this.#arena;
    const at = this.#at;
    // Family and port, then the address.
    if (view.getUint32(at) !== view.getUint32(other)) return false;
    if (view.getUint16(at, true) === AF_INET) return view.getUint32(at + 4) === view.getUint32(other + 4);
    for (let word = 8; word < 24; word += 4) if (view.getUint32(at + word) !== view.getUint32(other + word)) return false;
    return true;
  }

  path(): Path {
    const { view, bytes } = this.#arena;
    const ipv4 = view.getUint16(this.#at, true) === AF_INET;
    const from = this.#at + (ipv4 ? 4 : 8);
    const address = formatAddress(bytes.subarray(from, from + (ipv4 ? 4 : 16)));
    const port = view.getUint16(this.#at + 2);
    return { local: this.#local, remote: ipv4 ? `${address}:${port}` : `[${address}]:${port}` };
  }
}

function split(endpoint: string): { readonly address: string; readonly port: number } {
  const colon = endpoint.lastIndexOf(':');
  const bracketed = endpoint.startsWith('[');
  return {
    address: bracketed ? endpoint.slice(1, colon - 1) : endpoint.slice(0, colon),
    port: Number(endpoint.slice(colon + 1)),
  };
}

function addressBytes(text: string): Uint8Array | undefined {
  try {
    return parseAddress(text);
  } catch {
    return undefined;
  }
}
