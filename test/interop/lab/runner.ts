/** Finds scenarios, runs some at a time, each within its limit. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { writeRecording } from './capture.ts';
import { Lab, type LabPlace } from './lab.ts';
import { within } from './limit.ts';
import { peerVersions, type RootName } from './roots.ts';
import type { Failure, Result, Scenario } from './scenario.ts';

const HOME = join(import.meta.dirname, '..');
const LIMIT_MS = 60_000;

export interface Run {
  readonly at: Pick<LabPlace, 'roots' | 'shim'>;
  /** For the files of each scenario; those of one that passed are removed. */
  readonly folder: string;
  /** At a time. */
  readonly jobs: number;
  readonly keep: boolean;
  /** A folder for recordings of what passed. */
  readonly record: string | undefined;
  readonly observe: (result: Result) => void;
}

/** Which roots they need. What cannot be loaded needs none, and fails when it is run. */
export async function rootsOf(names: readonly string[]): Promise<ReadonlySet<RootName>> {
  const needed = await Promise.all(
    names.map((name) =>
      load(name).then(
        (scenario) => scenario.roots ?? [peerOf(name)],
        () => [],
      ),
    ),
  );
  return new Set(needed.flat());
}

const PEERS = ['strongswan', 'libreswan', 'freeradius'] as const;

const peerOf = (name: string): (typeof PEERS)[number] => PEERS.find((peer) => name.startsWith(peer)) ?? 'libreswan';

/** Folder names, in order; with `wanted`, those that contain one of these words. */
export function findScenarios(wanted: readonly string[]): string[] {
  const found = PEERS.flatMap((peer) =>
    readdirSync(join(HOME, peer), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `${peer}/${name}`),
  );
  return found.filter((name) => wanted.length === 0 || wanted.some((word) => name.includes(word))).sort(strongSwanFirst);
}

const strongSwanFirst = (a: string, b: string): number =>
  PEERS.indexOf(peerOf(a)) - PEERS.indexOf(peerOf(b)) || a.localeCompare(b);

/** Results in the order of the names. */
export async function runScenarios(names: readonly string[], run: Run): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = [...names.entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [index, name] = next;
      const result = await runScenario(name, index + 1, run);
      results[index] = result;
      run.observe(result);
    }
  };
  await Promise.all(Array.from({ length: run.jobs }, work));
  return results;
}

async function runScenario(name: string, number: number, { at, folder, keep, record }: Run): Promise<Result> {
  const place: LabPlace = {
    ...at,
    number,
    record: record !== undefined,
    folder: join(folder, name),
    scenario: name.split('/')[1] ?? name,
  };
  const began = performance.now();
  const { title, steps, notes, failure } = await attempt(name, place);
  if (!failure && record !== undefined) {
    const needed = await rootsOf([name]);
    const roots = new Map([...at.roots].filter(([root]) => needed.has(root)));
    writeRecording(record, { name, folder: place.folder, peers: peerVersions(roots) });
  }
  if (!failure && !keep) rmSync(place.folder, { recursive: true, force: true });
  return { name, title, steps, notes, seconds: (performance.now() - began) / 1_000, failure };
}

async function attempt(name: string, place: LabPlace): Promise<Pick<Result, 'title' | 'steps' | 'notes' | 'failure'>> {
  let lab: Lab | undefined;
  let title = name;
  let failure: Failure | undefined;
  const failed = (error: unknown): void => {
    failure ??= { step: lab?.steps.at(-1) ?? 'preparation', error, folder: place.folder };
  };
  try {
    const scenario = await load(name);
    title = scenario.title;
    lab = await Lab.create(place);
    await within(scenario.limitMs ?? LIMIT_MS, scenario.run(lab));
  } catch (error) {
    failed(error);
  }
  await lab?.destroy().catch(failed);
  return { title, steps: lab?.steps ?? [], notes: lab?.notes ?? [], failure };
}

async function load(name: string): Promise<Scenario> {
  const { scenario } = await import(pathToFileURL(join(HOME, name, 'scenario.ts')).href);
  return scenario;
}
