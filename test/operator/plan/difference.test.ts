/** When a child is left alone, and when it is written again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { holds, isSame, marked } from '../../../operator/plan/difference.ts';
import { fingerprint } from '../../../operator/plan/fingerprint.ts';

const manifest = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', namespace: 'b' }, spec: { ports: [{ port: 500 }] } };

describe('a manifest', () => {
  it('holds in an object that has more fields: defaults and those of others', () => {
    assert.ok(holds(manifest, { ...manifest, status: {}, spec: { ports: [{ port: 500, protocol: 'UDP' }], type: 'ClusterIP' } }));
  });

  it('does not hold where a value differs, is missing, or a list is longer', () => {
    assert.ok(!holds(manifest, { ...manifest, spec: { ports: [{ port: 4500 }] } }));
    assert.ok(!holds(manifest, { ...manifest, spec: {} }));
    assert.ok(!holds(manifest, { ...manifest, spec: { ports: [{ port: 500 }, { port: 4500 }] } }));
    assert.ok(!holds(manifest, undefined));
  });

  it('is marked so that the loss of a field shows', () => {
    const { spec: _, ...less } = manifest;
    assert.ok(holds(less, marked(manifest)));
    assert.ok(!holds(marked(less), marked(manifest)));
  });

  it('has the same fingerprint whatever the order of its fields, and another one for another value', () => {
    assert.equal(fingerprint({ a: 1, b: [2, undefined], c: undefined }), fingerprint({ b: [2, undefined], a: 1 }));
    assert.notEqual(fingerprint({ a: 1 }), fingerprint({ a: 2 }));
    assert.notEqual(fingerprint(['a', 'b']), fingerprint(['b', 'a']));
    assert.match(fingerprint({}), /^[0-9a-f]{16}$/);
  });

  it('is the same as another only with the same fields', () => {
    assert.ok(isSame({ a: 1, b: undefined }, { a: 1 }));
    assert.ok(!isSame({ a: 1 }, { a: 1, b: 2 }));
    assert.ok(!isSame({ a: 1, b: 2 }, { a: 1 }));
  });
});
