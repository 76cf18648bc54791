/** Initiators by the thousand from one socket: only what the gateway needs to see, so that they cost less than it. */

import { randomFillSync } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { resumptionAuth, sharedKeyAuth } from '../../sidecar/ike/auth.ts';
import type { Context } from '../../sidecar/ike/context.ts';
import { cryptography } from '../../sidecar/ike/crypto/cryptographies.ts';
import { type IkeSeed, ikeKeys } from '../../sidecar/ike/crypto/keymat.ts';
import { espProposals, ikeProposals } from '../../sidecar/ike/proposal.ts';
import { open, type SecuredSa, seal } from '../../sidecar/ike/protection.ts';
import type { FirstMessages, Identity } from '../../sidecar/ike/sa.ts';
import { everything } from '../../sidecar/ike/traffic.ts';
import { newWindow } from '../../sidecar/ike/window.ts';
import { hex, Reader, u32Bytes, utf8 } from '../../sidecar/ike/wire/bytes.ts';
import { decodeMessage, type Encrypted, encodeMessage, type Message, NO_SPI } from '../../sidecar/ike/wire/message.ts';
import { decodePayloads, notify, type Payload, type PayloadOf } from '../../sidecar/ike/wire/payload.ts';
import { AuthMethod, CfgAttribute, CfgType, Exchange, Notify } from '../../sidecar/ike/wire/registry.ts';
import { AEAD, ESP, email } from '../harness/policy.ts';
import { secretOf, userName } from './user.ts';

export interface Counted {
  readonly done: number;
  /** Requests that had to be sent again: a sign that a socket buffer ran over. */
  readonly repeated: number;
}

interface Held {
  readonly ticket: Uint8Array;
  readonly skD: Uint8Array;
}

interface Handshake {
  readonly user: number;
  readonly spiI: string;
  readonly ni: Uint8Array;
  readonly held: Held | undefined;
  readonly request: Uint8Array;
  sa: SecuredSa | undefined;
  last: Uint8Array;
  sentAt: number;
  repeats: number;
}

const SUITE = { encr: AEAD.encryption[0]?.id ?? 0, keyBits: 256, integ: 0, prf: AEAD.prf[0] ?? 0, ke: AEAD.keyExchange[0] ?? 0 };
const REPEAT_MS = 1_000;
/** A gateway that lets a handshake wait for so many repetitions is not one to measure. */
const MAX_REPEATS = 10;
const crypto = cryptography('auto');
const random = (length: number): Uint8Array => randomFillSync(new Uint8Array(length));
const ctx = { crypto, random } as unknown as Context;
/** One key pair for all: a client's cost that a real crowd of clients would share among itself. */
const pair = keyExchange().generate(random);

export class Load {
  readonly tickets = new Map<number, Held>();
  readonly #socket: Socket;
  readonly #window: number;
  readonly #underWay = new Map<string, Handshake>();
  #next: () => Handshake | undefined = () => undefined;
  #finished = Promise.withResolvers<void>();
  #done = 0;
  #repeated = 0;

  static async open({ address, port }: { readonly address: string; readonly port: number }, window: number): Promise<Load> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
    const connected = Promise.withResolvers<void>();
    socket.connect(port, address, () => connected.resolve());
    await connected.promise;
    return new Load(socket, window);
  }

  private constructor(socket: Socket, window: number) {
    this.#socket = socket;
    this.#window = window;
    socket.on('message', (datagram) => this.#receive(datagram));
  }

  full(first: number, count: number): Promise<Counted> {
    return this.#run(first, count, () => undefined);
  }

  /** With the tickets that the full handshakes of the same users brought. */
  resume(first: number, count: number): Promise<Counted> {
    return this.#run(first, count, (user) => this.tickets.get(user));
  }

  close(): void {
    this.#socket.close();
  }

  async #run(first: number, count: number, ticketOf: (user: number) => Held | undefined): Promise<Counted> {
    let user = first;
    [this.#done, this.#repeated, this.#finished] = [0, 0, Promise.withResolvers()];
    this.#next = () => (user < first + count ? begin(user, ticketOf(user++)) : undefined);
    const timer = setInterval(() => this.#repeat(), REPEAT_MS);
    for (let at = 0; at < this.#window; at++) this.#begin();
    await this.#finished.promise.finally(() => clearInterval(timer));
    return { done: this.#done, repeated: this.#repeated };
  }

  #begin(): void {
    const handshake = this.#next();
    if (handshake) {
      this.#underWay.set(handshake.spiI, handshake);
      this.#send(handshake, handshake.request);
    } else if (this.#underWay.size === 0) this.#finished.resolve();
  }

  #send(handshake: Handshake, datagram: Uint8Array): void {
    handshake.last = datagram;
    handshake.sentAt = performance.now();
    this.#socket.send(datagram);
  }

  #repeat(): void {
    const overdue = performance.now() - REPEAT_MS;
    for (const handshake of this.#underWay.values()) {
      if (handshake.sentAt > overdue) continue;
      this.#repeated += 1;
      handshake.repeats += 1;
      if (handshake.repeats > MAX_REPEATS)
        this.#finished.reject(new Error(`user ${handshake.user}: no answer after ${MAX_REPEATS} repetitions`));
      this.#send(handshake, handshake.last);
    }
  }

  #receive(datagram: Uint8Array): void {
    const message = decodeMessage(datagram);
    const handshake = this.#underWay.get(message.spiI);
    if (!handshake) return;
    if (!handshake.sa) this.#send(handshake, authenticate(handshake, message, datagram));
    else if (message.encrypted) this.#finish(handshake, handshake.sa, message.encrypted);
  }

  #finish(handshake: Handshake, sa: SecuredSa, encrypted: Encrypted): void {
    this.#keep(handshake, sa, decodePayloads(encrypted.first, new Reader(open(sa, encrypted, ctx))));
    this.#underWay.delete(handshake.spiI);
    this.#done += 1;
    this.#begin();
  }

  #keep({ user }: Handshake, { phase }: SecuredSa, payloads: readonly Payload[]): void {
    const granted = payloads.find((one): one is PayloadOf<'N'> => one.kind === 'N' && one.notify === Notify.TICKET_LT_OPAQUE);
    if (!granted || !payloads.some(({ kind }) => kind === 'AUTH'))
      throw new Error(`user ${user} was not let in or got no ticket`);
    this.tickets.set(user, { ticket: granted.data.slice(4), skD: phase.keys.d });
  }
}

function begin(user: number, held: Held | undefined): Handshake {
  const spiI = hex(random(8));
  const ni = random(32);
  const payloads: Payload[] = held
    ? [{ kind: 'NONCE', data: ni }, notify(Notify.TICKET_OPAQUE, held.ticket)]
    : [
        { kind: 'SA', proposals: ikeProposals(AEAD) },
        { kind: 'KE', group: SUITE.ke, data: pair.publicValue },
        { kind: 'NONCE', data: ni },
      ];
  // As from behind a NAT.
  const detection = [Notify.NAT_DETECTION_SOURCE_IP, Notify.NAT_DETECTION_DESTINATION_IP].map((type) => notify(type, random(20)));
  const exchange = held ? Exchange.IKE_SESSION_RESUME : Exchange.IKE_SA_INIT;
  const header = { spiI, spiR: NO_SPI, exchange, messageId: 0, response: false, initiator: true };
  const request = encodeMessage({
    ...header,
    payloads: [...payloads, ...detection, notify(Notify.IKEV2_FRAGMENTATION_SUPPORTED)],
  });
  return { user, spiI, ni, held, request, sa: undefined, last: request, sentAt: 0, repeats: 0 };
}

/** IKE_AUTH, with keys of the first exchange. */
function authenticate(handshake: Handshake, message: Message, datagram: Uint8Array): Uint8Array {
  const { spiI, ni, held, request, user } = handshake;
  const [nonce, ke] = [payloadOf(message, 'NONCE'), payloadOf(message, 'KE')];
  if (!nonce || (!held && !ke)) throw new Error(`user ${user}: the gateway refuses the first exchange`);
  const { spiR } = message;
  const nonces = { ni, nr: nonce.data, spiI, spiR };
  const seed: IkeSeed = held
    ? { from: 'resumption', oldD: held.skD, ...nonces }
    : { from: 'full', shared: keyExchange().conclude(pair.privateKey, ke?.data ?? new Uint8Array()), ...nonces };
  const keys = ikeKeys(crypto, SUITE, seed);
  const first: FirstMessages = { initiator: request, responder: datagram.slice(), ni, nr: nonce.data };
  const sa = {
    ...{ role: 'initiator', spiI, spiR, path: { local: '', remote: '' }, window: newWindow(), connection: undefined },
    phase: { suite: SUITE, keys, nat: { local: true, remote: true }, fragmentation: true },
  } as unknown as SecuredSa;
  handshake.sa = sa;
  const identity = email(userName(user));
  const proof = { suite: SUITE, keys, first };
  const auth = held
    ? resumptionAuth(proof, 'initiator', identity, ctx)
    : sharedKeyAuth(proof, 'initiator', identity, utf8(secretOf(user)), ctx);
  const header = { spiI, spiR, exchange: Exchange.IKE_AUTH, messageId: 1, response: false, initiator: true };
  const [sealed] = seal(sa, header, authPayloads(identity, auth), 1_200, ctx);
  return sealed ?? new Uint8Array();
}

function authPayloads(identity: Identity, auth: Uint8Array): Payload[] {
  return [
    { kind: 'IDi', ...identity },
    { kind: 'AUTH', method: AuthMethod.SHARED_KEY, data: auth },
    {
      kind: 'CP',
      cfgType: CfgType.CFG_REQUEST,
      attributes: [{ type: CfgAttribute.INTERNAL_IP4_ADDRESS, value: new Uint8Array() }],
    },
    { kind: 'SA', proposals: espProposals(ESP, u32Bytes(0x1000_0000 + (random(1)[0] ?? 0)), { pfs: false }) },
    { kind: 'TSi', selectors: [everything(4)] },
    { kind: 'TSr', selectors: [everything(4)] },
    notify(Notify.TICKET_REQUEST),
  ];
}

function payloadOf<K extends 'NONCE' | 'KE'>({ payloads }: Message, kind: K): PayloadOf<K> | undefined {
  const found = payloads.find((one) => one.kind === kind);
  return found as PayloadOf<K> | undefined;
}

function keyExchange() {
  const found = crypto.keyExchange(SUITE.ke);
  if (!found) throw new Error('no such key exchange');
  return found;
}
