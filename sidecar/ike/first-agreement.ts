/** What both first exchanges begin with and end in: a request, keys, a half-open SA at the responder, one that authenticates next at the initiator (RFC 5723 §4.3.2: "equivalent"). */
import { keyExchangeOf } from './algorithms.ts';
import type { HeldTicket, ResumptionForm } from './connection.ts';
import type { Context } from './context.ts';
import { type IkeSeed, ikeKeys } from './crypto/keymat.ts';
import type { IkeSuite } from './crypto/suite.ts';
import {
  answeredHandshake,
  canFragment,
  capabilities,
  findNotify,
  NONCE_BYTES,
  type Notifies,
  natOf,
  pathAfterNatDetection,
} from './first-exchange.ts';
import type { InitSent, ResumeSent } from './handshake-phase.ts';
import { agreesOnPpk } from './own-post-quantum-key.ts';
import { isRedirectable } from './redirect.ts';
import { type IkeSa, type InPhase, later, type Path } from './sa.ts';
import { hashesOf } from './signature-auth.ts';
import { event, type Step, which } from './step.ts';
import { inForce } from './terms.ts';
import type { TicketState } from './ticket.ts';
import { answered, newWindow, send } from './window.ts';
import type { Bytes } from './wire/bytes.ts';
import { encodeMessage, type Message, NO_SPI } from './wire/message.ts';
import type { Payload } from './wire/payload.ts';
import { type Exchange, Notify } from './wire/registry.ts';

/** A message of the first exchange, with what both kinds of it hold. */
export interface FirstMessage {
  readonly message: Message;
  readonly datagram: Bytes;
  readonly nonce: Bytes;
  readonly notifies: Notifies;
}

/** What only the initiator has: the answer of a gateway, and what it is known to be. */
interface FirstAnswer extends FirstMessage {
  readonly resumptionForm: ResumptionForm;
}

/** Algorithms, and the secret that the keys come of. */
export interface Agreement<Ticket> {
  readonly suite: IkeSuite;
  /** Further key exchanges that follow (RFC 9370). */
  readonly additional: readonly number[];
  readonly secret: { readonly from: 'full'; readonly shared: Bytes } | { readonly from: 'resumption'; readonly oldD: Bytes };
  readonly resumed: Ticket | undefined;
}

/** The initiator sends, and awaits the answer in `phase`; the request is kept, since the AUTH payloads sign it. */
export function sendFirst(
  exchange: Exchange,
  spiI: string,
  phase: Omit<InitSent, 'request'> | Omit<ResumeSent, 'request'>,
  payloads: readonly Payload[],
  ctx: Context,
): Step {
  const { connection } = phase;
  const { path } = connection;
  const request = encodeMessage({ spiI, spiR: NO_SPI, exchange, messageId: 0, response: false, initiator: true, payloads });
  const sa: IkeSa = {
    ...{ role: 'initiator', spiI, spiR: NO_SPI, path, window: newWindow(), connection },
    phase: { ...phase, request },
  };
  return send(sa, [request], ctx);
}

/** The responder answers, with SPI and nonce of its own after `payloads`, and awaits IKE_INTERMEDIATE or IKE_AUTH. */
export function respondHalfOpen(
  { message, datagram, nonce: ni, notifies }: FirstMessage,
  path: Path,
  { suite, additional, secret, resumed }: Agreement<TicketState>,
  payloads: readonly Payload[],
  ctx: Context,
): Step {
  const { ike, esp } = inForce(ctx).config;
  const { spiI, exchange } = message;
  const spiR = ctx.newIkeSpi();
  const nr = ctx.random(NONCE_BYTES);
  const bytes = encodeMessage({
    ...{ spiI, spiR, exchange, messageId: 0, response: true, initiator: false },
    payloads: [...payloads, { kind: 'NONCE', data: nr }, ...capabilities(spiI, spiR, path, esp.forceEncapsulation, ctx)],
  });
  const sa: IkeSa = {
    ...{ role: 'responder', spiI, spiR, path, window: newWindow(), connection: undefined },
    phase: {
      ppk: payloads.some((one) => one.kind === 'N' && one.notify === Notify.USE_PPK),
      ...{ name: 'halfOpen', suite, resumed, pending: additional, formerKeys: undefined },
      postQuantum: resumed?.postQuantum ?? keyExchangeOf(ctx.crypto, suite.ke).postQuantum,
      keys: ikeKeys(ctx.crypto, suite, { ...secret, ni, nr, spiI, spiR } satisfies IkeSeed),
      nat: natOf(notifies, message, path, esp.forceEncapsulation, ctx), // RFC 5723 §4.3.2: "determined anew"
      fragmentation: canFragment(notifies),
      first: { initiator: datagram, responder: bytes, ni, nr },
      peerHashes: hashesOf(notifies),
      redirectable: isRedirectable(notifies, ctx),
      ...{ since: ctx.now, until: later(ctx.now, ike.halfOpenMs), moves: 0 },
    },
  };
  const news = event({ name: 'half-open', kind: resumed ? 'resumed' : 'full', ...which(sa) });
  return { sa: answered(sa, 0, [bytes]), outputs: [{ type: 'send', path, bytes }, news] };
}

/** The initiator has its answer; IKE_INTERMEDIATE or IKE_AUTH follows, from port 4500 when there is a NAT. */
export function concludeKeyed(
  sa: InPhase<'initSent' | 'resumeSent'>,
  { message, datagram, nonce: nr, notifies, resumptionForm }: FirstAnswer,
  { suite, additional, secret, resumed }: Agreement<HeldTicket>,
  ctx: Context,
): Step {
  const { connection, nonce: ni, request, handshake } = sa.phase;
  const { spiI } = sa;
  const { spiR } = message;
  const nat = natOf(notifies, message, sa.path, connection.forceEncapsulation, ctx);
  const path = pathAfterNatDetection(sa.path, nat, connection);
  const keyed: IkeSa = {
    ...{ role: 'initiator', spiI, spiR, path, window: { ...sa.window, sent: undefined }, connection },
    phase: {
      ...{ name: 'keyed', suite, connection, nat, resumed, resumptionForm, pending: additional },
      // RFC 8784 §3: "MUST NOT be used when these subkeys are calculated as result of ... resumption".
      ppk: !resumed && agreesOnPpk(connection, notifies),
      // RFC 6023 §3: only with a responder that says so.
      childless: connection.childless && findNotify(notifies, Notify.CHILDLESS_IKEV2_SUPPORTED) !== undefined,
      postQuantum: resumed?.postQuantum ?? keyExchangeOf(ctx.crypto, suite.ke).postQuantum,
      handshake: answeredHandshake(handshake, secret.from === 'full' ? 1 : 0),
      keys: ikeKeys(ctx.crypto, suite, { ...secret, ni, nr, spiI, spiR } satisfies IkeSeed),
      fragmentation: canFragment(notifies),
      first: { initiator: request, responder: datagram, ni, nr },
      peerHashes: hashesOf(notifies),
    },
  };
  return { sa: keyed, outputs: [] };
}
