/** EAP packets of both sides (RFC 3748), and RADIUS packets (RFC 2865): any bytes are a value or a ProtocolError, and a changed response is nobody's. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  decodePeerPacket,
  decodeServerPacket,
  encodePeerPacket,
  encodeServerPacket,
  Op,
} from '../../sidecar/eap/mschapv2-packet.ts';
import { mschapv2Server } from '../../sidecar/eap/mschapv2-server.ts';
import { decodeEap, EapType, encodeEap } from '../../sidecar/eap/packet.ts';
import { type Bytes, concat, hex, utf8 } from '../../sidecar/ike/wire/bytes.ts';
import { eapMessage, Type } from '../../sidecar/radius/attribute.ts';
import { openResponse, sealAccess } from '../../sidecar/radius/authenticity.ts';
import { readEap } from '../../sidecar/radius/eap-packet.ts';
import { grantOf } from '../../sidecar/radius/grant.ts';
import { masterSessionKey } from '../../sidecar/radius/mppe.ts';
import { Code, decodePacket, encodePacket } from '../../sidecar/radius/packet.ts';
import { blob } from '../harness/arbitrary-payload.ts';
import { mangled } from '../harness/laws/mangled.ts';
import { seeded } from '../harness/random.ts';
import { orProtocolError } from './decoder.ts';

const random = seeded(11);
const response: Bytes = encodePeerPacket({
  ...{ op: Op.RESPONSE, id: 1, peerChallenge: random(16), ntResponse: random(24), name: utf8('EXAMPLE\\alice') },
});
const mschapv2: readonly Bytes[] = [
  response,
  encodeServerPacket({ op: Op.CHALLENGE, id: 1, challenge: random(16), name: utf8('gateway') }),
  encodeServerPacket({ op: Op.SUCCESS, id: 1, proof: random(20) }),
  encodeServerPacket({ op: Op.FAILURE, id: 1, message: 'E=691 R=0 C=00112233445566778899AABBCCDDEEFF V=3 M=no' }),
  Uint8Array.of(Op.SUCCESS),
];
const packets: readonly Bytes[] = [
  ...mschapv2.map((data) => encodeEap({ code: 1, identifier: 7, type: EapType.MSCHAPV2, data })),
  encodeEap({ code: 2, identifier: 1, type: EapType.IDENTITY, data: utf8('alice@example.com') }),
  encodeEap({ code: 2, identifier: 1, type: EapType.TLS, data: Uint8Array.of(0xc0, 0, 0, 1, 0, 22, 3, 1) }),
  ...[encodeEap({ code: 3, identifier: 9 }), encodeEap({ code: 4, identifier: 9 })],
];

export const eapPackets = () =>
  fc.property(mangled(packets), mangled(mschapv2), ({ bytes }, data) => {
    orProtocolError(() => decodeEap(bytes));
    readEap(bytes);
    orProtocolError(() => decodePeerPacket(data.bytes));
    orProtocolError(() => decodeServerPacket(data.bytes));
  });

/** Whatever a client of EAP-MSCHAPv2 says that does not know the password: it never comes in. */
export const passwords = () =>
  fc.property(fc.array(mangled(mschapv2), { minLength: 1, maxLength: 4 }), (said) => {
    const server = mschapv2Server({ name: 'gateway', users: { ntHash: () => undefined }, random: seeded(2) });
    server.next(undefined, 1);
    for (const [at, { bytes }] of said.entries()) {
      const step = orProtocolError(() => server.next(bytes, at + 2));
      assert(typeof step === 'symbol' || ('is' in step && step.is !== 'success'));
    }
  });

const secret = utf8('a secret of both');
const request = sealAccess({ code: Code.ACCESS_REQUEST, identifier: 3, attributes: [] }, secret, random(16));
const accept: Bytes = encodePacket({
  ...{ code: Code.ACCESS_ACCEPT, identifier: 3, authenticator: random(16) },
  attributes: [
    { type: Type.EAP_MESSAGE, value: encodeEap({ code: 3, identifier: 9 }) },
    { type: Type.CLASS, value: random(40) },
    { type: Type.SESSION_TIMEOUT, value: Uint8Array.of(0, 0, 14, 16) },
    { type: Type.FRAMED_IP_ADDRESS, value: Uint8Array.of(10, 8, 0, 7) },
    { type: Type.MESSAGE_AUTHENTICATOR, value: random(16) },
    { type: Type.VENDOR_SPECIFIC, value: concat(Uint8Array.of(0, 0, 1, 55, 16, 52), random(50)) },
    { type: Type.VENDOR_SPECIFIC, value: concat(Uint8Array.of(0, 0, 1, 55, 17, 52), random(50)) },
  ],
});

/** Without the secret nobody answers for a server; what decodes is given to whoever reads attributes. */
export const radiusPackets = () =>
  fc.property(
    mangled([accept, request.bytes]),
    fc.array(fc.tuple(fc.nat(255), blob(1, 60)), { maxLength: 5 }),
    ({ bytes }, more) => {
      assert(typeof orProtocolError(() => openResponse(bytes, request, secret) ?? FORGED) === 'symbol', hex(bytes));
      const decoded = orProtocolError(() => decodePacket(bytes));
      if (typeof decoded === 'symbol') return;
      const attributes = [...decoded.attributes, ...more.map(([type, value]) => ({ type, value }))];
      const message = eapMessage(attributes);
      if (message) readEap(message);
      assert((grantOf(attributes).class?.length ?? 0) <= 512);
      masterSessionKey(attributes, request.authenticator, secret);
    },
  );

const FORGED = Symbol('nobody has answered');
