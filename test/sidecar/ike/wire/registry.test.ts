import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as registry from '../../../../sidecar/ike/wire/registry.ts';

for (const [name, table] of Object.entries(registry))
  it(`${name} gives each number one name`, () => {
    const numbers = Object.values(table);
    assert.equal(new Set(numbers).size, numbers.length);
  });
