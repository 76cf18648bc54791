/** Any message between sidecar and agent, for laws about the codec and for structured fuzzing of what stands behind it. */
import fc from 'fast-check';
import {
  AGENT_PROTOCOL,
  type CarriedTraffic,
  type FromAgent,
  type Outcome,
  type Problem,
  type ToAgent,
} from '../../sidecar/contract/agent-protocol.ts';
import type {
  ChildSa,
  DataplaneOrder,
  DataplaneReport,
  InstallOrder,
  Selector,
  Sequences,
} from '../../sidecar/contract/dataplane.ts';
import type { Bytes } from '../../sidecar/ike/wire/bytes.ts';
import type { Plain } from '../../sidecar/ike/wire/cbor.ts';
import { blob } from './arbitrary-payload.ts';

/** Objects like ours, with the usual prototype and all keys. */
const record = <T>(model: { [F in keyof T]-?: fc.Arbitrary<T[F]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
const word = <const T>(text: T): fc.Arbitrary<T> => fc.constant(text);
const exactly = (length: number): fc.Arbitrary<Bytes> => blob(length, length);
const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(one, { nil: undefined });
const few = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<readonly T[]> => fc.array(one, { maxLength: 3 });

const id = fc.maxSafeNat();
const spi = fc.integer({ min: 256, max: 0xffff_ffff });
const port = fc.nat(0xffff);
const sentence = fc.string({ minLength: 1, maxLength: 60 });
const endpoint = fc.oneof(
  fc.tuple(fc.ipV4(), port).map(([address, at]) => `${address}:${at}`),
  fc.tuple(fc.ipV6(), port).map(([address, at]) => `[${address}]:${at}`),
);

const selector: fc.Arbitrary<Selector> = fc
  .constantFrom(4, 16)
  .chain((length) =>
    record<Selector>({ protocol: fc.nat(255), startPort: port, endPort: port, start: exactly(length), end: exactly(length) }),
  );
const keys = record<ChildSa['keyIn']>({ encr: blob(0, 36), integ: blob(0, 64) });
const path = record<ChildSa['path']>({ local: endpoint, remote: endpoint });
const sequences = { sent: id, received: id };

const child = record<ChildSa>({
  spiIn: spi,
  spiOut: spi,
  suite: record<ChildSa['suite']>({ encr: port, keyBits: port, integ: port, esn: fc.boolean() }),
  keyIn: keys,
  keyOut: keys,
  local: few(selector),
  remote: few(selector),
  path,
  encapsulated: fc.boolean(),
  peer: record<ChildSa['peer']>({ idType: fc.nat(255), data: blob() }),
  sequences: record<Sequences>(sequences),
});
const installOrder = record<InstallOrder>({ order: word('install'), child, sendsAfter: maybe(spi) });
const order = fc.oneof<fc.Arbitrary<DataplaneOrder>[]>(
  installOrder,
  record({ order: word('remove'), spiIn: spi }),
  record({ order: word('move'), spiIn: spi, path, encapsulated: fc.boolean() }),
);

const carried = record<CarriedTraffic>({ spiIn: spi, packetsIn: id, bytesIn: id, packetsOut: id, bytesOut: id });
const outcome = fc.oneof<fc.Arbitrary<Outcome>[]>(
  record({ ok: word(true), traffic: maybe(carried) }),
  record({ ok: word(false), why: fc.constantFrom('refused', 'failed'), reason: sentence }),
);
const report = fc.oneof<fc.Arbitrary<DataplaneReport>[]>(
  record({ report: word('alive'), spiIn: spi, path: maybe(path) }),
  record({ report: word('carried'), spiIn: spi, ...sequences }),
  record({ report: word('expiring'), spiIn: spi }),
  record({ report: word('lost'), spiIn: spi, reason: maybe(sentence) }),
);
const name = fc.oneof(
  fc.constantFrom('unknown-spi', 'replay', '__proto__'),
  fc.string({ unit: fc.constantFrom(...'ab-_0'), minLength: 1 }),
);

export const toAgent = fc.oneof<fc.Arbitrary<ToAgent>[]>(
  record({ type: word('hello'), protocol: word(AGENT_PROTOCOL), incarnation: exactly(16) }),
  record({ type: word('tun'), protocol: word(AGENT_PROTOCOL), queues: fc.integer({ min: 1, max: 64 }) }),
  record({ type: word('sync'), id, children: few(installOrder), last: fc.boolean() }),
  record({ type: word('orders'), id, orders: few(order) }),
  record({ type: word('settle'), id }),
);

export const fromAgent = fc.oneof<fc.Arbitrary<FromAgent>[]>(
  record({
    type: word('welcome'),
    protocol: word(AGENT_PROTOCOL),
    dataplane: fc.constantFrom('kernel', 'userspace'),
    mtu: fc.integer({ min: 68, max: 0xffff }),
    isolateClients: fc.boolean(),
  }),
  record({ type: word('tun'), descriptors: fc.integer({ min: 1, max: 64 }) }),
  record({ type: word('done'), id, outcomes: few(outcome) }),
  record({ type: word('reports'), reports: few(report) }),
  record({
    type: word('traffic'),
    children: few(carried),
    drops: fc.dictionary(name, id, { maxKeys: 4, noNullPrototype: true }),
  }),
  record({
    type: word('health'),
    problems: few(record<Problem>({ severity: fc.constantFrom('blocking', 'warning'), text: sentence })),
  }),
);

const leaf: fc.Arbitrary<Plain> = fc.oneof(
  fc.constantFrom(null, undefined, true, false, Number.POSITIVE_INFINITY, -1, 2 ** 53),
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.string(),
  fc.constantFrom('install', 'remove', 'hello', 'true', '__proto__'),
  blob(),
);
/** What a field may hold that has another type or size than it should. */
export const { anything } = fc.letrec<{ anything: Plain }>((tie) => ({
  anything: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('anything'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), tie('anything'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

/** The value with one thing somewhere in it replaced; `at` chooses which. */
export function replaced(value: Plain, at: number, by: Plain): Plain {
  const places = count(value);
  let left = at % places;
  const walk = (part: Plain): Plain => {
    if (left-- === 0) return by;
    if (part instanceof Uint8Array || typeof part !== 'object' || part === null) return part;
    if (Array.isArray(part)) return part.map(walk);
    return Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, walk(inner)]));
  };
  return walk(value);
}

function count(value: Plain): number {
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce<number>((sum, part) => sum + count(part), 1);
}
