/** Which parts of nftables a kernel lacks: the answer of `nft` to a whole ruleset does not say. */
import { INPUT_FILE, NFT, ProgramError, run } from '../program.ts';
import * as nft from './nft-json.ts';

const NAME = 'rekindle-needs';
const table = { family: 'inet', table: NAME };
const filter: nft.BaseChain = { type: 'filter', hook: 'forward', prio: 0 };
const rule = (base: nft.BaseChain, ...expr: readonly nft.Expression[]): nft.Command[] => [
  { add: { chain: { ...table, name: 'one', ...base, policy: 'accept' } } },
  { add: { rule: { ...table, chain: 'one', expr } } },
];

/** By the module that brings it. */
const needs: readonly { readonly what: string; readonly commands: readonly nft.Command[] }[] = [
  { what: 'nf_tables with tables of family inet (CONFIG_NF_TABLES_INET)', commands: [] },
  {
    what: 'nft_ct and nf_conntrack',
    commands: rule(filter, nft.match({ ct: { key: 'state' } }, ['established'], 'in'), nft.accept),
  },
  { what: 'nft_objref', commands: [{ add: { counter: { ...table, name: 'count' } } }, ...rule(filter, nft.count('count'))] },
  { what: 'nft_reject_inet', commands: rule(filter, nft.prohibit) },
  { what: 'nft_chain_nat, nft_masq and nf_nat', commands: rule({ type: 'nat', hook: 'postrouting', prio: 100 }, nft.masquerade) },
  { what: 'nf_tables with rt ipsec (CONFIG_XFRM)', commands: rule(filter, nft.protectedRoute(false), nft.drop) },
];

/** Names of kernel modules and options; nothing is changed. */
export async function missingNeeds(): Promise<string[]> {
  const missing: string[] = [];
  for (const { what, commands } of needs) {
    if (await works([{ add: { table: { family: 'inet', name: NAME } } }, ...commands])) continue;
    missing.push(what);
    // Without tables nothing else can work.
    if (commands.length === 0) break;
  }
  return missing;
}

async function works(commands: readonly nft.Command[]): Promise<boolean> {
  try {
    await run(NFT, ['--json', '--check', '--file', INPUT_FILE], JSON.stringify({ nftables: commands }));
    return true;
  } catch (error) {
    if (error instanceof ProgramError) return false;
    throw error;
  }
}
