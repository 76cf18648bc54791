/** The EAP peer of a client: one method for each connection. */
import type { Secret } from '../contract/secret.ts';
import type { EapAnswer, EapQuestion } from '../ike/eap.ts';
import type { Trust } from '../ike/pki/trust.ts';
import type { Identity, Instant } from '../ike/sa.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { PeerMethod } from './method.ts';
import { mschapv2Peer } from './mschapv2-peer.ts';
import { PeerConversation } from './peer-conversation.ts';
import type { EapSpeaker } from './speaker.ts';
import type { TlsCertificate } from './tls-context.ts';
import { tlsPeer } from './tls-peer.ts';

export interface EapPeerCredentials {
  /** Answer to Identity, and the user of MSCHAPv2. */
  readonly identity: string;
  readonly method:
    | { readonly is: 'mschapv2' /** RFC 2759 §8.3. */; readonly ntHash: Secret }
    | {
        readonly is: 'tls';
        readonly certificate: TlsCertificate;
        readonly trust: Trust;
        /** Must be in the certificate of the server; undefined: whoever the authorities vouch for. */
        readonly server: Identity | undefined;
        readonly authorities: readonly string[];
      };
}

export interface EapPeerParts {
  /** By the name of the connection. */
  readonly credentials: (connection: string) => EapPeerCredentials | undefined;
  readonly random: (length: number) => Bytes;
  readonly now: () => Instant;
  /** An exception that is a bug. */
  readonly failed: (error: unknown) => void;
}

export class EapPeer implements EapSpeaker {
  readonly #parts: EapPeerParts;
  readonly #conversations = new Map<string, PeerConversation>();

  constructor(parts: EapPeerParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#conversations.size;
  }

  async answer(question: EapQuestion): Promise<EapAnswer> {
    try {
      const answer = await this.#take(question);
      if (answer.is !== 'packet') this.forget(question.conversation);
      return answer;
    } catch (error) {
      this.#parts.failed(error);
      this.forget(question.conversation);
      return failure('internal error');
    }
  }

  forget(conversation: string): void {
    this.#conversations.get(conversation)?.end();
    this.#conversations.delete(conversation);
  }

  #take({ conversation, name, message }: EapQuestion): EapAnswer | Promise<EapAnswer> {
    if (!message) return failure('a peer does not begin');
    const known = this.#conversations.get(conversation);
    if (known) return known.take(message);
    const credentials = this.#parts.credentials(name);
    if (!credentials) return failure('no EAP credentials for this connection');
    const begun = new PeerConversation(methodFor(credentials, this.#parts), credentials.identity);
    this.#conversations.set(conversation, begun);
    return begun.take(message);
  }
}

function methodFor({ identity, method }: EapPeerCredentials, { random, now }: EapPeerParts): PeerMethod {
  if (method.is === 'mschapv2') return mschapv2Peer({ name: identity, ntHash: method.ntHash.expose(), random });
  return tlsPeer({ ...method, now, identity });
}

const failure = (why: string): EapAnswer => ({ is: 'failure', message: undefined, why });
