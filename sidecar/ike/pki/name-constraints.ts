/** Which names the certificates below an authority may have (RFC 5280 §4.2.1.10, §6.1.4 g). */
import type { Bytes } from '../wire/bytes.ts';
import type { Certificate } from './certificate.ts';
import type { NameConstraints } from './extension.ts';
import type { GeneralName } from './general-name.ts';
import { relativeNameKeys } from './name.ts';

/** All of an authority's constraints are kept by a certificate below it. Kinds that we do not know are kept by certificates that have no such name. */
export function keepsTo({ permitted, excluded }: NameConstraints, certificate: Certificate): boolean {
  return namesOf(certificate).every((name) => {
    const comparable = (base: GeneralName): boolean => base.kind === name.kind;
    const allowed = permitted.filter(comparable);
    return (
      !excluded.filter(comparable).some((base) => mayBeWithin(name, base)) &&
      (allowed.length === 0 || allowed.some((base) => isWithin(name, base)))
    );
  });
}

/** RFC 5280 §4.2.1.10: the subject counts as a directory name. */
function namesOf(certificate: Certificate): readonly GeneralName[] {
  const keys = relativeNameKeys(certificate.subject);
  const subject: readonly GeneralName[] = keys.length > 0 ? [{ kind: 'directory', keys }] : [];
  return [...subject, ...certificate.extensions.names];
}

/** What cannot be compared is refused either way. */
const mayBeWithin = (name: GeneralName, base: GeneralName): boolean => name.kind === 'other' || isWithin(name, base);

function isWithin(name: GeneralName, base: GeneralName): boolean {
  if (name.kind === 'dns' && base.kind === 'dns') return domainWithin(name.text, base.text);
  if (name.kind === 'email' && base.kind === 'email') return mailboxWithin(name.text, base.text);
  if (name.kind === 'ip' && base.kind === 'ip') return addressWithin(name.bytes, base.bytes);
  if (name.kind === 'directory' && base.kind === 'directory') return base.keys.every((key, index) => key === name.keys[index]);
  return false;
}

/** The same, or with labels added to the left; some write the base with a dot in front. */
function domainWithin(name: string, base: string): boolean {
  const [domain, parent] = [name.toLowerCase(), base.toLowerCase().replace(/^\./, '')];
  return parent === '' || domain === parent || domain.endsWith(`.${parent}`);
}

/** A mailbox, all mailboxes of a host, or with a dot in front those of all hosts of a domain. */
function mailboxWithin(name: string, base: string): boolean {
  const host = name.slice(name.lastIndexOf('@') + 1).toLowerCase();
  if (base.includes('@')) return name === base;
  return base.startsWith('.') ? host.endsWith(base.toLowerCase()) : host === base.toLowerCase();
}

/** Address and mask, 8 or 32 bytes. */
function addressWithin(address: Bytes, base: Bytes): boolean {
  if (base.length !== 2 * address.length) return false;
  return address.every((byte, index) => {
    const mask = base[address.length + index] ?? 0;
    return (byte & mask) === ((base[index] ?? 0) & mask);
  });
}
