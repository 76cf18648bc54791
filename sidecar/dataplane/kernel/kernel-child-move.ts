/**
 * A child goes elsewhere without losing a packet: MOBIKE (RFC 4555), or a NAT that has another port for the peer.
 *
 * The kernel's own means fall short. XFRM_MSG_UPDSA changes ports in place, but no address. XFRM_MSG_MIGRATE wants a call for each policy, finds
 * states by reqid, so the wrong one while two children share it, and copies the sequence number before the old state stops sending: on another
 * processor one number goes out twice under one key, which breaks an AEAD. So:
 *
 * - What arrives is looked up by our address and the SPI. A peer elsewhere is none of that: the port is updated, nothing else.
 * - What leaves to another address gets a second state. The old one may send SURPLUS more packets, which the kernel enforces, and the new one
 *   begins behind them; then the policies change over, and the old one goes. Should these not suffice, packets are dropped for the moment.
 * - Where the key of the state stays the same but not what can be updated (our own address, UDP or not), the old one is read and removed, and the
 *   new one takes its window and numbers over exactly. For that moment there is none.
 */
import type { MoveOrder, Sequences } from '../../contract/dataplane.ts';
import { equalBytes } from '../../ike/wire/bytes.ts';
import type { KernelChild, Way } from './kernel-child.ts';
import { type Ask, type ChildPolicies, settled } from './kernel-child-policies.ts';
import { addState, readState, takeState } from './kernel-child-states.ts';
import { type ForeignState, updateState } from './xfrm-state.ts';
import { XfrmAttribute } from './xfrm-structures.ts';

/** More than leave while a few requests are on their way: some milliseconds at full speed. */
const SURPLUS = 4096;

/** Rejects with Error that says why the kernel would not. `moved` is called as soon as the states have other names. */
export async function moveChild(
  { ask, policies }: { readonly ask: Ask; readonly policies: ChildPolicies },
  child: KernelChild,
  { path, encapsulated }: Pick<MoveOrder, 'path' | 'encapsulated'>,
  moved: () => void,
): Promise<void> {
  const before = { ends: child.ends, path: child.child.path, encapsulated: child.child.encapsulated };
  child.goTo(path, encapsulated);
  const sameForm = encapsulated === before.encapsulated;
  const sameLocal = equalBytes(child.ends.local, before.ends.local);
  const sameRemote = equalBytes(child.ends.remote, before.ends.remote);
  const at = (way: Way) => ({ destination: way === 'in' ? before.ends.local : before.ends.remote, spi: child.idOf(way).spi });
  try {
    if (!sameForm || !sameLocal) await replace(ask, child, 'in', at('in'));
    else if (encapsulated) await ask(updateState(child.stateOf('in')));
    if (sameForm && sameLocal && sameRemote) {
      if (encapsulated) await ask(updateState(child.stateOf('out')));
      moved();
    } else if (sameRemote) {
      await replace(ask, child, 'out', at('out'));
      moved();
      await policies.refresh(child);
    } else await overlap({ ask, policies }, child, at('out'), before, moved);
  } catch (error) {
    if (child.child.path === path) moved();
    throw error;
  }
}

/** The new one takes over all of the old one. */
async function replace(ask: Ask, child: KernelChild, way: Way, id: ForeignId): Promise<void> {
  const old = await takeState(ask, id, child.mark);
  if (!old) throw new Error('the kernel has lost its state; it has to be negotiated anew');
  child.note(way, old.used, old.sequences);
  await addState(ask, { ...child.stateOf(way), used: old.used, replay: old.attributes.get(XfrmAttribute.REPLAY_ESN_VAL) });
}

type ForeignId = Pick<ForeignState, 'destination' | 'spi'>;

async function overlap(
  { ask, policies }: { readonly ask: Ask; readonly policies: ChildPolicies },
  child: KernelChild,
  id: ForeignId,
  before: { readonly path: MoveOrder['path']; readonly encapsulated: boolean },
  moved: () => void,
): Promise<void> {
  const old = await readState(ask, id, child.mark);
  if (!old?.sequences) throw new Error('the kernel has lost its state; it has to be negotiated anew');
  child.note('out', old.used, old.sequences);
  const next = child.stateOf('out');
  const last = { ...next, ...id, encapsulation: old.encapsulation };
  const hardPackets = old.used.packets + SURPLUS;
  const limited = ask(updateState({ ...last, limits: { ...last.limits, softPackets: 0, hardPackets } }));
  const added = limited.then(() => addState(ask, { ...next, used: old.used, sequences: behind(old.sequences) }));
  await added.catch(async (error: unknown) => {
    child.goTo(before.path, before.encapsulated);
    await ask(updateState(last)).catch(() => undefined);
    throw error;
  });
  moved();
  const changed = policies.refresh(child);
  const removed = takeState(ask, id, child.mark);
  await settled([changed, removed]);
  const end = (await removed)?.used;
  if (end) child.addUncounted({ bytes: end.bytes - old.used.bytes, packets: end.packets - old.used.packets });
}

const behind = (sequences: Sequences | undefined): Sequences => ({ sent: (sequences?.sent ?? 0) + SURPLUS, received: 0 });
