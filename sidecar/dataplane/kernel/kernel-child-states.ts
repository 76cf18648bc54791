/** States of a child in the kernel: both or none, and what is read off them at last. */
import type { KernelChild, Way } from './kernel-child.ts';
import { type Ask, settled } from './kernel-child-policies.ts';
import { NetlinkError } from './netlink-requests.ts';
import { decodeState, deleteState, type ForeignState, getState, newState, type XfrmState } from './xfrm-state.ts';
import type { StateId } from './xfrm-structures.ts';

/** Receiving first. Rejects with Error that says why the kernel would not; then neither is there. */
export async function addStates(ask: Ask, child: KernelChild): Promise<void> {
  const ways = ['in', 'out'] as const;
  const added = await Promise.allSettled(ways.map((way) => addState(ask, child.stateOf(way))));
  const failed = added.find((result) => result.status === 'rejected');
  if (!failed) return;
  await Promise.all(
    ways.map((way, at) => (added[at]?.status === 'fulfilled' ? takeState(ask, child.idOf(way), child.mark) : undefined)),
  );
  throw failed.reason;
}

export async function addState(ask: Ask, state: XfrmState): Promise<void> {
  await ask(newState(state)).catch((error: unknown) => {
    throw new Error(`SPI ${state.spi.toString(16).padStart(8, '0')}: ${reasonOf(error)}`);
  });
}

/** Reads states for the last time and removes them, in one step; takes note of how far they came. */
export async function takeStates(ask: Ask, child: KernelChild): Promise<void> {
  const take = async (way: Way): Promise<void> => {
    const last = await takeState(ask, child.idOf(way), child.mark);
    if (last) child.note(way, last.used, last.sequences);
  };
  await settled([take('out'), take('in')]);
}

/** Undefined when there is no such state. */
export async function takeState(ask: Ask, id: StateId, mark: number): Promise<ForeignState | undefined> {
  const read = readState(ask, id, mark);
  const removed = ask(deleteState(id, mark)).catch(ignoreMissing);
  await settled([read, removed]);
  return read;
}

/** Undefined when there is no such state. */
export async function readState(ask: Ask, id: StateId, mark: number): Promise<ForeignState | undefined> {
  const answers = await ask(getState(id, mark)).catch(ignoreMissing);
  for (const answer of answers ?? []) {
    const state = decodeState(answer);
    if (state) return state;
  }
  return undefined;
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof NetlinkError) || error.code !== 'ESRCH') throw error;
}

/** What the errors mean that a state may meet with, and what helps. */
const REMEDIES: Readonly<Record<string, string>> = {
  EEXIST: 'another state has this SPI and address; let the peer choose another',
  ENOSYS: 'the kernel lacks an algorithm; load the modules gcm, chacha20poly1305, cbc, hmac, echainiv and seqiv',
  EPROTONOSUPPORT: 'the kernel has no ESP; load the modules esp4 and esp6, or use the user-space data plane',
  EPERM: 'the agent needs CAP_NET_ADMIN',
};

function reasonOf(error: unknown): string {
  if (!(error instanceof NetlinkError)) return String(error);
  const remedy = REMEDIES[error.code];
  return remedy ? `${error.message}: ${remedy}` : error.message;
}
