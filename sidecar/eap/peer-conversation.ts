/** One conversation of the peer (RFC 3748 §2): answers Identity and Notification itself, gives the rest to its method. */
import type { EapAnswer, EapOutcome } from '../ike/eap.ts';
import { ProtocolError } from '../ike/error.ts';
import { type Bytes, EMPTY, equalBytes, utf8 } from '../ike/wire/bytes.ts';
import { EapCode } from '../ike/wire/registry.ts';
import type { PeerMethod, PeerStep } from './method.ts';
import { decodeEap, type EapPacket, EapType, encodeEap } from './packet.ts';

type Request = Extract<EapPacket, { code: 1 | 2 }>;

export class PeerConversation {
  readonly #method: PeerMethod;
  readonly #identity: string;
  /** The last request and what was said to it. */
  #last: { readonly request: Bytes; readonly answer: EapAnswer } | undefined;
  #begun = false;
  #outcome: EapOutcome | undefined;
  #doom: string | undefined;

  constructor(method: PeerMethod, identity: string) {
    this.#method = method;
    this.#identity = identity;
  }

  /** Of the server. */
  async take(message: Bytes): Promise<EapAnswer> {
    try {
      return await this.#judge(message);
    } catch (error) {
      if (error instanceof ProtocolError) return failure(error.message);
      throw error;
    }
  }

  end(): void {
    this.#method.end();
  }

  async #judge(message: Bytes): Promise<EapAnswer> {
    const packet = decodeEap(message);
    if (packet.code === EapCode.FAILURE) return failure(this.#doom ?? 'the server sent EAP-Failure');
    if (packet.code === EapCode.SUCCESS) return this.#succeed(message);
    if (packet.code !== EapCode.REQUEST) return failure('a response of the server');
    // RFC 3748 §4.1: a request that comes again gets the response that it got.
    if (this.#last && equalBytes(this.#last.request, message)) return this.#last.answer;
    const answer = await this.#respond(packet);
    this.#last = { request: message, answer };
    return answer;
  }

  #respond({ identifier, type, data }: Request): EapAnswer | Promise<EapAnswer> {
    const respond = (kind: number, body: Bytes): EapAnswer => ({
      is: 'packet',
      message: encodeEap({ code: EapCode.RESPONSE, identifier, type: kind, data: body }),
    });
    if (type === EapType.IDENTITY && !this.#begun) return respond(type, utf8(this.#identity));
    if (type === EapType.NOTIFICATION) return respond(type, EMPTY);
    if (type === this.#method.type) return this.#methodStep(data, (body) => respond(type, body));
    // RFC 3748 §5.3.1: a Nak names what we would do; once a method has begun there is no other.
    if (!this.#begun) return respond(EapType.NAK, Uint8Array.of(this.#method.type));
    return failure(`a request of type ${type} in the midst of one of type ${this.#method.type}`);
  }

  async #methodStep(data: Bytes, respond: (body: Bytes) => EapAnswer): Promise<EapAnswer> {
    this.#begun = true;
    const step: PeerStep = await this.#method.next(data);
    if (step.is === 'failure') return failure(step.why);
    this.#outcome = step.outcome;
    this.#doom = step.doom;
    return respond(step.data);
  }

  /** RFC 3748 §4.2: a Success before the method has come to its end proves nothing. */
  #succeed(message: Bytes): EapAnswer {
    return this.#outcome ? { is: 'success', message, ...this.#outcome } : failure('EAP-Success before the server was proven');
  }
}

const failure = (why: string): EapAnswer => ({ is: 'failure', message: undefined, why });
