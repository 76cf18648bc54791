/** Bulk transfers in turn through each tunnel, both ways, run after run, so that what else the machine does hits all of them alike. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { processorUs } from '../process-cost.ts';
import { INNER, OUTER, type Side, type Tunnel } from './tunnel.ts';

const STREAM = join(import.meta.dirname, 'stream.ts');
const PORT = 7000;
/** What a transfer may take beyond its time. */
const SLACK_MS = 20_000;

export type Way = 'to the gateway' | 'to the client' | 'without a tunnel';

export interface Run {
  readonly megabitPerSecond: number;
  /** Of the gateway's process, user and system; the network's work that the kernel does in its name is in it. */
  readonly gatewayMsPerGigabit: number;
  readonly clientMsPerGigabit: number;
}

export interface Measured {
  readonly tunnel: string;
  readonly way: Way;
  readonly runs: readonly Run[];
}

export interface Amount {
  readonly runs: number;
  readonly seconds: number;
}

export async function measureAll(
  tunnels: readonly Tunnel[],
  amount: Amount,
  say: (text: string) => void,
): Promise<readonly Measured[]> {
  const all = tunnels.flatMap((tunnel, index) => {
    const ways: readonly Way[] =
      index === 0 ? ['without a tunnel', 'to the gateway', 'to the client'] : ['to the gateway', 'to the client'];
    return ways.map((way) => ({ tunnel, way, runs: [] as Run[] }));
  });
  // The first round compiles code; it is not counted.
  for (let round = 0; round <= amount.runs; round++) {
    for (const { tunnel, way, runs } of all) {
      const run = await transfer(tunnel, way, amount.seconds);
      if (round > 0) runs.push(run);
      say(
        `${tunnel.name} ${way}: ${Math.round(run.megabitPerSecond)} Mbit/s, ${Math.round(run.gatewayMsPerGigabit)} ms per Gbit`,
      );
    }
  }
  return all.map(({ tunnel, way, runs }) => ({ tunnel: tunnel.name, way, runs }));
}

async function transfer(tunnel: Tunnel, way: Way, seconds: number): Promise<Run> {
  const [from, to]: readonly [Side, Side] = way === 'to the client' ? ['gateway', 'client'] : ['client', 'gateway'];
  const addresses = way === 'without a tunnel' ? OUTER : INNER;
  const { machines } = tunnel;
  const sink = machines[to].start(`sink-${to}`, [process.execPath, STREAM, 'sink', addresses[to], String(PORT)]);
  await sink.wait((line) => (line.includes('"listening"') ? line : undefined), 1, { what: 'listening' });
  const before = countersOf(tunnel);
  const argv = [process.execPath, STREAM, 'source', addresses[from], addresses[to], String(PORT), String(seconds)];
  machines[from].start(`source-${from}`, argv);
  const pick = (line: string): { bytes: number; ms: number } | undefined =>
    line.includes('"bytes"') ? JSON.parse(line) : undefined;
  const [arrived] = await sink.wait(pick, 1, { what: 'a transfer', withinMs: seconds * 1_000 + SLACK_MS });
  const after = countersOf(tunnel);
  await sink.kill();
  if (!arrived) throw new Error('nothing arrived');
  const gigabits = (arrived.bytes * 8) / 1e9;
  return {
    megabitPerSecond: (gigabits / arrived.ms) * 1e6,
    gatewayMsPerGigabit: (after.gateway - before.gateway) / 1e3 / gigabits,
    clientMsPerGigabit: (after.client - before.client) / 1e3 / gigabits,
  };
}

interface Counters {
  /** Microseconds. */
  readonly gateway: number;
  readonly client: number;
}

const countersOf = ({ pids }: Tunnel): Counters => ({
  gateway: processorUs(pids.gateway),
  client: processorUs(pids.client),
});

/** What else the machine does while this runs: processes that were ready on the average of the last minute. */
export const loadOfMachine = (): string => readFileSync('/proc/loadavg', 'latin1').split(' ')[0] ?? '?';
