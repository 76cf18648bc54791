/** What Vendor ID payloads tell (RFC 7296 §3.12): nothing that the protocol needs, but whether a gateway is one of those that depart from it. */
import type { ResumptionForm } from './connection.ts';
import { utf8 } from './wire/bytes.ts';
import type { PayloadOf } from './wire/payload.ts';

/** `OE-Libreswan-5.2`: libreswan with `send-vendorid=yes`. */
const LIBRESWAN = utf8('OE-Libreswan-');

/** From an IKE_SA_INIT response: AUTH covers it, so no stranger makes a gateway another one. */
export const resumptionFormOf = (vendors: readonly PayloadOf<'V'>[]): ResumptionForm =>
  vendors.some(({ data }) => LIBRESWAN.every((byte, at) => data[at] === byte)) ? 'libreswan' : 'rfc';
