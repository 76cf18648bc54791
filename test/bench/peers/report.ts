/** Figures as text: what was measured with what, each responder's, and how many times as fast ours is. */
import { cpus } from 'node:os';
import { medianOf, type Row, tableOf } from '../table.ts';
import type { Order } from './inside.ts';
import type { Measured, Run } from './measurement.ts';
import { configured, RESPONDERS } from './responder.ts';

export function report(order: Order, measured: readonly Measured[]): string {
  return `${[head(order, measured), tableOf(measured.map(figures)), ratios(measured)].join('\n')}\n`;
}

function head({ runs, handshakes, window, versions }: Order, measured: readonly Measured[]): string {
  const [cpu] = cpus();
  const there = RESPONDERS.filter((name) => measured.some(({ responder }) => responder === name));
  const width = Math.max(...there.map((name) => name.length), 'machine'.length);
  const lines: readonly (readonly [string, string])[] = [
    ['machine', `${cpu?.model ?? 'unknown'}, ${cpus().length} cores; each responder pinned to the first, the load to the second`],
    ['versions', `node ${process.version}, ${versions.join(', ')}`],
    [
      'load',
      `${handshakes} handshakes a run, ${window} under way at a time; all responders in turn, ${runs} runs after one that is not counted; medians`,
    ],
    [
      '',
      'the load verifies no proof of the responder; clients are behind a NAT (but for resumptions of libreswan) and stay on one port',
    ],
    ['suite', 'AES-256-GCM, PRF-HMAC-SHA2-256, X25519; with a child: AES-256-GCM, one inner IPv4 address each; no fragments'],
    [
      '',
      'certificates: of each client its own, under one intermediate, which both sides send; pre-shared key: the same for all identities',
    ],
    ...there.flatMap((name) => configured[name].map((text, index) => [index === 0 ? name : '', text] as const)),
  ];
  return `\n${lines.map(([name, text]) => `${name.padEnd(width)}   ${text}`).join('\n')}\n`;
}

function figures({ of, responder, runs }: Measured): Row {
  const number = (value: number): string => (Number.isFinite(value) ? Math.round(value).toLocaleString('en') : '–');
  const all = runs.map(({ us }) => us);
  const us = usOf(runs);
  return {
    '': of.title,
    responder,
    'µs CPU per SA': number(us),
    'least to most': `${number(Math.min(...all))}–${number(Math.max(...all))}`,
    'per second and core': number(1_000_000 / us),
    'by the clock': number(medianOf(runs.map(({ perSecond }) => perSecond))),
    'KiB per SA': of.resumes ? '' : kibibytes(runs),
    repeated: number(runs.reduce((sum, { repeated }) => sum + repeated, 0)),
  };
}

const usOf = (runs: readonly Run[]): number => medianOf(runs.map(({ us }) => us));

/** Slope of the resident memory between the first counted run and the last, so that what the process needs anyway is not in it. */
const bytesOf = (runs: readonly Run[]): number => {
  const [first, last] = [runs[0], runs.at(-1)];
  return first && last && last.sessions > first.sessions
    ? (last.residentBytes - first.residentBytes) / (last.sessions - first.sessions)
    : Number.NaN;
};

const kibibytes = (runs: readonly Run[]): string => {
  const bytes = bytesOf(runs);
  return Number.isNaN(bytes) ? '–' : (bytes / 1_024).toFixed(1);
};

/** Medians of the quotients of each run: what slows the machine down for a while slows both sides down. */
function ratios(measured: readonly Measured[]): string {
  const rows = measured
    .filter(({ responder }) => responder === 'rekindle')
    .flatMap((ours) => [
      ...measured.filter((theirs) => theirs.of === ours.of && theirs !== ours).map((theirs) => ratio(ours, theirs)),
      ...measured.filter((theirs) => replacedBy(theirs, ours)).map((theirs) => ratio(ours, theirs)),
    ]);
  return rows.length === 0 ? '' : tableOf(rows);
}

/** What a client would have to do with a peer that knows no resumption. */
const replacedBy = ({ of, responder }: Measured, ours: Measured): boolean =>
  ours.of.resumes && responder === 'strongswan' && of.child;

function ratio(ours: Measured, theirs: Measured): Row {
  const pairs = ours.runs.flatMap((run, index) => {
    const other = theirs.runs[index];
    return other ? [other.us / run.us] : [];
  });
  const memory = bytesOf(ours.runs) / bytesOf(theirs.runs);
  return {
    'Rekindle : peer': ours.of.title,
    peer: ours.of === theirs.of ? theirs.responder : `${theirs.responder}, ${theirs.of.title}`,
    'SAs per CPU': `${medianOf(pairs).toFixed(2)} : 1`,
    'memory per SA': Number.isFinite(memory) && ours.of === theirs.of && !ours.of.resumes ? `${memory.toFixed(2)} : 1` : '',
  };
}
