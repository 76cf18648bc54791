/** Any well-formed payload and message (RFC 7296 §3), for laws about the codec and for structured fuzzing of what stands behind it. */
import fc from 'fast-check';
import type { Selector } from '../../sidecar/contract/dataplane.ts';
import { type Bytes, concat, EMPTY, hex, Writer } from '../../sidecar/ike/wire/bytes.ts';
import { type Fragment, type Header, NO_SPI } from '../../sidecar/ike/wire/message.ts';
import type { Attribute, Kind, Payload, PayloadOf, Proposal, Transform } from '../../sidecar/ike/wire/payload.ts';
import {
  CfgAttribute,
  CfgType,
  EapCode,
  Exchange,
  IdType,
  Ke,
  Notify,
  Protocol,
  TransformType,
} from '../../sidecar/ike/wire/registry.ts';

export const blob = (minLength = 0, maxLength = 40): fc.Arbitrary<Bytes> => fc.uint8Array({ minLength, maxLength });
const bytesOf = (length: number): fc.Arbitrary<Bytes> => blob(length, length);
/** Objects like ours, with the usual prototype. */
const record = <T, K extends keyof T = keyof T>(model: { [F in keyof T]: fc.Arbitrary<T[F]> }, requiredKeys?: K[]) =>
  fc.record<T, K>(model, { noNullPrototype: true, ...(requiredKeys && { requiredKeys }) });
const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);

/** Mostly numbers that somebody has assigned, sometimes any: both sides of every table deserve a visit. */
const assigned = (registry: Readonly<Record<string, number>>, any: fc.Arbitrary<number>): fc.Arbitrary<number> =>
  fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...Object.values(registry)) }, { weight: 1, arbitrary: any });

type Body<K extends Kind> = Omit<PayloadOf<K>, 'kind'>;

const idBody: fc.Arbitrary<Body<'IDi'>> = assigned(IdType, u8).chain((idType) =>
  record({
    idType: fc.constant(idType),
    data: idType === IdType.ID_IPV4_ADDR ? bytesOf(4) : idType === IdType.ID_IPV6_ADDR ? bytesOf(16) : blob(),
  }),
);
const certBody: fc.Arbitrary<Body<'CERT'>> = record({ encoding: u8, data: blob() });
const tsBody = (): fc.Arbitrary<Body<'TSi'>> => record({ selectors: fc.array(selector, { minLength: 1, maxLength: 4 }) });

const between = <T>(arbitrary: fc.Arbitrary<T>, order: (a: T, b: T) => number): fc.Arbitrary<[T, T]> =>
  fc.tuple(arbitrary, arbitrary).map(([a, b]) => (order(a, b) <= 0 ? [a, b] : [b, a]));

export const selector: fc.Arbitrary<Selector> = record({
  protocol: fc.constantFrom(0, 1, 6, 17, 58, 255),
  ports: fc.oneof(
    fc.constant([0, 0xffff]),
    fc.constant([0xffff, 0]),
    between(u16, (a, b) => a - b),
  ),
  addresses: fc.constantFrom(4, 16).chain((length) => between(bytesOf(length), Buffer.compare)),
}).map(({ protocol, ports: [startPort = 0, endPort = 0], addresses: [start, end] }) => ({
  protocol,
  startPort,
  endPort,
  start,
  end,
}));

const KEY_LENGTH = 14;
const TV = 0x8000;
const shortAttribute = fc
  .tuple(
    fc.nat(0x7fff).filter((type) => type !== KEY_LENGTH),
    u16,
  )
  .map(([type, value]) =>
    new Writer()
      .u16(TV | type)
      .u16(value)
      .finish(),
  );
const longAttribute = fc
  .tuple(fc.nat(0x7fff), blob(0, 8))
  .map(([type, value]) => new Writer().u16(type).u16(value.length).bytes(value).finish());
const unknownAttributes = fc
  .array(fc.oneof(shortAttribute, longAttribute), { minLength: 1, maxLength: 3 })
  .map((attributes) => concat(...attributes));

export const transform: fc.Arbitrary<Transform> = record(
  {
    type: assigned(TransformType, u8),
    id: fc.oneof(fc.nat(40), u16),
    keyBits: fc.oneof(fc.constantFrom(128, 256), u16),
    unknownAttributes,
  },
  ['type', 'id'],
);

const spiOf = (protocol: number): fc.Arbitrary<Bytes> => {
  if (protocol === Protocol.IKE) return fc.oneof(fc.constant(EMPTY), bytesOf(8));
  return protocol === Protocol.AH || protocol === Protocol.ESP ? bytesOf(4) : blob(0, 16);
};

const proposal: fc.Arbitrary<Omit<Proposal, 'number'>> = assigned(Protocol, u8).chain((protocol) =>
  record({
    protocol: fc.constant(protocol),
    spi: spiOf(protocol),
    transforms: fc.array(transform, { minLength: 1, maxLength: 6 }),
  }),
);
/** An answer, or an offer that counts from 1. */
const proposals: fc.Arbitrary<readonly Proposal[]> = fc.oneof(
  fc.tuple(fc.integer({ min: 1, max: 255 }), proposal).map(([number, only]) => [{ number, ...only }]),
  fc.array(proposal, { minLength: 2, maxLength: 4 }).map((all) => all.map((one, index) => ({ number: index + 1, ...one }))),
);

const notifyBody: fc.Arbitrary<Body<'N'>> = fc.constantFrom(...Object.values(Protocol)).chain((protocol) =>
  record({
    protocol: fc.constant(protocol === Protocol.IKE ? Protocol.NONE : protocol),
    notify: assigned(Notify, u16),
    spi: protocol === Protocol.AH || protocol === Protocol.ESP ? bytesOf(4) : fc.constant(EMPTY),
    data: blob(),
  }),
);

const deleteBody: fc.Arbitrary<Body<'D'>> = fc.oneof(
  fc.constant({ protocol: Protocol.IKE, spis: [] }),
  record({ protocol: fc.constantFrom(Protocol.AH, Protocol.ESP), spis: fc.array(bytesOf(4), { maxLength: 4 }) }),
);

const attributeLengths: Readonly<Record<number, readonly number[]>> = {
  [CfgAttribute.INTERNAL_IP4_ADDRESS]: [0, 4],
  [CfgAttribute.INTERNAL_IP4_NETMASK]: [0, 4],
  [CfgAttribute.INTERNAL_IP4_DNS]: [0, 4],
  [CfgAttribute.INTERNAL_IP4_NBNS]: [0, 4],
  [CfgAttribute.INTERNAL_IP4_DHCP]: [0, 4],
  [CfgAttribute.INTERNAL_IP6_ADDRESS]: [0, 17],
  [CfgAttribute.INTERNAL_IP6_DNS]: [0, 16],
  [CfgAttribute.INTERNAL_IP6_DHCP]: [0, 16],
  [CfgAttribute.INTERNAL_IP4_SUBNET]: [0, 8],
  [CfgAttribute.SUPPORTED_ATTRIBUTES]: [0, 2, 4, 10],
  [CfgAttribute.INTERNAL_IP6_SUBNET]: [0, 17],
};
export const attribute: fc.Arbitrary<Attribute> = assigned(CfgAttribute, fc.nat(0x7fff)).chain((type) => {
  const lengths = attributeLengths[type];
  return record({ type: fc.constant(type), value: lengths ? fc.constantFrom(...lengths).chain(bytesOf) : blob() });
});

const eapBody: fc.Arbitrary<Body<'EAP'>> = fc.constantFrom(...Object.values(EapCode)).chain((code) =>
  record({
    code: fc.constant(code),
    identifier: u8,
    data: code === EapCode.REQUEST || code === EapCode.RESPONSE ? blob(1) : fc.constant(EMPTY),
  }),
);

/** A kind without an arbitrary does not compile. */
const bodies: { readonly [K in Kind]: fc.Arbitrary<Body<K>> } = {
  SA: record({ proposals }),
  KE: record({ group: assigned(Ke, u16), data: blob() }),
  IDi: idBody,
  IDr: idBody,
  CERT: certBody,
  CERTREQ: certBody,
  AUTH: record({ method: u8, data: blob() }),
  NONCE: record({ data: fc.oneof(blob(16, 64), bytesOf(256)) }),
  N: notifyBody,
  D: deleteBody,
  V: record({ data: blob() }),
  TSi: tsBody(),
  TSr: tsBody(),
  CP: record({ cfgType: assigned(CfgType, u8), attributes: fc.array(attribute, { maxLength: 6 }) }),
  EAP: eapBody,
};

export const kinds = Object.keys(bodies) as readonly Kind[];

const withKind = <K extends Kind>(kind: K): fc.Arbitrary<PayloadOf<K>> =>
  (bodies[kind] as fc.Arbitrary<Body<K>>).map((body) => ({ kind, ...body }) as unknown as PayloadOf<K>);

/** A payload of one kind. */
export const payloadOf = Object.fromEntries(kinds.map((kind) => [kind, withKind(kind)])) as unknown as {
  readonly [K in Kind]: fc.Arbitrary<PayloadOf<K>>;
};

/** A payload of any kind. */
export const payload: fc.Arbitrary<Payload> = fc.oneof(...kinds.map((kind) => payloadOf[kind] as fc.Arbitrary<Payload>));

const spi = bytesOf(8).map(hex);

export const header: fc.Arbitrary<Header> = record({
  spiI: spi.filter((value) => value !== NO_SPI),
  spiR: fc.oneof(fc.constant(NO_SPI), spi),
  exchange: assigned(Exchange, u8),
  response: fc.boolean(),
  initiator: fc.boolean(),
  messageId: fc.oneof(fc.nat(3), fc.nat(0xffff_ffff)),
});

/** A message in clear, to be encoded. */
export const message: fc.Arbitrary<Header & { readonly payloads: readonly Payload[] }> = fc
  .tuple(header, fc.array(payload, { maxLength: 6 }))
  .map(([head, payloads]) => ({ ...head, payloads }));

/** RFC 7383 §2.5. */
export const fragment: fc.Arbitrary<Fragment> = between(fc.integer({ min: 1, max: 0xffff }), (a, b) => a - b).map(
  ([number, total]) => ({ number, total }),
);

/** A message that is one encrypted payload or a fragment of one; `body` stands for IV, ciphertext and checksum. */
export const encryptedMessage: fc.Arbitrary<{
  readonly header: Header;
  readonly first: number;
  readonly fragment: Fragment | undefined;
  readonly body: Bytes;
}> = record({
  header,
  first: fc.constantFrom(0, 33, 35, 41, 42, 200),
  fragment: fc.option(fragment, { nil: undefined }),
  body: blob(0, 100),
}).map((sealed) => ((sealed.fragment?.number ?? 1) > 1 ? { ...sealed, first: 0 } : sealed));
