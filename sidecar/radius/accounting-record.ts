/** What is told of a session to whoever counts (RFC 2866 §5), as attributes. */
import { formatIdentity } from '../contract/identity.ts';
import type { Traffic } from '../dataplane/dataplane.ts';
import type { Identity } from '../ike/sa.ts';
import type { ClosedWhy } from '../ike/step.ts';
import { type Bytes, utf8 } from '../ike/wire/bytes.ts';
import { nasAttributes } from './access-request.ts';
import { bytesAttribute, integerAttribute, Type, textAttribute } from './attribute.ts';
import { type Attribute, MAX_VALUE } from './packet.ts';

/** RFC 2866 §5.1. No Accounting-On and -Off: they speak for a whole NAS, and we are one of several pods that share its name. */
export const Status = { START: 1, STOP: 2, INTERIM: 3 } as const;
export type Status = (typeof Status)[keyof typeof Status];

export interface AccountingRecord {
  readonly status: Status;
  /** Acct-Session-Id. */
  readonly session: string;
  /** When it happened, milliseconds since the epoch. */
  readonly at: number;
  /** All but Acct-Delay-Time. */
  readonly attributes: readonly Attribute[];
}

export interface AccountedSession {
  readonly id: string;
  /** Acct-Multi-Session-Id: the same for all sessions that follow from one authentication. */
  readonly multiId: string;
  readonly remote: Identity;
  readonly inner: readonly Bytes[];
  /** Class attributes with type and length. */
  readonly class: Bytes;
  readonly path: { readonly local: string; readonly remote: string };
  readonly since: number;
}

const RADIUS = 1;
/** RFC 2866 §5.10. */
const Cause = {
  USER_REQUEST: 1,
  LOST_CARRIER: 2,
  SESSION_TIMEOUT: 5,
  ADMIN_RESET: 6,
  ADMIN_REBOOT: 7,
  NAS_ERROR: 9,
  NAS_REQUEST: 10,
} as const;

const CAUSES: Partial<Readonly<Record<ClosedWhy, number>>> = {
  'deleted by peer': Cause.USER_REQUEST,
  'peer dead': Cause.LOST_CARRIER,
  'superseded by initial contact': Cause.LOST_CARRIER,
  'authentication too old': Cause.SESSION_TIMEOUT,
  deleted: Cause.ADMIN_RESET,
  shutdown: Cause.ADMIN_REBOOT,
  'protocol error': Cause.NAS_ERROR,
  'internal error': Cause.NAS_ERROR,
};

/** What goes on elsewhere or otherwise (a resumption, a hand-off) is NAS Request: "NAS ended session for a non-error reason". */
export const causeOf = (why: ClosedWhy): number => CAUSES[why] ?? Cause.NAS_REQUEST;

export function sessionAttributes(
  session: AccountedSession,
  status: Status,
  at: number,
  nasIdentifier: string,
): readonly Attribute[] {
  return [
    integerAttribute(Type.ACCT_STATUS_TYPE, status),
    textAttribute(Type.ACCT_SESSION_ID, session.id),
    textAttribute(Type.ACCT_MULTI_SESSION_ID, session.multiId),
    integerAttribute(Type.ACCT_AUTHENTIC, RADIUS),
    bytesAttribute(Type.USER_NAME, userName(session.remote)),
    ...nasAttributes({ name: '', ...session.path }, nasIdentifier),
    ...session.inner.map((address) =>
      bytesAttribute(address.length === 4 ? Type.FRAMED_IP_ADDRESS : Type.FRAMED_IPV6_ADDRESS, address),
    ),
    ...classAttributes(session.class),
    integerAttribute(Type.EVENT_TIMESTAMP, Math.floor(at / 1_000)),
  ];
}

/** RFC 2866 §5.3 to §5.9, RFC 2869 §5.1 and §5.2: input is what comes from the user. */
export const usageAttributes = ({ bytesIn, bytesOut, packetsIn, packetsOut }: Traffic, ms: number): readonly Attribute[] => [
  integerAttribute(Type.ACCT_SESSION_TIME, Math.max(0, Math.floor(ms / 1_000)) % WORD),
  integerAttribute(Type.ACCT_INPUT_OCTETS, bytesIn % WORD),
  integerAttribute(Type.ACCT_OUTPUT_OCTETS, bytesOut % WORD),
  integerAttribute(Type.ACCT_INPUT_GIGAWORDS, Math.floor(bytesIn / WORD) % WORD),
  integerAttribute(Type.ACCT_OUTPUT_GIGAWORDS, Math.floor(bytesOut / WORD) % WORD),
  integerAttribute(Type.ACCT_INPUT_PACKETS, packetsIn % WORD),
  integerAttribute(Type.ACCT_OUTPUT_PACKETS, packetsOut % WORD),
];

export const causeAttribute = (why: ClosedWhy): Attribute => integerAttribute(Type.ACCT_TERMINATE_CAUSE, causeOf(why));

const WORD = 2 ** 32;
/** ID_FQDN, ID_RFC822_ADDR, ID_KEY_ID (RFC 7296 §3.5): their data is the name itself. */
const NAMES: readonly number[] = [2, 3, 11];

const userName = ({ idType, data }: Identity): Bytes =>
  (NAMES.includes(idType) && data.length > 0 ? data : utf8(formatIdentity({ idType, data }))).subarray(0, MAX_VALUE);

/** Each as it came. They were opened from a ticket of ours, and yet are read with care. */
function classAttributes(all: Bytes): readonly Attribute[] {
  const attributes: Attribute[] = [];
  for (let at = 0; at + 2 < all.length; at += all[at + 1] ?? 0) {
    const length = all[at + 1] ?? 0;
    if (length < 3 || at + length > all.length) break;
    attributes.push(bytesAttribute(Type.CLASS, all.subarray(at + 2, at + length)));
  }
  return attributes;
}
