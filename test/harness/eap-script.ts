/** Whoever speaks EAP, as a play: a server that asks twice, a peer that answers, and a key that both know. */
import { type EapAnswer, type EapOutcome, type EapQuestion, NO_GRANT } from '../../sidecar/ike/eap.ts';
import type { Bytes } from '../../sidecar/ike/wire/bytes.ts';

export const MSK: Bytes = new Uint8Array(64).fill(0x4d);

export const outcome = (part: Partial<EapOutcome> = {}): EapOutcome => ({
  ...{ type: 13, msk: MSK, mutual: true, identity: 'alice@example.com', certificate: undefined, granted: NO_GRANT },
  ...part,
});

export const packet = (code: number, identifier: number): Bytes =>
  code < 3 ? Uint8Array.of(code, identifier, 0, 6, 13, identifier) : Uint8Array.of(code, identifier, 0, 4);

const ROUNDS = 2;

export function played({ side, message }: Pick<EapQuestion, 'side' | 'message'>): EapAnswer {
  const [code = 0, identifier = 0] = message ?? [];
  if (side === 'server') {
    if (identifier < ROUNDS) return { is: 'packet', message: packet(1, identifier + 1) };
    return { is: 'success', message: packet(3, identifier), ...outcome() };
  }
  if (code === 1) return { is: 'packet', message: packet(2, identifier) };
  if (code === 3 && message) return { is: 'success', message, ...outcome() };
  return { is: 'failure', message: undefined, why: 'EAP-Failure' };
}
