/** Requests under way to one address and port of a server: up to 256 for each source port (RFC 2865 §3: the identifier), and as many source ports as that takes. */
import { ProtocolError } from '../ike/error.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import { openResponse, type SealedRequest } from './authenticity.ts';
import type { Dropped } from './observer.ts';
import type { Packet } from './packet.ts';
import type { Channel, Connect } from './ports.ts';

/** A request that waits for its response. */
export interface Flight {
  /** Once more, or for the first time. */
  send(): void;
  /** Nobody waits any more. */
  end(): void;
}

export interface Passenger {
  seal(identifier: number): SealedRequest;
  /** Once at most; `authenticator`: of the request. */
  answered(response: Packet, authenticator: Bytes): void;
  /** It was the oldest, and there was no room. */
  crowdedOut(): void;
}

export interface WireOptions {
  readonly connect: Connect;
  readonly address: string;
  readonly port: number;
  readonly secret: Bytes;
  readonly dropped: (reason: Dropped) => void;
}

const IDENTIFIERS = 256;
const MOST_SOCKETS = 8;

interface Waiting {
  readonly passenger: Passenger;
  readonly sealed: SealedRequest;
}

export class Wire {
  readonly #options: WireOptions;
  readonly #sockets: Socket[] = [];
  /** The oldest first. */
  readonly #flights = new Map<Flight, Passenger>();
  #retired = false;

  constructor(options: WireOptions) {
    this.#options = options;
  }

  begin(passenger: Passenger): Flight {
    const socket = this.#socket();
    const { flight, end } = socket.begin(passenger);
    const whole: Flight = {
      send: flight,
      end: () => {
        end();
        this.#flights.delete(whole);
        this.#tidy();
      },
    };
    this.#flights.set(whole, passenger);
    return whole;
  }

  /** Closes when the last one that waits has its answer, or is gone. */
  retire(): void {
    this.#retired = true;
    this.#tidy();
  }

  #socket(): Socket {
    const free = this.#sockets.find((socket) => socket.hasRoom);
    if (free) return free;
    if (this.#sockets.length < MOST_SOCKETS) {
      const opened = new Socket(this.#options);
      this.#sockets.push(opened);
      return opened;
    }
    const [oldest] = this.#flights;
    if (oldest) {
      const [flight, passenger] = oldest;
      flight.end();
      passenger.crowdedOut();
    }
    return this.#socket();
  }

  /** One socket stays for the next request. */
  #tidy(): void {
    const keep = this.#retired ? 0 : 1;
    while (this.#sockets.length > keep && this.#sockets.at(-1)?.isIdle) this.#sockets.pop()?.close();
  }
}

class Socket {
  readonly #options: WireOptions;
  readonly #channel: Channel;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  constructor(options: WireOptions) {
    this.#options = options;
    this.#channel = options.connect(options.address, options.port, (datagram) => this.#receive(datagram));
  }

  get hasRoom(): boolean {
    return this.#waiting.size < IDENTIFIERS;
  }

  get isIdle(): boolean {
    return this.#waiting.size === 0;
  }

  /** There must be room. */
  begin(passenger: Passenger): { flight: () => void; end: () => void } {
    // The one that was used longest ago: a late answer to it is the least likely.
    while (this.#waiting.has(this.#next)) this.#next = (this.#next + 1) % IDENTIFIERS;
    const identifier = this.#next;
    this.#next = (this.#next + 1) % IDENTIFIERS;
    const waiting = { passenger, sealed: passenger.seal(identifier) };
    this.#waiting.set(identifier, waiting);
    return {
      flight: () => this.#channel.send(waiting.sealed.bytes),
      end: () => {
        if (this.#waiting.get(identifier) === waiting) this.#waiting.delete(identifier);
      },
    };
  }

  close(): void {
    this.#channel.close();
  }

  #receive(datagram: Bytes): void {
    const waiting = this.#waiting.get(datagram[1] ?? -1);
    const response = waiting ? this.#open(datagram, waiting.sealed) : 'unexpected';
    // RFC 2865 §3, RFC 3579 §3.2: discarded silently; the right one may still come.
    if (typeof response === 'string') this.#options.dropped(response);
    else waiting?.passenger.answered(response, waiting.sealed.authenticator);
  }

  #open(datagram: Bytes, sealed: SealedRequest): Packet | Dropped {
    try {
      return openResponse(datagram, sealed, this.#options.secret) ?? 'not-authentic';
    } catch (error) {
      if (error instanceof ProtocolError) return 'malformed';
      throw error;
    }
  }
}
