/** The codec: any bytes are a value or a ProtocolError, and a value is written as it was read (RFC 7296 §3). */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ProtocolError } from '../../sidecar/ike/error.ts';
import { equalBytes, Reader } from '../../sidecar/ike/wire/bytes.ts';
import { decodeCbor, encodeCbor } from '../../sidecar/ike/wire/cbor.ts';
import { decodeMessage, encodeMessage } from '../../sidecar/ike/wire/message.ts';
import { decodePayloads, encodePayloads } from '../../sidecar/ike/wire/payload.ts';
import { blob, message, payload } from '../harness/arbitrary-payload.ts';
import { honest } from '../harness/laws/laws.ts';
import { mangled } from '../harness/laws/mangled.ts';

export const messages = () =>
  fc.property(mangled(honest().datagrams), ({ bytes }) => {
    orProtocolError(() => decodeMessage(bytes));
  });

export const payloadChains = () =>
  fc.property(fc.array(payload, { maxLength: 5 }), fc.nat(255), fc.nat(600), blob(0, 6), (payloads, first, length, tail) => {
    const written = encodePayloads(payloads);
    assert.deepEqual(decodePayloads(written.first, new Reader(written.bytes)), payloads);
    orProtocolError(() => decodePayloads(first, new Reader(written.bytes)));
    orProtocolError(() => decodePayloads(written.first, new Reader(Uint8Array.of(...written.bytes.slice(0, length), ...tail))));
  });

export const wellFormed = () =>
  fc.property(message, (one) => {
    const { encrypted, ...read } = decodeMessage(encodeMessage(one));
    assert.equal(encrypted, undefined);
    assert.deepEqual(read, one);
  });

export const cbor = () =>
  fc.property(blob(0, 120), (bytes) => {
    const value = orProtocolError(() => decodeCbor(bytes));
    if (value !== FAILED) assert(equalBytes(encodeCbor(value), bytes), 'one value has one encoding');
  });

const FAILED = Symbol('failed');

/** @throws whatever is not a ProtocolError. */
export function orProtocolError<T>(run: () => T): T | typeof FAILED {
  try {
    return run();
  } catch (error) {
    if (error instanceof ProtocolError) return FAILED;
    throw error;
  }
}
