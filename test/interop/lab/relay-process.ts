/**
 * Something in the way, as a process of its own: it takes UDP at one address and passes it on to gateways behind it, as a NAT or a
 * balancer does. Each client has a port of its own towards each gateway port. What passes is told to the parent; it can be held.
 */
import { createSocket, type Socket } from 'node:dgram';
import type { Disturbance, Loss, RelayOrder, RelayReport, Way } from './relay.ts';

const PORTS = [500, 4500] as const;
/** RFC 7296 §3.1: the exchange type, behind the SPIs. */
const EXCHANGE_AT = 18;
const MARKER_LENGTH = 4;
const DELAY_MS = 30;

interface Flow {
  readonly upstream: Socket;
  readonly back: (bytes: Buffer) => void;
}

const [, , address = '', ...targets] = process.argv;
const flows = new Map<string, Flow>();
let held: (() => void)[] | undefined;
let lost: Loss = 'nothing';
let disturbance: Disturbance = { lost: 0, doubled: 0, delayed: 0, seed: 0 };
let random = 0;
/** What came last of each exchange. */
const seen = new Map<number, () => void>();

for (const [index, port] of PORTS.entries()) {
  const socket = createSocket('udp4');
  socket.on('message', (bytes, { address: from, port: fromPort }) => {
    const back = (answer: Buffer) => socket.send(answer, fromPort, from);
    const flow = flowOf(`${from}:${fromPort} ${port}`, back);
    const target = () => targets[index] ?? targets[0];
    const exchange = exchangeOf(port, bytes);
    if (exchange !== undefined) seen.set(exchange, () => createSocket('udp4').send(bytes, port, target()));
    pass('to gateway', port, bytes, () => flow.upstream.send(bytes, port, target()));
  });
  socket.bind(port, address, () => tell({ report: 'open', port }));
}

process.on('message', (order: RelayOrder) => {
  if (order.order === 'hold') held = [];
  if (order.order === 'release') {
    const waiting = held ?? [];
    held = undefined;
    for (const send of waiting) send();
  }
  if (order.order === 'lose') lost = order.what;
  if (order.order === 'disturb') {
    disturbance = order.how;
    random = order.how.seed;
  }
  // Another port from now on, as after the restart of a NAT.
  if (order.order === 'rebind') {
    for (const { upstream } of flows.values()) upstream.close();
    flows.clear();
  }
  if (order.order === 'replay') seen.get(order.exchange)?.();
  if (order.order === 'retarget') targets.splice(0, targets.length, ...order.targets);
  tell({ report: 'done', order: order.order });
});
process.on('disconnect', () => process.exit());

function flowOf(key: string, back: Flow['back']): Flow {
  const known = flows.get(key);
  if (known) return known;
  const upstream = createSocket('udp4');
  upstream.on('message', (bytes, { port }) => pass('to client', port, bytes, () => back(bytes)));
  upstream.bind(0, address);
  const flow = { upstream, back };
  flows.set(key, flow);
  return flow;
}

function pass(way: Way, port: number, bytes: Buffer, send: () => void): void {
  const exchange = exchangeOf(port, bytes);
  if (exchange !== undefined) tell({ report: 'ike', way, exchange, held: held !== undefined });
  if (isLost(way, exchange)) return;
  if (held) held.push(send);
  else disturb(send);
}

function disturb(send: () => void): void {
  const { lost, doubled, delayed } = disturbance;
  if (chance(lost)) return;
  for (const one of chance(doubled) ? [send, send] : [send]) {
    if (chance(delayed)) setTimeout(one, DELAY_MS);
    else one();
  }
}

/** The same sequence for the same seed: multiplicative congruential, L'Ecuyer's 48271. */
function chance(hundredths: number): boolean {
  random = ((random + 1) * 48_271) % 2_147_483_647;
  return random % 100 < hundredths;
}

function isLost(way: Way, exchange: number | undefined): boolean {
  if (lost === 'nothing' || lost === 'everything') return lost === 'everything';
  return lost.way === way && lost.exchange === exchange;
}

/** Undefined: ESP, or something else that is not IKE. */
function exchangeOf(port: number, bytes: Buffer): number | undefined {
  const header = port === 4500 ? bytes.subarray(MARKER_LENGTH) : bytes;
  const isIke = port === 500 || (bytes.length > MARKER_LENGTH && bytes.readUInt32BE(0) === 0);
  return isIke ? header[EXCHANGE_AT] : undefined;
}

function tell(report: RelayReport): void {
  process.send?.(report);
}
