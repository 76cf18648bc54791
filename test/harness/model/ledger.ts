/** The reference for tickets: what each says, where it was used, and whether a pod that sees it now must take it (RFC 5723 §4.3, §6). */
import assert from 'node:assert/strict';
import { cryptography } from '../../../sidecar/ike/crypto/cryptographies.ts';
import type { IkeSa, Instant } from '../../../sidecar/ike/sa.ts';
import type { Event, TicketRefusal } from '../../../sidecar/ike/step.ts';
import { openTicket, type TicketState } from '../../../sidecar/ike/ticket.ts';
import { type Bytes, equalBytes, hex } from '../../../sidecar/ike/wire/bytes.ts';
import { decodeMessage } from '../../../sidecar/ike/wire/message.ts';
import { Exchange, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { ring } from '../policy.ts';
import type { Node, World } from '../world.ts';
import type { Operator } from './operator.ts';
import { REAUTHENTICATION_MS } from './settings.ts';

interface Known {
  readonly state: TicketState;
  readonly keyId: Bytes;
}

const crypto = cryptography('auto');

export class Ledger {
  readonly #world: World;
  readonly #operator: Operator;
  /** Initiator's SPI → the ticket that the attempt was begun with. */
  readonly #attempts = new Map<string, Known>();
  /** Per pod, ids of tickets that an SA was established with. A pod that was restarted is another one. */
  readonly #used = new Map<Node, Set<string>>();
  /** Per pod, SPIs of SAs that it sealed tickets for, and of those that the peer deleted. */
  readonly #served = new Map<Node, Set<string>>();
  readonly #deleted = new Map<Node, Set<string>>();
  /** Inner address → identity that had it last. */
  readonly #holders = new Map<string, string>();

  constructor(world: World, operator: Operator) {
    this.#world = world;
    this.#operator = operator;
  }

  /** What a ticket says, whichever key it was sealed with. */
  read(ticket: Bytes): Known {
    const [first, ...others] = this.#operator.keys;
    assert(first);
    const keys = [{ ...first, state: 'active' }, ...others.map((key) => ({ ...key, state: 'retired' }) as const)] as const;
    const { audience } = this.#operator.config;
    const opened = openTicket({ ring: ring({ keys }), crypto, audience, now: 0 as Instant }, ticket);
    assert(!opened.refused, 'a ticket that no key of ours sealed');
    return { state: opened.state, keyId: ticket.subarray(4, 12) };
  }

  /** A first request with a ticket arrives somewhere. */
  arrived(datagram: Bytes): void {
    if (datagram[18] !== Exchange.IKE_SESSION_RESUME || ((datagram[19] ?? 0) & 0x20) !== 0) return;
    const message = decodeMessage(datagram);
    const opaque = message.payloads.find((one) => one.kind === 'N' && one.notify === Notify.TICKET_OPAQUE);
    assert(opaque?.kind === 'N');
    this.#attempts.set(message.spiI, this.read(opaque.data));
  }

  /** All reasons for which this pod may refuse the ticket now; none: it must take it. */
  faults({ state, keyId }: Known, pod: Node): ReadonlySet<TicketRefusal> {
    const { now } = this.#world;
    const { ring: loaded, config } = this.#operator.loaded(pod);
    const faults = new Set<TicketRefusal>();
    const key = loaded.keys.find(({ id }) => equalBytes(id, keyId));
    if (loaded.revoked.some(({ id }) => equalBytes(id, keyId))) faults.add('revoked-key');
    // The operator has dropped it, which it may do only when nothing that it sealed is good any more.
    if (!key && state.expiresAt <= now) faults.add('unknown-key');
    if (state.expiresAt <= now || state.reauthenticateBy <= now) faults.add('expired');
    if (state.issuedAt < loaded.revokedBefore) faults.add('revoked-time');
    const isHis = ({ data }: { data: Bytes }): boolean => equalBytes(data, state.idI.data);
    if (config.tickets.revokedIdentities.some(isHis)) faults.add('revoked-identity');
    if (has(this.#used, pod, hex(state.ticketId))) faults.add('spent');
    if (config.tickets.revokeOnDelete && has(this.#deleted, pod, state.spiR)) faults.add('spent');
    return faults;
  }

  /**
   * It was used at another pod, which may have told this one. Or a ticket ends with its SA, or with the next ticket for it: the SA was
   * somewhere, and its client need not have heard of all that.
   */
  mayBeSpent({ state }: Known, pod: Node): boolean {
    if (anywhere(this.#used, hex(state.ticketId))) return true;
    return this.#operator.loaded(pod).config.tickets.revokeOnDelete && anywhere(this.#served, state.spiR);
  }

  /** A session that comes of it now may end within `ms`: somebody else has its address meanwhile, or it must authenticate anew. */
  isShortLived(ticket: Bytes, ms: number): boolean {
    const { state } = this.read(ticket);
    return !this.#isLastHolder(state) || state.reauthenticateBy <= this.#world.now + ms;
  }

  /** What a gateway says. `spiI`: of the first request that it just received, if it was one. */
  gatewaySaid(pod: Node, event: Event, spiI: string | undefined): void {
    switch (event.name) {
      case 'ticket-opened':
        this.#opened(pod, spiI);
        break;
      case 'ticket-refused':
        this.#refused(pod, spiI, event.reason);
        break;
      case 'established':
        if (event.kind === 'resumed') this.#resumed(pod, event.spiI, event.inner);
        for (const address of event.inner) this.#holders.set(hex(address), hex(event.remote.data));
        break;
      case 'closed':
        if (event.why === 'deleted by peer') add(this.#deleted, pod, event.spiR);
        break;
      case 'ticket-sealed':
        add(this.#served, pod, event.spiR);
    }
  }

  /** A client was given a ticket for this SA of its own. */
  given(ticket: Bytes, inner: readonly Bytes[]): void {
    const { state } = this.read(ticket);
    assert.deepEqual(state.inner.map(hex), inner.map(hex), 'a ticket gives back the addresses that its SA has');
    assert(state.expiresAt <= state.reauthenticateBy, 'a ticket ends when its SA must authenticate anew, or before');
    assert(state.reauthenticateBy <= state.authenticatedAt + REAUTHENTICATION_MS, 'a chain of resumptions has an end');
  }

  #opened(pod: Node, spiI: string | undefined): void {
    const known = this.#attempt(spiI);
    const faults = this.faults(known, pod);
    assert.equal(faults.size, 0, `${pod.name} took a ticket that is ${[...faults]}`);
  }

  #refused(pod: Node, spiI: string | undefined, reason: TicketRefusal): void {
    const known = this.#attempt(spiI);
    const faults = this.faults(known, pod);
    if (reason === 'spent' && this.mayBeSpent(known, pod)) return;
    assert(faults.has(reason), `${pod.name} refused a ticket as ${reason}, which is ${[...faults].join(', ') || 'good'}`);
  }

  #resumed(pod: Node, spiI: string, inner: readonly Bytes[]): void {
    const { state } = this.#attempt(spiI);
    const id = hex(state.ticketId);
    assert(!has(this.#used, pod, id), `${pod.name} took a ticket twice`);
    add(this.#used, pod, id);
    if (this.#isLastHolder(state))
      assert.deepEqual(inner.map(hex), state.inner.map(hex), 'a resumed session keeps its inner addresses');
    const sa = [...pod.sas.values()].find((one) => one.spiI === spiI);
    if (sa) inherits(sa, state);
  }

  #isLastHolder({ inner, idI }: TicketState): boolean {
    return inner.every((address) => this.#holders.get(hex(address)) === hex(idI.data));
  }

  #attempt(spiI: string | undefined): Known {
    const known = this.#attempts.get(spiI ?? '');
    assert(known, 'a resumption without a ticket');
    return known;
  }
}

/** RFC 5723 §6.2: when and until when the credentials count comes from the ticket. */
function inherits({ phase }: IkeSa, state: TicketState): void {
  if (phase.name !== 'established') return;
  assert.equal(phase.authenticatedAt, state.authenticatedAt);
  assert.equal(phase.reauthenticateBy, state.reauthenticateBy);
}

const has = (sets: Map<Node, Set<string>>, pod: Node, value: string): boolean => sets.get(pod)?.has(value) ?? false;
const anywhere = (sets: Map<Node, Set<string>>, value: string): boolean => [...sets.values()].some((set) => set.has(value));

function add(sets: Map<Node, Set<string>>, pod: Node, value: string): void {
  const known = sets.get(pod);
  if (known) known.add(value);
  else sets.set(pod, new Set([value]));
}
