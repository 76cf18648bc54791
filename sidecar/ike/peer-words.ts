/** What siblings say, out of CBOR: every field is checked, since a pod of another version may hold the same keys. */
import type { LeaseNotice } from './addresses.ts';
import { ProtocolError } from './error.ts';
import type { Answer, Question } from './peer-channel.ts';
import { type Instant, later } from './sa.ts';
import type { Bytes } from './wire/bytes.ts';
import type { Plain } from './wire/cbor.ts';

/** @throws ProtocolError (malformed) */
export function parseQuestion(plain: Plain): Question {
  const { kind, nonce, from, incarnation, to, ...rest } = record(plain);
  const asked = { nonce: bytes(nonce), from: number(from), incarnation: bytes(incarnation), to: number(to) };
  switch (kind) {
    case 'fetch':
      return { kind, ...asked, spiI: text(rest['spiI']), spiR: text(rest['spiR']) };
    case 'lease':
      return { kind, ...asked, leases: list(rest['leases']).map(lease) };
    case 'leases?':
      return { kind, ...asked };
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
      return { kind, sa: bytes(fields['sa']) };
    case 'moved':
      return { kind, to: number(fields['to']) };
    case 'gone':
      return { kind };
    case 'leased':
      return { kind, refused: list(fields['refused']).map(bytes) };
    case 'leases':
      return { kind, leases: list(fields['leases']).map(lease) };
    default:
      throw unknown('answer');
  }
}

function lease(plain: Plain): LeaseNotice {
  const { address, identity, until, oldSpi } = record(plain);
  return {
    address: bytes(address),
    identity: text(identity),
    until: later(0 as Instant, number(until)),
    oldSpi: oldSpi === undefined ? undefined : text(oldSpi),
  };
}

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

function text(plain: Plain): string {
  if (typeof plain !== 'string') throw unknown('text');
  return plain;
}

const unknown = (what: string): ProtocolError => ProtocolError.malformed(`words of a sibling with an unknown ${what}`);
