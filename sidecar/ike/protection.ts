/** The Encrypted payload (RFC 7296 §3.14, RFC 5282 for AEADs) and its fragments (RFC 7383). */
import { encryptionOf, integrityOf } from './algorithms.ts';
import type { Context } from './context.ts';
import type { Encryption } from './crypto/cryptography.ts';
import { ProtocolError } from './error.ts';
import { type Fragments, type IkeSa, type Instant, later, type Secured } from './sa.ts';
import { type Bytes, concat, EMPTY, equalBytes, Writer } from './wire/bytes.ts';
import { type Encrypted, encodePrefix, type Header, type Message } from './wire/message.ts';
import { encodePayloads, type Payload } from './wire/payload.ts';

/** An SA that has keys. */
export type SecuredSa = IkeSa & { readonly phase: Secured };
type Sealing = Pick<Context, 'crypto' | 'random'>;

const MAX_FRAGMENTS = 64;
const MAX_REASSEMBLED_BYTES = 32_768;
/** By then its sender has given up, or says it all again. */
const REASSEMBLY_MS = 15_000;

/** One datagram, or several when it would be longer than `limit` and the peer can put fragments together. */
export function seal(sa: SecuredSa, header: Header, payloads: readonly Payload[], limit: number, ctx: Sealing): readonly Bytes[] {
  const encryption = encryptionOf(ctx.crypto, sa.phase.suite);
  const { first, bytes } = encodePayloads(payloads);
  const overhead = encodePrefix(header, { first, bodyLength: 0 }).length + envelopeLength(sa, encryption, ctx);
  if (!sa.phase.fragmentation || bytes.length + overhead <= limit) return [sealPart(sa, header, first, bytes, undefined, ctx)];
  const room = Math.max(limit - overhead - 4, 64);
  const total = Math.ceil(bytes.length / room);
  return Array.from({ length: total }, (_, index) => {
    const part = bytes.subarray(index * room, (index + 1) * room);
    // RFC 7383 §2.5: the type of the first inner payload is in fragment 1, all others carry zero.
    return sealPart(sa, header, index === 0 ? first : 0, part, { number: index + 1, total }, ctx);
  });
}

/** @throws ProtocolError (drop) when it is not authentic. Answers the inner payload chain of this datagram alone. */
export function open(sa: SecuredSa, encrypted: Encrypted, ctx: Pick<Context, 'crypto'>): Bytes {
  const encryption = encryptionOf(ctx.crypto, sa.phase.suite);
  const { encr, integ } = keysFor(sa, sa.role === 'initiator' ? 'responder' : 'initiator');
  let body = encrypted.body;
  if (!encryption.aead) {
    const integrity = integrityOf(ctx.crypto, sa.phase.suite);
    const length = body.length - integrity.icvLength;
    if (length < 0) throw ProtocolError.malformed('encrypted payload without checksum');
    const expected = integrity.mac(integ, concat(encrypted.aad, body.subarray(0, length)));
    if (!equalBytes(expected, body.subarray(length))) throw notAuthentic();
    body = body.subarray(0, length);
  }
  if (body.length < encryption.ivLength) throw ProtocolError.malformed('encrypted payload without initialization vector');
  const plaintext = encryption.open(
    encr,
    body.subarray(0, encryption.ivLength),
    body.subarray(encryption.ivLength),
    encrypted.aad,
  );
  if (!plaintext) throw notAuthentic();
  const padding = plaintext[plaintext.length - 1];
  if (padding === undefined || padding + 1 > plaintext.length) throw notAuthentic();
  return plaintext.subarray(0, plaintext.length - 1 - padding);
}

/** The fragments so far with this one among them; all of them there answers `complete` too (RFC 7383 §2.6). Undefined: it was there. */
export function collect(
  fragments: Fragments | undefined,
  message: Message & { readonly encrypted: Encrypted },
  part: Bytes,
  now: Instant,
):
  | {
      readonly fragments: Fragments;
      readonly complete: { readonly first: number; readonly head: Bytes; readonly bytes: Bytes } | undefined;
    }
  | undefined {
  const { number, total } = message.encrypted.fragment ?? { number: 1, total: 1 };
  if (total > MAX_FRAGMENTS) throw ProtocolError.malformed(`a message of ${total} fragments`);
  const known = matching(fragments, message, total);
  // RFC 7383 §2.6: the same fragment once more "is considered a replay and MUST be silently discarded".
  if (known?.parts[number]) return undefined;
  const parts: Record<string, Bytes> = { ...known?.parts, [number]: part };
  const size = Object.values(parts).reduce((sum, bytes) => sum + bytes.length, 0);
  if (size > MAX_REASSEMBLED_BYTES) throw ProtocolError.malformed('fragments of a message that is too long');
  const first = number === 1 ? message.encrypted.first : (known?.first ?? 0);
  const head = number === 1 ? message.encrypted.aad.slice() : (known?.head ?? EMPTY);
  const { messageId, response } = message;
  const next = { messageId, response, total, first, head, parts, until: known?.until ?? later(now, REASSEMBLY_MS) };
  const whole = Object.keys(parts).length === total;
  return { fragments: next, complete: whole ? { first, head, bytes: concat(...inOrder(next)) } : undefined };
}

/** RFC 7383 §2.6: another message starts anew; a smaller "total fragments" is an old set, a larger one replaces what we have. */
function matching(fragments: Fragments | undefined, message: Message, total: number): Fragments | undefined {
  if (!fragments || fragments.messageId !== message.messageId || fragments.response !== message.response) return undefined;
  if (total < fragments.total) throw ProtocolError.malformed('a fragment of a smaller set than the one under way');
  return total > fragments.total ? undefined : fragments;
}

const inOrder = (fragments: Fragments): Bytes[] =>
  Array.from({ length: fragments.total }, (_, index) => fragments.parts[index + 1] ?? EMPTY);

function sealPart(
  sa: SecuredSa,
  header: Header,
  first: number,
  inner: Bytes,
  fragment: { readonly number: number; readonly total: number } | undefined,
  ctx: Sealing,
): Bytes {
  const encryption = encryptionOf(ctx.crypto, sa.phase.suite);
  const { encr, integ } = keysFor(sa, sa.role);
  const plaintext = padded(inner, encryption.blockLength);
  const iv = encryption.aead ? countedIv(header, fragment?.number ?? 0, encryption.ivLength) : ctx.random(encryption.ivLength);
  const checksum = encryption.aead ? undefined : integrityOf(ctx.crypto, sa.phase.suite);
  const bodyLength = iv.length + plaintext.length + encryption.icvLength + (checksum?.icvLength ?? 0);
  const aad = encodePrefix(header, { first, bodyLength, ...(fragment ? { fragment } : {}) });
  const message = concat(aad, iv, encryption.seal(encr, iv, plaintext, aad));
  return checksum ? concat(message, checksum.mac(integ, message)) : message;
}

/** RFC 5282 §3.1: an IV must not repeat under a key; a message id and a fragment number are sent with one content only, so they make one that survives moves and restarts. */
function countedIv(header: Header, fragment: number, length: number): Bytes {
  return new Writer(length)
    .u16(header.response ? 1 : 0)
    .u16(fragment)
    .u32(header.messageId)
    .finish();
}

/** RFC 7296 §3.14: padding of any value, then its length. */
function padded(inner: Bytes, block: number): Bytes {
  const padding = (block - ((inner.length + 1) % block)) % block;
  const out = new Uint8Array(inner.length + padding + 1);
  out.set(inner);
  out[out.length - 1] = padding;
  return out;
}

function envelopeLength(sa: SecuredSa, encryption: Encryption, ctx: Sealing): number {
  const icv = encryption.aead ? encryption.icvLength : integrityOf(ctx.crypto, sa.phase.suite).icvLength;
  return encryption.ivLength + icv + encryption.blockLength;
}

/** The keys of what that side sends. */
function keysFor(sa: SecuredSa, sender: 'initiator' | 'responder'): { readonly encr: Bytes; readonly integ: Bytes } {
  const { ei, er, ai, ar } = sa.phase.keys;
  return sender === 'initiator' ? { encr: ei, integ: ai } : { encr: er, integ: ar };
}

const notAuthentic = (): ProtocolError => ProtocolError.malformed(NOT_AUTHENTIC);
export const NOT_AUTHENTIC = 'not authentic';
