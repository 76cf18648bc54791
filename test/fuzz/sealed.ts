/** What is sealed with the key ring: tickets, words between siblings, SAs that move. Changed in any way it opens for nobody. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { cryptography } from '../../sidecar/ike/crypto/cryptographies.ts';
import { openAnswer, openQuestion, type Question, sealAnswer, sealQuestion } from '../../sidecar/ike/peer-channel.ts';
import { type Instant, ownSpi } from '../../sidecar/ike/sa.ts';
import { decodeSa } from '../../sidecar/ike/sa-encoding.ts';
import { openTicket } from '../../sidecar/ike/ticket.ts';
import { type Bytes, hex } from '../../sidecar/ike/wire/bytes.ts';
import { Notify } from '../../sidecar/ike/wire/registry.ts';
import { honest } from '../harness/laws/laws.ts';
import { mangled } from '../harness/laws/mangled.ts';
import { config, ring } from '../harness/policy.ts';
import { seeded } from '../harness/random.ts';
import { orProtocolError } from './decoder.ts';

const keys = { ring: ring(), crypto: cryptography('auto'), audience: config().audience };
const random = seeded(9);

/** Tickets that a gateway gave, without the lifetime in front. */
const tickets = (): Bytes[] =>
  honest().overheard.flatMap(({ payloads }) =>
    payloads.flatMap((one) => (one.kind === 'N' && one.notify === Notify.TICKET_LT_OPAQUE ? [one.data.subarray(4)] : [])),
  );

export const ticketOpening = () =>
  fc.property(mangled(tickets()), ({ honest: original, bytes }) => {
    const opened = openTicket({ ...keys, now: NOW }, bytes);
    if (!opened.refused) assert.equal(hex(bytes), hex(original), 'a changed ticket opens');
  });

const NOW = 1_000_000 as Instant;
const asked = { nonce: random(16), from: 1, incarnation: random(16), to: 0, at: NOW };
const question: Question = { kind: 'fetch', spiI: '01'.repeat(8), spiR: '02'.repeat(8), proof: undefined, ...asked };

export const words = () => {
  const sealed = sealQuestion({ ...keys, random }, question);
  const answers = honest().moments.flatMap(({ sas }) =>
    sas.slice(0, 1).map((sa) => sealAnswer({ ...keys, random }, question, random(16), { kind: 'sa', sa, leftMs: 9_000 })),
  );
  return fc.property(mangled([sealed]), mangled(answers), (one, other) => {
    const read = orProtocolError(() => openQuestion(keys, one.bytes));
    if (typeof read !== 'symbol') assert.equal(hex(one.bytes), hex(one.honest), 'changed words are understood');
    const answer = orProtocolError(() => openAnswer(keys, question, other.bytes));
    if (typeof answer !== 'symbol') assert.equal(hex(other.bytes), hex(other.honest), 'changed words are understood');
  });
};

/** Whatever decodes has an SPI of ours; whether it makes sense is for whoever sealed it. */
export const movedSas = () =>
  fc.property(mangled(honest().moments.flatMap(({ sas }) => sas)), ({ bytes }) => {
    const sa = orProtocolError(() => decodeSa(bytes));
    if (typeof sa !== 'symbol') ownSpi(sa);
  });
