/** Endpoints of peers in memory: what is about to leave for one of them must not go elsewhere. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AddressBook, NamedOrigin } from '../../../sidecar/dataplane/esp-thread/address-book.ts';
import { NAME_BYTES, NAMES } from '../../../sidecar/dataplane/esp-thread/layout.ts';

const peer = (number: number): string => `198.51.100.${number >> 12}:${1 + (number & 0xfff)}`;

describe('the address book', () => {
  it('keeps names that something may be about to be sent to, however many peers arrive meanwhile', () => {
    const bytes = new Uint8Array((NAMES + 1) * NAME_BYTES);
    const arena = { bytes, view: new DataView(bytes.buffer), words: new Int32Array(bytes.buffer), base: 0 };
    const book = new AddressBook(arena, NAME_BYTES);
    const arrived = new NamedOrigin(arena, book);
    for (let number = 0; number < NAMES; number++) assert.notEqual(book.find(peer(number)), undefined);
    const name = book.find(peer(1)) ?? assert.fail();
    const before = bytes.slice(name, name + NAME_BYTES);
    bytes.set(before, 0);
    arrived.set(0, '192.0.2.1:4500');
    assert.equal(arrived.is(peer(0)), false);
    assert.equal(arrived.is(peer(NAMES)), false);
    assert.deepEqual(bytes.slice(name, name + NAME_BYTES), before);
  });
});
