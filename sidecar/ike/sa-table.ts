/** All SAs of a gateway, found by our SPI, by a peer's first request, by the peer's identity and by a child's SPI. */
import { parseEndpoint } from './endpoint.ts';
import type { Established } from './established.ts';
import { type Identity, type IkeSa, isUnproven, ownSpi } from './sa.ts';
import { hex } from './wire/bytes.ts';

export class SaTable {
  readonly #bySpi = new Map<string, IkeSa>();
  readonly #byFirstRequest = new Map<string, string>();
  readonly #byPeer = new Map<string, Set<string>>();
  readonly #byChild = new Map<number, string>();
  /** Half-open SAs by the network that they come from. */
  readonly #bySource = new Map<string, number>();
  #halfOpen = 0;
  #established = 0;

  /** SAs that a stranger can make us keep: those that nobody has authenticated. */
  get halfOpen(): number {
    return this.#halfOpen;
  }

  /** How many of them come from the network of this endpoint. */
  halfOpenFrom(remote: string): number {
    return this.#bySource.get(sourceOf(remote)) ?? 0;
  }

  get established(): number {
    return this.#established;
  }

  get(spi: string): IkeSa | undefined {
    return this.#bySpi.get(spi);
  }

  values(): IterableIterator<IkeSa> {
    return this.#bySpi.values();
  }

  /** RFC 7296 §2.1: a first request does not know our SPI yet; it is found by the peer's SPI and address. */
  byFirstRequest(spiI: string, remote: string): IkeSa | undefined {
    const spi = this.#byFirstRequest.get(firstRequest(spiI, remote));
    return spi === undefined ? undefined : this.#bySpi.get(spi);
  }

  sessionsOf(peer: Identity): IkeSa[] {
    return [...(this.#byPeer.get(peerKey(peer)) ?? [])].flatMap((spi) => this.#bySpi.get(spi) ?? []);
  }

  byChild(spiIn: number): IkeSa | undefined {
    const spi = this.#byChild.get(spiIn);
    return spi === undefined ? undefined : this.#bySpi.get(spi);
  }

  put(sa: IkeSa): void {
    const spi = ownSpi(sa);
    const before = this.#bySpi.get(spi);
    this.#bySpi.set(spi, sa);
    if (before && standsAlike(before, sa)) return;
    if (before) this.#unindex(before, spi);
    this.#index(sa, spi);
  }

  delete(spi: string): void {
    const sa = this.#bySpi.get(spi);
    if (!sa) return;
    this.#unindex(sa, spi);
    this.#bySpi.delete(spi);
  }

  #index({ phase, spiI, path }: IkeSa, spi: string): void {
    if (phase.name === 'halfOpen') this.#byFirstRequest.set(firstRequest(spiI, path.remote), spi);
    if (costsAPlace(phase)) this.#countHalfOpen(path.remote, 1);
    if (phase.name !== 'established') return;
    this.#established += 1;
    const key = peerKey(phase.remote);
    const sessions = this.#byPeer.get(key);
    if (sessions) sessions.add(spi);
    else this.#byPeer.set(key, new Set([spi]));
    for (const { spiIn } of phase.children) this.#byChild.set(spiIn, spi);
  }

  #countHalfOpen(remote: string, by: 1 | -1): void {
    this.#halfOpen += by;
    const source = sourceOf(remote);
    const count = (this.#bySource.get(source) ?? 0) + by;
    if (count > 0) this.#bySource.set(source, count);
    else this.#bySource.delete(source);
  }

  #unindex({ phase, spiI, path }: IkeSa, spi: string): void {
    const first = firstRequest(spiI, path.remote);
    if (phase.name === 'halfOpen' && this.#byFirstRequest.get(first) === spi) this.#byFirstRequest.delete(first);
    if (costsAPlace(phase)) this.#countHalfOpen(path.remote, -1);
    if (phase.name !== 'established') return;
    this.#established -= 1;
    const key = peerKey(phase.remote);
    const sessions = this.#byPeer.get(key);
    sessions?.delete(spi);
    if (sessions?.size === 0) this.#byPeer.delete(key);
    for (const { spiIn } of phase.children) if (this.#byChild.get(spiIn) === spi) this.#byChild.delete(spiIn);
  }
}

/** Most steps of a session change nothing that it is found by. By value: an SA that has just been decoded keeps its place among the others. */
const standsAlike = ({ phase: before }: IkeSa, { phase: after }: IkeSa): boolean =>
  before.name === 'established' &&
  after.name === 'established' &&
  (before.remote === after.remote || peerKey(before.remote) === peerKey(after.remote)) &&
  (before.children === after.children || sameSpis(before.children, after.children));

const sameSpis = (one: Established['children'], other: Established['children']): boolean =>
  one.length === other.length && one.every(({ spiIn }, at) => spiIn === other[at]?.spiIn);

/** An IPv4 address, or the /64 of an IPv6 address: what one host can choose from (RFC 8019 §4.2). */
function sourceOf(remote: string): string {
  const { address } = parseEndpoint(remote);
  return hex(address.subarray(0, Math.min(address.length, 8)));
}

const costsAPlace = (phase: IkeSa['phase']): boolean => isUnproven(phase) || (phase.name === 'gone' && !phase.proven);
const firstRequest = (spiI: string, remote: string): string => `${spiI} ${remote}`;
const peerKey = ({ idType, data }: Identity): string => `${idType} ${hex(data)}`;
