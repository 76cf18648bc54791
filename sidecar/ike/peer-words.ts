/** What siblings say, out of CBOR: every field is checked, since a pod of another version may hold the same keys. */
import { ProtocolError } from './error.ts';
import type { Answer, LeaseNotice, Question, SpentTicket } from './peer-channel.ts';
import { type Instant, later } from './sa.ts';
import type { SupersededNotice } from './superseded.ts';
import type { Bytes } from './wire/bytes.ts';
import type { Plain } from './wire/cbor.ts';

/** @throws ProtocolError (malformed) */
export function parseQuestion(plain: Plain): Question {
  const { kind, nonce, from, incarnation, to, at, ...rest } = record(plain);
  const pods = { from: number(from), incarnation: bytes(incarnation), to: number(to) };
  const asked = { nonce: bytes(nonce), ...pods, at: instant(at) };
  switch (kind) {
    case 'fetch':
      return { kind, ...asked, spiI: text(rest['spiI']), spiR: text(rest['spiR']), proof: maybe(rest['proof'], bytes) };
    case 'settled':
      return { kind, ...asked, spiI: text(rest['spiI']), spiR: text(rest['spiR']) };
    case 'lease':
      return { kind, ...asked, leases: list(rest['leases']).map(lease) };
    case 'leases?':
      return { kind, ...asked, after: maybe(rest['after'], bytes) };
    case 'spent':
      return { kind, ...asked, tickets: list(rest['tickets']).map(spentTicket) };
    case 'superseded':
      return { kind, ...asked, sessions: list(rest['sessions']).map(superseded) };
    default:
      throw unknown('question');
  }
}

/** @throws ProtocolError (malformed) */
export function parseAnswer(plain: Plain): { incarnation: Bytes; answer: Answer } {
  const { incarnation, answer } = record(plain);
  return { incarnation: bytes(incarnation), answer: answerOf(record(answer)) };
}

function answerOf(fields: Fields): Answer {
  const { kind } = fields;
  switch (kind) {
    case 'sa':
      return { kind, sa: bytes(fields['sa']), leftMs: number(fields['leftMs']) };
    case 'moved':
      return { kind, to: number(fields['to']) };
    case 'repeat':
      return { kind, datagrams: list(fields['datagrams']).map(bytes) };
    case 'gone':
    case 'unproven':
    case 'noted':
      return { kind };
    case 'leased':
      return { kind, refused: list(fields['refused']).map(bytes) };
    case 'leases':
      return { kind, leases: list(fields['leases']).map(lease), more: boolean(fields['more']) };
    default:
      throw unknown('answer');
  }
}

function lease(plain: Plain): LeaseNotice {
  const { address, identity, forMs, ageMs, oldSpi } = record(plain);
  const spans = { forMs: number(forMs), ageMs: number(ageMs) };
  return { address: bytes(address), identity: text(identity), ...spans, oldSpi: maybe(oldSpi, text) };
}

function spentTicket(plain: Plain): SpentTicket {
  const { id, until } = record(plain);
  return { id: bytes(id), until: instant(until) };
}

function superseded(plain: Plain): SupersededNotice {
  const { identity, ageMs, why, old } = record(plain);
  return { identity: identityOf(identity), ageMs: number(ageMs), why: reason(why), old: maybe(old, spiPair) };
}

function identityOf(plain: Plain): SupersededNotice['identity'] {
  const { idType, data } = record(plain);
  return { idType: number(idType), data: bytes(data) };
}

function spiPair(plain: Plain): NonNullable<SupersededNotice['old']> {
  const { spiI, spiR } = record(plain);
  return { spiI: text(spiI), spiR: text(spiR) };
}

function reason(plain: Plain): SupersededNotice['why'] {
  const known = REASONS.find((one) => one === plain);
  if (!known) throw unknown('reason');
  return known;
}
const REASONS = ['superseded by resumption', 'superseded by initial contact', 'replaced by another session'] as const;

type Fields = Readonly<Record<string, Plain>>;

const isRecord = (plain: Plain): plain is Fields => typeof plain === 'object' && plain !== null;

function record(plain: Plain): Fields {
  if (!isRecord(plain)) throw unknown('record');
  return plain;
}

function list(plain: Plain): readonly Plain[] {
  if (!Array.isArray(plain)) throw unknown('list');
  return plain;
}

function bytes(plain: Plain): Bytes {
  if (!(plain instanceof Uint8Array)) throw unknown('bytes');
  return plain;
}

function number(plain: Plain): number {
  if (typeof plain !== 'number') throw unknown('number');
  return plain;
}

const instant = (plain: Plain): Instant => later(0 as Instant, number(plain));

const maybe = <T>(plain: Plain, read: (plain: Plain) => T): T | undefined => (plain === undefined ? undefined : read(plain));

function boolean(plain: Plain): boolean {
  if (typeof plain !== 'boolean') throw unknown('flag');
  return plain;
}

function text(plain: Plain): string {
  if (typeof plain !== 'string') throw unknown('text');
  return plain;
}

const unknown = (what: string): ProtocolError => ProtocolError.malformed(`words of a sibling with an unknown ${what}`);
