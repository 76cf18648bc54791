/** What an Access-Request says (RFC 2865 §5, RFC 3579 §3). */
import type { EapQuestion } from '../ike/eap.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import { bytesAttribute, eapAttributes, integerAttribute, NasPortType, ServiceType, Type, textAttribute } from './attribute.ts';
import type { Attribute } from './packet.ts';

/**
 * So long may EAP packets of the server be: one in a whole IKE message with headers, IV and tag fits a path of 1280 bytes in UDP over IPv6,
 * whether or not the peer can put fragments together (RFC 7383).
 */
const LONGEST_EAP = 1_100;

/** `identity` is Type-Data of the peer's EAP-Response/Identity. */
export function accessAttributes(
  question: Pick<EapQuestion, 'name' | 'local' | 'remote'>,
  nasIdentifier: string,
  { identity, state, message }: { readonly identity: Bytes; readonly state: Bytes | undefined; readonly message: Bytes },
): readonly Attribute[] {
  return [
    // RFC 3579 §2.1: in this and every further Access-Request.
    bytesAttribute(Type.USER_NAME, identity),
    ...nasAttributes(question, nasIdentifier),
    integerAttribute(Type.FRAMED_MTU, LONGEST_EAP),
    ...eapAttributes(message),
    // RFC 2865 §5.24: "MUST be sent unmodified".
    ...(state ? [bytesAttribute(Type.STATE, state)] : []),
  ];
}

/** Where a peer is, and through whom it came: in accounting too. `name` is that of the rule. */
export const nasAttributes = (
  { name, local, remote }: Pick<EapQuestion, 'name' | 'local' | 'remote'>,
  nasIdentifier: string,
): readonly Attribute[] => [
  // RFC 2865 §4.1: "An Access-Request MUST contain either a NAS-IP-Address attribute or a NAS-Identifier attribute (or both)".
  textAttribute(Type.NAS_IDENTIFIER, nasIdentifier),
  integerAttribute(Type.NAS_PORT_TYPE, NasPortType.VIRTUAL),
  ...(name === '' ? [] : [textAttribute(Type.NAS_PORT_ID, name)]),
  integerAttribute(Type.SERVICE_TYPE, ServiceType.FRAMED),
  textAttribute(Type.CALLED_STATION_ID, hostOf(local)),
  textAttribute(Type.CALLING_STATION_ID, hostOf(remote)),
];

/** `192.0.2.1` of `192.0.2.1:4500`, `2001:db8::1` of `[2001:db8::1]:4500`. */
const hostOf = (endpoint: string): string => endpoint.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
