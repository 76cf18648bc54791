/** The part of nft's JSON that the packet filter is written in (libnftables-json(5)), as functions that build it. */
import type { Family } from './inner-network.ts';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A match or a statement of a rule. */
export type Expression = { readonly [key: string]: Json };
/** An element of the list `nftables`. */
export type Command = { readonly [key: string]: Json };

export interface BaseChain {
  readonly type: 'filter' | 'nat' | 'route';
  readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';
  /** Smaller ones see a packet earlier; connection tracking is at -200, NAT at -100 of prerouting and at 100 of postrouting. */
  readonly prio: number;
}

type Operator = '==' | '!=' | '>' | 'in';

export const match = (left: Json, right: Json, op: Operator = '=='): Expression => ({ match: { op, left, right } });

export const meta = (key: 'iifname' | 'oifname' | 'mark' | 'ipsec' | 'nfproto', right: Json, op?: Operator): Expression =>
  match({ meta: { key } }, right, op);

const protocol = { 4: 'ip', 6: 'ip6' } as const;
export const source = (family: Family, right: Json, op?: Operator): Expression =>
  match({ payload: { protocol: protocol[family], field: 'saddr' } }, right, op);
export const destination = (family: Family, right: Json, op?: Operator): Expression =>
  match({ payload: { protocol: protocol[family], field: 'daddr' } }, right, op);

export const prefix = (text: string): Json => {
  const [addr = '', bits] = text.split('/');
  return bits === undefined || bits === (addr.includes(':') ? '128' : '32') ? addr : { prefix: { addr, len: Number(bits) } };
};

/** Whether the route of a packet leads through an IPsec policy. */
export const protectedRoute = (yes: boolean): Expression => match({ rt: { key: 'ipsec' } }, yes);

export const setMark = (mark: number): Expression => ({ mangle: { key: { meta: { key: 'mark' } }, value: mark } });

/** SYN and SYN-ACK that offer larger segments than these. */
export function clampSegments(size: number): Expression[] {
  const flags = { payload: { protocol: 'tcp', field: 'flags' } };
  const option = { 'tcp option': { name: 'maxseg', field: 'size' } };
  return [
    match({ '&': [flags, { '|': ['syn', 'rst'] }] }, 'syn'),
    match(option, size, '>'),
    { mangle: { key: option, value: size } },
  ];
}

export const count = (counter: string): Expression => ({ counter });
export const accept: Expression = { accept: null };
export const drop: Expression = { drop: null };
export const masquerade: Expression = { masquerade: null };
/** ICMP and ICMPv6: communication administratively prohibited. */
export const prohibit: Expression = { reject: { type: 'icmpx', expr: 'admin-prohibited' } };
export const goTo = (chain: string): Expression => ({ goto: { target: chain } });
