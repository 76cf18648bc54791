/** A RADIUS server that says what a test tells it to, written from the RFCs and not with our own sealing. */
import { createHash, createHmac } from 'node:crypto';
import { type Attribute, encodePacket } from '../../../sidecar/radius/packet.ts';

const MESSAGE_AUTHENTICATOR = 80;

/** Fills in the Message-Authenticators that are there (RFC 3579 §3.2), then the Response Authenticator (RFC 2865 §3). */
export function sealAnswer(
  requestAuthenticator: Uint8Array,
  code: number,
  identifier: number,
  attributes: readonly Attribute[],
  secret: Uint8Array,
): Uint8Array {
  const packet = encodePacket({ code, identifier, authenticator: requestAuthenticator, attributes });
  const proof = createHmac('md5', secret).update(packet).digest();
  let at = 20;
  for (const { type, value } of attributes) {
    if (type === MESSAGE_AUTHENTICATOR) packet.set(proof, at + 2);
    at += value.length + 2;
  }
  packet.set(createHash('md5').update(packet).update(secret).digest(), 4);
  return packet;
}
