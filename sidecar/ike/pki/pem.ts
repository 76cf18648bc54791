/** PEM (RFC 7468): DER in text, between lines that say what it is. */
import type { Bytes } from '../wire/bytes.ts';

export interface Block {
  readonly label: string;
  readonly der: Bytes;
  /** From 1. */
  readonly line: number;
}

export type PemFault = { readonly fault: string };

/** Whatever stands between blocks is a comment (RFC 7468 §2, §5.2). */
export function readPem(text: string): readonly (Block | PemFault)[] {
  return [...text.matchAll(/-----BEGIN ([A-Z0-9 ]{1,40})-----([\s\S]*?)(?:-----END \1-----|(?=-----BEGIN )|$)/g)].map((match) => {
    const [whole, label = '', body = ''] = match;
    const line = text.slice(0, match.index).split('\n').length;
    if (!whole.endsWith(`-----END ${label}-----`)) return { fault: `the ${label} that begins at line ${line} has no end` };
    const der = base64(body);
    return der ? { label, der, line } : { fault: `the ${label} that begins at line ${line} is not base64` };
  });
}

export const isPem = (text: string): boolean => text.includes('-----BEGIN ');

/** Undefined for anything but base64 and white space. */
function base64(text: string): Bytes | undefined {
  try {
    const bytes = atob(text);
    return Uint8Array.from(bytes, (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
