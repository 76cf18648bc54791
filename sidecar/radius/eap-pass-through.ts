/**
 * EAP carried between a peer and RADIUS servers (RFC 3579 §2): we know no method and believe the server.
 *
 *     peer                    gateway                      server
 *          <-- EAP-Request/Identity
 *          EAP-Response/Identity -->
 *                                 Access-Request(User-Name, EAP-Message) -->
 *                                 <-- Access-Challenge(EAP-Message, State)
 *          <-- EAP-Request, … until
 *                                 <-- Access-Accept(EAP-Success, keys, grants) or Access-Reject(EAP-Failure)
 */
import type { EapSpeaker } from '../eap/speaker.ts';
import type { EapAnswer, EapQuestion } from '../ike/eap.ts';
import { type Bytes, text } from '../ike/wire/bytes.ts';
import { accessAttributes } from './access-request.ts';
import { eapMessage, Type, textOf, valuesOf } from './attribute.ts';
import { sealAccess } from './authenticity.ts';
import { type EapPacket, isCode, readEap } from './eap-packet.ts';
import { grantOf } from './grant.ts';
import { masterSessionKey } from './mppe.ts';
import { Code, MAX_VALUE } from './packet.ts';
import type { RadiusPorts } from './ports.ts';
import type { Request, Server } from './server.ts';
import type { Found, ServerList } from './server-list.ts';

export interface PassThroughOptions {
  readonly ports: Pick<RadiusPorts, 'random'>;
  readonly mostConversations: number;
}

/** What is in force for conversations that begin now; those under way keep what they began with. */
export interface PassThroughSettings {
  readonly servers: ServerList;
  readonly nasIdentifier: string;
}

interface Conversation {
  readonly settings: PassThroughSettings;
  readonly abort: AbortController;
  readonly waiting: boolean;
  /** Of the request that the peer has to answer. */
  readonly identifier: number;
  /** Type of the last request: the method, in the end. */
  readonly type: number;
  /** Known with the first response. */
  readonly identity: Bytes | undefined;
  /** Known with the first challenge: who gave it, and what it wants back. */
  readonly bound: { readonly server: Server; readonly state: Bytes | undefined } | undefined;
}

const EapType = { IDENTITY: 1, NOTIFICATION: 2 } as const;
/** Longer ones do not fit a packet with all the rest. */
const LONGEST_EAP = 3_500;
/** EAP types whose peers have proven themselves to each other (RFC 5998 §4): TLS, SIM, TTLS, AKA, FAST, PAX, SAKE, AKA', GPSK, pwd, EKE. */
const MUTUAL: readonly number[] = [13, 18, 21, 23, 43, 46, 48, 50, 51, 52, 53];

export class EapPassThrough implements EapSpeaker {
  readonly #options: PassThroughOptions;
  /** The oldest first. */
  readonly #conversations = new Map<string, Conversation>();
  #settings: PassThroughSettings | undefined;

  constructor(options: PassThroughOptions) {
    this.#options = options;
  }

  /** Undefined: nobody is admitted. */
  configure(settings: PassThroughSettings | undefined): void {
    this.#settings = settings;
  }

  get conversations(): number {
    return this.#conversations.size;
  }

  async answer(question: EapQuestion): Promise<EapAnswer> {
    if (question.message === undefined) return this.#begin(question.conversation);
    const before = this.#conversations.get(question.conversation);
    if (!before || before.waiting)
      return this.#fail(question.conversation, 'no such conversation, or a question before its answer');
    const response = readEap(question.message);
    // RFC 3748 §2.3: a pass-through authenticator checks code, identifier and length.
    if (
      !response ||
      !isCode(response, 'RESPONSE') ||
      response.identifier !== before.identifier ||
      question.message.length > LONGEST_EAP
    )
      return this.#fail(question.conversation, 'not a response to the EAP request');
    const identity = before.identity ?? identityOf(response);
    if (!identity) return this.#fail(question.conversation, 'no EAP identity that a User-Name can hold');
    return this.#consult(question, { ...before, identity, waiting: true }, identity, question.message);
  }

  forget(conversation: string): void {
    const known = this.#conversations.get(conversation);
    this.#conversations.delete(conversation);
    known?.abort.abort();
  }

  /** RFC 3579 §2.1: we ask for the identity, because servers want a User-Name and IDi is an address often. */
  #begin(conversation: string): EapAnswer {
    this.forget(conversation);
    if (!this.#settings) return { is: 'failure', message: undefined, why: 'no RADIUS server is configured' };
    for (const oldest of this.#conversations.keys()) {
      if (this.#conversations.size < this.#options.mostConversations) break;
      this.forget(oldest);
    }
    const [identifier = 0] = this.#options.ports.random(1);
    this.#conversations.set(conversation, {
      ...{ settings: this.#settings, abort: new AbortController(), waiting: false, identifier },
      ...{ type: EapType.IDENTITY, identity: undefined, bound: undefined },
    });
    return { is: 'packet', message: Uint8Array.of(1, identifier, 0, 5, EapType.IDENTITY) };
  }

  async #consult(question: EapQuestion, now: Conversation, identity: Bytes, message: Bytes): Promise<EapAnswer> {
    const { conversation } = question;
    this.#conversations.set(conversation, now);
    const { settings, bound, abort } = now;
    const attributes = accessAttributes(question, settings.nasIdentifier, { identity, state: bound?.state, message });
    const random = this.#options.ports.random;
    const request: Request = {
      renewed: false,
      seal: (identifier, secret) => sealAccess({ code: Code.ACCESS_REQUEST, identifier, attributes }, secret, random(16)),
    };
    // What a server remembers of a conversation no other one knows.
    const found = bound ? await askAgain(bound.server, request, abort.signal) : await settings.servers.ask(request, abort.signal);
    if (this.#conversations.get(conversation) !== now) return { is: 'failure', message: undefined, why: 'given up' };
    return found ? this.#conclude(conversation, now, identity, found) : this.#fail(conversation, 'no RADIUS server answers');
  }

  /** RFC 3579 §2.6.3: the RADIUS code decides; packets that contradict it are neither mended nor passed on. */
  #conclude(conversation: string, now: Conversation, identity: Bytes, found: Found): EapAnswer {
    const { code, attributes } = found.packet;
    const message = eapMessage(attributes);
    const eap = message && readEap(message);
    if (code === Code.ACCESS_CHALLENGE) {
      if (!eap || !isCode(eap, 'REQUEST')) return this.#fail(conversation, 'a challenge without an EAP request');
      const [state] = valuesOf(attributes, Type.STATE);
      const type = eap.type === EapType.NOTIFICATION ? now.type : eap.type;
      const bound = { server: found.server, state: state?.slice() };
      this.#conversations.set(conversation, { ...now, waiting: false, identifier: eap.identifier, type, bound });
      return { is: 'packet', message: eap.bytes };
    }
    if (code !== Code.ACCESS_ACCEPT)
      return this.#fail(conversation, 'refused by the RADIUS server', eap && isCode(eap, 'FAILURE') ? eap.bytes : undefined);
    if (!eap || !isCode(eap, 'SUCCESS')) return this.#fail(conversation, 'accepted, but without EAP-Success');
    this.forget(conversation);
    return {
      ...{ is: 'success', message: eap.bytes, type: now.type, mutual: MUTUAL.includes(now.type), certificate: undefined },
      msk: masterSessionKey(attributes, found.requestAuthenticator, found.server.secret),
      // RFC 3579 §3: the User-Name of the Access-Accept "need not be the same"; it is the one for accounting.
      identity: textOf(attributes, Type.USER_NAME) ?? text(identity),
      granted: grantOf(attributes),
    };
  }

  #fail(conversation: string, why: string, message?: Bytes): EapAnswer {
    this.forget(conversation);
    return { is: 'failure', message, why };
  }
}

async function askAgain(server: Server, request: Request, signal: AbortSignal): Promise<Found | undefined> {
  const answer = await server.ask(request, signal);
  return answer && { ...answer, server };
}

/** RFC 3748 §5.1: UTF-8 text; one that is empty names nobody. */
function identityOf({ type, data }: EapPacket): Bytes | undefined {
  if (type !== EapType.IDENTITY || data.length === 0 || data.length > MAX_VALUE) return undefined;
  return new TextDecoder().decode(data).includes('�') ? undefined : data;
}
