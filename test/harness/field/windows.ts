/** Windows 10 and 11, as delivered and with the registry value NegotiateDH2048_AES256. */
import { parseAddress } from '../../../sidecar/ike/ip-address.ts';
import type { Payload } from '../../../sidecar/ike/wire/payload.ts';
import { CertEncoding, CfgAttribute, IdType, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { type FieldClient, told } from './field-client.ts';
import { espOffer, ikeOffer } from './offer.ts';

/** Microsoft's own: addresses of servers. */
const [INTERNAL_IP4_SERVER, INTERNAL_IP6_SERVER] = [23456, 23457];

const vendors: readonly Payload[] = [
  '1e2b516905991c7d7c96fcbfb587e461',
  'fb1de3cdf341b7ea16b7e5be0855f120',
  '26244d38eddb61b3172a36e3d0cfb819',
].map((id): Payload => ({ kind: 'V', data: Uint8Array.from(Buffer.from(id, 'hex')) }));

/** Of every authority that the machine knows. */
const certreq: readonly Payload[] = [
  { kind: 'CERTREQ', encoding: CertEncoding.X509_SIGNATURE, data: new Uint8Array(20 * 60).fill(0x5a) },
];

const esp = espOffer('cbc256 sha1 noesn', 'cbc128 sha1 noesn', '3des sha1 noesn', 'des sha1 noesn', 'null sha1 noesn');

const base: Omit<FieldClient, 'name' | 'ike'> = {
  esp,
  espAnew: esp,
  // Whatever it is called, it says its own address when it is EAP that proves it.
  idI: { idType: IdType.ID_IPV4_ADDR, data: parseAddress('192.168.1.20') },
  idR: undefined,
  init: vendors,
  auth: told(Notify.MOBIKE_SUPPORTED),
  certreq,
  asks: [
    ...[CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP4_DNS, CfgAttribute.INTERNAL_IP4_NBNS, INTERNAL_IP4_SERVER],
    ...[CfgAttribute.INTERNAL_IP6_ADDRESS, CfgAttribute.INTERNAL_IP6_DNS, INTERNAL_IP6_SERVER],
  ],
};

const delivered = [
  ...['3des sha1 prfsha1 modp1024', 'cbc256 sha1 prfsha1 modp1024'],
  ...['3des sha256 prfsha256 modp1024', 'cbc256 sha256 prfsha256 modp1024'],
  ...['3des sha384 prfsha384 modp1024', 'cbc256 sha384 prfsha384 modp1024'],
];
const gcm = ['gcm16-128 prfsha256 modp1024', 'gcm16-256 prfsha384 modp1024'];
const strong = ['cbc256 sha256 prfsha256 modp2048', 'cbc256 sha384 prfsha384 modp2048'];

export const WINDOWS_10: FieldClient = { ...base, name: 'Windows 10', ike: ikeOffer(...delivered) };
export const WINDOWS_11: FieldClient = { ...base, name: 'Windows 11', ike: ikeOffer(...delivered, ...gcm) };
/** Value 1 adds, value 2 forces. */
export const WINDOWS_ADDED: FieldClient = {
  ...base,
  name: 'Windows with NegotiateDH2048_AES256 = 1',
  ike: ikeOffer(...strong, ...delivered),
};
export const WINDOWS_FORCED: FieldClient = { ...base, name: 'Windows with NegotiateDH2048_AES256 = 2', ike: ikeOffer(...strong) };
/** Set-VpnConnectionIPsecConfiguration of an administrator. */
export const WINDOWS_CONFIGURED: FieldClient = {
  ...base,
  name: 'Windows told to use AES-256 and SHA-256',
  ike: ikeOffer('cbc256 sha256 prfsha256 modp2048'),
  esp: espOffer('cbc256 sha256 noesn'),
  espAnew: espOffer('cbc256 sha256 modp2048 noesn'),
};
