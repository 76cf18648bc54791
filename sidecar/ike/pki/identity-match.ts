/** Whether a certificate is of whom the peer says it is (RFC 7296 §3.5, RFC 4945 §3.1): the name that is given must stand in it. */
import type { Identity } from '../sa.ts';
import { type Bytes, equalBytes, utf8 } from '../wire/bytes.ts';
import type { Certificate } from './certificate.ts';
import type { GeneralName } from './general-name.ts';
import { nameKey } from './name.ts';
import type { Demand } from './trust.ts';

/** RFC 7296 §3.5. */
const ID_IPV4_ADDR = 1;
const ID_FQDN = 2;
const ID_RFC822_ADDR = 3;
const ID_IPV6_ADDR = 5;
export const ID_DER_ASN1_DN = 9;
const ID_KEY_ID = 11;

/** Total: an identity is whatever the peer sent. A common name is no domain name here, nor an emailAddress in the subject a mailbox. */
export function isNamed(certificate: Certificate, { idType, data }: Identity, usage: Demand['usage']): boolean {
  const { names, subjectKeyId } = certificate.extensions;
  switch (idType) {
    case ID_FQDN:
      return names.some((name) => name.kind === 'dns' && sameDomain(name.text, ascii(data), usage));
    case ID_RFC822_ADDR:
      return names.some((name) => name.kind === 'email' && sameMailbox(name.text, ascii(data)));
    case ID_IPV4_ADDR:
    case ID_IPV6_ADDR:
      return names.some((name) => name.kind === 'ip' && name.bytes.length > 0 && equalBytes(name.bytes, data));
    case ID_DER_ASN1_DN:
      return equalBytes(certificate.subject, data) || sameName(certificate.subjectKey, data);
    // As strongSwan takes it.
    case ID_KEY_ID:
      return subjectKeyId !== undefined && subjectKeyId.length > 0 && equalBytes(subjectKeyId, data);
    default:
      return false;
  }
}

/** What the subject is called otherwise, as identities that a peer could give. */
export const identitiesOf = ({ extensions }: Certificate): readonly Identity[] => extensions.names.flatMap(identity);

function identity(name: GeneralName): readonly Identity[] {
  if (name.kind === 'dns') return [{ idType: ID_FQDN, data: utf8(name.text) }];
  if (name.kind === 'email') return [{ idType: ID_RFC822_ADDR, data: utf8(name.text) }];
  if (name.kind !== 'ip') return [];
  if (name.bytes.length === 4) return [{ idType: ID_IPV4_ADDR, data: name.bytes }];
  return name.bytes.length === 16 ? [{ idType: ID_IPV6_ADDR, data: name.bytes }] : [];
}

/** RFC 6125 §6.4: a star stands for one whole label, the first; only gateways have such certificates. */
function sameDomain(inCertificate: string, given: string, usage: Demand['usage']): boolean {
  const [pattern, domain] = [inCertificate.toLowerCase(), given.toLowerCase()];
  if (!pattern.startsWith('*.')) return pattern === domain;
  const dot = domain.indexOf('.');
  const parent = pattern.slice(2);
  return usage === 'server' && parent.includes('.') && dot > 0 && domain.slice(dot + 1) === parent;
}

/** RFC 5280 §7.5: case counts before the @, and not after it. */
function sameMailbox(inCertificate: string, given: string): boolean {
  const canonical = (text: string): string => {
    const at = text.lastIndexOf('@');
    return text.slice(0, at) + text.slice(at).toLowerCase();
  };
  return canonical(inCertificate) === canonical(given);
}

function sameName(key: string, given: Bytes): boolean {
  try {
    return nameKey(given) === key;
  } catch {
    return false;
  }
}

/** Names in certificates are of ASCII, so that longer or other bytes equal none of them. */
const ascii = (data: Bytes): string => String.fromCharCode(...data.subarray(0, 256));
