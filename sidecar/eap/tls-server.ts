/**
 * The server of EAP-TLS (RFC 5216 §2.1, RFC 9190 §2.1):
 *
 *     Start                                    -->
 *                                              <--  ClientHello
 *     ServerHello … certificate … Finished     -->
 *                                              <--  certificate, CertificateVerify, Finished
 *     TLS 1.3: one byte 0x00; 1.2: Finished    -->
 *                                              <--  (empty)
 */
import { type EapOutcome, NO_GRANT } from '../ike/eap.ts';
import type { Trust, Verdict } from '../ike/pki/trust.ts';
import type { Identity, Instant } from '../ike/sa.ts';
import { type Bytes, concat, EMPTY } from '../ike/wire/bytes.ts';
import type { ServerMethod, ServerStep } from './method.ts';
import { EapType } from './packet.ts';
import type { TlsCertificate } from './tls-context.ts';
import { TlsEngine } from './tls-engine.ts';
import { nameOf } from './tls-identity.ts';
import { START, TlsTransport } from './tls-transport.ts';

export interface TlsServer {
  readonly certificate: TlsCertificate;
  readonly trust: Trust;
  readonly authorities: readonly string[];
  /** Counts only when it is in the certificate. */
  readonly claimed: Identity;
  readonly now: () => Instant;
}

export const tlsServer = (server: TlsServer): ServerMethod => new Conversation(server);

class Conversation implements ServerMethod {
  readonly type = EapType.TLS;
  readonly #server: TlsServer;
  readonly #transport = new TlsTransport();
  #engine: TlsEngine | undefined;
  /** What becomes of it once the peer has acknowledged our last flight. */
  #end: ServerStep | undefined;

  constructor(server: TlsServer) {
    this.#server = server;
  }

  next(data: Bytes | undefined): ServerStep | Promise<ServerStep> {
    if (!data) return { is: 'request', data: START };
    const received = this.#transport.receive(data);
    if (received.is === 'reply') return { is: 'request', data: received.data };
    if (received.is === 'start') return failed('a start of the peer');
    if (this.#end) return received.bytes.length === 0 || this.#end.is === 'failure' ? this.#end : failed('data after the end');
    return this.#take(received.bytes);
  }

  end(): void {
    this.#engine?.end();
    this.#engine = undefined;
    this.#end = failed('over');
  }

  async #take(bytes: Bytes): Promise<ServerStep> {
    this.#engine ??= new TlsEngine('server', this.#server.certificate);
    const engine = this.#engine;
    const flight = await engine.take(bytes);
    if (flight.error !== undefined) return this.#alert(flight.bytes, flight.error);
    if (engine.secure) return this.#judge(engine, flight.bytes);
    return flight.bytes.length > 0 ? this.#send(flight.bytes) : failed('TLS waits for more');
  }

  /** RFC 5216 §2.1.3: the alert goes to the peer, and the failure after its answer. */
  #alert(bytes: Bytes, code: string): ServerStep {
    const end = failed(`TLS: ${code}`);
    if (bytes.length === 0) return end;
    this.#end = end;
    return this.#send(bytes);
  }

  async #judge(engine: TlsEngine, bytes: Bytes): Promise<ServerStep> {
    const verdict = this.#verdict(engine.certificates());
    if (!verdict.trusted) return failed(`the peer's certificate: ${verdict.reason}`);
    this.#end = { is: 'success', outcome: outcomeOf(engine, verdict, this.#server.claimed) };
    // RFC 9190 §2.5: a byte of zero, encrypted, says that nothing will follow.
    const { bytes: more } = engine.version === 'TLSv1.3' ? await engine.say(Uint8Array.of(0)) : { bytes: EMPTY };
    return this.#send(concat(bytes, more));
  }

  /** RFC 5216 §5.3, RFC 9190 §5.4: path, usage, validity, revocation. */
  #verdict(certificates: readonly Bytes[]): Verdict {
    const { trust, authorities, now } = this.#server;
    if (certificates.length === 0) return { trusted: false, reason: 'no-certificate', detail: '' };
    const presented = { certificates, ocsp: [], lists: [] };
    return trust.verify(presented, { now: now(), identity: undefined, usage: 'client', authorities });
  }

  #send(bytes: Bytes): ServerStep {
    return { is: 'request', data: this.#transport.send(bytes) };
  }
}

function outcomeOf(engine: TlsEngine, verdict: Extract<Verdict, { trusted: true }>, claimed: Identity): EapOutcome {
  const { fingerprint, chain, notAfter } = verdict;
  return {
    ...{ type: EapType.TLS, msk: engine.masterSessionKey(), mutual: true, identity: nameOf(verdict, claimed) },
    ...{ certificate: { fingerprint, chain, notAfter }, granted: NO_GRANT },
  };
}

const failed = (why: string): ServerStep => ({ is: 'failure', why });
