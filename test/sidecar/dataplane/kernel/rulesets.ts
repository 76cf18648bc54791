/** Configurations whose packet filters are kept as golden files: one for each option. `npm run golden` writes them. */
import type { DataplaneConfig } from '../../../../sidecar/contract/dataplane-config.ts';
import type { Command } from '../../../../sidecar/dataplane/kernel/nft-json.ts';
import { replacement } from '../../../../sidecar/dataplane/kernel/replacement.ts';
import { type FilterFacts, ruleset } from '../../../../sidecar/dataplane/kernel/ruleset.ts';

const plain: DataplaneConfig = {
  generation: 1,
  name: 'vpn/office',
  dataplane: 'auto',
  pools: ['10.8.0.0/24', 'fd08::/64'],
  routes: ['192.0.2.0/24', '2001:db8:1::/48'],
  natPort: 4500,
  lifetimeBytes: 0,
  traffic: { forwarding: 'masquerade', isolateClients: false, mtu: 0, clampMss: true },
  interfaces: [],
  tun: 'rekindle0',
  mark: 0,
};

export type Change = Partial<Omit<DataplaneConfig, 'traffic'>> & { readonly traffic?: Partial<DataplaneConfig['traffic']> };

export const configured = ({ traffic, ...rest }: Change = {}): DataplaneConfig => ({
  ...plain,
  ...rest,
  traffic: { ...plain.traffic, ...traffic },
});

const kernel: FilterFacts = { dataplane: 'kernel', mtu: 1390 };

export const scenes: readonly { readonly name: string; readonly change: Change; readonly facts: FilterFacts }[] = [
  { name: 'kernel', change: {}, facts: kernel },
  { name: 'userspace', change: {}, facts: { dataplane: 'userspace', mtu: 1390 } },
  { name: 'routed', change: { traffic: { forwarding: 'routed' } }, facts: kernel },
  { name: 'isolated', change: { traffic: { isolateClients: true } }, facts: kernel },
  { name: 'unclamped', change: { traffic: { clampMss: false } }, facts: kernel },
  { name: 'interfaces', change: { interfaces: ['eth0', 'net1'] }, facts: kernel },
  { name: 'default-routes', change: { routes: ['0.0.0.0/0', '::/0', '169.254.20.10/32'] }, facts: kernel },
  { name: 'marked', change: { mark: 7, natPort: 14_500 }, facts: kernel },
  { name: 'marked-userspace', change: { mark: 7 }, facts: { dataplane: 'userspace', mtu: 1390 } },
  {
    name: 'overlapping',
    change: { pools: ['10.8.0.0/24', '10.8.0.128/25'], routes: ['10.0.0.0/8', '10.1.0.0/16', '10.8.0.0/16'] },
    facts: kernel,
  },
];

/** One command in a line. */
export const written = (commands: readonly Command[]): string =>
  `{"nftables": [\n${commands.map((command) => JSON.stringify(command)).join(',\n')}\n]}\n`;

/** Where there was no table. */
const fresh = (change: Change, facts: FilterFacts): readonly Command[] =>
  replacement({ sets: [], chains: [] }, ruleset(configured(change), facts, 1)).flat();

export const goldens = (): readonly { readonly file: string; readonly text: string }[] =>
  scenes.map(({ name, change, facts }) => ({ file: `${name}.golden.json`, text: written(fresh(change, facts)) }));
