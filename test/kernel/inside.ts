/** The part of the kernel tests that runs in user-mode Linux: one scenario, whose account is left in its folder. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { within } from '../interop/lab/limit.ts';
import { KernelLab } from './lab/kernel-lab.ts';
import { ACCOUNT_FILE, type Account, ORDER_FILE, type Order, type Scenario } from './lab/kernel-scenario.ts';

/** See lab/init.sh. */
const FOLDER = '/run/lab';

const order: Order = JSON.parse(readFileSync(join(FOLDER, ORDER_FILE), 'utf8'));
// What a scenario no longer waits for may fail when it is over; it has said what matters.
process.on('unhandledRejection', (error) => console.error('afterwards:', error));
chmodSync(FOLDER, 0o711);
writeFileSync(join(FOLDER, ACCOUNT_FILE), JSON.stringify(await account()));
process.exit();

async function account(): Promise<Account> {
  let lab: KernelLab | undefined;
  let title = order.name;
  let failure: string | undefined;
  try {
    const file = join(import.meta.dirname, order.name, 'scenario.ts');
    const { scenario }: { scenario: Scenario } = await import(pathToFileURL(file).href);
    title = scenario.title;
    lab = await KernelLab.create({ folder: FOLDER, roots: new Map(order.roots) });
    await within(order.limitMs, scenario.run(lab));
  } catch (error) {
    failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
    await lab?.tellState().catch(console.error);
  }
  return { title, steps: lab?.steps ?? [], notes: lab?.notes ?? [], figures: lab?.figures ?? {}, failure };
}
