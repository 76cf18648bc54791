/** One scenario in a kernel of its own, seen from the machine. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Roots } from '../../interop/lab/roots.ts';
import type { Result } from '../../interop/lab/scenario.ts';
import { ACCOUNT_FILE, type Account, LIMIT_MS, ORDER_FILE, type Order, type Scenario } from './kernel-scenario.ts';
import { boot, type UserModeLinux } from './uml.ts';

/** For booting, and for everything before the scenario begins. */
const AROUND_MS = 30_000;

export interface Place {
  /** For a folder with the files of the scenario; removed when it passed. */
  readonly folder: string;
  readonly keep: boolean;
  readonly kernel: UserModeLinux;
  readonly roots: Roots;
}

/** `name`: of its folder below test/kernel. */
export async function run(name: string, scenario: Scenario, place: Place): Promise<Result & Pick<Account, 'figures'>> {
  const { title, limitMs = LIMIT_MS, roots: needed } = scenario;
  const folder = join(place.folder, name);
  mkdirSync(folder, { mode: 0o711, recursive: true });
  const order: Order = { name, limitMs, roots: [...place.roots].filter(([root]) => needed.includes(root)) };
  writeFileSync(join(folder, ORDER_FILE), JSON.stringify(order));
  const began = performance.now();
  await boot(place.kernel, folder, limitMs + AROUND_MS);
  const { steps, notes, figures, failure: error } = accountIn(folder);
  const failure = error === undefined ? undefined : { step: steps.at(-1) ?? 'preparation', error, folder };
  if (!failure && !place.keep) rmSync(folder, { recursive: true, force: true });
  return { name, title, steps, notes, figures, seconds: (performance.now() - began) / 1_000, failure };
}

function accountIn(folder: string): Account {
  const file = join(folder, ACCOUNT_FILE);
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'));
  return {
    title: '',
    steps: [],
    notes: [],
    figures: {},
    failure: 'the kernel ended without an account; see boot.log and console.log',
  };
}
