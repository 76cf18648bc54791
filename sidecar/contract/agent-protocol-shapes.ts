/** The messages between sidecar and agent as shapes: what each field may be, whoever sent it. Whether an order is allowed is another question. */
import { type CarriedTraffic, type FromAgent, MOST_ORDERS, type Outcome, type Problem, type ToAgent } from './agent-protocol.ts';
import type { ChildSa, DataplaneOrder, DataplaneReport, InstallOrder, Selector, Sequences } from './dataplane.ts';
import type { Identity } from './gateway-config.ts';
import { kind, REFUSED } from './problem.ts';
import { boolean, checked, integer, isMapping, list, maybe, oneOf, record, required, type Shape, text } from './schema.ts';

/** Reports, counters or problems in one message. */
export const MOST_ENTRIES = 1024;
/** As many descriptors as the kernel hands over at once (SCM_MAX_FD), and more than a TUN device has use for. */
export const MOST_QUEUES = 64;
/** A peer may be called by as much as an ID payload holds. */
const LONGEST_IDENTITY = 0xffff;
/** RFC 7296 §3.13: a TS payload counts its selectors in one byte. */
const MOST_SELECTORS = 255;

const bytes = (min: number, max: number): Shape<Uint8Array> => ({
  read(value, place) {
    if (!(value instanceof Uint8Array)) return place.refuse(`not bytes: ${kind(value)}`, `send ${min} to ${max} bytes`);
    if (value.length >= min && value.length <= max) return value;
    return place.refuse(`${value.length} bytes`, `send ${min} to ${max}`);
  },
  write: (value) => value,
});

const literal = <const T extends boolean>(word: T): Shape<T> => ({
  read: (value, place) => (value === word ? word : place.refuse('another word', `send ${word}`)),
  write: (value) => value,
});

type Word<K> = K extends 'true' ? true : K extends 'false' ? false : K;
type Variants<T, Tag extends keyof T> = {
  readonly [K in `${T[Tag] & (string | boolean)}`]: Shape<Extract<T, Readonly<Record<Tag, Word<K>>>>>;
};

/** One of several records, told apart by the field `tag`. */
function union<T extends object, const Tag extends keyof T & string>(tag: Tag, variants: Variants<T, Tag>): Shape<T> {
  const words = Object.keys(variants);
  const variantOf = (word: string): Shape<T> | undefined =>
    words.includes(word) ? (variants as Readonly<Record<string, Shape<T>>>)[word] : undefined;
  return {
    read(value, place) {
      if (!isMapping(value)) return place.refuse(`not a mapping: ${kind(value)}`, `send one with the field ${tag}`);
      const variant = Object.hasOwn(value, tag) ? variantOf(wordOf(value[tag])) : undefined;
      return variant ? variant.read(value, place) : place.at(tag).refuse('unknown', `send one of ${words.join(', ')}`);
    },
    write: (value) => variantOf(wordOf(value[tag]))?.write(value),
  };
}

/** What a tag says: never the text of something large. */
const wordOf = (tag: unknown): string => (typeof tag === 'string' || typeof tag === 'boolean' ? String(tag) : '');

const dictionary = <T>(entry: Shape<T>, max: number): Shape<Readonly<Record<string, T>>> => ({
  read(value, place) {
    if (!isMapping(value)) return place.refuse(`not a mapping: ${kind(value)}`, 'send names with values');
    const names = Object.keys(value);
    if (names.length > max) return place.refuse(`${names.length} entries`, `send at most ${max}`);
    const read: Record<string, T> = {};
    for (const name of names) {
      const part = /^[\w-]{1,64}$/.test(name)
        ? entry.read(value[name], place.at(name))
        : place.refuse('a name that is none', 'use 1 to 64 letters, digits, _ and -');
      if (part === REFUSED) return REFUSED;
      // Not an assignment: a name may be __proto__.
      Object.defineProperty(read, name, { value: part, enumerable: true, configurable: true, writable: true });
    }
    return read;
  },
  write: (value) => value,
});

const LARGEST = Number.MAX_SAFE_INTEGER;
const U32 = 0xffff_ffff;
const id = integer(0, LARGEST);
/** RFC 4303 §2.1: 0 is for local use, 1 to 255 are reserved. */
const spi = integer(256, U32);
const port = integer(0, 0xffff);
const protocol = integer(0, U32);
const count = integer(0, LARGEST);
const sentence = text('a sentence', /^[^\p{Cc}]{1,2000}$/u, 'send one line of at most 2000 characters');
const endpoint = text('an address with a port', /^[0-9a-f.:[\]]{1,64}$/i, 'send it like 192.0.2.1:4500 or [2001:db8::1]:4500');

const selector: Shape<Selector> = checked(
  record<Selector>({
    protocol: required(integer(0, 255)),
    startPort: required(port),
    endPort: required(port),
    start: required(bytes(4, 16)),
    end: required(bytes(4, 16)),
  }),
  ({ start, end }, place) => {
    if (start.length !== 4 && start.length !== 16) place.at('start').refuse(`${start.length} bytes`, 'send 4 or 16');
    if (end.length !== start.length)
      place.at('end').refuse(`${end.length} bytes, but the start has ${start.length}`, 'send as many');
  },
);

const keys = record<ChildSa['keyIn']>({ encr: required(bytes(0, 128)), integ: required(bytes(0, 128)) });
const path = record<ChildSa['path']>({ local: required(endpoint), remote: required(endpoint) });
const sequences = { sent: required(count), received: required(count) };

const child = record<ChildSa>({
  spiIn: required(spi),
  spiOut: required(spi),
  suite: required(
    record<ChildSa['suite']>({
      encr: required(port),
      keyBits: required(port),
      integ: required(port),
      esn: required(boolean),
    }),
  ),
  keyIn: required(keys),
  keyOut: required(keys),
  local: required(list(selector, { max: MOST_SELECTORS })),
  remote: required(list(selector, { max: MOST_SELECTORS })),
  path: required(path),
  encapsulated: required(boolean),
  peer: required(record<Identity>({ idType: required(integer(0, 255)), data: required(bytes(0, LONGEST_IDENTITY)) })),
  sequences: required(record<Sequences>(sequences)),
});

const installOrder = record<InstallOrder>({
  order: required(oneOf('install')),
  child: required(child),
  sendsAfter: maybe(spi),
});

const order = union<DataplaneOrder, 'order'>('order', {
  install: installOrder,
  remove: record({ order: required(oneOf('remove')), spiIn: required(spi) }),
  move: record({
    order: required(oneOf('move')),
    spiIn: required(spi),
    path: required(path),
    encapsulated: required(boolean),
  }),
});

const carried = record<CarriedTraffic>({
  spiIn: required(spi),
  packetsIn: required(count),
  bytesIn: required(count),
  packetsOut: required(count),
  bytesOut: required(count),
});

const outcome = union<Outcome, 'ok'>('ok', {
  true: record({ ok: required(literal(true)), traffic: maybe(carried) }),
  false: record({ ok: required(literal(false)), why: required(oneOf('refused', 'failed')), reason: required(sentence) }),
});

const report = union<DataplaneReport, 'report'>('report', {
  alive: record({ report: required(oneOf('alive')), spiIn: required(spi), path: maybe(path) }),
  carried: record({ report: required(oneOf('carried')), spiIn: required(spi), ...sequences }),
  expiring: record({ report: required(oneOf('expiring')), spiIn: required(spi) }),
  lost: record({ report: required(oneOf('lost')), spiIn: required(spi), reason: maybe(sentence) }),
});

const problem = record<Problem>({ severity: required(oneOf('blocking', 'warning')), text: required(sentence) });

export const toAgent = union<ToAgent, 'type'>('type', {
  hello: record({ type: required(oneOf('hello')), protocol: required(protocol), incarnation: required(bytes(16, 16)) }),
  tun: record({ type: required(oneOf('tun')), protocol: required(protocol), queues: required(integer(1, MOST_QUEUES)) }),
  sync: record({
    type: required(oneOf('sync')),
    id: required(id),
    children: required(list(installOrder, { max: MOST_ORDERS })),
    last: required(boolean),
  }),
  orders: record({
    type: required(oneOf('orders')),
    id: required(id),
    orders: required(list(order, { max: MOST_ORDERS })),
  }),
  settle: record({ type: required(oneOf('settle')), id: required(id) }),
});

export const fromAgent = union<FromAgent, 'type'>('type', {
  welcome: record({
    type: required(oneOf('welcome')),
    protocol: required(protocol),
    dataplane: required(oneOf('kernel', 'userspace')),
    mtu: required(integer(68, 0xffff)),
    isolateClients: required(boolean),
  }),
  tun: record({ type: required(oneOf('tun')), descriptors: required(integer(1, MOST_QUEUES)) }),
  done: record({ type: required(oneOf('done')), id: required(id), outcomes: required(list(outcome, { max: MOST_ORDERS })) }),
  reports: record({ type: required(oneOf('reports')), reports: required(list(report, { max: MOST_ENTRIES })) }),
  traffic: record({
    type: required(oneOf('traffic')),
    children: required(list(carried, { max: MOST_ENTRIES })),
    drops: required(dictionary(count, 64)),
  }),
  health: record({ type: required(oneOf('health')), problems: required(list(problem, { max: 64 })) }),
});
