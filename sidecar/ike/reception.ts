/** What a protected datagram is to an SA: a repetition, a fragment, or a whole message (RFC 7296 §2.1–§2.3, RFC 7383 §2.6). */
import type { Context } from './context.ts';
import { ProtocolError } from './error.ts';
import { collect, open, type SecuredSa } from './protection.ts';
import { inPhase, type Sent } from './sa.ts';
import type { Bytes } from './wire/bytes.ts';
import type { Encrypted, Message } from './wire/message.ts';
import { Notify } from './wire/registry.ts';

export type Reception =
  | { readonly is: 'repetition' }
  | { readonly is: 'fragment'; readonly sa: SecuredSa }
  | { readonly is: 'whole'; readonly first: number; readonly head: Bytes; readonly bytes: Bytes };

/** Nothing of the SA changes for a datagram that is not authentic. @throws ProtocolError (drop) */
export function receive(sa: SecuredSa, message: Message, ctx: Context): Reception {
  const { encrypted } = message;
  if (!encrypted) throw new ProtocolError('drop', Notify.INVALID_SYNTAX, UNPROTECTED);
  const repetition = isRepetition(sa, message);
  if (!repetition && !isInWindow(sa, message)) throw new ProtocolError('drop', Notify.INVALID_MESSAGE_ID, OUT_OF_WINDOW);
  const part = open(repetition ? before(sa) : sa, encrypted, ctx);
  if (repetition) {
    // RFC 7383 §2.6.1: only the first fragment of a repeated request is answered.
    if (encrypted.fragment && encrypted.fragment.number !== 1)
      throw new ProtocolError('drop', Notify.INVALID_MESSAGE_ID, OUT_OF_WINDOW);
    return { is: 'repetition' };
  }
  if (!encrypted.fragment) return { is: 'whole', first: encrypted.first, head: encrypted.aad.slice(), bytes: part };
  return gather(sa, { ...message, encrypted }, part, ctx);
}
/** A repeated first response, for instance. */
export const UNPROTECTED = 'unprotected';
export const OUT_OF_WINDOW = 'message id out of the window';

function gather(sa: SecuredSa, message: Message & { readonly encrypted: Encrypted }, part: Bytes, ctx: Context): Reception {
  // RFC 7383 §2.3: fragments come only when both have said that they can.
  if (!sa.phase.fragmentation) throw ProtocolError.malformed('a fragment that was not negotiated');
  const collected = collect(sa.window.fragments, message, part, ctx.now);
  if (!collected) throw new ProtocolError('drop', Notify.INVALID_MESSAGE_ID, OUT_OF_WINDOW);
  const { fragments, complete } = collected;
  if (complete) return { is: 'whole', ...complete };
  return { is: 'fragment', sa: { ...sa, window: { ...sa.window, fragments } } };
}

/** A repeated IKE_INTERMEDIATE comes under the keys of before. */
function before(sa: SecuredSa): SecuredSa {
  const former = inPhase(sa, 'halfOpen') ? sa.phase.formerKeys : undefined;
  return former ? { ...sa, phase: { ...sa.phase, keys: former } } : sa;
}

const isRepetition = ({ window }: SecuredSa, { response, messageId }: Message): boolean =>
  !response && messageId === window.expected - 1 && window.answered.length > 0;

/** What is dead repeats itself at most. */
const isInWindow = ({ window, phase }: SecuredSa, message: Message): boolean =>
  phase.name !== 'gone' && (message.response ? answers(message, window.sent) : message.messageId === window.expected);

/** RFC 7296 §3.1: the same message id and the same exchange type, which is the 19th byte of what we sent. */
const answers = ({ messageId, exchange }: Message, sent: Sent | undefined): boolean =>
  sent?.messageId === messageId && sent.datagrams[0]?.[18] === exchange;
