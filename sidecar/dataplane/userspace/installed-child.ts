/** A child SA at work: its keys and what changes with every packet (the counters of an SAD entry, RFC 4301 §4.4.2.1). */
import type { ChildSa, Sequences } from '../../contract/dataplane.ts';
import type { Cryptography } from '../../ike/crypto/cryptography.ts';
import { type Bytes, equalBytes } from '../../ike/wire/bytes.ts';
import type { ChildTraffic, DropReason, Path } from '../dataplane.ts';
import { type EspKeying, espKeying, openEsp, sealEsp, sequenceOf } from './esp.ts';
import { type InnerPacket, IpProtocol, parseInnerPacket } from './inner-packet.ts';
import { ReplayWindow } from './replay-window.ts';
import { carriesInbound } from './selector.ts';
import { LAST_SEQUENCE } from './sequence.ts';

const SOFT_LIMIT = 0.9;

export class InstalledChild {
  child: ChildSa;
  readonly #outbound: EspKeying;
  readonly #inbound: EspKeying;
  readonly #window: ReplayWindow;
  readonly #last: number;
  #sent: number;
  #traffic = { packetsIn: 0, bytesIn: 0, packetsOut: 0, bytesOut: 0 };
  #alive = false;
  #newestPath: Path;
  #exhausted = false;
  #announced: 'nothing' | 'soft' | 'hard' = 'nothing';

  constructor(child: ChildSa, crypto: Cryptography, replayWindow: number, state: Sequences = { sent: 0, received: 0 }) {
    this.child = child;
    this.#outbound = espKeying(crypto, child.suite, child.keyOut);
    this.#inbound = espKeying(crypto, child.suite, child.keyIn);
    this.#window = new ReplayWindow(replayWindow, child.suite.esn, state.received);
    this.#last = child.suite.esn ? LAST_SEQUENCE.esn : LAST_SEQUENCE.short;
    this.#sent = state.sent;
    this.#newestPath = child.path;
  }

  /** Whether we would send under the same key. */
  hasKeysOf(child: ChildSa): boolean {
    return equalBytes(this.child.keyOut.encr, child.keyOut.encr);
  }

  /** The ESP packet that carries an inner one, or why there is none. `lifetimeBytes`: at most so many bytes each way; 0 for any number. */
  seal(inner: InnerPacket, lifetimeBytes: number, random: (length: number) => Bytes): Bytes | DropReason {
    // RFC 4303 §3.3.3: a sequence number never cycles.
    if (this.#sent >= this.#last || (lifetimeBytes > 0 && this.#traffic.bytesOut + inner.bytes.length > lifetimeBytes)) {
      this.#exhausted = true;
      return 'exhausted';
    }
    this.#sent++;
    this.#traffic.packetsOut++;
    this.#traffic.bytesOut += inner.bytes.length;
    const nextHeader = inner.version === 4 ? IpProtocol.IPV4 : IpProtocol.IPV6;
    return sealEsp(this.#outbound, this.child.spiOut, this.#sent, { payload: inner.bytes, nextHeader }, random);
  }

  /** The inner packet of an ESP packet of this SPI, or why there is none. */
  open(packet: Bytes, path: Path): InnerPacket | DropReason {
    const sequence = this.#window.admit(sequenceOf(packet));
    if (sequence === undefined) return 'replay';
    const opened = openEsp(this.#inbound, packet, sequence);
    if (opened === 'authentication') return opened;
    if (opened === 'malformed') return opened;
    this.#authentic(sequence, path);
    // RFC 4303 §2.6: a dummy packet is discarded without a complaint.
    if (opened.nextHeader === IpProtocol.NONE) return 'dummy';
    const inner = parseInnerPacket(opened.payload);
    if (!inner || opened.nextHeader !== (inner.version === 4 ? IpProtocol.IPV4 : IpProtocol.IPV6)) return 'malformed';
    // RFC 4301 §5.2 step 4: the packet is appropriate for the SA on which it came.
    if (!carriesInbound(this.child, inner)) return 'selector';
    this.#traffic.packetsIn++;
    this.#traffic.bytesIn += inner.bytes.length;
    return inner;
  }

  #authentic(sequence: number, path: Path): void {
    // RFC 4303 §3.4.3: the window moves only for a packet that proved authentic. An older one says nothing about where the peer is now.
    if (this.#window.accept(sequence)) this.#newestPath = path;
    this.#alive = true;
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
