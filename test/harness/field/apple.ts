/** iOS and macOS. They send no CERTREQ, a name for us always, and may open a second tunnel for the same user. */
import { utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { CfgAttribute, IdType, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { GATEWAY } from '../policy.ts';
import { type FieldClient, told } from './field-client.ts';
import { espOffer, ikeOffer } from './offer.ts';

const base: Omit<FieldClient, 'name' | 'ike'> = {
  esp: espOffer('cbc256 sha256 noesn'),
  espAnew: espOffer('cbc256 sha256 noesn'),
  idI: { idType: IdType.ID_FQDN, data: utf8('phone.example.com') },
  idR: GATEWAY,
  init: told(Notify.REDIRECT_SUPPORTED),
  auth: told(
    ...[Notify.INITIAL_CONTACT, Notify.MOBIKE_SUPPORTED, Notify.ESP_TFC_PADDING_NOT_SUPPORTED, Notify.NON_FIRST_FRAGMENTS_ALSO],
  ),
  certreq: [],
  asks: [
    ...[CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP4_DHCP, CfgAttribute.INTERNAL_IP4_DNS],
    ...[CfgAttribute.INTERNAL_IP4_NETMASK, CfgAttribute.INTERNAL_IP6_ADDRESS, CfgAttribute.INTERNAL_IP6_DHCP],
    ...[CfgAttribute.INTERNAL_IP6_DNS, CfgAttribute.INTERNAL_DNS_DOMAIN],
  ],
};

export const MACOS: FieldClient = { ...base, name: 'macOS', ike: ikeOffer('cbc256 sha256 prfsha256 modp2048') };
export const IOS: FieldClient = {
  ...base,
  name: 'iOS',
  ike: ikeOffer('cbc256 sha256 prfsha256 modp2048', 'cbc256 sha256 prfsha256 ecp256'),
};
/** With perfect forward secrecy, by a profile. */
export const IOS_PFS: FieldClient = { ...IOS, name: 'iOS with PFS', espAnew: espOffer('cbc256 sha256 modp2048 noesn') };
