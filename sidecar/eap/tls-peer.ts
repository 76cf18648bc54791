/** The peer of EAP-TLS (RFC 5216 §2.1, RFC 9190 §2.1): shows our certificate, and judges the server's before anything counts. */
import { type EapOutcome, NO_GRANT } from '../ike/eap.ts';
import type { Trust } from '../ike/pki/trust.ts';
import type { Identity, Instant } from '../ike/sa.ts';
import { type Bytes, EMPTY } from '../ike/wire/bytes.ts';
import type { PeerMethod, PeerStep } from './method.ts';
import { EapType } from './packet.ts';
import type { TlsCertificate } from './tls-context.ts';
import { type Flight, TlsEngine } from './tls-engine.ts';
import { TlsTransport } from './tls-transport.ts';

export interface TlsPeer {
  readonly certificate: TlsCertificate;
  readonly trust: Trust;
  readonly authorities: readonly string[];
  /** Must be in the server's certificate. */
  readonly server: Identity | undefined;
  /** What we call ourselves. */
  readonly identity: string;
  readonly now: () => Instant;
}

export const tlsPeer = (peer: TlsPeer): PeerMethod => new Conversation(peer);

class Conversation implements PeerMethod {
  readonly type = EapType.TLS;
  readonly #peer: TlsPeer;
  readonly #transport = new TlsTransport();
  #engine: TlsEngine | undefined;
  #state: 'handshake' | 'judged' | 'over' = 'handshake';

  constructor(peer: TlsPeer) {
    this.#peer = peer;
  }

  async next(data: Bytes): Promise<PeerStep> {
    const received = this.#transport.receive(data);
    if (received.is === 'reply') return respond(received.data);
    if (received.is === 'start') return this.#start();
    if (!this.#engine || this.#state === 'over') return failed('a message of TLS out of turn');
    return this.#judge(this.#engine, await this.#engine.take(received.bytes));
  }

  end(): void {
    this.#engine?.end();
    this.#engine = undefined;
    this.#state = 'over';
  }

  async #start(): Promise<PeerStep> {
    if (this.#engine) return failed('a second start');
    this.#engine = new TlsEngine('client', this.#peer.certificate);
    return respond(this.#transport.send((await this.#engine.take(EMPTY)).bytes));
  }

  #judge(engine: TlsEngine, flight: Flight): PeerStep {
    // RFC 5216 §2.1.3: the server hears the alert and answers with EAP-Failure.
    if (flight.error !== undefined) {
      this.#state = 'over';
      const why = `TLS: ${flight.error}`;
      return flight.bytes.length > 0 ? { ...respond(this.#transport.send(flight.bytes)), doom: why } : failed(why);
    }
    if (!engine.secure)
      return flight.bytes.length > 0 ? respond(this.#transport.send(flight.bytes)) : failed('TLS waits for more');
    return this.#state === 'handshake' ? this.#judgeServer(engine, flight) : this.#conclude(engine, flight);
  }

  /** In TLS 1.3 our own certificate has not gone out yet, and does not to a server that nobody vouches for. */
  #judgeServer(engine: TlsEngine, flight: Flight): PeerStep {
    const { trust, authorities, server, now } = this.#peer;
    const presented = { certificates: engine.certificates(), ocsp: [], lists: [] };
    const verdict = trust.verify(presented, { now: now(), identity: server, usage: 'server', authorities });
    if (!verdict.trusted) return failed(`the server's certificate: ${verdict.reason}`);
    this.#state = 'judged';
    if (engine.version === 'TLSv1.3') return respond(this.#transport.send(flight.bytes));
    return respond(this.#transport.send(flight.bytes), this.#outcome(engine));
  }

  /** RFC 9190 §2.5: nothing but a byte of zero says that the server is content. */
  #conclude(engine: TlsEngine, { clear }: Flight): PeerStep {
    if (clear.length !== 1 || clear[0] !== 0) return failed('no protected success indication');
    this.#state = 'over';
    return respond(this.#transport.send(EMPTY), this.#outcome(engine));
  }

  #outcome(engine: TlsEngine): EapOutcome {
    return {
      ...{ type: EapType.TLS, msk: engine.masterSessionKey(), mutual: true, identity: this.#peer.identity },
      ...{ certificate: undefined, granted: NO_GRANT },
    };
  }
}

const respond = (data: Bytes, outcome?: EapOutcome): Extract<PeerStep, { is: 'response' }> => ({ is: 'response', data, outcome });
const failed = (why: string): PeerStep => ({ is: 'failure', why });
