/** Which of the kernel's states and policies are ours, and which child they belong to. */
import type { ChildSa } from '../../contract/dataplane.ts';
import { formatAddress } from '../../ike/ip-address.ts';
import { type Bytes, equalBytes, hex } from '../../ike/wire/bytes.ts';
import type { KernelChild, Way } from './kernel-child.ts';
import { isOurs } from './kernel-child-reqids.ts';
import { algorithmAttributes, hasAlgorithms } from './xfrm-algorithms.ts';
import type { XfrmPolicy } from './xfrm-policy.ts';
import type { ForeignState } from './xfrm-state.ts';
import { equalSelectors, IPPROTO_ESP } from './xfrm-structures.ts';

export interface Found {
  readonly in: ForeignState;
  readonly out: ForeignState;
}

export const isOurState = (state: ForeignState, mark: number): boolean =>
  state.protocol === IPPROTO_ESP && isOurs(state.reqid) && state.mark === mark;

export const isOurPolicy = (policy: XfrmPolicy, mark: number): boolean => isOurs(policy.template.reqid) && policy.mark === mark;

/** By inbound SPI: children whose both states the kernel has, with the same keys; only the peer's address may be another. */
export function findChildren(states: readonly ForeignState[], wanted: readonly KernelChild[]): ReadonlyMap<number, Found> {
  const bySpi = Map.groupBy(states, ({ spi }) => spi);
  const found = new Map<number, Found>();
  for (const child of wanted) {
    const inbound = bySpi.get(child.child.spiIn)?.find((state) => isStateOf(child, 'in', state));
    const outbound = furthest(
      (bySpi.get(child.child.spiOut) ?? []).filter((state) => isStateOf(child, 'out', state) && state.reqid === inbound?.reqid),
    );
    if (inbound && outbound) found.set(child.spiIn, { in: inbound, out: outbound });
  }
  return found;
}

/** An agent that was killed while a child moved left two: the one that was to go, and one that had begun behind it. No number comes twice. */
const furthest = ([first, ...others]: readonly ForeignState[]): ForeignState | undefined =>
  others.reduce((best, state) => (best && sentOf(best) > sentOf(state) ? best : state), first);
const sentOf = ({ sequences }: ForeignState): number => sequences?.sent ?? 0;

/** Where the states go, in the form of `wanted`. */
export function pathOf({ in: inbound, out }: Found, wanted: ChildSa['path']): ChildSa['path'] {
  const portOf = (endpoint: string): string => endpoint.slice(endpoint.lastIndexOf(':') + 1);
  return {
    local: endpoint(inbound.destination, portOf(wanted.local)),
    remote: endpoint(out.destination, String(out.encapsulation?.destinationPort ?? portOf(wanted.remote))),
  };
}

export const endpoint = (address: Bytes, port: string): string =>
  address.length === 4 ? `${formatAddress(address)}:${port}` : `[${formatAddress(address)}]:${port}`;

function isStateOf(child: KernelChild, way: Way, state: ForeignState): boolean {
  const { suite, keyIn, keyOut, encapsulated } = child.child;
  const local = way === 'in' ? state.destination : state.source;
  return (
    equalBytes(local, child.ends.local) &&
    state.esn === suite.esn &&
    (state.encapsulation !== undefined) === encapsulated &&
    equalSelectors(state.selector, child.selectorOf(way)) &&
    hasAlgorithms(state.attributes, algorithmAttributes(suite, way === 'in' ? keyIn : keyOut))
  );
}

export const stateName = ({ destination, spi }: Pick<ForeignState, 'destination' | 'spi'>): string =>
  `${spi} ${hex(destination)}`;
