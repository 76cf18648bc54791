/** What an error makes of a message and its SA (RFC 7296 §2.21): the one place where ProtocolErrors end. */
import { retryAt, wanting, withChildren } from './child-exchange.ts';
import type { Context } from './context.ts';
import { UNEXPECTED } from './dispatch.ts';
import type { ProtocolError } from './error.ts';
import type { OwnExchange } from './established.ts';
import { HALF_OPEN_LIMIT, NO_DATAPLANE, nameOfNotify, respondInClear, SESSION_LIMIT } from './first-exchange.ts';
import { gone } from './gone.ts';
import { NOT_AUTHENTIC, type SecuredSa } from './protection.ts';
import { OUT_OF_WINDOW, UNPROTECTED } from './reception.ts';
import { type IkeSa, type InPhase, inPhase, isUnproven, type Path } from './sa.ts';
import { type ClosedWhy, type DropReason, event, type Output, type Step, which } from './step.ts';
import { voidTicket } from './ticket-request.ts';
import { answer, concluded, isFirstExchange, request } from './window.ts';
import { type Bytes, hex } from './wire/bytes.ts';
import { type Header, type Message, NO_SPI } from './wire/message.ts';
import { notify } from './wire/payload.ts';
import { Exchange, Notify, Protocol } from './wire/registry.ts';

/** How far a datagram had come when it failed. */
export interface Stage {
  readonly path: Path;
  readonly datagram: Bytes;
  message: Message | undefined;
  sa: IkeSa | undefined;
  /** With keys, and the message was whole and authentic. */
  authentic: SecuredSa | undefined;
  /** What the message did before it failed. */
  outputs: readonly Output[];
}

export function failure(error: ProtocolError, stage: Stage, ctx: Context): Step {
  const { message, authentic } = stage;
  if (authentic && message) {
    const step = message.response
      ? failedResponse(error, authentic, message, ctx)
      : failedRequest(error, authentic, message, stage.path, ctx);
    return { ...step, outputs: [...stage.outputs, ...step.outputs] };
  }
  if (error.verdict === 'drop') return { sa: stage.sa, outputs: [dropped(error, stage)] };
  if (stage.sa && message?.response)
    return { sa: undefined, closes: 'handshake failed', outputs: [refused(error, 'peer', stage.sa, message)] };
  return { sa: stage.sa, outputs: inClear(error, stage) };
}

/** RFC 7296 §2.21.1, §2.21.4: an answer to an unprotected request, never longer than it and from no SA. */
function inClear(error: ProtocolError, stage: Stage): Output[] {
  const { message, datagram, path } = stage;
  const header = message ?? rawHeader(datagram);
  // Whatever else is not protected may be anybody's, and is not worth an answer.
  if (!header || header.response || !(beginsAnSa(header) || error.notify === Notify.INVALID_MAJOR_VERSION))
    return [dropped(error, stage)];
  const answer = respondInClear(header, [notify(error.notify, error.data)], path);
  if (answer.bytes.length > datagram.length) return [dropped(error, stage)];
  return [answer, refused(error, 'us', { spiI: header.spiI, spiR: header.spiR, path }, header)];
}

const beginsAnSa = ({ exchange, spiR, messageId }: Header): boolean =>
  isFirstExchange(exchange) && spiR === NO_SPI && messageId === 0;

/** Of a message that could not be decoded. */
function rawHeader(datagram: Bytes): Header | undefined {
  if (datagram.length < 28) return undefined;
  const view = new DataView(datagram.buffer, datagram.byteOffset);
  const flags = view.getUint8(19);
  return {
    spiI: hex(datagram.subarray(0, 8)),
    spiR: hex(datagram.subarray(8, 16)),
    exchange: view.getUint8(18),
    response: (flags & 0x20) !== 0,
    initiator: (flags & 0x08) !== 0,
    messageId: view.getUint32(20),
  };
}

/** RFC 7296 §2.21.2, §2.21.3: an authentic request is always answered; what it cannot be forgiven ends the SA. */
function failedRequest(error: ProtocolError, sa: SecuredSa, message: Message, path: Path, ctx: Context): Step {
  const payloads = [notify(error.verdict === 'drop' ? Notify.INVALID_SYNTAX : error.notify, error.data)];
  const outputs = [refused(error, 'us', sa, message)];
  // RFC 7296 §2.21.2: in IKE_AUTH an unknown critical payload ends the SA too.
  if (error.verdict === 'refuse' && !isUnproven((sa as IkeSa).phase)) {
    const alive = answer(sa, sa, { ...message, path }, payloads, ctx);
    return { sa: alive.sa, outputs: [...alive.outputs, ...outputs] };
  }
  const dead = answer(sa, gone(sa, ctx), { ...message, path }, payloads, ctx);
  return { sa: dead.sa, closes: whyClosed(error, sa), outputs: [...dead.outputs, ...outputs] };
}

/** RFC 7296 §2.21: the exchange came to nothing; what the peer may not say ends the SA. */
function failedResponse(error: ProtocolError, sa: SecuredSa, message: Message, ctx: Context): Step {
  const outputs = [refused(error, 'us', sa, message)];
  if (error.verdict === 'refuse' && inPhase(sa, 'established') && !makesIkeSa(sa.phase.exchange))
    return { sa: undone(sa, ctx), outputs };
  return { sa: undefined, closes: whyClosed(error, sa), outputs: [...farewell(error, sa, ctx), ...outputs] };
}

/** RFC 7296 §2.21: "clean up the IKE state (for example, by sending a Delete for a bad SA)": the peer believes in a child that we do not have. */
function undone(sa: InPhase<'established'>, ctx: Context): IkeSa {
  const { exchange, children } = sa.phase;
  const free = concluded({ ...sa, phase: { ...sa.phase, exchange: undefined } });
  const made = exchange && childUnderway(exchange);
  if (!made) return free;
  const { old, spiIn } = made;
  const later = children.map((child) => (child.spiIn === old ? { ...child, rekeyAt: retryAt(ctx) } : child));
  return wanting(withChildren(free, later), { kind: 'disown', spiIn });
}

const makesIkeSa = (exchange: OwnExchange | undefined): boolean =>
  exchange?.kind === 'rekeyIke' || (exchange?.kind === 'followup' && exchange.followup.of.kind === 'ike');

function childUnderway(exchange: OwnExchange): { readonly old: number | undefined; readonly spiIn: number } | undefined {
  if (exchange.kind === 'newChild') return { old: undefined, spiIn: exchange.offer.spiIn };
  if (exchange.kind === 'rekeyChild') return { old: exchange.old, spiIn: exchange.offer.spiIn };
  if (exchange.kind !== 'followup' || exchange.followup.of.kind !== 'child') return undefined;
  return { old: exchange.followup.of.old, spiIn: exchange.followup.of.agreement.spiIn };
}

/** The peer may believe in an SA that we do not have. Nobody waits for its answer, so it is said once. */
function farewell(error: ProtocolError, sa: SecuredSa, ctx: Context): readonly Output[] {
  // RFC 7296 §2.21.2, RFC 8784 §3: "sending the AUTHENTICATION_FAILED notification in the INFORMATIONAL exchange".
  const why = error.notify === Notify.AUTHENTICATION_FAILED ? [notify(error.notify)] : [];
  const { outputs } = request(sa, Exchange.INFORMATIONAL, [...why, { kind: 'D', protocol: Protocol.IKE, spis: [] }], ctx);
  return inPhase(sa, 'established') ? [...outputs, ...voidTicket(sa, 'we deleted the IKE SA')] : outputs;
}

function whyClosed(error: ProtocolError, sa: IkeSa): ClosedWhy {
  if (error.notify === Notify.AUTHENTICATION_FAILED) return 'authentication failed';
  return sa.phase.name === 'established' ? 'protocol error' : 'handshake failed';
}

const refused = (
  error: ProtocolError,
  by: 'us' | 'peer',
  sa: Parameters<typeof which>[0],
  { exchange }: { readonly exchange: number },
): Output =>
  event({
    name: 'refused',
    by,
    exchange: nameOfExchange(exchange),
    notify: nameOfNotify(error.notify),
    reason: error.message,
    ...which(sa),
  });

const nameOfExchange = (number: number): string =>
  Object.entries(Exchange).find(([, value]) => value === number)?.[0] ?? `exchange ${number}`;

function dropped(error: ProtocolError, { path }: Stage): Output {
  return event({ name: 'dropped', reason: REASONS[error.message] ?? 'malformed', detail: error.message, path });
}

export const UNKNOWN_SPI = 'no such SA';
export const NOT_READY = 'no configuration yet';
const REASONS: Readonly<Record<string, DropReason>> = {
  [NOT_AUTHENTIC]: 'not-authentic',
  [OUT_OF_WINDOW]: 'out-of-window',
  [HALF_OPEN_LIMIT]: 'half-open-limit',
  [SESSION_LIMIT]: 'session-limit',
  [UNKNOWN_SPI]: 'unknown-spi',
  [UNEXPECTED]: 'unexpected',
  [UNPROTECTED]: 'unexpected',
  [NOT_READY]: 'not-ready',
  [NO_DATAPLANE]: 'not-ready',
};
