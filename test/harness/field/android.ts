/** Android 12 and later, and the app of strongSwan on it. */

import { signatureHashes } from '../../../sidecar/ike/signature-auth.ts';
import { utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { CfgAttribute, IdType, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { email, GATEWAY } from '../policy.ts';
import { type FieldClient, told } from './field-client.ts';
import { espOffer, ikeOffer } from './offer.ts';

const ciphers = 'ctr256 cbc256 ctr192 cbc192 ctr128 cbc128 sha512 sha384 sha256 xcbc cmac';
const aeads = 'chacha gcm16-256 gcm12-256 gcm8-256 gcm16-192 gcm12-192 gcm8-192 gcm16-128 gcm12-128 gcm8-128';
const common = 'prfsha512 prfsha384 prfsha256 prfxcbc prfcmac modp4096 x25519 modp3072 modp2048';
const esp = espOffer(`${ciphers} noesn`, `${aeads} noesn`);

export const ANDROID: FieldClient = {
  name: 'Android',
  ike: ikeOffer(`${ciphers} ${common}`, `${aeads} ${common}`),
  ...{ esp, espAnew: esp },
  idI: { idType: IdType.ID_KEY_ID, data: utf8('phone-17') },
  idR: GATEWAY,
  init: [signatureHashes()],
  auth: told(Notify.MOBIKE_SUPPORTED),
  certreq: [],
  asks: [
    ...[CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP6_ADDRESS, CfgAttribute.INTERNAL_IP4_DNS],
    ...[CfgAttribute.INTERNAL_IP6_DNS, CfgAttribute.APPLICATION_VERSION],
  ],
};

const app = 'cbc128 cbc192 cbc256 sha256 sha384 sha512 prfsha256 prfsha384 prfsha512';
const appAead = 'chacha gcm16-128 gcm16-256 prfsha256 prfsha384 prfsha512';
const groups = 'x25519 ecp256 ecp384 ecp521 x448 modp3072 modp4096 modp2048';

export const STRONGSWAN_APP: FieldClient = {
  name: 'the strongSwan app',
  ike: ikeOffer(`${app} ${groups}`, `${appAead} ${groups}`),
  esp: espOffer('gcm16-128 gcm16-256 chacha noesn', 'cbc128 cbc192 cbc256 sha256 sha384 sha512 noesn'),
  espAnew: espOffer(
    `gcm16-128 gcm16-256 chacha ${groups} noesn`,
    'gcm16-128 gcm16-256 chacha noesn',
    `cbc128 cbc192 cbc256 sha256 ${groups} noesn`,
  ),
  idI: email('alice@example.com'),
  idR: GATEWAY,
  init: [signatureHashes(), ...told(Notify.REDIRECT_SUPPORTED)],
  auth: told(Notify.INITIAL_CONTACT, Notify.MOBIKE_SUPPORTED, Notify.NO_ADDITIONAL_ADDRESSES, Notify.EAP_ONLY_AUTHENTICATION),
  certreq: [{ kind: 'CERTREQ', encoding: 4, data: new Uint8Array(20 * 140).fill(0x33) }],
  asks: [
    ...[CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP6_ADDRESS, CfgAttribute.INTERNAL_IP4_DNS],
    CfgAttribute.INTERNAL_IP6_DNS,
  ],
};
