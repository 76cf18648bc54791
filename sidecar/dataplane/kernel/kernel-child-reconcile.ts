/** What the kernel has is made what it should be: after a restart of the sidecar, of the agent or of both. */
import type { Outcome } from '../../contract/agent-protocol.ts';
import type { InstallOrder } from '../../contract/dataplane.ts';
import { KernelChild } from './kernel-child.ts';
import { type Found, findChildren, isOurPolicy, isOurState, pathOf, stateName } from './kernel-child-match.ts';
import { type Ask, type ChildPolicies, settled } from './kernel-child-policies.ts';
import type { ChildRegistry } from './kernel-child-registry.ts';
import { addStates, takeState, takeStates } from './kernel-child-states.ts';
import type { KernelSettings } from './kernel-port.ts';
import { decodePolicy, dumpPolicies } from './xfrm-policy.ts';
import { decodeState, dumpStates, type ForeignState } from './xfrm-state.ts';

export interface Kernel {
  readonly ask: Ask;
  readonly policies: ChildPolicies;
  readonly registry: ChildRegistry;
  readonly move: (child: KernelChild, to: KernelChild['child']) => Promise<void>;
}

/** One outcome for each. Rejects with Error when the kernel does not tell what it has, or keeps what it should not. */
export async function reconcileChildren(
  kernel: Kernel,
  all: readonly InstallOrder[],
  settings: KernelSettings,
): Promise<readonly Outcome[]> {
  const { ask, policies, registry } = kernel;
  const states = (await ask(dumpStates())).flatMap((message) => decodeState(message) ?? []);
  const ourStates = states.filter((state) => isOurState(state, settings.mark));
  const ourPolicies = (await ask(dumpPolicies()))
    .flatMap((message) => decodePolicy(message) ?? [])
    .filter((policy) => isOurPolicy(policy, settings.mark));
  const wanted = all.map((_, at) => wantedChild(all, at, settings));
  const found = findChildren(
    ourStates,
    wanted.filter((child) => child instanceof KernelChild),
  );
  const leftOver = unclaimed(ourStates, found);
  const before = registry.clear();
  policies.reset(ourPolicies);
  const children = wanted.map((child) => adopted(registry, child, before, found));
  // Whoever has the SPI of a new child has to go first. All others stay until nothing is sent through them any more.
  const inTheWay = leftOver.filter((state) => registry.byState(state));
  await remove(ask, inTheWay);
  const added = children.map((child) => (child instanceof Error || found.has(child.spiIn) ? undefined : addStates(ask, child)));
  const outcomes = await Promise.all(children.map((child, at) => joined(kernel, child, added[at])));
  await sendInsteadOf(kernel, wanted, outcomes);
  await policies.removeUnused(ourPolicies);
  await remove(
    ask,
    leftOver.filter((state) => !inTheWay.includes(state)),
  );
  await Promise.all(all.map((order, at) => follow(kernel, outcomes[at], children[at], order)));
  return outcomes;
}

function wantedChild(all: readonly InstallOrder[], at: number, settings: KernelSettings): KernelChild | Error {
  const order = all[at];
  const isNamed = (spiIn: number | undefined, before = all.length): boolean =>
    all.some(({ child }, other) => child.spiIn === spiIn && other < before);
  try {
    if (!order || isNamed(order.child.spiIn, at)) throw new Error('two children with one inbound SPI');
    const wanted = new KernelChild(order.child, settings);
    wanted.waitsFor = isNamed(order.sendsAfter) ? order.sendsAfter : undefined;
    return wanted;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Entered in the registry; with the counters, the reqid and the path that it has in the kernel, if it is there. */
function adopted(
  registry: ChildRegistry,
  wanted: KernelChild | Error,
  before: ReadonlyMap<number, KernelChild>,
  found: ReadonlyMap<number, Found>,
): KernelChild | Error {
  if (wanted instanceof Error) return wanted;
  const states = found.get(wanted.spiIn);
  const known = before.get(wanted.spiIn);
  const child = states && known?.isSameBut(wanted) ? known : wanted;
  child.waitsFor = states && states.in.used.packets > 0 ? undefined : wanted.waitsFor;
  if (states) {
    child.goTo(pathOf(states, wanted.child.path), wanted.child.encapsulated);
    child.note('in', states.in.used, states.in.sequences);
    child.note('out', states.out.used, states.out.sequences);
  }
  registry.enter(child, states?.in.reqid);
  return child;
}

async function joined(
  { ask, policies, registry }: Kernel,
  child: KernelChild | Error,
  added: Promise<void> | undefined,
): Promise<Outcome> {
  if (child instanceof Error) return failed(child);
  try {
    await added;
  } catch (error) {
    registry.leave(child);
    return failed(error);
  }
  try {
    await policies.join(child);
    child.stands = true;
    return { ok: true };
  } catch (error) {
    registry.leave(child);
    await settled([policies.leave(child), takeStates(ask, child)]);
    return failed(error);
  }
}

/** Nobody waits for a child that could not be installed. */
async function sendInsteadOf(
  { policies, registry }: Kernel,
  wanted: readonly (KernelChild | Error)[],
  outcomes: readonly Outcome[],
): Promise<void> {
  const lost = wanted.filter((child, at) => child instanceof KernelChild && !outcomes[at]?.ok);
  const waiting = lost.flatMap((child) => (child instanceof KernelChild ? registry.waitingFor(child.spiIn) : []));
  for (const child of waiting) child.waitsFor = undefined;
  await settled(waiting.map((child) => policies.refresh(child)));
}

async function follow(
  { move }: Kernel,
  outcome: Outcome | undefined,
  child: KernelChild | Error | undefined,
  { child: wanted }: InstallOrder,
): Promise<void> {
  if (outcome?.ok && child instanceof KernelChild) await move(child, wanted);
}

function unclaimed(states: readonly ForeignState[], found: ReadonlyMap<number, Found>): readonly ForeignState[] {
  const claimed = new Set([...found.values()].flatMap((pair) => [stateName(pair.in), stateName(pair.out)]));
  return states.filter((state) => !claimed.has(stateName(state)));
}

async function remove(ask: Ask, states: readonly ForeignState[]): Promise<void> {
  await settled(states.map((state) => takeState(ask, state, state.mark)));
}

const failed = (error: unknown): Outcome => ({
  ok: false,
  why: 'failed',
  reason: error instanceof Error ? error.message : String(error),
});
