/** SAs in every phase and in the middle of every exchange, as bytes: taken from honest runs, to be gone on with by whoever wants to break them. */

import { DEFAULT_RULES } from '../../../sidecar/contract/authentication-yaml.ts';
import type { Intent } from '../../../sidecar/ike/established.ts';
import { type IkeSa, type InPhase, inPhase, ownSpi } from '../../../sidecar/ike/sa.ts';
import { decodeSa, encodeSa } from '../../../sidecar/ike/sa-encoding.ts';
import { SaTable } from '../../../sidecar/ike/sa-table.ts';
import { type Bytes, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { Ke } from '../../../sidecar/ike/wire/registry.ts';
import { AEAD, CERTIFICATE_RULE, config, connection, EAP_CONNECTION, ESP, eapRule, policy } from '../policy.ts';
import { type Node, World } from '../world.ts';
import { alice, credentials, root } from './certificates.ts';
import { type Overheard, overhear } from './overheard.ts';

/** All that a gateway or a client had in its table at some moment. */
export interface Moment {
  /** `gateway established rekeyIke rival`, for instance. */
  readonly name: string;
  readonly at: number;
  /** Our SPI of the SA that the name is about. */
  readonly spi: string;
  readonly sas: readonly Bytes[];
}

export interface Harvest {
  readonly moments: readonly Moment[];
  /** What both sides said to each other, opened. */
  readonly overheard: readonly Overheard[];
  /** The same, as it was on the wire. */
  readonly datagrams: readonly Bytes[];
}

const INTENTS = ['newChild', 'rekeyChild', 'rekeyIke', 'deleteChild', 'liveness', 'requestTicket', 'deleteIke'] as const;
type Name = (typeof INTENTS)[number];

/** The same each time. */
export function harvest(): Harvest {
  const runs = [
    ...INTENTS.flatMap((name) => [run(['client'], name), run(['gateway'], name)]),
    ...(['rekeyChild', 'rekeyIke', 'deleteChild', 'newChild'] as const).map((name) => run(['client', 'gateway'], name)),
    run(['client'], 'liveness', { fragmentBytes: 256 }),
    run(['client'], 'rekeyIke', { additionalKeyExchange: [Ke.ML_KEM_512], seed: 8 }),
    run(['gateway'], 'rekeyChild', { additionalKeyExchange: [Ke.ML_KEM_512], ppk: true, seed: 9 }),
    run(['client', 'gateway'], 'rekeyIke', { additionalKeyExchange: [Ke.ML_KEM_512], ppk: true, seed: 10 }),
    resumption(),
    eap(),
    certificates(),
  ];
  const moments = new Map<string, Moment>();
  for (const one of runs) for (const moment of one.moments) if (!moments.has(moment.name)) moments.set(moment.name, moment);
  return {
    moments: [...moments.values()],
    overheard: runs.flatMap(({ world, secured }) => overhear(world.sent, secured)),
    datagrams: runs.flatMap(({ world }) => world.sent.map(({ bytes }) => bytes)),
  };
}

/** What the name of a moment says of an SA. */
export function nameOf(sa: IkeSa): string {
  const { phase, window, connection: client } = sa;
  const words = [client ? 'client' : 'gateway', phase.name];
  if ('resumed' in phase && phase.resumed) words.push('resumed');
  if ('pending' in phase && phase.pending.length > 0) words.push('pending');
  if ('ppk' in phase && phase.ppk) words.push('ppk');
  if (phase.name === 'established' && phase.awaited) words.push('awaited');
  if (phase.name === 'established' && phase.exchange) words.push(phase.exchange.kind);
  if (phase.name === 'established' && phase.exchange && 'rival' in phase.exchange && phase.exchange.rival) words.push('rival');
  if (phase.name === 'established' && phase.children.some(({ replacedUntil }) => replacedUntil)) words.push('replaced child');
  if (client?.authentication.method === 'certificate' || ('credential' in phase && phase.credential.certificate))
    words.push('certificate');
  if (window.fragments) words.push('fragment');
  return words.join(' ');
}

interface Run {
  readonly world: World;
  readonly moments: Moment[];
  readonly secured: IkeSa[];
}

const PPK = { id: utf8('laptop'), secret: utf8('32 bytes that only two should know'), required: false };

interface Terms {
  readonly fragmentBytes?: number;
  readonly additionalKeyExchange?: readonly number[];
  /** Both have a post-quantum pre-shared key. */
  readonly ppk?: boolean;
  /** SPIs of its own, since with ML-KEM its keys are others. */
  readonly seed?: number;
}

function begin({
  fragmentBytes = 1_200,
  additionalKeyExchange = [],
  ppk = false,
  seed = 7,
}: Terms = {}): Run & { readonly pod: Node; readonly client: Node } {
  const ike = { ...AEAD, additionalKeyExchange };
  const esp = additionalKeyExchange.length > 0 ? { ...ESP, keyExchange: [Ke.CURVE25519], additionalKeyExchange } : ESP;
  const credentials = ppk ? { hasPpks: true, ppk: () => PPK.secret } : {};
  const world = new World(seed);
  const moments: Moment[] = [];
  const secured: IkeSa[] = [];
  world.table = () => new Watched(world, moments, secured);
  const [pod, client] = [world.pod(0), world.client('client')];
  world.do(pod, {
    type: 'configure',
    policy: policy({ config: config({ ike: { fragmentBytes, algorithms: ike }, esp: { algorithms: esp } }), credentials }),
  });
  world.do(client, {
    type: 'connect',
    connection: connection({ fragmentBytes, ike, esp, ppk: ppk ? PPK : undefined }),
    ticket: undefined,
  });
  world.run(20);
  return { world, moments, secured, pod, client };
}

/** Two sides, one or both of which begin the same exchange at the same time. */
function run(sides: readonly ('client' | 'gateway')[], name: Name, terms?: Terms): Run {
  const begun = begin(terms);
  for (const side of sides) want(begun.world, side === 'client' ? begun.client : begun.pod, name);
  begun.world.run(60_000);
  return begun;
}

function resumption(): Run {
  const begun = begin();
  const { world, client } = begun;
  const ticket = client.named('ticket').at(-1)?.ticket;
  world.do(client, { type: 'shutdown', tell: false });
  world.do(client, { type: 'connect', connection: connection(), ticket });
  world.run(60_000);
  return begun;
}

/** Everything that the gateways of the laws are in force with. */
export const inForce = () =>
  policy({ config: config({ authentication: [...DEFAULT_RULES, eapRule(), CERTIFICATE_RULE] }), credentials });

function eap(): Run {
  const begun = begin();
  const { world, pod } = begun;
  world.do(pod, { type: 'configure', policy: inForce() });
  another(world, EAP_CONNECTION);
  world.run(60_000);
  return begun;
}

/** Both prove themselves by signatures, and rekey. */
function certificates(): Run {
  const begun = begin();
  const { world, pod } = begun;
  world.do(pod, { type: 'configure', policy: inForce() });
  const authentication = { method: 'certificate', chain: [alice.der], privateKey: alice.pkcs8 } as const;
  const client = another(world, { authentication, trust: { anchors: [root.issued.der], lists: [] } });
  world.run(20);
  want(world, client, 'rekeyChild');
  world.run(60_000);
  return begun;
}

function another(world: World, part: Parameters<typeof connection>[0]): Node {
  const client = world.client('another', '192.0.2.2');
  const path = { local: '192.0.2.2:500', remote: '198.51.100.1:500' };
  const natPath = { local: '192.0.2.2:4500', remote: '198.51.100.1:4500' };
  world.do(client, { type: 'connect', connection: connection({ ...part, path, natPath }), ticket: undefined });
  return client;
}

function want(world: World, node: Node, kind: Name): void {
  const [sa] = [...node.sas.values()].filter((one): one is InPhase<'established'> => inPhase(one, 'established'));
  const spiIn = sa?.phase.children[0]?.spiIn;
  if (sa) world.do(node, { type: 'want', spi: ownSpi(sa), intent: { kind, ...(spiIn && { spiIn }) } as Intent });
}

class Watched extends SaTable {
  readonly #world: World;
  readonly #moments: Moment[];
  readonly #secured: IkeSa[];

  constructor(world: World, moments: Moment[], secured: IkeSa[]) {
    super();
    this.#world = world;
    this.#moments = moments;
    this.#secured = secured;
  }

  override put(sa: IkeSa): void {
    super.put(sa);
    if ('keys' in sa.phase) this.#secured.push(sa);
    const sas = Array.from(this.values(), encodeSa);
    this.#moments.push({ name: nameOf(sa), at: this.#world.now, spi: ownSpi(sa), sas });
  }
}

/** A table that is as it was at that moment. */
export function tableAt({ sas }: Moment): SaTable {
  const table = new SaTable();
  for (const bytes of sas) table.put(decodeSa(bytes));
  return table;
}
