/** One child SA in the kernel: the two states that it is there, and how far they have come. */
import type { CarriedTraffic } from '../../contract/agent-protocol.ts';
import type { ChildSa, Sequences } from '../../contract/dataplane.ts';
import { parseAddress } from '../../ike/ip-address.ts';
import { type Bytes, equalBytes, hex } from '../../ike/wire/bytes.ts';
import type { KernelSettings } from './kernel-port.ts';
import { algorithmAttributes } from './xfrm-algorithms.ts';
import { outboundSelectors, reversed, selectorKey } from './xfrm-selectors.ts';
import type { Encapsulation, XfrmState } from './xfrm-state.ts';
import { ANY_PACKET, type Limits, type StateId, type Used, type XfrmSelector } from './xfrm-structures.ts';

export type Way = 'in' | 'out';

/** Both addresses of a path as bytes, and their ports. */
interface Ends {
  readonly local: Bytes;
  readonly remote: Bytes;
  readonly remotePort: number;
}

interface Progress {
  used: Used;
  sequence: number;
}

/** How much may have left after it was last counted where the session was before. */
const UNCOUNTED = 2 ** 20;
const LAST_SHORT_SEQUENCE = 2 ** 32 - 1;
const SOFT_LIMIT = 0.9;
/** The first packet of a state is told at once; afterwards it is told anew to be heard about once a second. */
const FIRST_PACKET = 1;

export class KernelChild {
  readonly mark: number;
  readonly pairs: readonly XfrmSelector[];
  /** Who shares one of these shares a reqid: a child with just these selectors, or one of the same peer with one of these. */
  readonly reqidKeys: readonly string[];
  readonly #settings: KernelSettings;
  /** The sequence number before the first one sent or expected. */
  readonly #start: Readonly<Record<Way, number>>;
  readonly #progress: Readonly<Record<Way, Progress>>;
  child: ChildSa;
  reqid = 0;
  /** Inbound SPI of the child that sends until it is removed or the peer has used this one. */
  waitsFor: number | undefined;
  /** The kernel has all of it; not while it is installed or moved, when a state may be missing or reach its limit. */
  stands = false;
  /** What was counted in states that had to be replaced, beyond what was taken over. */
  #uncounted: Used = { bytes: 0, packets: 0 };
  #ends: Ends;

  /** @throws Error that says why the kernel cannot carry it. */
  constructor(child: ChildSa, settings: KernelSettings) {
    algorithmAttributes(child.suite, child.keyIn);
    algorithmAttributes(child.suite, child.keyOut);
    this.child = child;
    this.mark = settings.mark;
    this.#settings = settings;
    this.#ends = endsOf(child.path);
    this.pairs = outboundSelectors(child);
    const keys = this.pairs.map((pair) => `${this.mark} ${selectorKey(pair)}`);
    const peer = `${child.peer.idType} ${hex(child.peer.data)}`;
    this.reqidKeys = [keys.toSorted().join(), ...keys.map((key) => `${peer} ${key}`)];
    const { sent, received } = child.sequences;
    const nothing = { bytes: 0, packets: 0 };
    this.#progress = { in: { used: nothing, sequence: received }, out: { used: nothing, sequence: sent } };
    this.#start = { in: received, out: sent > 0 ? sent + UNCOUNTED : 0 };
    if (!child.suite.esn && this.#start.out >= LAST_SHORT_SEQUENCE) {
      throw new Error('its sequence numbers are used up; it has to be rekeyed');
    }
  }

  get spiIn(): number {
    return this.child.spiIn;
  }

  get ends(): Ends {
    return this.#ends;
  }

  idOf(way: Way): StateId {
    return way === 'in'
      ? { destination: this.#ends.local, spi: this.child.spiIn }
      : { destination: this.#ends.remote, spi: this.child.spiOut };
  }

  sourceOf(way: Way): Bytes {
    return way === 'in' ? this.#ends.remote : this.#ends.local;
  }

  /** As it is to be installed. */
  stateOf(way: Way): XfrmState {
    const { suite, keyIn, keyOut } = this.child;
    return {
      ...this.idOf(way),
      source: this.sourceOf(way),
      reqid: this.reqid,
      mark: this.mark,
      suite,
      keys: way === 'in' ? keyIn : keyOut,
      selector: this.selectorOf(way),
      encapsulation: this.#encapsulation(way),
      sequences: way === 'in' ? { sent: 0, received: this.#start.in } : { sent: this.#start.out, received: 0 },
      limits: this.#limits(way),
      reportAfter: FIRST_PACKET,
      receives: way === 'in',
    };
  }

  /** RFC 4301 §5.2 step 4: what comes out of an SA is what it may carry. With several selectors that is for the policies of its reqid alone. */
  selectorOf(way: Way): XfrmSelector {
    const [only] = this.pairs;
    return way === 'in' && only && this.pairs.length === 1 ? reversed(only) : ANY_PACKET;
  }

  /** With the same keys: its sequence numbers must go on. */
  hasKeysOf({ keyIn, keyOut }: ChildSa): boolean {
    const pairs = [
      [this.child.keyIn.encr, keyIn.encr],
      [this.child.keyIn.integ, keyIn.integ],
      [this.child.keyOut.encr, keyOut.encr],
      [this.child.keyOut.integ, keyOut.integ],
    ] as const;
    return pairs.reduce((equal, [has, wants]) => equalBytes(has, wants) && equal, true);
  }

  /** What remains is where it goes. */
  isSameBut(other: KernelChild): boolean {
    const [a, b] = [this.child, other.child];
    return (
      a.spiIn === b.spiIn &&
      a.spiOut === b.spiOut &&
      a.suite.encr === b.suite.encr &&
      a.suite.keyBits === b.suite.keyBits &&
      a.suite.integ === b.suite.integ &&
      a.suite.esn === b.suite.esn &&
      this.mark === other.mark &&
      this.reqidKeys[0] === other.reqidKeys[0] &&
      this.hasKeysOf(b)
    );
  }

  goTo(path: ChildSa['path'], encapsulated: boolean): void {
    this.#ends = endsOf(path);
    this.child = { ...this.child, path, encapsulated };
  }

  /**
   * Takes note of what the kernel tells. Answers whether a packet moved since. An event counts one packet less than its sequence numbers say:
   * the kernel tells before it counts.
   */
  note(way: Way, used: Used | undefined, sequences: Sequences | undefined): boolean {
    const progress = this.#progress[way];
    const sequence = (way === 'in' ? sequences?.received : sequences?.sent) ?? 0;
    const moved = sequence > progress.sequence || (used?.packets ?? 0) > progress.used.packets;
    if (used && used.packets >= progress.used.packets) progress.used = used;
    progress.sequence = Math.max(progress.sequence, sequence);
    return moved;
  }

  addUncounted({ bytes, packets }: Used): void {
    this.#uncounted = { bytes: this.#uncounted.bytes + bytes, packets: this.#uncounted.packets + packets };
  }

  sequences(): Sequences {
    return { sent: this.#progress.out.sequence, received: this.#progress.in.sequence };
  }

  traffic(): CarriedTraffic {
    const { in: inbound, out } = this.#progress;
    return {
      spiIn: this.spiIn,
      packetsIn: inbound.used.packets,
      bytesIn: inbound.used.bytes,
      packetsOut: out.used.packets + this.#uncounted.packets,
      bytesOut: out.used.bytes + this.#uncounted.bytes,
    };
  }

  #encapsulation(way: Way): Encapsulation | undefined {
    if (!this.child.encapsulated) return undefined;
    const [ours, theirs] = [this.#settings.natPort, this.#ends.remotePort];
    return way === 'in' ? { sourcePort: theirs, destinationPort: ours } : { sourcePort: ours, destinationPort: theirs };
  }

  /** RFC 4303 §3.3.3: a new child is wanted before sequence numbers are used up; the kernel itself never lets them cycle. */
  #limits(way: Way): Limits {
    const { lifetimeBytes } = this.#settings;
    const left = Math.floor(SOFT_LIMIT * LAST_SHORT_SEQUENCE) - this.#start[way];
    const softPackets = this.child.suite.esn ? 0 : Math.max(1, left);
    return { softBytes: Math.floor(SOFT_LIMIT * lifetimeBytes), hardBytes: lifetimeBytes, softPackets, hardPackets: 0 };
  }
}

/** @throws RangeError for a path without addresses. */
function endsOf({ local, remote }: ChildSa['path']): Ends {
  return { local: addressOf(local), remote: addressOf(remote), remotePort: Number(remote.slice(remote.lastIndexOf(':') + 1)) };
}

/** Of `192.0.2.1:4500` or `[2001:db8::1]:4500`. */
function addressOf(endpoint: string): Bytes {
  return parseAddress(endpoint.slice(0, endpoint.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1'));
}
