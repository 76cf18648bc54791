import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import { SpentTickets } from '../../../sidecar/ike/spent-tickets.ts';

const id = (byte: number): Uint8Array => new Uint8Array(16).fill(byte);
const at = (ms: number): Instant => ms as Instant;

it('knows a ticket that was spent, by its bytes', () => {
  const spent = new SpentTickets(10);
  spent.spend(id(1), at(1000));
  assert.ok(spent.has(id(1)));
  assert.ok(!spent.has(id(2)));
});

it('forgets the oldest when it is full, and counts that', () => {
  const spent = new SpentTickets(2);
  for (const byte of [1, 2, 1, 3]) spent.spend(id(byte), at(1000));
  assert.deepEqual([spent.has(id(1)), spent.has(id(2)), spent.has(id(3))], [true, false, true]);
  assert.deepEqual([spent.size, spent.forgotten], [2, 1]);
});

it('takes a new bound at once', () => {
  const spent = new SpentTickets(3);
  for (const byte of [1, 2, 3]) spent.spend(id(byte), at(1000));
  spent.configure(1);
  assert.deepEqual([spent.has(id(3)), spent.size, spent.forgotten], [true, 1, 2]);
  spent.configure(2);
  spent.spend(id(4), at(1000));
  assert.equal(spent.size, 2);
});

it('forgets a ticket in the minute after it has expired, and does not count that', () => {
  const spent = new SpentTickets(10);
  spent.spend(id(1), at(160_000));
  spent.spend(id(2), at(160_001));
  spent.prune(at(100_000));
  spent.prune(at(159_999));
  assert.equal(spent.size, 2);
  spent.prune(at(160_000));
  assert.deepEqual([spent.has(id(1)), spent.has(id(2))], [false, true]);
  spent.prune(at(219_999));
  assert.equal(spent.size, 1, 'looks once a minute');
  spent.prune(at(220_000));
  assert.deepEqual([spent.size, spent.forgotten], [0, 0]);
});

it('has what was spent last, as much of it as it may hold', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 60 }), fc.nat(10), (bytes, max) => {
      const spent = new SpentTickets(max);
      for (const byte of bytes) spent.spend(id(byte), at(1000));
      const latest = [...new Set(bytes.toReversed())].slice(0, max);
      for (let byte = 0; byte <= 20; byte++) assert.equal(spent.has(id(byte)), latest.includes(byte));
    }),
  );
});

it('tells what was spent here, each once and the oldest first, and nothing that it heard from a sibling', () => {
  const spent = new SpentTickets(10);
  for (const byte of [1, 2, 3]) spent.spend(id(byte), at(1000 + byte));
  spent.hear(id(4), at(2000));
  assert.ok(spent.has(id(4)) && spent.hasNews);
  assert.deepEqual(spent.takeNew(2), [
    { id: id(1), until: at(1001) },
    { id: id(2), until: at(1002) },
  ]);
  assert.deepEqual([spent.takeNew(2).length, spent.takeNew(2).length, spent.hasNews], [1, 0, false]);
});

it('keeps a bounded number of news when nobody takes them', () => {
  const spent = new SpentTickets(100_000);
  const wide = (number: number): Uint8Array => new Uint8Array(new Uint32Array([number, 0, 0, 0]).buffer);
  for (let number = 0; number < 20_000; number++) spent.spend(wide(number), at(1000));
  const news = spent.takeNew(100_000);
  assert.deepEqual([news.length, news.at(-1)?.id], [16_384, wide(19_999)]);
});
