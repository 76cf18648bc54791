/** What an initiator of the load says: only what a responder needs to see, so that it costs less than the responder. */

import { randomFillSync } from 'node:crypto';
import { libreswanResumptionAuth, resumptionAuth, sharedKeyAuth, signedOctets } from '../../sidecar/ike/auth.ts';
import { certificatePayloads } from '../../sidecar/ike/certificate-payloads.ts';
import type { Context } from '../../sidecar/ike/context.ts';
import { cryptography } from '../../sidecar/ike/crypto/cryptographies.ts';
import { type IkeKeys, type IkeSeed, ikeKeys } from '../../sidecar/ike/crypto/keymat.ts';
import { Hash, type PrivateKey } from '../../sidecar/ike/crypto/signature.ts';
import { errorOf, nameOfNotify } from '../../sidecar/ike/first-exchange.ts';
import type { FirstMessages } from '../../sidecar/ike/handshake-phase.ts';
import { natDetection } from '../../sidecar/ike/nat.ts';
import { espProposals, ikeProposals } from '../../sidecar/ike/proposal.ts';
import { open, type SecuredSa, seal } from '../../sidecar/ike/protection.ts';
import type { Identity } from '../../sidecar/ike/sa.ts';
import { signAuth, signatureHashes } from '../../sidecar/ike/signature-auth.ts';
import { everything } from '../../sidecar/ike/traffic.ts';
import { newWindow } from '../../sidecar/ike/window.ts';
import { type Bytes, hex, Reader, u32Bytes, utf8 } from '../../sidecar/ike/wire/bytes.ts';
import { type Encrypted, encodeMessage, type Message, NO_SPI } from '../../sidecar/ike/wire/message.ts';
import { decodePayloads, notify, type Payload, type PayloadOf } from '../../sidecar/ike/wire/payload.ts';
import { AuthMethod, CfgAttribute, CfgType, Exchange, Notify } from '../../sidecar/ike/wire/registry.ts';
import { AEAD, ESP, email } from '../harness/policy.ts';
import { SECRET, userName } from './user.ts';

/** What the initiators have in common. */
export interface Manner {
  readonly proof: 'psk' | Certified;
  /** With the first child and an inner address, or without (RFC 6023). */
  readonly child: boolean;
  readonly ticket: boolean;
  /** How libreswan proves itself in a resumption, and that it says nothing of NATs then. */
  readonly resumption: 'rfc' | 'libreswan';
}

/** Every client has a key and a certificate of its own. */
export interface Certified {
  keyOf(user: number): PrivateKey;
  /** DER, the client's own first. */
  chainOf(user: number): readonly Bytes[];
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface Held {
  readonly ticket: Bytes;
  readonly skD: Bytes;
}

export interface Begun {
  readonly user: number;
  readonly spiI: string;
  readonly ni: Bytes;
  readonly held: Held | undefined;
  readonly request: Bytes;
}

const SUITE = { encr: AEAD.encryption[0]?.id ?? 0, keyBits: 256, integ: 0, prf: AEAD.prf[0] ?? 0, ke: AEAD.keyExchange[0] ?? 0 };
/** Nothing is put into fragments. */
const LIMIT = 60_000;
const crypto = cryptography('auto');
const random = (length: number): Bytes => randomFillSync(new Uint8Array(length));
const ctx = { crypto, random } as unknown as Context;
/** One key pair for all: a client's cost that a real crowd of clients would share among itself. */
const pair = keyExchange().generate(random);

/** All clients have one address, where a peer that does ESP itself lets no SPI be there twice. */
let nextSpi = 0x1000_0000;

/** IKE_SA_INIT, or IKE_SESSION_RESUME with a ticket. */
export function begin(user: number, held: Held | undefined, manner: Manner, responder: Endpoint): Begun {
  const spiI = hex(random(8));
  const ni = random(32);
  const payloads: Payload[] = held
    ? [{ kind: 'NONCE', data: ni }, notify(Notify.TICKET_OPAQUE, held.ticket)]
    : [
        { kind: 'SA', proposals: ikeProposals(AEAD) },
        { kind: 'KE', group: SUITE.ke, data: pair.publicValue },
        { kind: 'NONCE', data: ni },
        ...(manner.proof === 'psk' ? [] : [signatureHashes()]),
      ];
  const exchange = held ? Exchange.IKE_SESSION_RESUME : Exchange.IKE_SA_INIT;
  const header = { spiI, spiR: NO_SPI, exchange, messageId: 0, response: false, initiator: true };
  const nat = held && manner.resumption === 'libreswan' ? [] : asFromBehindNat(spiI, responder);
  return { user, spiI, ni, held, request: encodeMessage({ ...header, payloads: [...payloads, ...nat] }) };
}

const asFromBehindNat = (spiI: string, { address, port }: Endpoint): Payload[] => [
  notify(Notify.NAT_DETECTION_SOURCE_IP, random(20)),
  notify(Notify.NAT_DETECTION_DESTINATION_IP, natDetection(crypto, spiI, NO_SPI, `${address}:${port}`)),
];

/** IKE_AUTH, with keys of the first exchange. @throws Error when the responder refuses that. */
export function authenticate(begun: Begun, message: Message, datagram: Bytes, manner: Manner): { sa: SecuredSa; request: Bytes } {
  const { spiI, ni, held, user } = begun;
  const [nonce, ke] = [payloadOf(message, 'NONCE'), payloadOf(message, 'KE')];
  if (!nonce || (!held && !ke)) throw new Error(`user ${user}: the first exchange is refused: ${refusal(message.payloads)}`);
  const { spiR } = message;
  const nonces = { ni, nr: nonce.data, spiI, spiR };
  const seed: IkeSeed = held
    ? { from: 'resumption', oldD: held.skD, ...nonces }
    : { from: 'full', shared: keyExchange().conclude(pair.privateKey, ke?.data ?? new Uint8Array()), ...nonces };
  const keys = ikeKeys(crypto, SUITE, seed);
  const first: FirstMessages = { initiator: begun.request, responder: datagram.slice(), ni, nr: nonce.data };
  const sa = {
    ...{ role: 'initiator', spiI, spiR, path: { local: '', remote: '' }, window: newWindow(), connection: undefined },
    phase: { suite: SUITE, keys, nat: { local: true, remote: false }, fragmentation: false },
  } as unknown as SecuredSa;
  const identity = email(userName(user));
  const header = { spiI, spiR, exchange: Exchange.IKE_AUTH, messageId: 1, response: false, initiator: true };
  const payloads: Payload[] = [
    { kind: 'IDi', ...identity },
    ...proofOf(begun, { keys, first }, identity, manner),
    ...(manner.child ? childPayloads() : []),
    ...(manner.ticket ? [notify(Notify.TICKET_REQUEST)] : []),
  ];
  const [request] = seal(sa, header, payloads, LIMIT, ctx);
  return { sa, request: request ?? new Uint8Array() };
}

function proofOf(
  { user, held }: Begun,
  keyed: { readonly keys: IkeKeys; readonly first: FirstMessages },
  identity: Identity,
  { proof, resumption }: Manner,
): Payload[] {
  const all = { suite: SUITE, ...keyed };
  const sharedKey = (data: Bytes): Payload[] => [{ kind: 'AUTH', method: AuthMethod.SHARED_KEY, data }];
  if (held && resumption === 'libreswan') return sharedKey(libreswanResumptionAuth(all, 'initiator', ctx));
  if (held) return sharedKey(resumptionAuth(all, 'initiator', identity, ctx));
  if (proof === 'psk') return sharedKey(sharedKeyAuth(all, 'initiator', identity, utf8(SECRET), ctx));
  const auth = signAuth(signedOctets(all, 'initiator', identity, ctx), proof.keyOf(user), [Hash.SHA2_256]);
  if (!auth) throw new Error('the key of the clients makes no signature with SHA-256');
  return [...certificatePayloads(proof.chainOf(user)), auth];
}

const childPayloads = (): Payload[] => [
  {
    kind: 'CP',
    cfgType: CfgType.CFG_REQUEST,
    attributes: [{ type: CfgAttribute.INTERNAL_IP4_ADDRESS, value: new Uint8Array() }],
  },
  { kind: 'SA', proposals: espProposals(ESP, u32Bytes(nextSpi++), { pfs: false }) },
  { kind: 'TSi', selectors: [everything(4)] },
  { kind: 'TSr', selectors: [everything(4)] },
];

/** The ticket that came with the session. The responder's proof is not verified. @throws Error when something was refused. */
export function conclude({ user }: Begun, sa: SecuredSa, encrypted: Encrypted, manner: Manner): Held | undefined {
  const payloads = decodePayloads(encrypted.first, new Reader(open(sa, encrypted, ctx)));
  const has = (kind: Payload['kind']): boolean => payloads.some((one) => one.kind === kind);
  if (!has('AUTH')) throw new Error(`user ${user} was not let in: ${refusal(payloads)}`);
  if (manner.child && !(has('SA') && has('CP'))) throw new Error(`user ${user} got no child: ${refusal(payloads)}`);
  const granted = notifiesOf(payloads).find(({ notify }) => notify === Notify.TICKET_LT_OPAQUE);
  if (!granted && manner.ticket) throw new Error(`user ${user} got no ticket`);
  return granted && { ticket: granted.data.slice(4), skD: sa.phase.keys.d };
}

function refusal(payloads: readonly Payload[]): string {
  const error = errorOf(notifiesOf(payloads));
  return error ? nameOfNotify(error.notify) : 'without a reason';
}

const notifiesOf = (payloads: readonly Payload[]): PayloadOf<'N'>[] =>
  payloads.filter((one): one is PayloadOf<'N'> => one.kind === 'N');

function payloadOf<K extends 'NONCE' | 'KE'>({ payloads }: Message, kind: K): PayloadOf<K> | undefined {
  const found = payloads.find((one) => one.kind === kind);
  return found as PayloadOf<K> | undefined;
}

function keyExchange() {
  const found = crypto.keyExchange(SUITE.ke);
  if (!found) throw new Error('no such key exchange');
  return found;
}
