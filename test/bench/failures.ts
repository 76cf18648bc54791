/**
 * `npm run bench:failures`: how long the core takes to refuse each kind of failed authentication, in turns and in an order that
 * changes. What somebody on the wire could tell apart would show in the last column: of how many runs the reference was slower.
 *
 *     npm run bench:failures -- [--runs N] [--crypto NAME]
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { ntHash } from '../../sidecar/contract/nt-hash.ts';
import { Secret } from '../../sidecar/contract/secret.ts';
import { mschapv2Server } from '../../sidecar/eap/mschapv2-server.ts';
import { cryptography } from '../../sidecar/ike/crypto/cryptographies.ts';
import { concat, utf8 } from '../../sidecar/ike/wire/bytes.ts';
import { Exchange } from '../../sidecar/ike/wire/registry.ts';
import { beginFailure, FAILURES, type Failure, strictGateway } from '../harness/failures.ts';
import { authPayloads } from '../harness/handshake.ts';
import { Peer } from '../harness/peer.ts';
import { seeded } from '../harness/random.ts';
import { medianOf, printTable } from './table.ts';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '400' }, crypto: { type: 'string', default: 'auto' } },
});
const runs = Number(values.runs);
const gateway = strictGateway(cryptography(values.crypto as 'auto'));
const random = seeded(1);
/** Runs that compile the code are not counted. */
const WARM = 50;

interface Kind {
  readonly name: string;
  /** Whose times are compared. */
  readonly group: string;
  readonly once: (seed: number) => number;
}

const kinds: readonly Kind[] = [
  ...FAILURES.map((failure): Kind => ({ name: failure.why, group: failure.by, once: (seed) => refuse(failure, seed) })),
  ...[
    ['a wrong password', 'alice'],
    ['a user who is not there', 'mallory'],
  ].map(([name = '', user = '']): Kind => ({ name, group: 'EAP-MSCHAPv2', once: () => refusePassword(user) })),
];
const times = new Map<Kind, number[]>(kinds.map((kind) => [kind, []]));

for (let run = -WARM; run < runs; run++) {
  const turn = [...kinds].sort(() => (random(1)[0] ?? 0) - 128);
  for (const [at, kind] of turn.entries()) {
    const took = kind.once((run + WARM) * kinds.length + at);
    if (run >= 0) times.get(kind)?.push(took);
  }
}

const [cpu] = cpus();
process.stdout.write(`
machine   ${cpu?.model ?? 'unknown'}, ${cpus().length} cores; node ${process.version}; crypto: ${values.crypto}
load      ${runs} runs of each kind, in turns and shuffled, after ${WARM} that are not counted; µs in the core from the request to its refusal
`);
for (const [group, all] of Map.groupBy(kinds, (kind) => kind.group)) {
  process.stdout.write(`\n${group}, each against the first`);
  const reference = times.get(all[0] as Kind) ?? [];
  printTable(all.map((kind) => row(kind.name, times.get(kind) ?? [], reference)));
}

/** HDR, SK {IDi, [CERT,] AUTH, ...}  -->  <--  HDR, SK {N(AUTHENTICATION_FAILED)}: the time of the second half. */
function refuse({ part }: Failure, seed: number): number {
  // What is left of former runs comes to its end.
  if (gateway.gateway.counts().halfOpen > 60) gateway.pass(30_000);
  const peer = Peer.towards(gateway, { seed: 1_000 + seed });
  beginFailure(peer);
  const datagrams = peer.sealed(Exchange.IKE_AUTH, authPayloads(peer, part(peer)), { messageId: 1 });
  const began = performance.now();
  for (const bytes of datagrams) gateway.receive(bytes, peer.path);
  return (performance.now() - began) * 1_000;
}

/** RFC 2759 §4: a response to the challenge that nobody's password makes. */
function refusePassword(user: string): number {
  const known = new Secret(ntHash('the password of alice'));
  const method = mschapv2Server({ name: 'gw', users: { ntHash: (name) => (name === 'alice' ? known : undefined) }, random });
  method.next(undefined, 1);
  const name = utf8(user);
  const value = concat(random(16), new Uint8Array(8), random(24), new Uint8Array(1));
  const length = 5 + value.length + name.length;
  const response = concat(Uint8Array.of(2, 1, length >>> 8, length & 0xff, value.length), value, name);
  const began = performance.now();
  method.next(response, 2);
  return (performance.now() - began) * 1_000;
}

function row(name: string, all: readonly number[], reference: readonly number[]) {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(0);
  const slower = all.filter((one, run) => (reference[run] ?? 0) > one).length / all.length;
  return {
    '': name,
    'median µs': medianOf(all).toFixed(0),
    '10 %': at(0.1),
    '90 %': at(0.9),
    'reference slower': `${(100 * slower).toFixed(0)} %`,
  };
}
