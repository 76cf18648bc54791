/** Pings through the tunnel without a TUN device (RFC 792, RFC 4443 §4): one echo at a time in flight for each sequence number, each answered or lost. */
import { formatAddress } from '../contract/address.ts';
import { type Echo, echoRequest, parseEchoReply } from '../dataplane/userspace/icmp.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { ClientEvent } from './event.ts';
import type { ClientPorts } from './ports.ts';

/** How the pings get out: the session of the moment. */
export interface Tunnel {
  /** Our inner addresses; none while there is no session. */
  inner(): readonly Bytes[];
  transmit(packet: Bytes): void;
}

export type PingResult = Extract<ClientEvent, { name: 'ping' | 'ping-lost' }>;

export const PING_TIMEOUT_MS = 2_000;
const PAYLOAD = 56;

export class Pinger {
  readonly #ports: Pick<ClientPorts, 'ticks' | 'after'>;
  readonly #tunnel: Tunnel;
  readonly #id: number;
  readonly #waiting = new Map<number, (rttMs: number) => void>();
  #sequence = 0;

  constructor(ports: Pick<ClientPorts, 'ticks' | 'after' | 'random'>, tunnel: Tunnel) {
    this.#ports = ports;
    this.#tunnel = tunnel;
    const [high = 0, low = 0] = ports.random(2);
    this.#id = high * 256 + low;
  }

  /** Sends one echo request; without a session it is lost as one that nobody answers. */
  ping(to: Bytes, timeoutMs = PING_TIMEOUT_MS): Promise<PingResult> {
    this.#sequence = (this.#sequence + 1) % 0x1_0000;
    const seq = this.#sequence;
    const address = formatAddress(to);
    const { promise, resolve } = Promise.withResolvers<PingResult>();
    const giveUp = this.#ports.after(timeoutMs, () => {
      this.#waiting.delete(seq);
      resolve({ name: 'ping-lost', address, seq });
    });
    const sent = this.#ports.ticks();
    this.#waiting.set(seq, (at) => {
      giveUp();
      resolve({ name: 'ping', address, seq, rttMs: at - sent });
    });
    this.#send(to, seq);
    return promise;
  }

  /** Takes an inner packet that arrived. False: it is no answer to a ping of ours. */
  receive(inner: Bytes): boolean {
    const echo = parseEchoReply(inner);
    const answered = echo?.id === this.#id ? this.#waiting.get(echo.sequence) : undefined;
    if (!echo || !answered) return false;
    this.#waiting.delete(echo.sequence);
    answered(this.#ports.ticks());
    return true;
  }

  #send(to: Bytes, sequence: number): void {
    const source = this.#tunnel.inner().find(({ length }) => length === to.length);
    if (!source) return;
    const echo: Echo = { source, destination: to, id: this.#id, sequence, payload: new Uint8Array(PAYLOAD) };
    this.#tunnel.transmit(echoRequest(echo));
  }
}

export type PingSummary = Extract<ClientEvent, { name: 'ping-summary' }>;

/** The sum of no pings. */
export const noPings = (address: string): PingSummary => ({
  ...{ name: 'ping-summary', address, sent: 0, received: 0 },
  ...{ minMs: undefined, meanMs: undefined, maxMs: undefined },
});

/** The sum with one result more. */
export function withPing(sum: PingSummary, result: PingResult): PingSummary {
  const sent = sum.sent + 1;
  if (result.name === 'ping-lost') return { ...sum, sent };
  const { rttMs } = result;
  const { received, minMs = rttMs, meanMs = rttMs, maxMs = rttMs } = sum;
  const mean = meanMs + (rttMs - meanMs) / (received + 1);
  return { ...sum, sent, received: received + 1, minMs: Math.min(minMs, rttMs), meanMs: mean, maxMs: Math.max(maxMs, rttMs) };
}
