/**
 * Inner addresses (RFC 7296 §3.15.1). Every pool is split into equal slices, one per pod ordinal, so that no two pods give out one
 * address; a resumed session keeps its address even in another pod's slice, under a lease that the owner of the slice is told of.
 */
import { AddressPool } from './address-pool.ts';
import type { Family } from './ip-address.ts';
import { type Fits, type Lease, LeaseTable } from './lease-table.ts';
import type { Identity, Instant } from './sa.ts';
import { type Bytes, hex } from './wire/bytes.ts';

/** What another pod has told us of an address in our slice. */
export interface Announcement {
  readonly address: Bytes;
  /** `identityKey` of who has it. */
  readonly identity: string;
  /** The lease ends then unless it is told again; now or earlier: it has ended. */
  readonly until: Instant;
  /** When its session began. */
  readonly began: Instant;
  /** Our SPIs of the SAs that go with this: what they hold passes to the session that is announced. */
  readonly replaces: readonly string[];
}

/** A lease of ours in another pod's slice. */
export interface ForeignLease {
  readonly ordinal: number;
  readonly address: Bytes;
  readonly identity: string;
  readonly holder: string;
}

export interface LeaseRequest {
  readonly identity: Identity;
  readonly family: Family;
  /** The address that the peer would like. */
  readonly wanted: Bytes | undefined;
  /** A ticket shows that `wanted` was this peer's: it gets it out of a foreign slice too. */
  readonly proven: boolean;
  /** Our SPI of the SA. */
  readonly holder: string;
  /** Prefixes of the pools that it may be in; none or empty: all. */
  readonly pools?: readonly string[];
}

/** An identity as a key of maps. */
export const identityKey = ({ idType, data }: Identity): string => `${idType}:${hex(data)}`;

/** Reservations are a courtesy: beyond this many the oldest are forgotten. */
const MAX_RESERVED = 65_536;

export class AddressPools {
  readonly #table = new LeaseTable();
  #pools: readonly AddressPool[] = [];
  #ordinal: number | undefined;
  #shape = '';

  /** Addresses that this pod can give out on its own, and how many of them are neither leased nor told to be. */
  get size(): number {
    return this.#pools.reduce((sum, pool) => sum + pool.size, 0);
  }

  get free(): number {
    return this.size - (this.#table.size - this.#table.foreignCount - this.#table.reservedCount);
  }

  /** The gateway's own inner addresses, one per pool. */
  get gateways(): readonly Bytes[] {
    return this.#pools.flatMap(({ gateway }) => gateway ?? []);
  }

  /**
   * What is in force from now on; leases that still lie in a pool stay. `start` is any whole number, drawn at random once per
   * process: a pod that was restarted begins elsewhere in its slice.
   */
  configure(pools: readonly { readonly cidr: string }[], slices: number, ordinal: number | undefined, start = 0): void {
    const shape = JSON.stringify([pools.map(({ cidr }) => cidr), slices, ordinal]);
    if (shape === this.#shape) return;
    this.#shape = shape;
    this.#ordinal = ordinal;
    this.#pools = pools.map(({ cidr }) => new AddressPool(cidr, slices, ordinal, start));
    for (const lease of this.#table.all()) this.#refit(lease);
  }

  /**
   * The address that was wanted if it is free, or this identity's already; else one that is reserved for the identity; else a free
   * one; else the one that has been reserved longest. Undefined: none is left (INTERNAL_ADDRESS_FAILURE).
   */
  lease(request: LeaseRequest, now: Instant): Bytes | undefined {
    this.#expire(now);
    const identity = identityKey(request.identity);
    const { family } = request;
    const fits = this.#inPools(request.pools ?? []);
    const address =
      this.#wanted(request, identity, fits, now) ??
      this.#table.reservedFor(identity, family, fits)?.address ??
      this.#unused(request) ??
      this.#table.oldestReserved(family, fits)?.address;
    if (address === undefined) return undefined;
    const owner = this.#ordinalOf(address);
    const foreign = owner === this.#ordinal ? undefined : owner;
    const former = this.announcedBy(address);
    this.#table.set({ address, identity, hold: { kind: 'held', holder: request.holder, foreign, former } });
    return address;
  }

  /** The SA is gone. Its addresses stay reserved for the identity until then, so that a client that comes back gets its own. */
  release(holder: string, now: Instant, reservedUntil: Instant): void {
    for (const lease of this.#table.heldBy(holder)) {
      const { address, identity } = lease;
      // What lies in another pod's slice is that pod's to reserve.
      if (isForeign(lease) || reservedUntil <= now) this.#free(address);
      else this.#table.set({ address, identity, hold: { kind: 'reserved', until: reservedUntil } });
    }
    this.#bound();
  }

  /** The SA goes on at the pod with this ordinal. What lies in our slice is that pod's lease from now on, until it tells so itself. */
  handOver(holder: string, ordinal: number, began: Instant, until: Instant): void {
    for (const lease of this.#table.heldBy(holder)) {
      const { address, identity } = lease;
      if (isForeign(lease)) this.#free(address);
      else this.#table.set({ address, identity, hold: { kind: 'announced', ordinal, began, until } });
    }
  }

  /** An SA has come from another pod, with this address. False: somebody else has it, or it lies in no pool. */
  takeOver(address: Bytes, identity: Identity, holder: string, now: Instant): boolean {
    const owner = this.#ordinalOf(address);
    const key = identityKey(identity);
    const known = this.#current(address, now);
    const isHis = !known || (known.identity === key && known.hold.kind !== 'held');
    if (owner === undefined || !isHis) return false;
    const foreign = owner === this.#ordinal ? undefined : owner;
    this.#table.set({ address: address.slice(), identity: key, hold: { kind: 'held', holder, foreign, former: undefined } });
    return true;
  }

  /** The IKE SA was rekeyed: RFC 7296 §2.8: the new one inherits what the old one had. */
  rename(oldHolder: string, newHolder: string): void {
    for (const lease of this.#table.heldBy(oldHolder)) {
      if (lease.hold.kind === 'held') this.#table.set({ ...lease, hold: { ...lease.hold, holder: newHolder } });
    }
  }

  /** Our SPI of the SA that has this address. */
  holderOf(address: Bytes): string | undefined {
    const hold = this.#table.get(address)?.hold;
    return hold?.kind === 'held' ? hold.holder : undefined;
  }

  /** Which other pod has told us that it holds this address of our slice. */
  announcedBy(address: Bytes): number | undefined {
    const hold = this.#table.get(address)?.hold;
    return hold?.kind === 'announced' ? hold.ordinal : undefined;
  }

  /** Pods that had addresses of this SA of ours before it, as they told us. */
  formersOf(holder: string): number[] {
    return this.#table.heldBy(holder).flatMap(({ hold }) => (hold.kind === 'held' ? (hold.former ?? []) : []));
  }

  get foreignCount(): number {
    return this.#table.foreignCount;
  }

  /** Leases of ours in the slices of others, who must be told. */
  foreign(): ForeignLease[] {
    return [...this.#table.foreign()].flatMap(inOtherSlice);
  }

  /** Those of one SA of ours. */
  foreignOf(holder: string): ForeignLease[] {
    return this.#table.heldBy(holder).flatMap(inOtherSlice);
  }

  /** The one at this address, if there is one. */
  foreignAt(address: Bytes): ForeignLease | undefined {
    const lease = this.#table.get(address);
    return lease && inOtherSlice(lease)[0];
  }

  /** The pod `from` holds an address of our slice. `taken`: a session of another identity or a younger one has it, so `from` must give it up. */
  announce({ address, identity, until, began, replaces }: Announcement, from: number, now: Instant): 'ok' | 'taken' {
    const owner = this.#ordinalOf(address);
    if (owner === undefined || owner !== this.#ordinal) return 'ok'; // not ours to judge
    const known = this.#current(address, now);
    if (known && known.identity !== identity && known.hold.kind !== 'reserved') return 'taken';
    if (known?.hold.kind === 'held' && !replaces.includes(known.hold.holder)) return 'taken';
    if (known?.hold.kind === 'announced' && known.hold.ordinal !== from && known.hold.began > began) return 'taken';
    if (until > now) this.#table.set({ address, identity, hold: { kind: 'announced', ordinal: from, began, until } });
    else if (known?.hold.kind === 'announced' && known.hold.ordinal === from) this.#free(address);
    return 'ok';
  }

  #wanted({ wanted, proven, family }: LeaseRequest, identity: string, fits: Fits, now: Instant): Bytes | undefined {
    if (wanted === undefined || wanted.length !== (family === 4 ? 4 : 16) || !fits(wanted)) return undefined;
    const owner = this.#ordinalOf(wanted);
    const known = this.#current(wanted, now);
    // A live session of the same identity keeps its address, but for one that proves to be its successor.
    const isHis = known?.identity === identity && (proven || known.hold.kind === 'reserved');
    const may = known ? isHis : owner === this.#ordinal || proven;
    return owner !== undefined && this.#ordinal !== undefined && may ? wanted.slice() : undefined;
  }

  /** What is known of an address and has not ended. */
  #current(address: Bytes, now: Instant): Lease | undefined {
    const lease = this.#table.get(address);
    return lease && !endsBy(lease, now) ? lease : undefined;
  }

  #unused({ family, pools = [] }: LeaseRequest): Bytes | undefined {
    for (const pool of this.#pools) {
      const address = pool.family === family && isIn(pool, pools) ? pool.take((one) => this.#table.has(one)) : undefined;
      if (address) return address;
    }
    return undefined;
  }

  #inPools(cidrs: readonly string[]): Fits {
    if (cidrs.length === 0) return () => true;
    const pools = this.#pools.filter((pool) => isIn(pool, cidrs));
    return (address) => pools.some((pool) => pool.ordinalOf(address) !== undefined);
  }

  #ordinalOf(address: Bytes): number | undefined {
    for (const pool of this.#pools) {
      const ordinal = pool.ordinalOf(address);
      if (ordinal !== undefined) return ordinal;
    }
    return undefined;
  }

  #free(address: Bytes): void {
    this.#table.delete(address);
    for (const pool of this.#pools) pool.giveBack(address);
  }

  /** Those that were set for one span end in order, so looking at the oldest is enough; one that is hidden behind a longer one waits. */
  #expire(now: Instant): void {
    for (const oldest of [
      () => this.#table.oldestReserved(4),
      () => this.#table.oldestReserved(6),
      () => this.#table.oldestAnnounced(),
    ]) {
      for (let lease = oldest(); lease && endsBy(lease, now); lease = oldest()) this.#free(lease.address);
    }
  }

  #bound(): void {
    while (this.#table.reservedCount > MAX_RESERVED) {
      const oldest = this.#table.oldestReserved(4) ?? this.#table.oldestReserved(6);
      if (oldest) this.#free(oldest.address);
    }
  }

  /** After the slices have moved. */
  #refit(lease: Lease): void {
    const owner = this.#ordinalOf(lease.address);
    const { hold } = lease;
    if (hold.kind === 'held' && owner !== undefined) {
      this.#table.set({ ...lease, hold: { ...hold, foreign: owner === this.#ordinal ? undefined : owner } });
    } else if (owner !== this.#ordinal) this.#free(lease.address);
  }
}

const isIn = ({ cidr }: AddressPool, pools: readonly string[]): boolean => pools.length === 0 || pools.includes(cidr);
const inOtherSlice = ({ address, identity, hold }: Lease): ForeignLease[] =>
  hold.kind === 'held' && hold.foreign !== undefined ? [{ ordinal: hold.foreign, address, identity, holder: hold.holder }] : [];
const isForeign = ({ hold }: Lease): boolean => hold.kind === 'held' && hold.foreign !== undefined;
const endsBy = ({ hold }: Lease, now: Instant): boolean => hold.kind !== 'held' && hold.until <= now;
