/** Patterns of identities, `*@staff.example.com`: `*` stands for any text. Which rule a peer falls under hangs on them, so they are matched in time that grows with the text alone. */
import type { Identity } from './gateway-config.ts';
import { formatIdentity, ID_FQDN, ID_RFC822_ADDR } from './identity.ts';
import { text } from './schema.ts';

/** On the identity as formatIdentity writes it. Domain names and mail addresses match without regard to case (RFC 7296 §3.5, RFC 5280 §7.5). */
export function matches(pattern: string, identity: Identity): boolean {
  const folds = identity.idType === ID_FQDN || identity.idType === ID_RFC822_ADDR;
  const written = formatIdentity(identity);
  return folds ? matchesText(pattern.toLowerCase(), written.toLowerCase()) : matchesText(pattern, written);
}

/** An empty list is a rule for everybody. */
export const matchesAny = (patterns: readonly string[], identity: Identity): boolean =>
  patterns.length === 0 || patterns.some((pattern) => matches(pattern, identity));

/** The parts between the stars, each at the first place after the last one: to take an earlier place is never wrong. */
function matchesText(pattern: string, written: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return written === first;
  if (!written.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = written.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return written.length - last.length >= at && written.endsWith(last);
}

/** With eight stars and 512 characters of identity, a match looks at some thousand characters. */
export const identityPattern = text(
  'a pattern of identities',
  /^(?!(?:[^*]*\*){9})[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/,
  'write an identity, or a part of one with * for the rest, for instance *@staff.example.com',
);
