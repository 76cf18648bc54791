/** One conversation of the server (RFC 3748 §2): perhaps Identity, then the method's requests, then Success or Failure. IKE repeats what gets lost. */
import type { EapAnswer } from '../ike/eap.ts';
import { ProtocolError } from '../ike/error.ts';
import { type Bytes, EMPTY } from '../ike/wire/bytes.ts';
import { EapCode } from '../ike/wire/registry.ts';
import type { ServerMethod, ServerStep } from './method.ts';
import { decodeEap, EapType, encodeEap } from './packet.ts';

export class ServerConversation {
  readonly #method: ServerMethod;
  /** Of the last request. */
  #identifier = 0;
  #asked: 'nothing' | 'identity' | 'method' = 'nothing';
  #last: Bytes = EMPTY;

  constructor(method: ServerMethod) {
    this.#method = method;
  }

  async begin(askIdentity: boolean): Promise<EapAnswer> {
    if (!askIdentity) return this.#next(undefined);
    this.#asked = 'identity';
    return this.#request(EapType.IDENTITY, EMPTY);
  }

  /** Of the peer. */
  async take(message: Bytes): Promise<EapAnswer> {
    try {
      return await this.#judge(message);
    } catch (error) {
      if (error instanceof ProtocolError) return this.#failure(error.message);
      throw error;
    }
  }

  end(): void {
    this.#method.end();
  }

  #judge(message: Bytes): EapAnswer | Promise<EapAnswer> {
    const packet = decodeEap(message);
    // RFC 3748 §4: what is no response, or to another request, changes nothing; it gets the request that is open.
    if (packet.code !== EapCode.RESPONSE || packet.identifier !== this.#identifier) return { is: 'packet', message: this.#last };
    if (packet.type === EapType.NAK) return this.#failure(`the peer wants ${wantedBy(packet.data)}`);
    const expected = this.#asked === 'identity' ? EapType.IDENTITY : this.#method.type;
    if (packet.type !== expected) return this.#failure(`a response of type ${packet.type} to a request of type ${expected}`);
    // What the peer calls itself there, nothing has proven; the method asks for what it needs.
    return this.#next(this.#asked === 'identity' ? undefined : packet.data);
  }

  async #next(data: Bytes | undefined): Promise<EapAnswer> {
    this.#asked = 'method';
    return this.#answer(await this.#method.next(data, following(this.#identifier)));
  }

  #answer(step: ServerStep): EapAnswer {
    switch (step.is) {
      case 'request':
        return this.#request(this.#method.type, step.data);
      case 'success':
        return { is: 'success', message: this.#end(EapCode.SUCCESS), ...step.outcome };
      case 'failure':
        return this.#failure(step.why);
    }
  }

  #request(type: number, data: Bytes): EapAnswer {
    // RFC 3748 §4.1: "the Identifier field of the Request MUST be changed" with each new one.
    this.#identifier = following(this.#identifier);
    this.#last = encodeEap({ code: EapCode.REQUEST, identifier: this.#identifier, type, data });
    return { is: 'packet', message: this.#last };
  }

  #failure(why: string): EapAnswer {
    return { is: 'failure', message: this.#end(EapCode.FAILURE), why };
  }

  /** RFC 3748 §4.2: the identifier is that of the response which it answers. */
  #end(code: typeof EapCode.SUCCESS | typeof EapCode.FAILURE): Bytes {
    return encodeEap({ code, identifier: this.#identifier });
  }
}

const following = (identifier: number): number => (identifier + 1) & 0xff;

/** RFC 3748 §5.3.1. A rule allows one method, so there is nothing to fall back to. */
const wantedBy = (data: Bytes): string => `EAP of type ${Array.from(data.subarray(0, 8)).join(', ') || 0}`;
