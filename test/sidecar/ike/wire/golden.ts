/** Bytes written by hand, as the figures of the RFC draw them. */
import assert from 'node:assert/strict';
import { ProtocolError } from '../../../../sidecar/ike/error.ts';
import { type Bytes, Reader, unhex, Writer } from '../../../../sidecar/ike/wire/bytes.ts';
import { decodePayloads, encodePayloads, type Payload } from '../../../../sidecar/ike/wire/payload.ts';

/** Hexadecimal digits with any spacing. */
export const octets = (text: string): Bytes => unhex(text.replace(/\s/g, ''));

/** One payload from its body, as the only one of a chain. */
export function decodeBody(number: number, body: string | Bytes): Payload | undefined {
  const bytes = typeof body === 'string' ? octets(body) : body;
  const chain = new Writer()
    .u8(0)
    .u8(0)
    .u16(bytes.length + 4)
    .bytes(bytes)
    .finish();
  return decodePayloads(number, new Reader(chain))[0];
}

/** The body that a payload is encoded as. */
export const encodeBody = (payload: Payload): Bytes => encodePayloads([payload]).bytes.subarray(4);

/** Asserts that the bytes are dropped, and for which reason. */
export function assertMalformed(decode: () => unknown, reason: RegExp): void {
  assert.throws(decode, (error) => error instanceof ProtocolError && error.verdict === 'drop' && reason.test(error.message));
}
