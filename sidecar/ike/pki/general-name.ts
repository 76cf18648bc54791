/** GeneralName (RFC 5280 §4.2.1.6): what a certificate says its subject is called. */
import { type Bytes, hex } from '../wire/bytes.ts';
import { constructed, type Element, implicit } from '../wire/der.ts';
import { relativeNameKeys } from './name.ts';

export type GeneralName =
  | { readonly kind: 'email' | 'dns'; readonly text: string }
  | { readonly kind: 'ip'; readonly bytes: Bytes }
  /** Keys of its relative names, from the root on. */
  | { readonly kind: 'directory'; readonly keys: readonly string[] }
  | { readonly kind: 'other'; readonly what: string };

/** What we do not know or cannot use is told as other. @throws ProtocolError (malformed) for a directory name that is none. */
export function generalName({ tag, body }: Element): GeneralName {
  if (tag === implicit(1) && printable(body)) return { kind: 'email', text: ascii(body) };
  if (tag === implicit(2) && printable(body)) return { kind: 'dns', text: ascii(body) };
  if (tag === implicit(7)) return { kind: 'ip', bytes: body };
  if (tag === constructed(4)) return { kind: 'directory', keys: relativeNameKeys(body) };
  return { kind: 'other', what: hex(Uint8Array.of(tag)) };
}

/** A zero byte or a line break within a name is somebody's trick. */
const printable = (body: Bytes): boolean => body.length <= 255 && body.every((byte) => byte > 0x20 && byte < 0x7f);

const ascii = (body: Bytes): string => String.fromCharCode(...body);
