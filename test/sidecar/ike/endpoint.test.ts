import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { formatEndpoint, parseEndpoint } from '../../../sidecar/ike/endpoint.ts';
import { unhex } from '../../../sidecar/ike/wire/bytes.ts';

it('an endpoint that was written is read as the same endpoint', () => {
  const address = fc.constantFrom(4, 16).chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
  fc.assert(
    fc.property(fc.record({ address, port: fc.nat(0xffff) }, { noNullPrototype: true }), (endpoint) =>
      assert.deepEqual(parseEndpoint(formatEndpoint(endpoint)), endpoint),
    ),
  );
});

it('puts IPv6 in brackets', () => {
  assert.deepEqual(parseEndpoint('[::1]:500'), { address: unhex('00000000000000000000000000000001'), port: 500 });
  assert.equal(formatEndpoint(parseEndpoint('[2001:DB8::1]:4500')), '[2001:db8::1]:4500');
});

for (const text of [
  '',
  '192.0.2.1',
  '::1:500',
  '[192.0.2.1]:500',
  '192.0.2.1:65536',
  '192.0.2.1:',
  'host:500',
  '[::1]500',
  '192.0.2.1:5x',
]) {
  it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseEndpoint(text), RangeError));
}
