/**
 * Words between sibling pods: moving an SA, and telling of leases in each other's slices. Sealed with a subkey of the ring.
 *
 *     version(1) = 1 | direction(1) | reserved(2) = 0 | key id(8) | nonce(24) | sealed CBOR | tag(16)
 *
 * The first twelve bytes are additional data, and so is the digest of its question with an answer: an answer fits one question only,
 * with its nonce, both pods and the SPIs that it asks for, and an old one cannot be played again. Questions carry the time.
 */
import type { KeyRing } from '../contract/key-ring.ts';
import type { Cryptography } from './crypto/cryptography.ts';
import { ProtocolError } from './error.ts';
import { parseAnswer, parseQuestion } from './peer-words.ts';
import { subkeys } from './ring-subkeys.ts';
import type { Instant } from './sa.ts';
import type { SupersededNotice } from './superseded.ts';
import { type Bytes, concat, EMPTY, equalBytes } from './wire/bytes.ts';
import { decodeCbor, encodeCbor, type Plain } from './wire/cbor.ts';

interface Asked {
  /** 16 random bytes. */
  readonly nonce: Bytes;
  /** Who asks, and which of its incarnations. */
  readonly from: number;
  readonly incarnation: Bytes;
  readonly to: number;
  /** When it was first put, by the asker's clock: recorded words are of no use for long. */
  readonly at: Instant;
}

/** A lease in the slice of the pod that is told. A span and no instant: two pods' clocks need not agree. */
export interface LeaseNotice {
  readonly address: Bytes;
  /** `identityKey` of who has it. */
  readonly identity: string;
  /** The lease ends after this time unless it is told again; 0 or less: it has ended. */
  readonly forMs: number;
  /** How long ago its session began: of two that claim one address, the younger has it. */
  readonly ageMs: number;
  /** The responder's SPI of the SA that this session replaces; undefined when the lease is told again. */
  readonly oldSpi: string | undefined;
}

/** A ticket that was used; the instant is that in the ticket. */
export interface SpentTicket {
  readonly id: Bytes;
  readonly until: Instant;
}

export type Question =
  /** Give me this SA. `proof`: for one that is established, an authentic request of its peer that has not been answered. */
  | ({ readonly kind: 'fetch'; readonly spiI: string; readonly spiR: string; readonly proof: Bytes | undefined } & Asked)
  /** I have this SA now, which your SPI names. */
  | ({ readonly kind: 'settled'; readonly spiI: string; readonly spiR: string } & Asked)
  /** I hold these addresses in your slice. */
  | ({ readonly kind: 'lease'; readonly leases: readonly LeaseNotice[] } & Asked)
  /** Which addresses do you hold in my slice? Those that come after this one, in the order of their bytes. */
  | ({ readonly kind: 'leases?'; readonly after: Bytes | undefined } & Asked)
  /** These tickets were used: refuse them. */
  | ({ readonly kind: 'spent'; readonly tickets: readonly SpentTicket[] } & Asked)
  /** Sessions that began here take the place of these. */
  | ({ readonly kind: 'superseded'; readonly sessions: readonly SupersededNotice[] } & Asked);

export type Answer =
  /** `encodeSa`; the answering pod has forgotten it. `leftMs`: how much of its time as half-open is left. */
  | { readonly kind: 'sa'; readonly sa: Bytes; readonly leftMs: number }
  | { readonly kind: 'moved'; readonly to: number }
  | { readonly kind: 'gone' }
  /** The proof is none: the SA stays. */
  | { readonly kind: 'unproven' }
  /** The peer's request was answered already: the same answer once more, and the SA stays. */
  | { readonly kind: 'repeat'; readonly datagrams: readonly Bytes[] }
  /** All but these addresses, which another session has. */
  | { readonly kind: 'leased'; readonly refused: readonly Bytes[] }
  /** `more`: the list goes on. */
  | { readonly kind: 'leases'; readonly leases: readonly LeaseNotice[]; readonly more: boolean }
  | { readonly kind: 'noted' };

export interface PeerKeys {
  readonly ring: KeyRing;
  readonly crypto: Cryptography;
  readonly audience: string;
}

export interface PeerSealing extends PeerKeys {
  readonly random: (length: number) => Bytes;
}

const Direction = { QUESTION: 1, ANSWER: 2 } as const;
const KEY_ID_AT = 4;
const NONCE_AT = 12;
const SEALED_AT = 36;

export const sealQuestion = (sealing: PeerSealing, question: Question): Bytes =>
  seal(sealing, Direction.QUESTION, EMPTY, encodeCbor(question));

/** @throws ProtocolError (drop) for anything that no sibling sealed. */
export const openQuestion = (keys: PeerKeys, bytes: Bytes): Question =>
  parseQuestion(open(keys, Direction.QUESTION, EMPTY, bytes));

/** `incarnation`: of the pod that answers. */
export const sealAnswer = (sealing: PeerSealing, question: Question, incarnation: Bytes, answer: Answer): Bytes =>
  seal(sealing, Direction.ANSWER, digest(sealing, question), encodeCbor({ incarnation, answer }));

/** @throws ProtocolError (drop) for anything but the answer to this question. */
export const openAnswer = (keys: PeerKeys, question: Question, bytes: Bytes): { incarnation: Bytes; answer: Answer } =>
  parseAnswer(open(keys, Direction.ANSWER, digest(keys, question), bytes));

const digest = ({ crypto }: PeerKeys, question: Question): Bytes => crypto.sealing.sha256(encodeCbor(question));

function seal(sealing: PeerSealing, direction: number, bound: Bytes, plain: Bytes): Bytes {
  const { active } = subkeys(sealing.ring, sealing.audience, sealing.crypto);
  const header = concat(start(direction), active.key.id);
  const nonce = sealing.random(SEALED_AT - NONCE_AT);
  return concat(header, nonce, sealing.crypto.sealing.seal(active.subkey('hand-off'), nonce, plain, concat(header, bound)));
}

function open(keys: PeerKeys, direction: number, bound: Bytes, bytes: Bytes): Plain {
  const header = bytes.subarray(0, NONCE_AT);
  if (!equalBytes(header.subarray(0, KEY_ID_AT), start(direction))) throw ProtocolError.malformed('not the words of a sibling');
  const key = subkeys(keys.ring, keys.audience, keys.crypto).byId(header.subarray(KEY_ID_AT));
  const nonce = bytes.subarray(NONCE_AT, SEALED_AT);
  const plain = key && keys.crypto.sealing.open(key.subkey('hand-off'), nonce, bytes.subarray(SEALED_AT), concat(header, bound));
  if (plain === undefined) throw ProtocolError.malformed('words that no sibling sealed for this');
  return decodeCbor(plain);
}

const start = (direction: number): Bytes => Uint8Array.of(1, direction, 0, 0);
