/** Sequence numbers and anti-replay windows of a state (struct xfrm_replay_state_esn, RFC 4303 appendix A), also of one without ESN. */
import type { Sequences } from '../../contract/dataplane.ts';
import type { Bytes } from '../../ike/wire/bytes.ts';
import { viewOf } from './netlink-message.ts';
import { XfrmAttribute } from './xfrm-structures.ts';

/** Sequence numbers that the window spans: 32 words of 32 bits; the kernel takes 4 096 bytes at most. */
export const REPLAY_WINDOW = 1024;
const WORDS = REPLAY_WINDOW / 32;
const FIXED_BYTES = 24;
const HALF = 0x1_0000_0000;

/** All up to `received` counts as seen, what came of it or not: nobody knows any more which. */
export function encodeReplay({ sent, received }: Sequences): Bytes {
  const bytes = new Uint8Array(FIXED_BYTES + 4 * WORDS);
  const view = viewOf(bytes);
  const fields = [WORDS, sent % HALF, received % HALF, Math.floor(sent / HALF), Math.floor(received / HALF), REPLAY_WINDOW];
  fields.forEach((field, index) => void view.setUint32(4 * index, field, true));
  if (received > 0) bytes.fill(0xff, FIXED_BYTES);
  return bytes;
}

/** Undefined when the state tells none. */
export function decodeSequences(attributes: ReadonlyMap<number, Bytes>): Sequences | undefined {
  const extended = attributes.get(XfrmAttribute.REPLAY_ESN_VAL);
  if (extended && extended.length >= FIXED_BYTES) {
    const [, sent = 0, received = 0, sentHigh = 0, receivedHigh = 0] = Array.from({ length: 5 }, (_, index) =>
      viewOf(extended).getUint32(4 * index, true),
    );
    return { sent: sent + HALF * sentHigh, received: received + HALF * receivedHigh };
  }
  const plain = attributes.get(XfrmAttribute.REPLAY_VAL);
  if (!plain || plain.length < 8) return undefined;
  return { sent: viewOf(plain).getUint32(0, true), received: viewOf(plain).getUint32(4, true) };
}
