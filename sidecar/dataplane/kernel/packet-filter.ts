/** Our nftables table at work: replaced as a whole, put back when something else removed it, its counters read. By `nft` of nftables. */
import type { Problem } from '../../contract/agent-protocol.ts';
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import { NFT, ProgramError, run } from '../program.ts';
import { missingNeeds } from './filter-needs.ts';
import type { Command } from './nft-json.ts';
import { type FilterDrop, type FilterFacts, filterDrops, ruleset, tableName } from './ruleset.ts';

export type FilterDrops = Readonly<Record<FilterDrop, number>>;

/** What is in force. */
interface Applied {
  readonly table: string;
  readonly commands: readonly Command[];
  readonly rules: number;
}

export class PacketFilter {
  #applied: Applied | undefined;
  /** Counters begin at 0 with every table. */
  #before: FilterDrops = NONE();
  #latest: FilterDrops = NONE();
  #work: Promise<unknown> = Promise.resolve();

  /** Replaces the table in one transaction: no packet meets half of it. @throws Error with the remedy; what was in force remains. */
  apply(config: DataplaneConfig, facts: FilterFacts): Promise<void> {
    return this.#then(async () => {
      const table = tableName(config);
      const commands = ruleset(config, facts);
      const old = this.#applied;
      await this.#read();
      await submit([...(old && old.table !== table ? removal(old.table) : []), ...commands]);
      this.#inForce({ table, commands, rules: commands.filter(isRule).length });
    });
  }

  /** Reads the counters and sees whether the table is as it was made; puts it back if not. Takes some milliseconds: every few seconds is enough. */
  check(): Promise<Problem | undefined> {
    return this.#then(async () => {
      const { table, commands, rules } = this.#applied ?? { table: '', commands: [], rules: 0 };
      if (table === '' || (await this.#read()) === rules) return undefined;
      try {
        await submit(commands);
        this.#before = this.#latest;
      } catch (error) {
        return { severity: 'blocking', text: `the nftables table ${table} is gone and cannot be put back: ${messageOf(error)}` };
      }
      return {
        severity: 'warning',
        text: `something removed rules of the nftables table ${table}; they are in force again; leave the table to this agent`,
      };
    });
  }

  /** Since this agent began, or the table was made by the one before it; as of the last `check`. Never falls. */
  get drops(): FilterDrops {
    return this.#latest;
  }

  /** Done when the table is gone. */
  remove(): Promise<void> {
    return this.#then(async () => {
      if (this.#applied) await submit(removal(this.#applied.table));
      this.#applied = undefined;
    });
  }

  #inForce(applied: Applied): void {
    this.#applied = applied;
    this.#before = this.#latest;
  }

  /** How many rules the table has; undefined: there is none. */
  async #read(): Promise<number | undefined> {
    const objects = this.#applied && (await listed(this.#applied.table));
    if (!objects) return undefined;
    const counters = new Map(objects.flatMap(({ counter }) => (counter ? [[counter.name, counter.packets]] : [])));
    this.#latest = sum(this.#before, (reason) => counters.get(reason) ?? 0);
    return objects.filter(({ rule }) => rule !== undefined).length;
  }

  /** One after the other. */
  #then<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#work.then(task);
    this.#work = done.catch(() => {});
    return done;
  }
}

function NONE(): FilterDrops {
  return sum(undefined, () => 0);
}

const sum = (before: FilterDrops | undefined, now: (reason: FilterDrop) => number): FilterDrops =>
  Object.fromEntries(filterDrops.map((reason) => [reason, (before?.[reason] ?? 0) + now(reason)])) as Record<FilterDrop, number>;

const isRule = ({ add }: Command): boolean => typeof add === 'object' && add !== null && 'rule' in add;

// Deleting what is not there would fail.
const removal = (table: string): Command[] =>
  ['add', 'delete'].map((what) => ({ [what]: { table: { family: 'inet', name: table } } }));

async function submit(commands: readonly Command[]): Promise<void> {
  try {
    await run(NFT, ['--json', '--file', '-'], JSON.stringify({ nftables: commands }));
  } catch (error) {
    throw new Error(await explained(error), { cause: error });
  }
}

async function explained(error: unknown): Promise<string> {
  const text = messageOf(error);
  if (text.includes('Operation not permitted'))
    return `${text}; the agent needs the capability NET_ADMIN (in a container: securityContext.capabilities.add)`;
  if (!/No such file|not supported/.test(text)) return text;
  const missing = await missingNeeds();
  if (missing.length === 0) return text;
  return `${text}; this kernel lacks ${missing.join('; ')}: load the modules on the node (modprobe) or choose another kernel`;
}

interface Listed {
  readonly counter?: { readonly name: string; readonly packets: number };
  readonly rule?: unknown;
}

/** Undefined: there is no such table. */
async function listed(table: string): Promise<readonly Listed[] | undefined> {
  try {
    const text = await run(NFT, ['--json', '--terse', 'list', 'table', 'inet', table]);
    return (JSON.parse(text) as { readonly nftables: readonly Listed[] }).nftables;
  } catch (error) {
    if (error instanceof ProgramError && error.text.includes('No such file')) return undefined;
    throw error;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
