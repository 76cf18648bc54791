/** The Configuration payload (RFC 7296 §2.19, §3.15): inner addresses, DNS servers and subnets. */

import { ruleOf } from './authentication-rule.ts';
import type { Connection } from './connection.ts';
import type { Context } from './context.ts';
import { parseAddresses, parsePrefixes } from './ip-address.ts';
import { inForce, routesOf } from './terms.ts';
import type { EstablishedSa } from './ticket-request.ts';
import { type Bytes, concat, EMPTY, utf8 } from './wire/bytes.ts';
import type { Attribute, PayloadOf } from './wire/payload.ts';
import { CfgAttribute, CfgType } from './wire/registry.ts';

/** The client's request; former addresses are asked for again (RFC 5723 §5 note 5). */
export function askForAddresses({ addresses }: Connection, former: readonly Bytes[]): PayloadOf<'CP'>[] {
  if (!addresses.ipv4 && !addresses.ipv6) return [];
  const v4 = former.find((address) => address.length === 4) ?? EMPTY;
  const v6 = former.find((address) => address.length === 16);
  const attributes: Attribute[] = [
    ...(addresses.ipv4 ? [{ type: CfgAttribute.INTERNAL_IP4_ADDRESS, value: v4 }, empty(CfgAttribute.INTERNAL_IP4_DNS)] : []),
    ...(addresses.ipv6
      ? [{ type: CfgAttribute.INTERNAL_IP6_ADDRESS, value: v6 ? withLength(v6) : EMPTY }, empty(CfgAttribute.INTERNAL_IP6_DNS)]
      : []),
    empty(CfgAttribute.INTERNAL_DNS_DOMAIN), // RFC 8598 §3.1
  ];
  return [{ kind: 'CP', cfgType: CfgType.CFG_REQUEST, attributes }];
}

export interface Assignment {
  readonly inner: readonly Bytes[];
  readonly reply: readonly PayloadOf<'CP'>[];
  /** An address was asked for and none is to be had: INTERNAL_ADDRESS_FAILURE (RFC 7296 §3.15.4). */
  readonly failed: boolean;
}

interface Holder {
  readonly holder: string;
  readonly proven: readonly Bytes[];
  /** Whatever the peer asks for. */
  readonly granted: readonly Bytes[];
}

/** The gateway's answer. `proven`: a ticket or INITIAL_CONTACT shows that a former address is the peer's to have back. */
export function assignAddresses(asked: PayloadOf<'CP'> | undefined, sa: EstablishedSa, peer: Holder, ctx: Context): Assignment {
  if (asked?.cfgType !== CfgType.CFG_REQUEST) return { inner: [], reply: [], failed: false };
  const families = ([4, 6] as const).filter((family) => asksFor(asked, family));
  const inner = families.flatMap((family) => lease(asked, family, sa, peer, ctx));
  if (inner.length === 0) return { inner, reply: [], failed: families.length > 0 };
  const attributes = [
    ...inner.map(addressAttribute),
    ...dnsAttributes(inner, asked, sa, ctx),
    ...subnetAttributes(inner, sa, ctx),
  ];
  return { inner, reply: [{ kind: 'CP', cfgType: CfgType.CFG_REPLY, attributes }], failed: false };
}

/** What a client was given. */
export function assignedAddresses(reply: PayloadOf<'CP'> | undefined): Bytes[] {
  if (reply?.cfgType !== CfgType.CFG_REPLY) return [];
  return reply.attributes.flatMap(({ type, value }) => {
    if (type === CfgAttribute.INTERNAL_IP4_ADDRESS && value.length === 4) return [value];
    if (type === CfgAttribute.INTERNAL_IP6_ADDRESS && value.length >= 16) return [value.subarray(0, 16)];
    return [];
  });
}

/** What a client is given to resolve names by. */
export interface Resolvers {
  readonly servers: readonly Bytes[];
  /** RFC 8598: what only these servers resolve; empty: everything. */
  readonly domains: readonly string[];
}

export function assignedResolvers(reply: PayloadOf<'CP'> | undefined): Resolvers {
  const attributes = reply?.cfgType === CfgType.CFG_REPLY ? reply.attributes : [];
  const of = (...types: readonly number[]): Bytes[] =>
    attributes.flatMap(({ type, value }) => (types.includes(type) && value.length > 0 ? [value.slice()] : []));
  const servers = of(CfgAttribute.INTERNAL_IP4_DNS, CfgAttribute.INTERNAL_IP6_DNS);
  // RFC 8598 §4.1: without a server "the INTERNAL_DNS_DOMAIN ... MUST be ignored".
  const domains = servers.length > 0 ? of(CfgAttribute.INTERNAL_DNS_DOMAIN).slice(0, MAX_DOMAINS).flatMap(domainName) : [];
  return { servers: servers.slice(0, MAX_SERVERS), domains };
}
const MAX_SERVERS = 16;
const MAX_DOMAINS = 64;

/** Whatever else stands there could mean something to who it is handed to. */
function domainName(value: Bytes): string[] {
  const text = String.fromCharCode(...value.subarray(0, 254));
  return /^(?=.{1,253}$)[\w-]{1,63}(\.[\w-]{1,63})*\.?$/.test(text) ? [text] : [];
}

const addressType = (family: 4 | 6) => (family === 4 ? CfgAttribute.INTERNAL_IP4_ADDRESS : CfgAttribute.INTERNAL_IP6_ADDRESS);

const asksFor = (asked: PayloadOf<'CP'>, family: 4 | 6): boolean =>
  asked.attributes.some(({ type }) => type === addressType(family));

function lease(
  asked: PayloadOf<'CP'>,
  family: 4 | 6,
  sa: EstablishedSa,
  { holder, proven, granted }: Holder,
  ctx: Context,
): Bytes[] {
  const length = family === 4 ? 4 : 16;
  const value = asked.attributes.find(({ type }) => type === addressType(family))?.value;
  const given = granted.find((address) => address.length === length);
  const former = given ?? proven.find((address) => address.length === length);
  const wanted = !given && value && value.length >= length ? value.subarray(0, length) : former;
  const isProven = wanted !== undefined && former !== undefined && wanted.every((byte, index) => byte === former[index]);
  const pools = ruleOf(sa, inForce(ctx).config)?.pools ?? [];
  const request = { identity: sa.phase.remote, family, wanted, proven: isProven, holder, pools };
  const leased = ctx.addresses.lease(request, ctx.now);
  return leased ? [leased] : [];
}

const addressAttribute = (address: Bytes): Attribute =>
  address.length === 4
    ? { type: CfgAttribute.INTERNAL_IP4_ADDRESS, value: address }
    : { type: CfgAttribute.INTERNAL_IP6_ADDRESS, value: withLength(address) };

function dnsAttributes(inner: readonly Bytes[], asked: PayloadOf<'CP'>, sa: EstablishedSa, ctx: Context): Attribute[] {
  const { config } = inForce(ctx);
  const rule = ruleOf(sa, config);
  const servers = parseAddresses(rule?.dns ?? config.dns)
    .filter((server) => inner.some(({ length }) => length === server.length))
    .map((value) => ({ type: value.length === 4 ? CfgAttribute.INTERNAL_IP4_DNS : CfgAttribute.INTERNAL_IP6_DNS, value }));
  // RFC 8598 §3.1, §4.1: domains only to who asks for them, and never without a server that resolves them.
  const splits = servers.length > 0 && asked.attributes.some(({ type }) => type === CfgAttribute.INTERNAL_DNS_DOMAIN);
  const domains = splits ? (rule?.domains ?? config.domains) : [];
  return [...servers, ...domains.map((domain) => ({ type: CfgAttribute.INTERNAL_DNS_DOMAIN, value: utf8(domain) }))];
}

function subnetAttributes(inner: readonly Bytes[], sa: EstablishedSa, ctx: Context): Attribute[] {
  const prefixes = parsePrefixes(routesOf(sa, ctx)).filter(({ bytes }) => inner.some(({ length }) => length === bytes.length));
  return prefixes.map(({ bytes, length }) =>
    bytes.length === 4
      ? { type: CfgAttribute.INTERNAL_IP4_SUBNET, value: concat(bytes, mask(length)) }
      : { type: CfgAttribute.INTERNAL_IP6_SUBNET, value: concat(bytes, Uint8Array.of(length)) },
  );
}

const mask = (length: number): Bytes =>
  Uint8Array.from([0, 8, 16, 24], (from) => 256 - 2 ** (8 - Math.min(8, Math.max(0, length - from))));

/** RFC 7296 §3.15.1: an IPv6 address is followed by its prefix length. */
const withLength = (address: Bytes): Bytes => concat(address, Uint8Array.of(128));
const empty = (type: number): Attribute => ({ type, value: EMPTY });
