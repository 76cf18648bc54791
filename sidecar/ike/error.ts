/** How the core fails: one kind of error, thrown anywhere in it, caught once in `Gateway` (RFC 7296 §2.21). */
import { Notify } from './wire/registry.ts';

/** What is done about a peer that broke the protocol. */
export type Verdict =
  | 'drop' // say nothing: the datagram is unauthenticated or unintelligible
  | 'refuse' // answer this exchange with a notify; the SA lives on
  | 'abort'; // answer with a notify and delete the SA

/** `data` is the notification data to send, for instance the group that INVALID_KE_PAYLOAD asks for. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly verdict: Verdict;
  readonly notify: Notify;
  readonly data: Uint8Array;

  constructor(verdict: Verdict, notify: Notify, message: string, data: Uint8Array = new Uint8Array()) {
    super(message);
    this.verdict = verdict;
    this.notify = notify;
    this.data = data;
  }

  /** Bytes that do not parse, or values that the RFC forbids, in a message that nobody has authenticated yet. */
  static malformed(message: string): ProtocolError {
    return new ProtocolError('drop', Notify.INVALID_SYNTAX, message);
  }
}
