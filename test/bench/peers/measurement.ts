/** One case: all its responders side by side, run after run in turn, so that what else the machine does hits all of them alike. */
import { Load } from '../load.ts';
import { processorUs, residentBytes } from '../process-cost.ts';
import { type Case, mannerOf } from './plan.ts';
import { clientAddresses, type Responder, type ResponderName, type Surroundings, startResponder } from './responder.ts';

export interface Amount {
  readonly runs: number;
  readonly handshakes: number;
  readonly window: number;
}

export interface Run {
  /** Of the responder's processor, per SA. */
  readonly us: number;
  /** By the clock. */
  readonly perSecond: number;
  /** SAs that the responder has by then, and what it holds in memory. */
  readonly sessions: number;
  readonly residentBytes: number;
  readonly repeated: number;
}

export interface Measured {
  readonly of: Case;
  readonly responder: ResponderName;
  readonly runs: readonly Run[];
}

interface Station {
  readonly name: ResponderName;
  readonly responder: Responder;
  readonly load: Load;
  readonly runs: Run[];
}

export async function measureCase(
  one: Case,
  amount: Amount,
  around: Surroundings,
  say: (text: string) => void,
): Promise<readonly Measured[]> {
  const stations: Station[] = [];
  try {
    for (const name of one.responders) stations.push(await station(one, name, amount, around));
    // The first round fills pools and compiles code; it is not counted.
    for (let round = 0; round <= amount.runs; round++) await measureRound(one, round, amount, stations, around);
    for (const { name, runs } of stations) say(`${one.name}: ${name}: ${runs.map(({ us }) => Math.round(us)).join(', ')} µs`);
    return stations.map(({ name, runs }) => ({ of: one, responder: name, runs }));
  } finally {
    for (const { load, responder } of stations) {
      load.close();
      await responder.stop();
    }
  }
}

async function station(one: Case, name: ResponderName, amount: Amount, around: Surroundings): Promise<Station> {
  const responder = await startResponder(name, one.proof, around);
  const proof = one.proof === 'psk' ? 'psk' : around.certificates.clients;
  const load = await Load.open(responder.endpoint, amount.window, mannerOf(one, name, proof), clientAddresses());
  return { name, responder, load, runs: [] };
}

async function measureRound(
  one: Case,
  round: number,
  amount: Amount,
  stations: readonly Station[],
  { certificates }: Surroundings,
): Promise<void> {
  const first = round * amount.handshakes;
  if (one.proof === 'certificate') certificates.clients.prepare(first, amount.handshakes);
  for (const { name, responder, load, runs } of stations) {
    try {
      if (one.resumes) await load.full(first, amount.handshakes);
      const run = await measure(responder, () =>
        one.resumes ? load.resume(first, amount.handshakes) : load.full(first, amount.handshakes),
      );
      if (round > 0) runs.push({ ...run, sessions: first + amount.handshakes });
    } catch (error) {
      throw new Error(`${name}, ${one.title}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

async function measure({ pid }: Responder, act: () => ReturnType<Load['full']>): Promise<Omit<Run, 'sessions'>> {
  const [began, before] = [performance.now(), processorUs(pid)];
  const { done, repeated } = await act();
  const seconds = (performance.now() - began) / 1_000;
  const us = (processorUs(pid) - before) / done;
  return { us, perSecond: done / seconds, residentBytes: residentBytes(pid), repeated };
}
