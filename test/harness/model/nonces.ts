/** No key sees a nonce twice, whichever pod used it first: IVs of IKE messages (RFC 5282 §3.1) and sequence numbers of ESP (RFC 4303 §3.3.3). */
import assert from 'node:assert/strict';
import type { Sequences } from '../../../sidecar/contract/dataplane.ts';
import { hex } from '../../../sidecar/ike/wire/bytes.ts';
import { SK, SKF } from '../../../sidecar/ike/wire/payload.ts';
import type { Datagram, Node } from '../world.ts';

const IV_LENGTH = 8;

/** The same IV under the same SPIs and flags is the same message once more, byte for byte. */
export function checkIvs(sent: readonly Datagram[]): void {
  const known = new Map<string, string>();
  for (const { bytes } of sent) {
    const [next] = bytes.subarray(16);
    if (next !== SK && next !== SKF) continue;
    const at = next === SK ? 32 : 36;
    // The Initiator flag says whose key it is.
    const key = hex(bytes.subarray(0, 16)) + ((bytes[19] ?? 0) & 0x08) + hex(bytes.subarray(at, at + IV_LENGTH));
    const message = hex(bytes);
    assert.equal(known.get(key) ?? message, message, 'an IV is used for two messages');
    known.set(key, message);
  }
}

/** What data planes send; each counts from what it was told at the installation, and reports how far it is only now and then. */
export class Packets {
  /** Key → the highest number that was ever used with it. */
  readonly #used = new Map<string, number>();
  /** By what an installation said: a child that was moved away and back is installed anew. */
  readonly #counters = new WeakMap<Sequences, number>();

  /** So many packets of this child go out. Answers the last number. */
  send(node: Node, spiIn: number, count: number): number | undefined {
    const child = node.children.get(spiIn);
    if (!child) return undefined;
    const { keyOut, sequences } = child;
    const key = hex(keyOut.encr);
    const before = this.#counters.get(sequences) ?? sequences.sent;
    assert(before >= (this.#used.get(key) ?? 0), `${node.name} uses sequence numbers again`);
    this.#counters.set(sequences, before + count);
    this.#used.set(key, before + count);
    return before + count;
  }
}
