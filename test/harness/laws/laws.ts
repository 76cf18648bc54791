/** The laws as properties, for the tests with few runs and for `npm run fuzz` with many. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { EapAnswer } from '../../../sidecar/ike/eap.ts';
import { inPhase } from '../../../sidecar/ike/sa.ts';
import { isFirstExchange } from '../../../sidecar/ike/window.ts';
import { type Bytes, concat, hex } from '../../../sidecar/ike/wire/bytes.ts';
import { decodeMessage, encodeMessage, encodePrefix, type Header, NO_SPI } from '../../../sidecar/ike/wire/message.ts';
import type { Payload } from '../../../sidecar/ike/wire/payload.ts';
import { Notify } from '../../../sidecar/ike/wire/registry.ts';
import { encryptedMessage, message } from '../arbitrary-payload.ts';
import { MSK, outcome, packet } from '../eap-script.ts';
import { config, policy } from '../policy.ts';
import { Continuation, sends } from './continuation.ts';
import { mangled } from './mangled.ts';
import { type Harvest, harvest, type Moment } from './moments.ts';
import type { Overheard } from './overheard.ts';
import { edit, edited, type Said, said, spoken } from './said.ts';

let made: Harvest | undefined;
export const honest = (): Harvest => (made ??= harvest());

const gatewayMoment = (): fc.Arbitrary<Moment> =>
  fc.constantFrom(...honest().moments.filter(({ name }) => name.startsWith('gateway')));
const moment = (): fc.Arbitrary<Moment> => fc.constantFrom(...honest().moments);

/** In every phase, messages of every kind from a peer with the right keys: no exception but ProtocolError, and nothing left behind. */
export const authenticMessages = (overheard: readonly Overheard[] = honest().overheard) =>
  fc.property(moment(), fc.array(said, { minLength: 1, maxLength: 4 }), (at, messages) => {
    const subject = new Continuation(at);
    for (const one of messages) sayTwice(subject, one, overheard);
    subject.beLeft();
  });

/** In every phase, whatever whoever speaks EAP says, in time or late, of this SA or of none: nothing but ProtocolErrors, and it is said once. */
export const eapAnswers = () =>
  fc.property(moment(), eapAnswer, fc.array(said, { maxLength: 2 }), (at, answer, messages) => {
    const subject = new Continuation(at);
    const before = subject.state();
    assert.deepEqual(subject.eap(answer, 'of nobody'), []);
    const waits = subject.sa !== undefined && inPhase(subject.sa, 'eapAsked', 'eapHeard');
    const outputs = subject.eap(answer);
    assert.equal(subject.state() === before, !waits);
    if (!waits) assert.deepEqual(outputs, []);
    assert.deepEqual(subject.eap(answer), [], 'a second answer to one question');
    for (const one of messages) sayTwice(subject, one);
    subject.beLeft();
  });

const eapPacket: fc.Arbitrary<Bytes> = fc.oneof(
  fc.constantFrom(packet(1, 1), packet(2, 1), packet(3, 1), packet(4, 1)),
  fc.uint8Array({ maxLength: 20 }),
);
const eapAnswer: fc.Arbitrary<EapAnswer> = fc.oneof(
  eapPacket.map((message): EapAnswer => ({ is: 'packet', message })),
  fc
    .tuple(eapPacket, fc.constantFrom(undefined, MSK), fc.boolean(), fc.string())
    .map(([message, msk, mutual, identity]): EapAnswer => ({ is: 'success', message, ...outcome({ msk, mutual, identity }) })),
  fc.option(eapPacket, { nil: undefined }).map((message): EapAnswer => ({ is: 'failure', message, why: 'it says so' })),
);

/** RFC 7296 §2.1: a request is answered as often as it comes, with the same bytes, and has its effect once. */
function sayTwice(subject: Continuation, one: Said, overheard: readonly Overheard[] = honest().overheard): void {
  const { sa } = subject;
  if (!sa) return;
  const message = spoken(one, sa, overheard);
  const datagrams = subject.from(message, one);
  const first = datagrams.flatMap((bytes) => sends(subject.hear(bytes)));
  if (message.response || one.idOffset !== 0) return;
  const state = subject.state();
  const again = datagrams.flatMap((bytes) => sends(subject.hear(bytes)));
  assert.equal(subject.state(), state, 'a repeated request changes nothing');
  const responses = first.filter(({ bytes }) => isResponse(bytes));
  if (subject.sa)
    assert.deepEqual(
      again.map(({ bytes }) => hex(bytes)),
      responses.map(({ bytes }) => hex(bytes)),
    );
}

const isResponse = (bytes: Bytes): boolean => decodeMessage(bytes).response;

/** First requests that are nearly right: an SA at most for each, the same answer to a copy, a cookie first when that is the rule. */
export const firstRequests = () =>
  fc.property(gatewayMoment(), fc.nat(1_000), fc.array(edit, { maxLength: 3 }), fc.boolean(), (at, like, edits, cookies) => {
    const subject = new Continuation(at, policy({ config: config({ ike: { cookieThreshold: cookies ? 0 : 100 } }) }));
    const requests = honest().overheard.filter(({ exchange, response }) => !response && isFirstExchange(exchange));
    const { exchange, payloads } = requests[like % requests.length] ?? { exchange: 0, payloads: [] };
    const changed = edits.reduce<readonly Payload[]>(edited, payloads);
    const header = { spiI: 'feedfeedfeedfeed', spiR: NO_SPI, exchange, response: false, initiator: true, messageId: 0 };
    const [answer] = strange(subject, encodeMessage({ ...header, payloads: changed }));
    const cookie = answer && cookieIn(answer);
    assert(!cookies || !answer || cookie || !decodeMessage(answer).payloads.some(({ kind }) => kind === 'NONCE'));
    if (!cookie) return;
    const brought = encodeMessage({ ...header, payloads: [cookie, ...changed.filter((one) => !isCookie(one))] });
    const [second] = strange(subject, brought);
    assert(!second || !cookieIn(second), 'a cookie that was brought back is taken');
    const copy = sends(subject.hear(brought)).map(({ bytes }) => bytes);
    if (subject.sas.halfOpen > 0 && second) assert.deepEqual(copy, [second]);
  });

const isCookie = (one: Payload): boolean => one.kind === 'N' && one.notify === Notify.COOKIE;
const cookieIn = (datagram: Bytes): Payload | undefined => decodeMessage(datagram).payloads.find(isCookie);

/** Any message in clear, whether its SPIs are known or not: what has keys is not moved by it. */
export const clearMessages = () =>
  fc.property(moment(), message, fc.boolean(), fc.boolean(), (at, content, known, first) => {
    const subject = new Continuation(at);
    const { sa } = subject;
    const spis = known && sa ? { spiI: sa.spiI, spiR: first ? '0'.repeat(16) : sa.spiR } : {};
    strange(subject, encodeMessage({ ...content, ...spis }));
  });

/** Something that looks encrypted, for an SA that exists. */
export const forgedMessages = () =>
  fc.property(moment(), encryptedMessage, (at, { header, first, fragment, body }) => {
    const subject = new Continuation(at);
    const { sa } = subject;
    const known = sa ? { ...header, spiI: sa.spiI, spiR: sa.spiR } : header;
    strange(subject, concat(encodePrefix(known, { first, fragment, bodyLength: body.length }), body));
  });

/** Honest datagrams with bytes changed, cut off or added; and noise. */
export const mangledDatagrams = () =>
  fc.property(moment(), mangled(honest().datagrams), (at, { honest: original, bytes }) => {
    const subject = new Continuation(at);
    if (hex(bytes) === hex(original)) subject.hear(bytes);
    else strange(subject, bytes);
  });

/** RFC 7296 §2.21.1: a stranger's message moves nothing that has keys, and what answers it is never longer than it, and no answer to an answer. */
function strange(subject: Continuation, datagram: Bytes): readonly Bytes[] {
  const before = subject.secured();
  const { waits } = subject;
  const answers = sends(subject.hear(datagram)).map((output) => output.bytes);
  const after = subject.secured();
  for (const [spi, state] of before) assert.equal(after.get(spi), state);
  if (after.size === before.size && !waits) bounded(datagram, answers);
  return answers;
}

function bounded(datagram: Bytes, answers: readonly Bytes[]): void {
  const length = answers.reduce((sum, answer) => sum + answer.length, 0);
  assert(length <= datagram.length, `${length} bytes of answer to ${datagram.length}`);
  if (((datagram[19] ?? 0) & 0x20) !== 0) assert.equal(length, 0, 'an answer is not answered');
}

/** An empty message. */
export const inClear = (header: Header): Bytes => encodeMessage({ ...header, payloads: [] });
