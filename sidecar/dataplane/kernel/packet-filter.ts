/** Our nftables table at work: replaced as a whole, put back when something else removed it, its counters read. By `nft` of nftables. */
import type { Problem } from '../../contract/agent-protocol.ts';
import type { DataplaneConfig } from '../../contract/dataplane-config.ts';
import { INPUT_FILE, NFT, ProgramError, run } from '../program.ts';
import { missingNeeds } from './filter-needs.ts';
import type { Command } from './nft-json.ts';
import { nextGeneration, type PresentTable, removal, replacement } from './replacement.ts';
import { type FilterDrop, type FilterFacts, filterDrops, ruleset, tableName } from './ruleset.ts';

export type FilterDrops = Readonly<Record<FilterDrop, number>>;

/** What is to be in force. */
interface Wanted {
  readonly config: DataplaneConfig;
  readonly facts: FilterFacts;
  readonly rules: number;
}

export class PacketFilter {
  #wanted: Wanted | undefined;
  /** What was counted in tables that are gone. */
  #before = sum(() => 0);
  #latest = this.#before;
  #work: Promise<unknown> = Promise.resolve();

  /** Replaces the rules at once: no packet meets half of them. @throws Error with the remedy; what was in force remains. */
  apply(config: DataplaneConfig, facts: FilterFacts): Promise<void> {
    return this.#then(async () => {
      const old = this.#wanted && tableName(this.#wanted.config);
      await this.#replace(config, facts);
      if (old === undefined || old === tableName(config)) return;
      await submit(removal(old));
      this.#before = this.#latest;
    });
  }

  /** Reads the counters and sees whether the table is as it was made; puts it back if not. Takes some milliseconds: every few seconds is enough. */
  check(): Promise<Problem | undefined> {
    return this.#then(async () => {
      if (!this.#wanted) return undefined;
      const { config, facts, rules } = this.#wanted;
      const table = await read(tableName(config));
      if (table.exists) this.#count(table.counters);
      else this.#before = this.#latest;
      if (table.rules === rules) return undefined;
      try {
        await this.#replace(config, facts);
      } catch (error) {
        return {
          severity: 'blocking',
          text: `the nftables table ${tableName(config)} is not whole and cannot be put back: ${messageOf(error)}`,
        };
      }
      return {
        severity: 'warning',
        text: `something removed rules of the nftables table ${tableName(config)}; they are in force again; leave the table to this agent`,
      };
    });
  }

  /** Since the table was made, by this agent or one before it; as of the last `check`. Never falls. */
  get drops(): FilterDrops {
    return this.#latest;
  }

  /** Done when the table is gone. */
  remove(): Promise<void> {
    return this.#then(async () => {
      if (this.#wanted) await submit(removal(tableName(this.#wanted.config)));
      this.#wanted = undefined;
      this.#before = this.#latest;
    });
  }

  async #replace(config: DataplaneConfig, facts: FilterFacts): Promise<void> {
    const present = await read(tableName(config));
    const wanted = ruleset(config, facts, nextGeneration(present));
    for (const transaction of replacement(present, wanted)) await submit(transaction);
    this.#wanted = { config, facts, rules: wanted.rules.length };
  }

  #count(counters: ReadonlyMap<string, number>): void {
    this.#latest = sum((reason) => this.#before[reason] + (counters.get(reason) ?? 0));
  }

  /** One after the other. */
  #then<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#work.then(task);
    this.#work = done.catch(() => {});
    return done;
  }
}

const sum = (count: (reason: FilterDrop) => number): FilterDrops =>
  Object.fromEntries(filterDrops.map((reason) => [reason, count(reason)])) as Record<FilterDrop, number>;

async function submit(commands: readonly Command[]): Promise<void> {
  try {
    await run(NFT, ['--json', '--file', INPUT_FILE], JSON.stringify({ nftables: commands }));
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

interface ReadTable extends PresentTable {
  readonly exists: boolean;
  readonly rules: number;
  readonly counters: ReadonlyMap<string, number>;
}

interface Listed {
  readonly counter?: { readonly name: string; readonly packets: number };
  readonly set?: { readonly name: string };
  readonly chain?: { readonly name: string };
  readonly rule?: unknown;
}

async function read(table: string): Promise<ReadTable> {
  const listed = await list(table);
  return {
    exists: listed !== undefined,
    sets: listed?.flatMap(({ set }) => set?.name ?? []) ?? [],
    chains: listed?.flatMap(({ chain }) => chain?.name ?? []) ?? [],
    rules: listed?.filter(({ rule }) => rule !== undefined).length ?? 0,
    counters: new Map(listed?.flatMap(({ counter }) => (counter ? [[counter.name, counter.packets]] : [])) ?? []),
  };
}

/** Undefined: there is no such table. */
async function list(table: string): Promise<readonly Listed[] | undefined> {
  try {
    const text = await run(NFT, ['--json', '--terse', 'list', 'table', 'inet', table]);
    return (JSON.parse(text) as { readonly nftables: readonly Listed[] }).nftables;
  } catch (error) {
    if (error instanceof ProgramError && error.text.includes('No such file')) return undefined;
    throw new Error(await explained(error), { cause: error });
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
