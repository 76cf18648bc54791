/** Which inner address is whose, found by address, identity and holder; ordered by age where the oldest goes first. */
import { type Family, familyOf } from './ip-address.ts';
import type { Instant } from './sa.ts';
import { type Bytes, hex } from './wire/bytes.ts';

export type Hold =
  /** By an SA of ours, named by our SPI. `foreign`: the address is in that ordinal's slice. `former`: the pod that had it until then, as it told us. */
  | { readonly kind: 'held'; readonly holder: string; readonly foreign: number | undefined; readonly former: number | undefined }
  /** For its last identity, until somebody needs it or the time is over. */
  | { readonly kind: 'reserved'; readonly until: Instant }
  /** By an SA of the pod with this ordinal that began then, as it told us. */
  | { readonly kind: 'announced'; readonly ordinal: number; readonly began: Instant; readonly until: Instant };

export interface Lease {
  readonly address: Bytes;
  readonly identity: string;
  readonly hold: Hold;
}

/** Which addresses will do. */
export type Fits = (address: Bytes) => boolean;
const anywhere: Fits = () => true;

export class LeaseTable {
  readonly #leases = new Map<string, Lease>();
  readonly #reserved: Readonly<Record<Family, Map<string, Lease>>> = { 4: new Map(), 6: new Map() };
  readonly #announced = new Map<string, Lease>();
  readonly #foreign = new Map<string, Lease>();
  readonly #byHolder = new Map<string, Set<string>>();
  /** Reserved ones only. */
  readonly #byIdentity = new Map<string, Set<string>>();

  get(address: Bytes): Lease | undefined {
    return this.#leases.get(hex(address));
  }

  has(address: Bytes): boolean {
    return this.#leases.has(hex(address));
  }

  /** Replaces what was known of the address. */
  set(lease: Lease): void {
    const key = hex(lease.address);
    this.#unlink(key);
    this.#leases.set(key, lease);
    this.#link(key, lease);
  }

  delete(address: Bytes): void {
    const key = hex(address);
    this.#unlink(key);
    this.#leases.delete(key);
  }

  all(): readonly Lease[] {
    return [...this.#leases.values()];
  }

  /** Leases of an SA of ours. */
  heldBy(holder: string): readonly Lease[] {
    return this.#of(this.#byHolder.get(holder));
  }

  /** What is reserved for an identity, the latest first. */
  reservedFor(identity: string, family: Family, fits: Fits = anywhere): Lease | undefined {
    return this.#of(this.#byIdentity.get(identity)).findLast(({ address }) => familyOf(address) === family && fits(address));
  }

  oldestReserved(family: Family, fits: Fits = anywhere): Lease | undefined {
    for (const lease of this.#reserved[family].values()) if (fits(lease.address)) return lease;
    return undefined;
  }

  oldestAnnounced(): Lease | undefined {
    return this.#announced.values().next().value;
  }

  foreign(): IterableIterator<Lease> {
    return this.#foreign.values();
  }

  get size(): number {
    return this.#leases.size;
  }

  get reservedCount(): number {
    return this.#reserved[4].size + this.#reserved[6].size;
  }

  get foreignCount(): number {
    return this.#foreign.size;
  }

  #of(keys: ReadonlySet<string> | undefined): readonly Lease[] {
    return [...(keys ?? [])].flatMap((key) => this.#leases.get(key) ?? []);
  }

  #link(key: string, lease: Lease): void {
    const { hold, identity, address } = lease;
    if (hold.kind === 'held') {
      add(this.#byHolder, hold.holder, key);
      if (hold.foreign !== undefined) this.#foreign.set(key, lease);
    } else if (hold.kind === 'announced') this.#announced.set(key, lease);
    else {
      this.#reserved[familyOf(address)].set(key, lease);
      add(this.#byIdentity, identity, key);
    }
  }

  #unlink(key: string): void {
    const lease = this.#leases.get(key);
    if (lease === undefined) return;
    if (lease.hold.kind === 'held') remove(this.#byHolder, lease.hold.holder, key);
    if (lease.hold.kind === 'reserved') remove(this.#byIdentity, lease.identity, key);
    this.#foreign.delete(key);
    this.#announced.delete(key);
    this.#reserved[familyOf(lease.address)].delete(key);
  }
}

function add(index: Map<string, Set<string>>, of: string, key: string): void {
  const known = index.get(of);
  if (known) known.add(key);
  else index.set(of, new Set([key]));
}

function remove(index: Map<string, Set<string>>, of: string, key: string): void {
  const known = index.get(of);
  known?.delete(key);
  if (known?.size === 0) index.delete(of);
}
