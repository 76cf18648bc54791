/**
 * How one ruleset takes the place of another without a moment in which a packet meets neither, or half of one. Pure.
 *
 * A transaction of nftables makes all of its rules valid at once, but not the elements of its interval sets: on new kernels those come a
 * few microseconds after the rules that look them up (the sets have a commit of their own), and every client's packet that comes just
 * then would have a source of no pool. So the new sets are there before the rules are, under names of their own.
 */
import type { Command } from './nft-json.ts';
import type { Ruleset } from './ruleset.ts';

/** What the table has, by name. */
export interface PresentTable {
  readonly sets: readonly string[];
  readonly chains: readonly string[];
}

/** For the names of sets that are not there yet. */
export function nextGeneration({ sets }: PresentTable): number {
  let generation = 1;
  while (sets.some((name) => name.endsWith(`-${generation}`))) generation++;
  return generation;
}

/** Transactions, one after the other; the rules in force change with the last one. Counters go on counting. */
export function replacement(present: PresentTable, { table, counters, sets, chains, rules }: Ruleset): Command[][] {
  const within = { family: 'inet', table };
  const chainsOf = (verb: 'flush' | 'delete'): Command[] =>
    present.chains.map((name) => ({ [verb]: { chain: { ...within, name } } }));
  return [
    [{ add: { table: { family: 'inet', name: table } } }, ...counters, ...sets],
    [
      ...chainsOf('flush'),
      ...chainsOf('delete'),
      ...present.sets.map((name) => ({ delete: { set: { ...within, name } } })),
      ...chains,
      ...rules,
    ],
  ];
}

/** Deleting what is not there would fail. */
export const removal = (table: string): Command[] =>
  ['add', 'delete'].map((verb) => ({ [verb]: { table: { family: 'inet', name: table } } }));
