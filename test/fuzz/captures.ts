/** What real peers said on the wire, as the ground to change things on: every decoder, and our core in every phase, as if they had said it to it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Reader } from '../../sidecar/ike/wire/bytes.ts';
import { decodeMessage } from '../../sidecar/ike/wire/message.ts';
import { decodePayloads, encodePayloads, type Payload } from '../../sidecar/ike/wire/payload.ts';
import { AuthMethod } from '../../sidecar/ike/wire/registry.ts';
import { captures, opened } from '../harness/captures.ts';
import { authenticMessages } from '../harness/laws/laws.ts';
import { mangled } from '../harness/laws/mangled.ts';
import type { Overheard } from '../harness/laws/overheard.ts';
import { type Edit, edit, edited } from '../harness/laws/said.ts';
import { ALICE, GATEWAY } from '../harness/policy.ts';
import { orProtocolError } from './decoder.ts';

let read: readonly Overheard[] | undefined;
/** Whole messages. */
export function overheard(): readonly Overheard[] {
  read ??= captures().flatMap((capture) =>
    opened(capture).map(({ message: { exchange, response }, payloads }) => ({ exchange, response, payloads })),
  );
  return read;
}

/** The same between those that our laws are about, so that it gets beyond IKE_AUTH. */
const ofOurs = ({ payloads: all, ...one }: Overheard): Overheard => ({ ...one, payloads: all.map(asOurs) });
function asOurs(one: Payload): Payload {
  switch (one.kind) {
    case 'IDi':
      return { ...one, ...ALICE };
    case 'IDr':
      return { ...one, ...GATEWAY };
    case 'AUTH':
      return { ...one, method: AuthMethod.SHARED_KEY };
    default:
      return one;
  }
}

/** As it was on the wire, with bytes changed. */
export const datagrams = () =>
  fc.property(mangled(captures().flatMap((capture) => capture.datagrams.map(({ bytes }) => bytes))), ({ bytes }) => {
    orProtocolError(() => decodeMessage(bytes));
  });

/** What was under the encryption: payloads left out, repeated, in another order or with another body; then bytes changed. */
export const payloads = () => {
  const all = overheard().filter((one) => one.payloads.length > 0);
  const written = all.map((one) => encodePayloads(one.payloads));
  const changes = fc.array(edit, { maxLength: 3 });
  return fc.property(
    fc.constantFrom(...all),
    changes,
    mangled(written.map(({ bytes }) => bytes)),
    fc.nat(255),
    (one, edits, cut, first) => {
      const changed = edits.reduce<readonly Payload[]>((before, next: Edit) => edited(before, next), one.payloads);
      const chain = encodePayloads(changed);
      assert.deepEqual(decodePayloads(chain.first, new Reader(chain.bytes)), changed);
      orProtocolError(() => decodePayloads(first, new Reader(cut.bytes)));
      orProtocolError(() => decodePayloads(chain.first, new Reader(cut.bytes)));
    },
  );
};

/** Said by a peer that has the right keys, in every phase and to both roles, with something wrong in it. */
export const said = () => authenticMessages([...overheard(), ...overheard().map(ofOurs)]);
