/** Figures as text. */
import { cpus } from 'node:os';
import { medianOf, type Row, tableOf } from '../table.ts';
import type { ChildRate } from './children.ts';
import type { Order } from './inside.ts';
import { loadOfMachine, type Measured, type Run } from './measurement.ts';
import type { Primitive } from './primitives.ts';

const ours = 'rekindle';
/** Of an inner packet of 1400 bytes what is the stream's: without the headers of IPv4 and TCP and its timestamps. */
const SEGMENT = 1348;

export function report(
  order: Order,
  measured: readonly Measured[],
  primitives: readonly Primitive[],
  rates: readonly ChildRate[],
): string {
  const tables = [
    measured.length > 0 ? tableOf(measured.map(figures)) : '',
    primitives.length > 0 ? tableOf(primitives.map(perPacket)) : '',
    rates.length > 0 ? tableOf(rates.map(perChild)) : '',
  ];
  return `${[head(order), ...tables, ratios(measured)].join('\n')}\n`;
}

function head({ runs, seconds, versions }: Order): string {
  const [cpu] = cpus();
  const lines: readonly (readonly [string, string])[] = [
    ['machine', `${cpu?.model ?? 'unknown'}, ${cpus().length} cores, load average ${loadOfMachine()}; nothing is pinned`],
    ['versions', [`node ${process.version}`, ...versions].join(', ')],
    ['suite', 'AES-256-GCM, 64-bit sequence numbers, ESP in UDP, inner MTU 1400'],
    [
      'load',
      `one TCP stream of Node for ${seconds} s over a veth, ${runs} runs after one that is not counted, all in turn; medians`,
    ],
    ['', '"without a tunnel": what the same stream comes to on that cable, so that it is not what holds the others back'],
    ['rekindle', 'both ends our thread for ESP with a TUN device, keys given; no IKE'],
    ['strongswan', 'both ends charon with kernel-libipsec'],
  ];
  return `\n${lines.map(([name, text]) => `${name.padEnd(10)}   ${text}`).join('\n')}\n`;
}

function figures({ tunnel, way, runs }: Measured): Row {
  const all = runs.map(({ megabitPerSecond }) => megabitPerSecond);
  const bare = way === 'without a tunnel';
  return {
    '': bare ? '–' : tunnel,
    stream: way,
    'Mbit/s': number(medianOf(all)),
    'least to most': `${number(Math.min(...all))}–${number(Math.max(...all))}`,
    'full packets/s': bare ? '' : number((medianOf(all) * 1e6) / 8 / SEGMENT),
    'gateway: CPU ms per Gbit': bare ? '' : number(perGigabit(runs)),
    'client: CPU ms per Gbit': bare ? '' : number(medianOf(runs.map(({ clientMsPerGigabit }) => clientMsPerGigabit))),
    'Mbit/s per core of the gateway': bare ? '' : number(1e6 / perGigabit(runs)),
  };
}

function perPacket({ name, ns, bytes }: Primitive): Row {
  const median = medianOf(ns);
  return {
    'alone, on one core': `${name}, ${bytes} bytes`,
    'µs per packet': (median / 1e3).toFixed(2),
    'least to most': `${(Math.min(...ns) / 1e3).toFixed(2)}–${(Math.max(...ns) / 1e3).toFixed(2)}`,
    'Gbit/s': ((bytes * 8) / median).toFixed(1),
  };
}

const perChild = ({ what, perSecond }: ChildRate): Row => ({
  'children in user space': what,
  'per second': number(medianOf(perSecond)),
  'least to most': `${number(Math.min(...perSecond))}–${number(Math.max(...perSecond))}`,
});

/** Of each run, so that what slowed both down is in neither. */
function ratios(measured: readonly Measured[]): string {
  const lines = measured
    .filter(({ tunnel, way }) => tunnel !== ours && way !== 'without a tunnel')
    .flatMap((other) => {
      const own = measured.find(({ tunnel, way }) => tunnel === ours && way === other.way);
      if (!own) return [];
      const quotient = (of: (one: Run) => number): string =>
        medianOf(own.runs.map((run, at) => of(run) / of(other.runs[at] ?? run))).toFixed(2);
      const speed = quotient(({ megabitPerSecond }) => megabitPerSecond);
      const cost = quotient(({ gatewayMsPerGigabit }) => 1 / gatewayMsPerGigabit);
      return [`${ours} : ${other.tunnel}, ${other.way}: throughput ${speed}, throughput per CPU of the gateway ${cost}`];
    });
  return lines.join('\n');
}

const perGigabit = (runs: readonly Run[]): number => medianOf(runs.map(({ gatewayMsPerGigabit }) => gatewayMsPerGigabit));
const number = (value: number): string => Math.round(value).toLocaleString('en');
