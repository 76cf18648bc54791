/** A RADIUS server that says what a test tells it to, written from the RFCs and not with our own sealing. */
import { createHash, createHmac } from 'node:crypto';
import { type Attribute, decodePacket, encodePacket, type Packet } from '../../../sidecar/radius/packet.ts';

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

export interface Reply {
  readonly code: number;
  /** A Message-Authenticator is put before them. */
  readonly attributes: readonly Attribute[];
}

/** What the server says to a request, undefined for nothing. */
export type Script = (request: Packet) => Reply | undefined;

export class ScriptedServer {
  readonly secret: Uint8Array;
  /** Good requests, and the datagrams that they came in. */
  readonly requests: Packet[] = [];
  readonly datagrams: Uint8Array[] = [];
  script: Script;

  constructor(secret: Uint8Array, script: Script) {
    this.secret = secret;
    this.script = script;
  }

  /** The answer to a datagram. What is not authentic gets none, as of a real server. */
  receive(datagram: Uint8Array): Uint8Array | undefined {
    const request = decodePacket(datagram);
    if (!isAuthentic(datagram, request, this.secret)) return undefined;
    this.requests.push(request);
    this.datagrams.push(datagram);
    const reply = this.script(request);
    const blank = { type: MESSAGE_AUTHENTICATOR, value: new Uint8Array(16) };
    return reply && sealAnswer(request.authenticator, reply.code, request.identifier, [blank, ...reply.attributes], this.secret);
  }
}

function isAuthentic(datagram: Uint8Array, { code, authenticator, attributes }: Packet, secret: Uint8Array): boolean {
  const blank = Uint8Array.from(datagram);
  if (code === 4) {
    blank.fill(0, 4, 20);
    return createHash('md5').update(blank).update(secret).digest().equals(authenticator);
  }
  if (attributes[0]?.type !== MESSAGE_AUTHENTICATOR) return false;
  blank.fill(0, 22, 38);
  return createHmac('md5', secret).update(blank).digest().equals(attributes[0].value);
}
