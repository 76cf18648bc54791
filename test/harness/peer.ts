/** A peer that is driven by hand: it speaks IKEv2 through our codec and cryptography, one message at a time, right or wrong. */
import { cryptography } from '../../sidecar/ike/crypto/cryptographies.ts';
import { type IkeKeys, ikeKeys } from '../../sidecar/ike/crypto/keymat.ts';
import type { IkeSuite } from '../../sidecar/ike/crypto/suite.ts';
import type { FirstMessages } from '../../sidecar/ike/handshake-phase.ts';
import { open, type SecuredSa, seal } from '../../sidecar/ike/protection.ts';
import { NEVER, type Path } from '../../sidecar/ike/sa.ts';
import { newWindow } from '../../sidecar/ike/window.ts';
import { concat, hex, Reader } from '../../sidecar/ike/wire/bytes.ts';
import {
  decodeMessage,
  encodeMessage,
  encodePrefix,
  type Fragment,
  type Header,
  type Message,
  NO_SPI,
} from '../../sidecar/ike/wire/message.ts';
import { decodePayloads, type Kind, type Payload, type PayloadOf } from '../../sidecar/ike/wire/payload.ts';
import { Encr, Exchange, Ke, Prf } from '../../sidecar/ike/wire/registry.ts';
import { type Random, seeded } from './random.ts';
import type { Sent, Subject } from './subject.ts';

export const crypto = cryptography('auto');

export const SUITE: IkeSuite = { encr: Encr.AES_GCM_16, keyBits: 256, integ: 0, prf: Prf.HMAC_SHA2_256, ke: Ke.CURVE25519 };

/** The subject's side and ours, as the subject sees them. */
export const PATH: Path = { local: '10.0.0.10:500', remote: '192.0.2.1:500' };
export const NAT_PATH: Path = { local: '10.0.0.10:4500', remote: '192.0.2.1:4500' };

/** A message of the subject, in clear or opened. */
export interface Heard extends Header {
  readonly payloads: readonly Payload[];
  readonly path: Path;
  /** One, or its fragments. */
  readonly datagrams: readonly Uint8Array[];
}

export interface Sealing {
  readonly messageId?: number;
  readonly response?: boolean;
  readonly limit?: number;
  readonly path?: Path;
}

export class Peer {
  /** Whom we talk to; another pod, when a balancer has it so. */
  subject: Subject;
  readonly role: 'initiator' | 'responder';
  readonly random: Random;
  path: Path;
  spiI: string;
  spiR: string;
  suite = SUITE;
  keys: IkeKeys | undefined;
  first: FirstMessages | undefined;
  resumed = false;
  fragmentation = true;
  /** Id of our next request. */
  next = 0;

  constructor(subject: Subject, role: Peer['role'], spis: { spiI: string; spiR: string }, path: Path, seed: number) {
    this.subject = subject;
    this.role = role;
    this.spiI = spis.spiI;
    this.spiR = spis.spiR;
    this.path = path;
    this.random = seeded(seed);
  }

  /** One that begins SAs with a gateway. */
  static towards(gateway: Subject, { seed = 100, path = PATH }: { seed?: number; path?: Path } = {}): Peer {
    const spiI = hex(seeded(seed + 50_000)(8));
    return new Peer(gateway, 'initiator', { spiI, spiR: NO_SPI }, path, seed);
  }

  /** One that a client has begun with. */
  static of(client: Subject, first: Sent, seed = 200): Peer {
    const { spiI } = decodeMessage(first.bytes);
    return new Peer(client, 'responder', { spiI, spiR: hex(seeded(seed + 50_000)(8)) }, first.path, seed);
  }

  header(exchange: number, { messageId = this.next, response = false }: Sealing = {}): Header {
    return { spiI: this.spiI, spiR: this.spiR, exchange, messageId, response, initiator: this.role === 'initiator' };
  }

  /** A message in clear, as bytes. */
  clear(exchange: number, payloads: readonly Payload[], part: Partial<Header> = {}): Uint8Array {
    return encodeMessage({ ...this.header(exchange, { messageId: 0 }), ...part, payloads });
  }

  /** A protected message, as datagrams. */
  sealed(exchange: number, payloads: readonly Payload[], sealing: Sealing = {}): readonly Uint8Array[] {
    return seal(this.#sa(), this.header(exchange, sealing), payloads, sealing.limit ?? 60_000, this.#ctx());
  }

  /** Any bytes inside an encrypted payload, which need not be payloads; with an AEAD. */
  sealedRaw(
    exchange: number,
    first: number,
    inner: Uint8Array,
    sealing: Sealing & { readonly fragment?: Fragment } = {},
  ): Uint8Array {
    const { suite, keys, role } = this;
    const encryption = crypto.encryption(suite.encr, suite.keyBits);
    if (!encryption?.aead || !keys) throw new Error('no AEAD, or no keys');
    const iv = this.random(encryption.ivLength);
    const plaintext = concat(inner, Uint8Array.of(0)); // no padding
    const bodyLength = iv.length + plaintext.length + encryption.icvLength;
    const aad = encodePrefix(this.header(exchange, sealing), { first, bodyLength, fragment: sealing.fragment });
    return concat(aad, iv, encryption.seal(role === 'initiator' ? keys.ei : keys.er, iv, plaintext, aad));
  }

  /** Sends these datagrams; answers what the subject says to that. */
  send(datagrams: readonly Uint8Array[], path = this.path): Heard[] {
    return this.hear(datagrams.flatMap((bytes) => this.subject.receive(bytes, path)));
  }

  /** Sends our next request and answers the response to it. */
  request(exchange: number, payloads: readonly Payload[], sealing: Sealing = {}): Heard | undefined {
    const { messageId = this.next } = sealing;
    const heard = this.send(this.sealed(exchange, payloads, { ...sealing, messageId }), sealing.path);
    this.next = messageId + 1;
    return heard.find((one) => one.response && one.messageId === messageId && one.exchange === exchange);
  }

  /** Answers a request of the subject; what it says to that comes back. */
  answer(
    { exchange, messageId }: Pick<Heard, 'exchange' | 'messageId'>,
    payloads: readonly Payload[],
    sealing: Sealing = {},
  ): Heard[] {
    return this.send(this.sealed(exchange, payloads, { ...sealing, messageId, response: true }), sealing.path);
  }

  /** Decodes what the subject sent, opens what is sealed for this SA, puts fragments together; leaves out what is for others. */
  hear(sent: readonly Sent[]): Heard[] {
    const heard: Heard[] = [];
    let parts: { readonly sent: Sent; readonly message: Message; readonly plain: Uint8Array }[] = [];
    for (const one of sent) {
      const message = decodeMessage(one.bytes);
      if (message.spiI !== this.spiI || (message.spiR !== this.spiR && message.spiR !== NO_SPI && this.spiR !== NO_SPI)) continue;
      const { encrypted } = message;
      if (!encrypted) {
        heard.push({ ...message, path: one.path, datagrams: [one.bytes] });
        continue;
      }
      parts.push({ sent: one, message, plain: open(this.#sa(), encrypted, this.#ctx()) });
      if (parts.length < (encrypted.fragment?.total ?? 1)) continue;
      const first = parts[0]?.message.encrypted?.first ?? 0;
      const payloads = decodePayloads(first, new Reader(concat(...parts.map(({ plain }) => plain))));
      heard.push({ ...message, payloads, path: one.path, datagrams: parts.map(({ sent: { bytes } }) => bytes) });
      parts = [];
    }
    return heard;
  }

  /** Keys of a full exchange or a resumption; `seed` lacks what this peer knows itself. */
  derive(
    seed: { from: 'full'; shared: Uint8Array } | { from: 'resumption'; oldD: Uint8Array },
    ni: Uint8Array,
    nr: Uint8Array,
  ): void {
    const { spiI, spiR } = this;
    this.keys = ikeKeys(crypto, this.suite, { ...seed, ni, nr, spiI, spiR });
  }

  #sa(): SecuredSa {
    const { role, spiI, spiR, path, suite, keys, fragmentation } = this;
    if (!keys) throw new Error('this peer has no keys yet');
    const phase = {
      name: 'gone',
      suite,
      keys,
      nat: { local: false, remote: false },
      fragmentation,
      proven: true,
      until: NEVER,
    } as const;
    return { role, spiI, spiR, path, window: newWindow(), connection: undefined, phase };
  }

  #ctx() {
    return { crypto, random: this.random };
  }
}

/** The payload of that kind, when there is exactly one. */
export function payload<K extends Kind>(heard: Pick<Heard, 'payloads'> | undefined, kind: K): PayloadOf<K> | undefined {
  const found = (heard?.payloads ?? []).filter((one): one is PayloadOf<K> & Payload => one.kind === kind);
  return found.length === 1 ? found[0] : undefined;
}

export const kinds = (heard: Pick<Heard, 'payloads'> | undefined): string[] => (heard?.payloads ?? []).map(({ kind }) => kind);

/** Notify types, in order. */
export const notifies = (heard: Pick<Heard, 'payloads'> | undefined): number[] =>
  (heard?.payloads ?? []).flatMap((one) => (one.kind === 'N' ? [one.notify] : []));

export const notifyData = (heard: Pick<Heard, 'payloads'> | undefined, type: number): Uint8Array | undefined =>
  (heard?.payloads ?? []).flatMap((one) => (one.kind === 'N' && one.notify === type ? [one.data] : []))[0];

/** The requests among them. */
export const requests = (heard: readonly Heard[]): Heard[] => heard.filter(({ response }) => !response);

export const isFirst = (exchange: number): boolean =>
  exchange === Exchange.IKE_SA_INIT || exchange === Exchange.IKE_SESSION_RESUME;
