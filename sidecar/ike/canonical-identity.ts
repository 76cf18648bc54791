/** One spelling for each name: what counts without regard to case (RFC 7296 §3.5, RFC 5280 §7.5) must not make another identity of a peer. */
import type { Identity } from './sa.ts';
import { type Bytes, equalBytes } from './wire/bytes.ts';
import { IdType } from './wire/registry.ts';

/** Domain names in lower case, and so what follows the @ of a mailbox; everything else as it is. */
export function canonical({ idType, data }: Identity): Identity {
  if (idType === IdType.ID_FQDN) return { idType, data: lowered(data, 0) };
  if (idType === IdType.ID_RFC822_ADDR) return { idType, data: lowered(data, data.lastIndexOf(AT) + 1) };
  return { idType, data: data.slice() };
}

/** In whatever spelling. Lists are long: only what is of one kind and length is looked at. */
export const isSameName = (one: Identity, other: Identity): boolean =>
  one.idType === other.idType && one.data.length === other.data.length && equalBytes(canonical(one).data, canonical(other).data);

const AT = 0x40;
const [A, Z, TO_LOWER] = [0x41, 0x5a, 0x20];
const lowered = (data: Bytes, from: number): Bytes =>
  data.map((byte, at) => (at >= from && byte >= A && byte <= Z ? byte + TO_LOWER : byte));
