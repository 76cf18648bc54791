/** The operator of the model: what it publishes, which pod has loaded what, and the two phases of a rotation. */
import type { GatewayConfig } from '../../../sidecar/contract/gateway-config.ts';
import type { KeyRing, RingKey } from '../../../sidecar/contract/key-ring.ts';
import type { Policy } from '../../../sidecar/ike/context.ts';
import type { Identity, Instant } from '../../../sidecar/ike/sa.ts';
import { policy, ring, ringKey } from '../policy.ts';
import type { Node, World } from '../world.ts';

/** Long enough for a clock that is behind. */
const SKEW_MS = 60_000;

export class Operator {
  readonly #world: World;
  readonly #users: ReadonlyMap<string, Uint8Array>;
  /** What a pod has loaded; a pod that was restarted is another node. */
  readonly #loaded = new Map<Node, Policy>();
  /** Every key that ever was. */
  readonly keys: RingKey[] = [ringKey(1, 'active')];
  /** When keys were last revoked: words between siblings that were under way then are understood by nobody. */
  upheaval = 0;
  #ring: KeyRing = ring({ keys: this.keys });
  #config: GatewayConfig;

  constructor(world: World, config: GatewayConfig, users: ReadonlyMap<string, Uint8Array>) {
    this.#world = world;
    this.#config = config;
    this.#users = users;
  }

  get config(): GatewayConfig {
    return this.#config;
  }

  loaded(pod: Node): Policy {
    const policy = this.#loaded.get(pod);
    if (!policy) throw new Error(`${pod.name} has loaded nothing`);
    return policy;
  }

  load(pod: Node): void {
    const current = policy({ config: this.#config, ring: this.#ring, users: this.#users });
    this.#loaded.set(pod, current);
    this.#world.do(pod, { type: 'configure', policy: current });
  }

  loadAll(): void {
    for (const pod of this.#world.pods()) this.load(pod);
  }

  /** The next step of a rotation, when everybody has acknowledged the one before. */
  rotate(): void {
    if (!this.#world.pods().every((pod) => this.loaded(pod).ring.generation === this.#ring.generation)) return;
    const { now } = this.#world;
    const { keys } = this.#ring;
    if (keys.some(({ state }) => state === 'next')) this.#publish(keys.map(promoted));
    else if (keys.some(({ state, openUntil }) => state === 'retired' && openUntil === undefined))
      this.#publish(keys.map((key) => this.#ended(key, now)));
    else if (keys.some(({ openUntil }) => openUntil !== undefined && openUntil <= now))
      this.#publish(keys.filter(({ openUntil }) => openUntil === undefined || openUntil > now));
    else this.#publish([...keys, this.#newKey('next')]);
  }

  /** Takes effect at once, everywhere. */
  revoke(what: 'identity' | 'time' | 'key', identity: Identity): void {
    if (what === 'identity') this.#revokeIdentities([...this.#config.tickets.revokedIdentities, identity]);
    else if (what === 'time') this.#publish(this.#ring.keys, { revokedBefore: this.#world.now });
    else {
      this.upheaval = this.#world.now;
      const gone = this.#ring.keys.map(({ id }) => ({ id, until: this.#world.now + this.#config.tickets.lifetimeMs + SKEW_MS }));
      this.#publish([this.#newKey('active')], { revoked: [...this.#ring.revoked, ...gone] });
    }
    this.loadAll();
  }

  /** Who was revoked may resume again. */
  pardon(): void {
    this.#revokeIdentities([]);
    this.loadAll();
  }

  #revokeIdentities(revokedIdentities: readonly Identity[]): void {
    this.#config = { ...this.#config, tickets: { ...this.#config.tickets, revokedIdentities } };
  }

  #publish(keys: readonly RingKey[], change: Partial<KeyRing> = {}): void {
    this.#ring = { ...this.#ring, ...change, keys, generation: this.#ring.generation + 1 };
  }

  #newKey(state: RingKey['state']): RingKey {
    const key = ringKey(this.keys.length + 1, state);
    this.keys.push(key);
    return key;
  }

  #ended(key: RingKey, now: Instant): RingKey {
    if (key.state !== 'retired' || key.openUntil !== undefined) return key;
    return { ...key, openUntil: now + this.#config.tickets.lifetimeMs + SKEW_MS };
  }
}

function promoted(key: RingKey): RingKey {
  if (key.state === 'retired') return key;
  return { ...key, state: key.state === 'next' ? 'active' : 'retired' };
}
