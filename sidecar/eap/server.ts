/** The EAP server of a gateway: keeps its conversations apart, and picks who leads each by the method of the rule. */
import type { EapUsers } from '../contract/eap-users.ts';
import type { EapAnswer, EapQuestion } from '../ike/eap.ts';
import type { Trust } from '../ike/pki/trust.ts';
import type { Identity, Instant } from '../ike/sa.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import { IdType } from '../ike/wire/registry.ts';
import type { ServerMethod } from './method.ts';
import { mschapv2Server } from './mschapv2-server.ts';
import { ServerConversation } from './server-conversation.ts';
import type { EapSpeaker } from './speaker.ts';
import type { TlsCertificate } from './tls-context.ts';
import { tlsServer } from './tls-server.ts';

/** What is in force; a conversation keeps what it began with. */
export interface EapServerCredentials {
  /** How the server calls itself in MSCHAPv2. */
  readonly name: string;
  readonly users: Pick<EapUsers, 'ntHash'>;
  readonly trust: Trust;
  /** The gateway's own; undefined where there is none, and then no EAP-TLS. */
  readonly certificate: TlsCertificate | undefined;
  /** Names of the trust anchors that count for a rule; empty: all. */
  readonly authorities: (rule: string) => readonly string[];
}

export interface EapServerParts {
  readonly credentials: () => EapServerCredentials;
  readonly random: (length: number) => Bytes;
  readonly now: () => Instant;
  /** For rules of method `eap-radius`. */
  readonly radius: EapSpeaker | undefined;
  /** An exception that is a bug. */
  readonly failed: (error: unknown) => void;
  readonly maxConversations?: number;
}

/** One of EAP-TLS holds 75 KiB. Whoever goes on has gone through its conversation long before so many others have begun one. */
const MAX_CONVERSATIONS = 1_024;

export class EapServer implements EapSpeaker {
  readonly #parts: EapServerParts;
  /** The oldest first. */
  readonly #conversations = new Map<string, ServerConversation>();

  constructor(parts: EapServerParts) {
    this.#parts = parts;
  }

  /** Conversations of the local methods. */
  get size(): number {
    return this.#conversations.size;
  }

  async answer(question: EapQuestion): Promise<EapAnswer> {
    if (question.method === 'eap-radius')
      return this.#parts.radius?.answer(question) ?? failure('no RADIUS server is configured');
    try {
      const answer = await this.#local(question);
      if (answer.is !== 'packet') this.#end(question.conversation);
      return answer;
    } catch (error) {
      this.#parts.failed(error);
      this.#end(question.conversation);
      return failure('internal error');
    }
  }

  forget(conversation: string): void {
    this.#end(conversation);
    this.#parts.radius?.forget(conversation);
  }

  #local(question: EapQuestion): EapAnswer | Promise<EapAnswer> {
    const { conversation, message } = question;
    if (!message) return this.#begin(question);
    return this.#conversations.get(conversation)?.take(message) ?? failure('no such conversation');
  }

  #begin(question: EapQuestion): EapAnswer | Promise<EapAnswer> {
    this.#end(question.conversation);
    const method = methodFor(question, this.#parts);
    if (typeof method === 'string') return failure(method);
    const conversation = new ServerConversation(method);
    this.#makeRoom();
    this.#conversations.set(question.conversation, conversation);
    return conversation.begin(!namesUser(question.claimed));
  }

  /** Whoever began first goes first: most likely it is somebody who will not go on. */
  #makeRoom(): void {
    const [oldest] = this.#conversations.keys();
    if (oldest !== undefined && this.size >= (this.#parts.maxConversations ?? MAX_CONVERSATIONS)) this.#end(oldest);
  }

  #end(conversation: string): void {
    this.#conversations.get(conversation)?.end();
    this.#conversations.delete(conversation);
  }
}

/**
 * RFC 7296 §3.16: "the responder SHOULD NOT send EAP Identity requests", since IDi names the peer. A mail address names a user. Windows
 * names its address there, others their device, and say who their user is when they are asked (`eap_id` of strongSwan).
 */
const namesUser = ({ idType }: Identity): boolean => idType === IdType.ID_RFC822_ADDR;

/** What is wrong, where there is no such method. */
function methodFor({ method, name, claimed }: EapQuestion, { credentials, random, now }: EapServerParts): ServerMethod | string {
  const { name: serverName, users, trust, certificate, authorities } = credentials();
  if (method === 'eap-mschapv2') return mschapv2Server({ name: serverName, users, random });
  if (method !== 'eap-tls') return 'no such method';
  if (!certificate) return 'EAP-TLS without a certificate of the gateway';
  return tlsServer({ certificate, trust, authorities: authorities(name), claimed, now });
}

const failure = (why: string): EapAnswer => ({ is: 'failure', message: undefined, why });
