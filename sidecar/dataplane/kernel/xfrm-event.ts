/** What the kernel tells of states by itself: how far they are (NEWAE), a limit (EXPIRE), a peer seen elsewhere (MAPPING). */
import type { Sequences } from '../../contract/dataplane.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import { decodeAttributes, type Message, NLM_F_REPLACE, type Request, u32, viewOf } from './netlink-message.ts';
import { decodeSequences } from './xfrm-replay.ts';
import { decodeState, markAttributes, STATE_BYTES } from './xfrm-state.ts';
import {
  familyOf,
  getAddress,
  getStateId,
  getUsed,
  putStateId,
  STATE_ID_BYTES,
  type StateId,
  USED_BYTES,
  type Used,
  XfrmAttribute,
  XfrmMessage,
} from './xfrm-structures.ts';

/** Multicast groups (enum xfrm_nlgroups). */
export const XFRMNLGRP = { EXPIRE: 2, AEVENTS: 5, MAPPING: 8 } as const;

export type XfrmEvent =
  | {
      readonly event: 'progress';
      readonly id: StateId;
      readonly sequences: Sequences | undefined;
      readonly used: Used | undefined;
    }
  /** `hard`: the kernel has removed it. */
  | { readonly event: 'expired'; readonly id: StateId; readonly hard: boolean; readonly used: Used }
  /** An authentic packet came from there. */
  | { readonly event: 'moved'; readonly id: StateId; readonly address: Bytes; readonly port: number };

/** struct xfrm_aevent_id: the state, its source, flags, reqid. */
const PROGRESS_BYTES = 48;
const MAPPING_BYTES = 64;

/** Undefined for a message about something else. */
export function decodeEvent(message: Message): XfrmEvent | undefined {
  const { type, body } = message;
  if (type === XfrmMessage.NEWAE && body.length >= PROGRESS_BYTES) return progress(body);
  if (type === XfrmMessage.EXPIRE && body.length > STATE_BYTES) return expired(message);
  if (type === XfrmMessage.MAPPING && body.length >= MAPPING_BYTES) return moved(body);
  return undefined;
}

/** After so many packets the kernel tells how far a state is; 0: about once a second, when something moved. */
export function reportAfter(packets: number, id: StateId, source: Bytes, mark: number): Request {
  const fixed = new Uint8Array(PROGRESS_BYTES);
  putStateId(viewOf(fixed), 0, id);
  fixed.set(source, STATE_ID_BYTES);
  const attributes = [u32(XfrmAttribute.REPLAY_THRESH, packets), ...markAttributes(mark)];
  return { type: XfrmMessage.NEWAE, flags: NLM_F_REPLACE, fixed, attributes };
}

function progress(body: Bytes): XfrmEvent {
  const attributes = decodeAttributes(body.subarray(PROGRESS_BYTES));
  const used = attributes.get(XfrmAttribute.LTIME_VAL);
  return {
    event: 'progress',
    id: getStateId(viewOf(body), 0),
    sequences: decodeSequences(attributes),
    used: used && used.length >= USED_BYTES ? getUsed(viewOf(used), 0) : undefined,
  };
}

/** struct xfrm_user_expire: a state, and whether it is gone. */
function expired({ body }: Message): XfrmEvent | undefined {
  const state = decodeState({ type: XfrmMessage.NEWSA, flags: 0, sequence: 0, body });
  if (!state) return undefined;
  const { destination, spi, used } = state;
  return { event: 'expired', id: { destination, spi }, hard: body[STATE_BYTES] !== 0, used };
}

/** struct xfrm_user_mapping */
function moved(body: Bytes): XfrmEvent {
  const view = viewOf(body);
  const id = getStateId(view, 0);
  return { event: 'moved', id, address: getAddress(view, 44, familyOf(id.destination)), port: view.getUint16(62) };
}
