/** The name that EAP has authenticated (RFC 3748 §7.3) as an identity of IKE (RFC 7296 §3.5), which is what policy and sessions go by. */
import type { Identity } from './sa.ts';
import { utf8 } from './wire/bytes.ts';
import { IdType } from './wire/registry.ts';

/** A mail address, a name of letters, or else a key id of its bytes: different names give different identities. */
export function eapIdentity(name: string): Identity {
  const data = utf8(name);
  if (/^[\x21-\x3f\x41-\x7e]+@[\w.-]+$/.test(name)) return { idType: IdType.ID_RFC822_ADDR, data };
  if (/^[\w-]+(\.[\w-]+)*\.?$/.test(name) && /[A-Za-z]/.test(name)) return { idType: IdType.ID_FQDN, data };
  return { idType: IdType.ID_KEY_ID, data };
}
