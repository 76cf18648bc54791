/** One RADIUS server at one of its ports: asked with retransmissions (RFC 5080 §2.2.1), passed over for a while when it is silent, looked after with Status-Server meanwhile (RFC 5997). */
import { isIP } from 'node:net';
import type { Bytes } from '../ike/wire/bytes.ts';
import { Type, textAttribute } from './attribute.ts';
import { type SealedRequest, sealAccess } from './authenticity.ts';
import type { Answered, Unanswered } from './observer.ts';
import { Code, type Packet } from './packet.ts';
import type { RadiusPorts } from './ports.ts';
import { type Flight, Wire } from './wire.ts';

export interface ServerOptions {
  readonly ports: RadiusPorts;
  readonly host: string;
  readonly port: number;
  readonly secret: Bytes;
  /** The first wait; each further one is twice as long. */
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly nasIdentifier: string;
}

export interface Request {
  /** `waitedMs`: since it was first sent. */
  seal(identifier: number, secret: Bytes, waitedMs: number): SealedRequest;
  /** Says something else with every attempt, so that each is a request of its own (RFC 2866 §5.2); else the same bytes go out again. */
  readonly renewed: boolean;
}

export interface Answer {
  readonly packet: Packet;
  /** Of the request: keys in the answer are sealed with it. */
  readonly requestAuthenticator: Bytes;
}

const RESOLVE_MS = 30_000;
/** How long a silent server is passed over; then one request may try. */
const PASS_OVER_MS = 60_000;
const PROBE_MS = 10_000;

export class Server {
  /** Host and port, for people. */
  readonly name: string;
  readonly secret: Bytes;
  readonly #options: ServerOptions;
  #address: string | undefined;
  #wire: Wire | undefined;
  #closed = false;
  #calledOff: readonly (() => void)[] = [];
  #heardAt = Number.NEGATIVE_INFINITY;
  #passedOver = false;
  #passedOverUntil = Number.NEGATIVE_INFINITY;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.name = `${options.host.includes(':') ? `[${options.host}]` : options.host}:${options.port}`;
    this.secret = options.secret;
    void this.#resolve();
  }

  get usable(): boolean {
    return this.#wire !== undefined && this.#options.ports.clock() >= this.#passedOverUntil;
  }

  /** Undefined when it did not answer, or nobody waits any more. */
  async ask(request: Request, signal?: AbortSignal): Promise<Answer | undefined> {
    const { ports } = this.#options;
    const began = ports.clock();
    // One request per span finds out whether it lives, the others go elsewhere.
    if (this.#passedOver) this.#passedOverUntil = began + PASS_OVER_MS;
    const end = await this.#converse(request, signal);
    if (typeof end !== 'string') {
      this.#heard();
      ports.observer.answered(this.name, OUTCOMES[end.packet.code] ?? 'alive', ports.clock() - began);
      return end;
    }
    ports.observer.unanswered(this.name, end);
    if (end === 'silent' && this.#heardAt <= began) this.#passOver();
    return undefined;
  }

  /** What is under way goes on to its end; nothing begins any more. */
  close(): void {
    this.#closed = true;
    for (const callOff of this.#calledOff) callOff();
    this.#wire?.retire();
    this.#wire = undefined;
  }

  async #converse(request: Request, signal: AbortSignal | undefined): Promise<Answer | Unanswered> {
    if (signal?.aborted || this.#closed) return 'abandoned';
    const wire = this.#wire;
    if (!wire) return 'unresolved';
    const ending = Promise.withResolvers<Answer | Unanswered>();
    const abandon = (): void => ending.resolve('abandoned');
    const series = new Series(this.#options, wire, request, ending.resolve);
    signal?.addEventListener('abort', abandon);
    series.begin();
    const end = await ending.promise;
    series.end();
    signal?.removeEventListener('abort', abandon);
    return end;
  }

  #heard(): void {
    this.#heardAt = this.#options.ports.clock();
    this.#passedOverUntil = Number.NEGATIVE_INFINITY;
    if (!this.#passedOver) return;
    this.#passedOver = false;
    this.#options.ports.observer.passedOver(this.name, false);
  }

  #passOver(): void {
    const { ports } = this.#options;
    this.#passedOverUntil = ports.clock() + PASS_OVER_MS;
    if (this.#passedOver || this.#closed) return;
    this.#passedOver = true;
    ports.observer.passedOver(this.name, true);
    this.#later(PROBE_MS, () => void this.#probe());
  }

  /** A server that does not know Status-Server is silent, and comes back when a request tries. */
  async #probe(): Promise<void> {
    if (!this.#passedOver || this.#closed) return;
    const { ports, nasIdentifier } = this.#options;
    const began = ports.clock();
    const attributes = [textAttribute(Type.NAS_IDENTIFIER, nasIdentifier)];
    const seal: Request['seal'] = (identifier, secret) =>
      // RFC 5997 §3: with a Message-Authenticator, at either port.
      sealAccess({ code: Code.STATUS_SERVER, identifier, attributes }, secret, ports.random(16));
    const end = await this.#converse({ seal, renewed: false }, undefined);
    if (typeof end === 'string') {
      this.#later(PROBE_MS, () => void this.#probe());
    } else {
      this.#heard();
      ports.observer.answered(this.name, 'alive', ports.clock() - began);
    }
  }

  /** A name that does not resolve just now keeps its address: the server may be there, and DNS not. */
  async #resolve(): Promise<void> {
    const { host, ports } = this.#options;
    if (isIP(host)) this.#moveTo(host);
    else this.#follow(await ports.resolve(host).catch(() => undefined));
  }

  #follow(address: string | undefined): void {
    if (address !== undefined && !this.#closed) this.#moveTo(address);
    this.#later(RESOLVE_MS, () => void this.#resolve());
  }

  #moveTo(address: string): void {
    if (address === this.#address) return;
    const { ports, port, secret } = this.#options;
    this.#address = address;
    this.#wire?.retire();
    const dropped = (reason: Parameters<typeof ports.observer.dropped>[1]): void => ports.observer.dropped(this.name, reason);
    this.#wire = new Wire({ connect: ports.connect, address, port, secret, dropped });
  }

  #later(ms: number, run: () => void): void {
    if (this.#closed) return;
    const callOff = this.#options.ports.after(ms, () => {
      this.#calledOff = this.#calledOff.filter((one) => one !== callOff);
      run();
    });
    this.#calledOff = [...this.#calledOff, callOff];
  }
}

const OUTCOMES: Readonly<Record<number, Answered>> = {
  [Code.ACCESS_ACCEPT]: 'accept',
  [Code.ACCESS_REJECT]: 'reject',
  [Code.ACCESS_CHALLENGE]: 'challenge',
  [Code.ACCOUNTING_RESPONSE]: 'accounted',
};

/** The attempts at one request. */
class Series {
  readonly #options: ServerOptions;
  readonly #wire: Wire;
  readonly #request: Request;
  readonly #done: (end: Answer | Unanswered) => void;
  readonly #began: number;
  /** An answer to an earlier attempt is an answer too. */
  readonly #flights: Flight[] = [];
  #callOff: () => void = () => {};

  constructor(options: ServerOptions, wire: Wire, request: Request, done: (end: Answer | Unanswered) => void) {
    this.#options = options;
    this.#wire = wire;
    this.#request = request;
    this.#done = done;
    this.#began = options.ports.clock();
  }

  begin(attempt = 0): void {
    if (attempt === 0 || this.#request.renewed) this.#board();
    this.#flights.at(-1)?.send();
    const next = (): void => (attempt + 1 < this.#options.attempts ? this.begin(attempt + 1) : this.#done('silent'));
    this.#callOff = this.#options.ports.after(this.#wait(attempt), next);
  }

  end(): void {
    this.#callOff();
    for (const flight of this.#flights) flight.end();
  }

  #board(): void {
    const waited = this.#options.ports.clock() - this.#began;
    const flight = this.#wire.begin({
      seal: (identifier) => this.#request.seal(identifier, this.#options.secret, waited),
      answered: (packet, requestAuthenticator) => this.#done({ packet, requestAuthenticator }),
      crowdedOut: () => this.#done('crowded'),
    });
    this.#flights.push(flight);
  }

  /** RFC 5080 §2.2.1: twice as long each time, a tenth more or less so that clients do not march in step. */
  #wait(attempt: number): number {
    const [byte = 0] = this.#options.ports.random(1);
    return Math.round(this.#options.timeoutMs * 2 ** attempt * (0.9 + (0.2 * byte) / 255));
  }
}
