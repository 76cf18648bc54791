/** One pool of inner addresses and this pod's slice of it: where an address lies, and which is free. Remembers what was given back, never all that exist. */
import { type Family, familyOf, parsePrefix, prefixRange } from './ip-address.ts';
import { type Bytes, equalBytes } from './wire/bytes.ts';

/** An IPv6 pool may be larger: its first 2^48 addresses are enough, and count without loss in a number. */
const MAX_HOST_BITS = 48;
const LOW_BYTES = MAX_HOST_BITS / 8;

/** The all-zero address (RFC 4291 §2.6.1: subnet-router anycast) and the gateway's own are never given. */
const FIRST_GIVEN = 2;

export class AddressPool {
  readonly cidr: string;
  readonly family: Family;
  /** The gateway's own inner address; undefined in a pool of a single address. */
  readonly gateway: Bytes | undefined;
  readonly #base: Bytes;
  /** Offsets below this are given, in all slices together. */
  readonly #end: number;
  readonly #sliceLength: number;
  readonly #slices: number;
  /** Our slice, as offsets. */
  readonly #from: number;
  readonly #to: number;
  readonly #start: number;
  #visited = 0;
  readonly #returned = new Set<number>();

  /** `start`: where in the slice to begin, any whole number; pods draw it so that one that forgot its leases does not give the same again. */
  constructor(cidr: string, slices: number, ordinal: number | undefined, start: number) {
    const prefix = parsePrefix(cidr);
    this.cidr = cidr;
    this.#base = prefixRange(prefix).start;
    this.family = familyOf(this.#base);
    const count = 2 ** Math.min(MAX_HOST_BITS, 8 * this.#base.length - prefix.length);
    // RFC 919: the last address of an IPv4 network is its broadcast address.
    this.#end = this.family === 4 ? count - 1 : count;
    this.#slices = slices;
    this.#sliceLength = Math.floor(count / slices);
    const mine = ordinal ?? slices;
    this.#from = Math.max(FIRST_GIVEN, mine * this.#sliceLength);
    this.#to = mine < slices ? Math.min(this.#end, (mine + 1) * this.#sliceLength) : 0;
    this.#start = start;
    this.gateway = count > 1 ? this.#address(1) : undefined;
  }

  /** How many addresses our slice has to give. */
  get size(): number {
    return Math.max(0, this.#to - this.#from);
  }

  /** Whose slice an address is in; undefined: not of this pool, or none that is ever given. */
  ordinalOf(address: Bytes): number | undefined {
    const offset = this.#offset(address);
    if (offset === undefined || offset < FIRST_GIVEN || offset >= this.#end) return undefined;
    const ordinal = Math.floor(offset / this.#sliceLength);
    return ordinal < this.#slices ? ordinal : undefined;
  }

  /** An address of our slice that is not in use. Those given back go first, so that what is remembered stays small. */
  take(inUse: (address: Bytes) => boolean): Bytes | undefined {
    for (const offset of this.#returned) {
      this.#returned.delete(offset);
      const address = this.#address(offset);
      if (!inUse(address)) return address;
    }
    while (this.#visited < this.size) {
      const address = this.#address(this.#from + ((this.#start + this.#visited) % this.size));
      this.#visited += 1;
      if (!inUse(address)) return address;
    }
    return undefined;
  }

  giveBack(address: Bytes): void {
    const offset = this.#offset(address);
    if (offset !== undefined && offset >= this.#from && offset < this.#to) this.#returned.add(offset);
  }

  /** Below 0 for what lies before the pool; undefined: further away. */
  #offset(address: Bytes): number | undefined {
    if (address.length !== this.#base.length) return undefined;
    const high = Math.max(0, address.length - LOW_BYTES);
    if (!equalBytes(address.subarray(0, high), this.#base.subarray(0, high))) return undefined;
    return low(address) - low(this.#base);
  }

  #address(offset: number): Bytes {
    const address = this.#base.slice();
    let rest = low(this.#base) + offset;
    for (let at = address.length - 1; rest > 0 && at >= 0; at--) {
      address[at] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    return address;
  }
}

/** The last bytes of an address as a number. */
const low = (address: Bytes): number => address.subarray(-LOW_BYTES).reduce((sum, byte) => sum * 256 + byte, 0);
