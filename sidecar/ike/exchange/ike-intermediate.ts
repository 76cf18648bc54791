/**
 * IKE_INTERMEDIATE (RFC 9242) for further key exchanges (RFC 9370 §2.2.2), one each, between IKE_SA_INIT and IKE_AUTH.
 *
 *     HDR, SK {KEi(n)}   -->
 *                        <--   HDR, SK {KEr(n)}
 *
 * Both are protected with the keys that there are; what follows is, with those that came of it.
 */
import { keyExchangeOf } from '../algorithms.ts';
import type { Context } from '../context.ts';
import { ikeKeys } from '../crypto/keymat.ts';
import { ProtocolError } from '../error.ts';
import { answeredHandshake, errorOf, nameOfNotify } from '../first-exchange.ts';
import type { Keyed } from '../handshake-phase.ts';
import { chained, ownContent, type Received, receivedContent } from '../intermediate-auth.ts';
import type { IkeSa, InPhase, Path } from '../sa.ts';
import type { Reply, Step } from '../step.ts';
import { headerOf, request as sendRequest } from '../window.ts';
import type { Bytes } from '../wire/bytes.ts';
import type { Payload } from '../wire/payload.ts';
import { Exchange, Notify } from '../wire/registry.ts';
import { shape } from '../wire/shape.ts';

const request = shape({ ke: 'KE' });
const response = shape({ ke: 'KE?', notifies: 'N*' });

/** The next of the key exchanges that are to be done. */
export function initiate(sa: InPhase<'keyed'>, method: number, ctx: Context): Step {
  const ke = { id: method, ...keyExchangeOf(ctx.crypto, method).generate(ctx.random) };
  const payloads: Payload[] = [{ kind: 'KE', group: method, data: ke.publicValue }];
  const content = ownContent(headerOf(sa, Exchange.IKE_INTERMEDIATE, sa.window.next, false), payloads);
  const phase = { ...sa.phase, name: 'intermediateSent', ke, content } as const;
  return sendRequest({ ...sa, phase }, Exchange.IKE_INTERMEDIATE, payloads, ctx);
}

export function respond(
  sa: InPhase<'halfOpen'>,
  payloads: readonly Payload[],
  ctx: Context,
  _from: Path,
  received: Received,
): Reply {
  const { phase } = sa;
  const [method, ...pending] = phase.pending;
  const { ke } = request(payloads);
  // RFC 9242 §5: no more of these than were agreed on.
  if (method === undefined || ke.group !== method) throw unasked(`a key exchange of method ${ke.group}`);
  // In vain until an SA comes of it, as the first one.
  ctx.strain.add(ctx.now);
  const { publicValue, shared } = keyExchangeOf(ctx.crypto, method).respond(ke.data, ctx.random);
  ctx.strain.relieve(ctx.now);
  const answer: Payload[] = [{ kind: 'KE', group: method, data: publicValue }];
  const header = headerOf(sa, Exchange.IKE_INTERMEDIATE, sa.window.expected, true);
  const contents = { initiator: receivedContent(received), responder: ownContent(header, answer) };
  const next = { ...phase, ...agreed(sa, shared, ctx), first: chained(phase, contents, ctx), pending, formerKeys: phase.keys };
  return { sa: { ...sa, phase: next }, payloads: answer, outputs: [] };
}

export function conclude(sa: InPhase<'intermediateSent'>, payloads: readonly Payload[], ctx: Context, received: Received): Step {
  const { ke: own, content, ...phase } = sa.phase;
  const { ke, notifies } = response(payloads);
  const error = errorOf(notifies);
  if (error && !ke)
    throw new ProtocolError('abort', error.notify as Notify, `the gateway refuses: ${nameOfNotify(error.notify)}`);
  if (ke?.group !== own.id) throw unasked('another key exchange');
  const shared = keyExchangeOf(ctx.crypto, own.id).conclude(own.privateKey, ke.data);
  const contents = { initiator: content, responder: receivedContent(received) };
  const keyed: Keyed = {
    ...{ ...phase, name: 'keyed', ...agreed(sa, shared, ctx), first: chained(phase, contents, ctx) },
    pending: phase.pending.slice(1),
    handshake: answeredHandshake(phase.handshake, 1),
  };
  return { sa: { ...sa, phase: keyed }, outputs: [] };
}

/** SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr), and SK_* of it as ever: RFC 9370 §2.2.2. */
function agreed(sa: IkeSa & Pick<InPhase<'halfOpen' | 'intermediateSent'>, 'phase'>, shared: Bytes, ctx: Context) {
  const { suite, keys, first, pending, postQuantum } = sa.phase;
  const { spiI, spiR } = sa;
  const seed = { from: 'rekey', oldD: keys.d, oldPrf: suite.prf, shared, ni: first.ni, nr: first.nr, spiI, spiR } as const;
  return {
    keys: ikeKeys(ctx.crypto, suite, seed),
    postQuantum: postQuantum || pending.slice(0, 1).some((method) => keyExchangeOf(ctx.crypto, method).postQuantum),
  };
}

/** RFC 9242 §3.4: as in other initial exchanges, the end of it. */
const unasked = (what: string): ProtocolError => new ProtocolError('abort', Notify.INVALID_SYNTAX, what);
