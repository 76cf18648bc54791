/** The platform's TLS without a network: bytes of one flight go in, those of the answer come out. */
import { Duplex } from 'node:stream';
import { connect, TLSSocket } from 'node:tls';
import { ProtocolError } from '../ike/error.ts';
import { type Bytes, concat, EMPTY } from '../ike/wire/bytes.ts';
import { contextFor, type TlsCertificate } from './tls-context.ts';
import { MAX_MESSAGE_BYTES } from './tls-transport.ts';

export interface Flight {
  /** For the other side; after an error the alert, or nothing. */
  readonly bytes: Bytes;
  /** What came encrypted, in clear. */
  readonly clear: Bytes;
  /** What TLS did not like, by its code; what the other side sent is not in it. */
  readonly error: string | undefined;
}

/** Clear text is one byte in EAP-TLS (RFC 9190 §2.5). */
const MAX_CLEAR_BYTES = 1_024;
/** TLS computes within the turn in which bytes arrive; what it wants to write after that, it writes in the next ones. */
const TURNS = 4;

export class TlsEngine {
  readonly #wire = new Wire();
  readonly #socket: TLSSocket;
  #clear: Bytes = EMPTY;
  #error: string | undefined;
  #secure = false;

  constructor(side: 'server' | 'client', certificate: TlsCertificate) {
    this.#socket = side === 'server' ? accept(this.#wire, certificate) : begin(this.#wire, certificate);
    this.#socket.once(side === 'server' ? 'secure' : 'secureConnect', () => {
      this.#secure = true;
    });
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error ??= error.code ?? 'TLS';
    });
    this.#socket.on('data', (bytes: Buffer) => {
      this.#clear = concat(this.#clear, bytes.subarray(0, MAX_CLEAR_BYTES));
      if (this.#clear.length > MAX_CLEAR_BYTES) this.#socket.destroy(tooMuch());
    });
    this.#wire.on('error', () => undefined); // the socket says it too
  }

  /** The handshake has succeeded, as far as this side can tell. */
  get secure(): boolean {
    return this.#secure;
  }

  get version(): 'TLSv1.2' | 'TLSv1.3' {
    return this.#socket.getProtocol() === 'TLSv1.3' ? 'TLSv1.3' : 'TLSv1.2';
  }

  async take(input: Bytes): Promise<Flight> {
    if (this.#error) throw ProtocolError.malformed('TLS is over');
    if (input.length > 0) this.#wire.push(Buffer.from(input));
    return this.#settled();
  }

  async say(clear: Bytes): Promise<Flight> {
    this.#socket.write(clear);
    return this.#settled();
  }

  /** DER, the other side's own certificate first. */
  certificates(): readonly Bytes[] {
    const found: Bytes[] = [];
    let one: { readonly raw?: Buffer; readonly issuerCertificate?: unknown } | undefined = this.#socket.getPeerCertificate(true);
    // The last one may name itself as its issuer.
    for (; one?.raw && found.length < MAX_CHAIN && !found.some((other) => one?.raw?.equals(other)); one = issuerOf(one))
      found.push(Uint8Array.from(one.raw));
    return found;
  }

  /** RFC 5216 §2.3, RFC 9190 §2.3: 64 bytes. */
  masterSessionKey(): Bytes {
    const key =
      this.version === 'TLSv1.3'
        ? this.#socket.exportKeyingMaterial(EXPORTED, 'EXPORTER_EAP_TLS_Key_Material', Buffer.of(TLS_TYPE))
        : exporterOf(this.#socket)(EXPORTED, 'client EAP encryption');
    // RFC 9190 §2.3: "it MUST ask for the full output and then only use the desired part".
    return Uint8Array.from(key.subarray(0, 64));
  }

  end(): void {
    this.#socket.destroy();
    this.#wire.destroy();
  }

  async #settled(): Promise<Flight> {
    for (let turn = 0; turn < TURNS; turn++) await new Promise((next) => setImmediate(next));
    const flight = { bytes: this.#wire.drain(), clear: this.#clear, error: this.#error };
    this.#clear = EMPTY;
    return flight;
  }
}

const TLS_TYPE = 13;
/** MSK and EMSK. */
const EXPORTED = 128;
const MAX_CHAIN = 10;

const accept = (wire: Duplex, certificate: TlsCertificate): TLSSocket =>
  new TLSSocket(wire, {
    ...{ isServer: true, secureContext: contextFor(certificate) },
    ...{ requestCert: true, rejectUnauthorized: false },
  });

const begin = (wire: Duplex, certificate: TlsCertificate): TLSSocket =>
  connect({ socket: wire, secureContext: contextFor(certificate), rejectUnauthorized: false });

const issuerOf = ({ issuerCertificate }: { readonly issuerCertificate?: unknown }): { readonly raw?: Buffer } | undefined =>
  issuerCertificate as { readonly raw?: Buffer } | undefined;

/** Without a context, which differs from an empty one in TLS 1.3 only; its type wants one. */
const exporterOf = (socket: TLSSocket): ((length: number, label: string) => Buffer) =>
  socket.exportKeyingMaterial.bind(socket) as (length: number, label: string) => Buffer;

const tooMuch = (): NodeJS.ErrnoException => Object.assign(new Error('too much'), { code: 'TLS_TOO_MUCH' });

/** What TLS writes is kept until it is taken; what is pushed, TLS reads. */
class Wire extends Duplex {
  #written: Bytes[] = [];
  #size = 0;

  drain(): Bytes {
    const bytes = concat(...this.#written);
    this.#written = [];
    this.#size = 0;
    return bytes;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: (error: Error | undefined) => void): void {
    this.#size += chunk.length;
    const fits = this.#size <= MAX_MESSAGE_BYTES;
    if (fits) this.#written.push(Uint8Array.from(chunk));
    done(fits ? undefined : tooMuch());
  }
}
