/** All payload kinds of RFC 7296 §3 in one table, and the chain in which a message carries them. */
import { ProtocolError } from '../error.ts';
import { type AuthBody, authPayload, type CertBody, certPayload, type IdBody, idPayload } from './auth-payload.ts';
import { type Bytes, EMPTY, type Reader, Writer } from './bytes.ts';
import type { Codec } from './codec.ts';
import { type CpBody, cpPayload } from './cp-payload.ts';
import { type EapBody, eapPayload } from './eap-payload.ts';
import { type KeBody, kePayload, noncePayload, type OpaqueBody, vendorIdPayload } from './ke-payload.ts';
import { type DeleteBody, deletePayload, type NotifyBody, notifyPayload } from './notify-payload.ts';
import { Notify, Protocol } from './registry.ts';
import { type SaBody, saPayload } from './sa-payload.ts';
import { type TsBody, tsPayload } from './ts-payload.ts';

export type { Attribute } from './cp-payload.ts';
export type { Proposal, Transform } from './sa-payload.ts';

/** What each payload says, without its generic header. */
interface Bodies {
  readonly SA: SaBody;
  readonly KE: KeBody;
  readonly IDi: IdBody;
  readonly IDr: IdBody;
  readonly CERT: CertBody;
  readonly CERTREQ: CertBody;
  readonly AUTH: AuthBody;
  /** Ni and Nr. */
  readonly NONCE: OpaqueBody;
  readonly N: NotifyBody;
  readonly D: DeleteBody;
  readonly V: OpaqueBody;
  readonly TSi: TsBody;
  readonly TSr: TsBody;
  readonly CP: CpBody;
  readonly EAP: EapBody;
}

export type Kind = keyof Bodies;
export type PayloadOf<K extends Kind> = { readonly kind: K } & Bodies[K];
export type Payload = { [K in Kind]: PayloadOf<K> }[Kind];

/** A payload kind without a codec does not compile. */
const codecs: { readonly [K in Kind]: Codec<Bodies[K]> } = {
  SA: saPayload,
  KE: kePayload,
  IDi: idPayload(35),
  IDr: idPayload(36),
  CERT: certPayload(37),
  CERTREQ: certPayload(38),
  AUTH: authPayload,
  NONCE: noncePayload,
  N: notifyPayload,
  D: deletePayload,
  V: vendorIdPayload,
  TSi: tsPayload(44),
  TSr: tsPayload(45),
  CP: cpPayload,
  EAP: eapPayload,
};

const kinds: readonly (Kind | undefined)[] = kindsByNumber();

function kindsByNumber(): (Kind | undefined)[] {
  const table = new Array<Kind | undefined>(256).fill(undefined);
  for (const kind of Object.keys(codecs) as Kind[]) table[codecs[kind].number] = kind;
  return table;
}

/** Encrypted and Authenticated (RFC 7296 §3.14) and its fragment (RFC 7383 §2.5): these end a message, and what is in them is another chain. */
export const SK = 46;
export const SKF = 53;

export interface Chain {
  readonly payloads: Payload[];
  /** The SK or SKF payload at the end: its number, the number of the first payload inside, and its body. */
  readonly sealed: { readonly number: number; readonly first: number; readonly body: Bytes } | undefined;
}

/** The payloads of a message, up to an encrypted one. */
export function decodeChain(first: number, reader: Reader): Chain {
  const payloads: Payload[] = [];
  for (let number = first; number !== 0; ) {
    const next = reader.u8();
    const critical = (reader.u8() & 0x80) !== 0;
    const body = reader.sub(reader.u16() - 4);
    const kind = kinds[number];
    if (kind) payloads.push(decodeBody(kind, body));
    else if (number === SK || number === SKF) {
      // RFC 7296 §3.14, RFC 7383 §2.5: "MUST be the last payload in the message".
      reader.end();
      return { payloads, sealed: { number, first: next, body: body.rest() } };
    } else if (critical) throw unsupported(number);
    number = next;
  }
  reader.end();
  return { payloads, sealed: undefined };
}

/** The payloads inside an encrypted one, whose header tells the number of the first. */
export function decodePayloads(first: number, reader: Reader): Payload[] {
  const { payloads, sealed } = decodeChain(first, reader);
  // RFC 7296 §3.1: "an Encrypted payload MUST NOT contain another Encrypted payload".
  if (sealed) throw ProtocolError.malformed('an encrypted payload inside another one');
  return payloads;
}

/** RFC 7296 §2.5: unknown payloads are skipped, unless the sender says that we must know them. */
const unsupported = (number: number): ProtocolError =>
  new ProtocolError('refuse', Notify.UNSUPPORTED_CRITICAL_PAYLOAD, `unknown critical payload ${number}`, Uint8Array.of(number));

function decodeBody(kind: Kind, reader: Reader): Payload {
  const body = codecs[kind].decode(reader);
  reader.end();
  return { kind, ...body } as Payload;
}

/** `first` is the number of the first payload, for the Next Payload field that precedes them. */
export function encodePayloads(payloads: readonly Payload[]): { first: number; bytes: Bytes } {
  const out = new Writer();
  payloads.forEach((payload, index) => {
    const start = out.length;
    out
      .u8(numberOf(payloads[index + 1]))
      .u8(0)
      .u16(0);
    encodeBody(payload, out);
    out.u16At(start + 2, out.length - start);
  });
  return { first: numberOf(payloads[0]), bytes: out.finish() };
}

const numberOf = (payload: Payload | undefined): number => (payload ? codecs[payload.kind].number : 0);

function encodeBody<K extends Kind>(payload: PayloadOf<K>, out: Writer): void {
  codecs[payload.kind].encode(out, payload);
}

/** A notify about the exchange itself, or about the SA that `sa` names. */
export const notify = (type: Notify, data: Bytes = EMPTY, sa?: { protocol: number; spi: Bytes }): PayloadOf<'N'> => ({
  kind: 'N',
  protocol: sa?.protocol ?? Protocol.NONE,
  notify: type,
  spi: sa?.spi ?? EMPTY,
  data,
});
