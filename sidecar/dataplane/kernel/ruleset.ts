/**
 * The packet filter of a gateway as one nftables table that is ours: who may send what through the tunnel, masquerade, segment sizes. Pure.
 *
 *     prerouting  arrival      what comes out of the tunnel has a pool's source and a permitted destination; nothing else has a pool's source
 *                 marking      what goes to a pool finds our policies (kernel data plane, with a mark)
 *     input       to-gateway   of the pod itself, clients reach what a route names
 *     forward                  isolation, interfaces, segment sizes; who has no child is told about
 *     postrouting masquerade   clients hide behind the pod's address
 *                 departure    nothing goes to a pool outside of the tunnel, nor from one unmasked
 */
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import { FAMILIES, type Family, type InnerNetwork, innerNetwork, outermost, prefixOf } from './inner-network.ts';
import * as nft from './nft-json.ts';

/** Why a packet was dropped or refused: counters of the table. */
export const filterDrops = [
  'spoofed-source', // from outside, with a source that only the tunnel has
  'foreign-source', // from the tunnel, with a source of no pool, or the gateway's own
  'outside-routes', // from the tunnel, to where no route leads
  'local', // from the tunnel, to the pod itself
  'isolated', // from client to client
  'interface', // by an interface that is not configured
  'unprotected', // to a pool's address that no child carries: it would have left in clear
  'unmasked', // from a pool, not masqueraded, as connection tracking knows no connection of it
] as const;
export type FilterDrop = (typeof filterDrops)[number];

export interface FilterFacts {
  readonly dataplane: 'kernel' | 'userspace';
  /** Of inner packets with segments of TCP, in bytes. */
  readonly mtu: number;
}

/** Priorities of hooks: before connection tracking, after destination NAT, as usual, after source NAT. */
const [RAW, AFTER_DNAT, FILTER, SRCNAT, LAST] = [-300, -90, 0, 100, 300] as const;

/** IPv4 and TCP header, IPv6 and TCP header (RFC 9293 §3.7.1). */
const HEADERS = { 4: 40, 6: 60 } as const;

/** No client reaches these, whatever the routes say. */
const LOOPBACK = { 4: '127.0.0.0/8', 6: '::1/128' } as const;

/** Not of the world that 0.0.0.0/0 and ::/0 mean: unspecified, link-local (with the clouds' metadata services), multicast, reserved, IPv4-mapped. */
const HIDDEN = {
  4: ['0.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'],
  6: ['::/128', '::ffff:0:0/96', 'fd00:ec2::254/128', 'fd20:ce::254/128', 'fe80::/10', 'ff00::/8'],
} as const;

export const tableName = ({ mark }: Pick<DataplaneConfig, 'mark'>): string => (mark === 0 ? 'rekindle' : `rekindle-${mark}`);

/** Commands of nft that add to the table. */
export interface Ruleset {
  readonly table: string;
  readonly counters: readonly nft.Command[];
  readonly sets: readonly nft.Command[];
  readonly chains: readonly nft.Command[];
  readonly rules: readonly nft.Command[];
}

/** `generation` is part of the names of its sets. @throws RangeError for a prefix that is none. */
export function ruleset(config: DataplaneConfig, facts: FilterFacts, generation: number): Ruleset {
  const table = new Table(tableName(config), generation);
  for (const drop of filterDrops) table.counter(drop);
  const networks = FAMILIES.map((family) => ({ family, ...innerNetwork(config, family) }));
  for (const network of networks) addSets(table, network);
  if (config.interfaces.length > 0) table.set('interfaces', 'ifname', config.interfaces);
  const tunnel = facts.dataplane === 'kernel' ? kernelTunnel(config.mark) : tunTunnel(config.tun);
  addArrival(table, networks, tunnel);
  if (facts.dataplane === 'kernel' && config.mark !== 0) addMarking(table, config);
  addInput(table, config, facts);
  addForward(table, config, facts);
  addPostrouting(table, config, tunnel);
  return table;
}

/** How to tell what comes out of the tunnel and what goes into it. */
interface Tunnel {
  readonly from: readonly nft.Expression[];
  /** Matches what does not go into it. Where a route leads is known in forward and after. */
  readonly notInto: nft.Expression;
}

// What other gateways on this host decrypted has another mark, or none.
const kernelTunnel = (mark: number): Tunnel => ({
  from: [nft.meta('ipsec', true), ...(mark === 0 ? [] : [nft.meta('mark', mark)])],
  notInto: nft.protectedRoute(false),
});

const tunTunnel = (name: string): Tunnel => ({
  from: [nft.meta('iifname', name)],
  notInto: nft.meta('oifname', name, '!='),
});

type Network = InnerNetwork & { readonly family: Family };

function addSets(table: Table, { family, pools, own, named }: Network): void {
  const type = family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  table.set(`pools${family}`, type, pools);
  table.set(`own${family}`, type, own);
  table.set(`named${family}`, type, named);
  table.set(`permitted${family}`, type, outermost([...named, ...pools].map(prefixOf)));
  table.set(`hidden${family}`, type, HIDDEN[family]);
}

function addArrival(table: Table, networks: readonly Network[], tunnel: Tunnel): void {
  table.chain('from-tunnel');
  table.chain('arrival', { type: 'filter', hook: 'prerouting', prio: RAW });
  table.rule('arrival', ...tunnel.from, nft.goTo('from-tunnel'));
  table.rule('arrival', nft.meta('iifname', 'lo'), nft.accept);
  for (const { family } of networks)
    table.refuse('arrival', 'spoofed-source', nft.drop, nft.source(family, table.in(`pools${family}`)));
  for (const network of networks) addFromTunnel(table, network);
  table.refuse('from-tunnel', 'outside-routes', nft.drop);
}

function addFromTunnel(table: Table, { family, broad }: Network): void {
  table.refuse('from-tunnel', 'foreign-source', nft.drop, nft.source(family, table.in(`pools${family}`), '!='));
  table.refuse('from-tunnel', 'foreign-source', nft.drop, nft.source(family, table.in(`own${family}`)));
  // Some hosts route these (net.ipv4.conf.*.route_localnet, as kube-proxy sets it).
  table.refuse('from-tunnel', 'local', nft.drop, nft.destination(family, nft.prefix(LOOPBACK[family])));
  table.rule('from-tunnel', nft.destination(family, table.in(`permitted${family}`)), nft.accept);
  if (broad.length === 0) return;
  table.refuse('from-tunnel', 'outside-routes', nft.drop, nft.destination(family, table.in(`hidden${family}`)));
  for (const route of broad) table.rule('from-tunnel', within(family, route), nft.accept);
}

/** A prefix of length 0 is no match to nft. */
const within = (family: Family, route: string): nft.Expression =>
  route.endsWith('/0') ? nft.meta('nfproto', family === 4 ? 'ipv4' : 'ipv6') : nft.destination(family, nft.prefix(route));

/** After destination NAT and before routing, which looks for a policy by this mark. */
function addMarking(table: Table, { mark }: DataplaneConfig): void {
  table.chain('marking', { type: 'filter', hook: 'prerouting', prio: AFTER_DNAT });
  table.chain('own-marking', { type: 'route', hook: 'output', prio: AFTER_DNAT });
  for (const chain of ['marking', 'own-marking'])
    for (const family of FAMILIES) table.rule(chain, nft.destination(family, table.in(`pools${family}`)), nft.setMark(mark));
}

function addInput(table: Table, { mark, natPort }: DataplaneConfig, { dataplane }: FilterFacts): void {
  table.chain('to-gateway');
  table.chain('input', { type: 'filter', hook: 'input', prio: FILTER });
  // The socket that takes ESP out of UDP looks for its state by this mark.
  if (dataplane === 'kernel' && mark !== 0)
    table.rule(
      'input',
      nft.meta('ipsec', false),
      nft.match({ payload: { protocol: 'udp', field: 'dport' } }, natPort),
      nft.setMark(mark),
    );
  for (const family of FAMILIES)
    table.rule('input', nft.meta('iifname', 'lo', '!='), nft.source(family, table.in(`pools${family}`)), nft.goTo('to-gateway'));
  table.rule('to-gateway', nft.match({ ct: { key: 'state' } }, ['established', 'related'], 'in'), nft.accept);
  for (const family of FAMILIES) {
    table.rule('to-gateway', nft.destination(family, table.in(`own${family}`)), echoRequest(family), nft.accept);
    table.rule('to-gateway', nft.destination(family, table.in(`named${family}`)), nft.accept);
  }
  table.refuse('to-gateway', 'local', nft.prohibit);
}

const echoRequest = (family: Family): nft.Expression =>
  nft.match({ payload: { protocol: family === 4 ? 'icmp' : 'icmpv6', field: 'type' } }, 'echo-request');

/** Past `arrival`, a pool's source is as good as having come out of the tunnel. */
function addForward(table: Table, config: DataplaneConfig, facts: FilterFacts): void {
  const { traffic, interfaces } = config;
  table.chain('forward', { type: 'filter', hook: 'forward', prio: FILTER });
  for (const family of FAMILIES) {
    const [from, to] = [nft.source(family, table.in(`pools${family}`)), nft.destination(family, table.in(`pools${family}`))];
    const [fromElsewhere, toElsewhere] = [
      nft.source(family, table.in(`pools${family}`), '!='),
      nft.destination(family, table.in(`pools${family}`), '!='),
    ];
    if (traffic.isolateClients) table.refuse('forward', 'isolated', nft.prohibit, from, to);
    if (interfaces.length > 0) {
      table.refuse('forward', 'interface', nft.prohibit, from, toElsewhere, nft.meta('oifname', table.in('interfaces'), '!='));
      table.refuse('forward', 'interface', nft.drop, to, fromElsewhere, nft.meta('iifname', table.in('interfaces'), '!='));
    }
    table.refuse('forward', 'unprotected', nft.prohibit, to, ...noChild(config, facts));
    if (!traffic.clampMss) continue;
    for (const way of [from, to]) table.rule('forward', way, ...nft.clampSegments(facts.mtu - HEADERS[family]));
  }
}

// After destination NAT the source of an answer is put back in postrouting only, and the policy is looked for again then.
const noChild = ({ tun }: DataplaneConfig, { dataplane }: FilterFacts): nft.Expression[] =>
  dataplane === 'userspace'
    ? [nft.meta('oifname', tun, '!=')]
    : [nft.protectedRoute(false), nft.match({ '&': [{ ct: { key: 'status' } }, 'dnat'] }, 0)];

function addPostrouting(table: Table, { traffic }: DataplaneConfig, { notInto }: Tunnel): void {
  const masked = traffic.forwarding === 'masquerade';
  if (masked) table.chain('masquerade', { type: 'nat', hook: 'postrouting', prio: SRCNAT });
  table.chain('departure', { type: 'filter', hook: 'postrouting', prio: LAST });
  table.rule('departure', nft.meta('oifname', 'lo'), nft.accept);
  for (const family of FAMILIES) {
    const [from, elsewhere] = [
      nft.source(family, table.in(`pools${family}`)),
      nft.destination(family, table.in(`pools${family}`), '!='),
    ];
    if (masked) table.rule('masquerade', from, elsewhere, notInto, nft.masquerade);
    table.refuse('departure', 'unprotected', nft.drop, nft.destination(family, table.in(`pools${family}`)), notInto);
    // Masquerading leaves alone what belongs to no connection, such as the last segment of one that is forgotten.
    if (masked) table.refuse('departure', 'unmasked', nft.drop, from, elsewhere, notInto);
  }
}

class Table implements Ruleset {
  readonly table: string;
  readonly counters: nft.Command[] = [];
  readonly sets: nft.Command[] = [];
  readonly chains: nft.Command[] = [];
  readonly rules: nft.Command[] = [];
  readonly #generation: number;

  constructor(name: string, generation: number) {
    this.table = name;
    this.#generation = generation;
  }

  counter(name: string): void {
    this.counters.push({ add: { counter: { ...this.#within, name } } });
  }

  set(name: string, type: 'ipv4_addr' | 'ipv6_addr' | 'ifname', elements: readonly string[]): void {
    const set = { ...this.#within, name: this.#named(name), type, ...(type !== 'ifname' && { flags: ['interval'] }) };
    const elem = elements.length > 0 ? { elem: type === 'ifname' ? elements : elements.map(nft.prefix) } : {};
    this.sets.push({ add: { set: { ...set, ...elem } } });
  }

  /** What a match compares with. */
  in(set: string): string {
    return `@${this.#named(set)}`;
  }

  chain(name: string, base?: nft.BaseChain): void {
    this.chains.push({ add: { chain: { ...this.#within, name, ...(base && { ...base, policy: 'accept' }) } } });
  }

  rule(chain: string, ...expr: readonly nft.Expression[]): void {
    this.rules.push({ add: { rule: { ...this.#within, chain, expr } } });
  }

  refuse(chain: string, reason: FilterDrop, verdict: nft.Expression, ...matches: readonly nft.Expression[]): void {
    this.rule(chain, ...matches, nft.count(reason), verdict);
  }

  get #within(): { readonly family: string; readonly table: string } {
    return { family: 'inet', table: this.table };
  }

  #named(set: string): string {
    return `${set}-${this.#generation}`;
  }
}
