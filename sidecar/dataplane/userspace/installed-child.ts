/** A child SA at work: its keys and what changes with every packet (the counters of an SAD entry, RFC 4301 §4.4.2.1). */
import type { ChildSa, Sequences } from '../../contract/dataplane.ts';
import { equalBytes } from '../../ike/wire/bytes.ts';
import type { ChildTraffic, DropReason, Path } from '../dataplane.ts';
import type { Arena } from './arena.ts';
import { headOf, nextHeaderOf, openEsp, sealEsp } from './esp.ts';
import type { EspCipher, EspCiphers } from './esp-cipher.ts';
import { type InnerPacket, IpProtocol } from './inner-packet.ts';
import { ReplayWindow } from './replay-window.ts';
import { carriesInbound } from './selector.ts';
import { LAST_SEQUENCE } from './sequence.ts';

const SOFT_LIMIT = 0.9;
/** More packets than leave between the last count of another pod and the move from there. */
const UNCOUNTED = 2 ** 20;

/** Where a child goes on that was counted elsewhere: some may have left since, and no sequence number comes twice. */
export const resumed = ({ sent, received }: Sequences): Sequences => ({ sent: sent > 0 ? sent + UNCOUNTED : 0, received });

/** Where a packet came from. */
export interface Origin {
  /** Whether it is this endpoint. */
  is(remote: string): boolean;
  path(): Path;
}

export class InstalledChild {
  child: ChildSa;
  /** Whether packets leave by it: not yet, where an older child goes on sending (RFC 7296 §2.8). */
  sends = true;
  readonly #outbound: EspCipher;
  readonly #inbound: EspCipher;
  readonly #window: ReplayWindow;
  readonly #last: number;
  #sent: number;
  #traffic = { packetsIn: 0, bytesIn: 0, packetsOut: 0, bytesOut: 0 };
  #alive = false;
  #newestPath: Path;
  #exhausted = false;
  #announced: 'nothing' | 'soft' | 'hard' = 'nothing';

  /** @throws Error for algorithms or key sizes that there are not. */
  constructor(child: ChildSa, ciphers: EspCiphers, replayWindow: number, state: Sequences = { sent: 0, received: 0 }) {
    this.child = child;
    this.#outbound = ciphers.outbound(child.suite, child.keyOut);
    this.#inbound = ciphers.inbound(child.suite, child.keyIn);
    this.#window = new ReplayWindow(replayWindow, child.suite.esn, state.received);
    this.#last = child.suite.esn ? LAST_SEQUENCE.esn : LAST_SEQUENCE.short;
    this.#sent = state.sent;
    this.#newestPath = child.path;
  }

  /** Forgets its keys; nothing is sealed or opened afterwards. */
  free(): void {
    this.#outbound.free();
    this.#inbound.free();
  }

  /** Whether we would send under the same key. */
  hasKeysOf(child: ChildSa): boolean {
    return equalBytes(this.child.keyOut.encr, child.keyOut.encr);
  }

  /** How many bytes an ESP packet of it begins before the inner one. */
  get head(): number {
    return headOf(this.#outbound);
  }

  /**
   * Puts an inner packet, where it stands, into an ESP packet, which begins `head` before it. Answers its length, or why there is none.
   * `lifetimeBytes`: at most so many bytes each way; 0 for any number.
   */
  seal(inner: InnerPacket, lifetimeBytes: number): number | DropReason {
    // RFC 4303 §3.3.3: a sequence number never cycles.
    if (this.#sent >= this.#last || (lifetimeBytes > 0 && this.#traffic.bytesOut + inner.length > lifetimeBytes)) {
      this.#exhausted = true;
      return 'exhausted';
    }
    this.#sent++;
    this.#traffic.packetsOut++;
    this.#traffic.bytesOut += inner.length;
    const nextHeader = inner.version === 4 ? IpProtocol.IPV4 : IpProtocol.IPV6;
    return sealEsp(inner.arena, this.#outbound, this.child.spiOut, this.#sent, inner.at, inner.length, nextHeader);
  }

  /** Makes `inner` the inner packet of an ESP packet of this SPI, or answers why there is none. */
  open(arena: Arena, at: number, length: number, origin: Origin, inner: InnerPacket): DropReason | undefined {
    const sequence = this.#window.admit(arena.view.getUint32(at + 4));
    if (sequence === undefined) return 'replay';
    const opened = openEsp(arena, this.#inbound, at, length, sequence);
    if (opened === 'authentication') return opened;
    if (opened === 'malformed') return opened;
    this.#authentic(sequence, origin);
    const nextHeader = nextHeaderOf(arena, this.#inbound, at, length);
    // RFC 4303 §2.6: a dummy packet is discarded without a complaint.
    if (nextHeader === IpProtocol.NONE) return 'dummy';
    if (!inner.parse(at + headOf(this.#inbound), opened)) return 'malformed';
    if (nextHeader !== (inner.version === 4 ? IpProtocol.IPV4 : IpProtocol.IPV6)) return 'malformed';
    // RFC 4301 §5.2 step 4: the packet is appropriate for the SA on which it came.
    if (!carriesInbound(this.child, inner)) return 'selector';
    this.#traffic.packetsIn++;
    this.#traffic.bytesIn += inner.length;
    return undefined;
  }

  #authentic(sequence: number, origin: Origin): void {
    // RFC 4303 §3.4.3: the window moves only for a packet that proved authentic. An older one says nothing about where the peer is now.
    if (this.#window.accept(sequence) && !origin.is(this.#newestPath.remote)) this.#newestPath = origin.path();
    this.#alive = true;
    // RFC 7296 §2.8: the peer has it, so it can be sent to.
    this.sends = true;
  }

  /** Whether an authentic packet came since the last call, and from where if not from where the core believes the peer to be. */
  takeAlive(): { readonly path?: Path } | undefined {
    if (!this.#alive) return undefined;
    this.#alive = false;
    return this.#newestPath.remote === this.child.path.remote ? {} : { path: this.#newestPath };
  }

  /** Whether a limit came near, once, and stopped a packet, once more: a rekeying that failed meanwhile gets another chance. */
  takeExpiring(lifetimeBytes: number): boolean {
    const reached = this.#exhausted ? 'hard' : this.#used(lifetimeBytes) >= SOFT_LIMIT ? 'soft' : 'nothing';
    if (reached === 'nothing' || reached === this.#announced || this.#announced === 'hard') return false;
    this.#announced = reached;
    return true;
  }

  /** Of sequence numbers and bytes, of both directions, the part that is used most; 1 is all of it. */
  #used(lifetimeBytes: number): number {
    const sequences = Math.max(this.#sent, this.#window.top) / this.#last;
    const bytes = lifetimeBytes > 0 ? Math.max(this.#traffic.bytesOut, this.#traffic.bytesIn) / lifetimeBytes : 0;
    return Math.max(sequences, bytes);
  }

  sequences(): Sequences {
    return { sent: this.#sent, received: this.#window.top };
  }

  traffic(): ChildTraffic {
    return { spiIn: this.child.spiIn, ...this.#traffic };
  }
}
