/** What an Access-Accept allows (RFC 2865 §5, RFC 3162 §2.3, RFC 6911 §3.1, RFC 2869 §5.16). */
import type { EapGrant } from '../ike/eap.ts';
import { type Bytes, concat } from '../ike/wire/bytes.ts';
import { integerOf, Type, valuesOf } from './attribute.ts';
import type { Attribute } from './packet.ts';

/** RFC 2869 §5.16: an Acct-Interim-Interval MUST NOT be smaller than 60 seconds. */
const SHORTEST_INTERIM_S = 60;
/** They go into a ticket, which travels in a message that cannot be fragmented. */
const MOST_CLASS_BYTES = 512;
const IPV6_LENGTH = 16;

export function grantOf(attributes: readonly Attribute[]): EapGrant {
  const timeout = integerOf(attributes, Type.SESSION_TIMEOUT);
  const interim = integerOf(attributes, Type.ACCT_INTERIM_INTERVAL);
  const classes = classesOf(attributes);
  return {
    addresses: [...ipv4Addresses(attributes), ...ipv6Addresses(attributes)],
    sessionTimeoutMs: timeout === undefined ? undefined : timeout * 1_000,
    class: classes.length > 0 ? classes : undefined,
    interimMs: interim === undefined ? undefined : Math.max(interim, SHORTEST_INTERIM_S) * 1_000,
  };
}

/** RFC 2865 §5.8: 255.255.255.254 stands for "of the NAS's own pool" and 255.255.255.255 for "as the user likes"; both mean a pool here. */
const ipv4Addresses = (attributes: readonly Attribute[]): readonly Bytes[] =>
  valuesOf(attributes, Type.FRAMED_IP_ADDRESS)
    .filter(
      (value) => value.length === 4 && !value.subarray(0, 3).every((byte) => byte === 255) && value.some((byte) => byte > 0),
    )
    .map((value) => value.slice());

/** A prefix of 128 bits is one address; shorter ones are for routers. */
function ipv6Addresses(attributes: readonly Attribute[]): readonly Bytes[] {
  const single = valuesOf(attributes, Type.FRAMED_IPV6_ADDRESS).filter(({ length }) => length === IPV6_LENGTH);
  // RFC 3162 §2.3: reserved (1) | prefix length (1) | prefix (up to 16).
  const prefixes = valuesOf(attributes, Type.FRAMED_IPV6_PREFIX).filter((value) => value.length === 18 && value[1] === 128);
  return [...single, ...prefixes.map((value) => value.subarray(2))].map((value) => value.slice());
}

/** RFC 2865 §5.25: "should be sent unmodified … to the accounting server"; so type and length stay with each. */
function classesOf(attributes: readonly Attribute[]): Bytes {
  let all: Bytes = new Uint8Array(0);
  for (const value of valuesOf(attributes, Type.CLASS)) {
    const longer = concat(all, Uint8Array.of(Type.CLASS, value.length + 2), value);
    if (longer.length <= MOST_CLASS_BYTES) all = longer;
  }
  return all;
}
