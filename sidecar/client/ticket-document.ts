/** What a ticket file says: the state that RFC 5723 §5 marks "from the ticket" in the initiator's columns, as versioned JSON. */
import { formatAddress, parseAddress } from '../contract/address.ts';
import { instant } from '../contract/bytes.ts';
import { identity } from '../contract/identity.ts';
import { type Parsed, Place } from '../contract/problem.ts';
import {
  boolean,
  integer,
  list,
  maybe,
  oneOf,
  optional,
  readWhole,
  record,
  required,
  type Shape,
  spelled,
  text,
} from '../contract/schema.ts';
import type { HeldTicket } from '../ike/connection.ts';
import { type Instant, NEVER } from '../ike/sa.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import type { KeptTicket } from './ticket-store.ts';

/** Every problem names the file; none repeats a secret. */
export function decodeTicket(json: string, file: string): Parsed<KeptTicket> {
  const place = new Place(file);
  const parsed = parseJson(json, place);
  if (parsed === undefined) return { ok: false, problems: place.problems };
  if (isOfAnotherVersion(parsed.value)) {
    place.at('version').refuse('written by another version of this program', REMEDY);
    return { ok: false, problems: place.problems };
  }
  const read = readWhole(document, parsed.value, place);
  return read.ok ? { ok: true, value: fromDocument(read.value) } : read;
}

export const encodeTicket = (kept: KeptTicket): string => `${JSON.stringify(document.write(toDocument(kept)), undefined, 2)}\n`;

interface TicketDocument extends Omit<HeldTicket, 'expiresAt' | 'authenticatedAt' | 'reauthenticateBy'> {
  readonly version: number;
  readonly gateway: string;
  readonly provenBy: string;
  readonly expiresAt: number;
  readonly authenticatedAt: number;
  readonly reauthenticateBy: number | undefined;
}

const VERSION = 2;
const REMEDY = 'remove the file; the next session brings a new ticket';

const secretBytes = (what: string, min: number, max: number): Shape<Bytes> =>
  spelled({
    what: `${what} in base64`,
    remedy: REMEDY,
    secret: true,
    parse(given) {
      const bytes = new Uint8Array(Buffer.from(given, 'base64'));
      return base64(bytes) === given && bytes.length >= min && bytes.length <= max ? bytes : undefined;
    },
    format: base64,
  });

const base64 = (bytes: Bytes): string => Buffer.from(bytes).toString('base64');

const innerAddress: Shape<Bytes> = spelled({ what: 'an address', remedy: REMEDY, parse: parseAddress, format: formatAddress });

const transform = integer(0, 0xffff);

const document: Shape<TicketDocument> = record({
  version: required(integer(VERSION, VERSION)),
  gateway: required(text('a gateway', /^\S{1,300}$/, REMEDY)),
  provenBy: required(text('how its session was authenticated', /^[^\p{C}]{1,400}$/u, REMEDY)),
  local: required(identity),
  remote: required(identity),
  ticket: required(secretBytes('a ticket', 1, 32_768)),
  expiresAt: required(instant),
  suite: required(
    record({
      encr: required(transform),
      keyBits: required(transform),
      integ: required(transform),
      prf: required(transform),
      ke: required(transform),
    }),
  ),
  skD: required(secretBytes('a key', 16, 64)),
  authenticatedAt: required(instant),
  reauthenticateBy: maybe(instant),
  inner: required(list(innerAddress, { max: 8 })),
  postQuantum: optional(boolean, false),
  form: optional(oneOf('rfc', 'libreswan'), 'rfc'),
});

const toDocument = ({ ticket: { reauthenticateBy, ...ticket }, gateway, provenBy }: KeptTicket): TicketDocument => ({
  version: VERSION,
  ...{ gateway, provenBy },
  reauthenticateBy: reauthenticateBy === NEVER ? undefined : reauthenticateBy,
  ...ticket,
});

function fromDocument({
  version: _,
  gateway,
  provenBy,
  expiresAt,
  authenticatedAt,
  reauthenticateBy,
  ...ticket
}: TicketDocument): KeptTicket {
  const times = {
    expiresAt: expiresAt as Instant,
    authenticatedAt: authenticatedAt as Instant,
    reauthenticateBy: reauthenticateBy === undefined ? NEVER : (reauthenticateBy as Instant),
  };
  return { gateway, provenBy, ticket: { ...ticket, ...times } };
}

/** Its fields would be others. */
const isOfAnotherVersion = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  'version' in value &&
  Number.isInteger(value.version) &&
  value.version !== VERSION;

function parseJson(json: string, place: Place): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(json) };
  } catch {
    // The error would repeat what stands in the file.
    place.refuse('not JSON', REMEDY);
    return undefined;
  }
}
