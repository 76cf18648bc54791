/** Messages between sidecar and agent: any bytes are a message or a NoMessage, and so is any message with something else in one of its fields. */
import fc from 'fast-check';
import {
  decodeFromAgent,
  decodeToAgent,
  encodeFromAgent,
  encodeToAgent,
  LENGTH_BYTES,
  NoMessage,
  OtherProtocol,
} from '../../sidecar/dataplane/agent/messages.ts';
import type { Bytes } from '../../sidecar/ike/wire/bytes.ts';
import { decodeCbor, encodeCbor } from '../../sidecar/ike/wire/cbor.ts';
import { anything, fromAgent, replaced, toAgent } from '../harness/arbitrary-agent-message.ts';
import { mangled } from '../harness/laws/mangled.ts';

const body = (frame: Bytes): Bytes => frame.subarray(LENGTH_BYTES);
const written = (): fc.Arbitrary<Bytes> =>
  fc.oneof(
    toAgent.map((message) => body(encodeToAgent(message))),
    fromAgent.map((message) => body(encodeFromAgent(message))),
  );

export const messages = () =>
  fc.property(
    written().chain((bytes) => mangled([bytes])),
    ({ bytes }) => {
      orNoMessage(() => decodeToAgent(bytes));
      orNoMessage(() => decodeFromAgent(bytes));
    },
  );

export const fields = () =>
  fc.property(written(), fc.nat(), anything, (bytes, at, by) => {
    const changed = encodeCbor(replaced(decodeCbor(bytes), at, by));
    orNoMessage(() => decodeToAgent(changed));
    orNoMessage(() => decodeFromAgent(changed));
  });

/** @throws whatever is neither a NoMessage nor an OtherProtocol. */
export function orNoMessage(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof NoMessage || error instanceof OtherProtocol)) throw error;
  }
}
