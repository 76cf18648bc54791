/**
 * Child SAs in a kernel with ESP, as root: two networks, a data plane in each, real packets between them.
 * `node --test test/kernel/xfrm.ts`; everything happens in network namespaces of its own.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { suites } from '../sidecar/dataplane/children.ts';
import { inner, type Pair, pairOfNetworks, twin } from './xfrm-pair.ts';

let pair: Pair;
before(async () => {
  pair = await pairOfNetworks();
});
after(() => pair.close());
afterEach(async () => {
  await Promise.all([pair.left.children.flush(), pair.right.children.flush()]);
  assert.equal(pair.leftOver(), '', 'states and policies are left');
});

const names = { 20: 'AES-GCM', 28: 'ChaCha20-Poly1305', 12: 'AES-CBC' } as Readonly<Record<number, string>>;

describe('children in the kernel', () => {
  const all = [...suites, { encr: 20, keyBits: 192, integ: 0, esn: true }, { encr: 12, keyBits: 128, integ: 2, esn: false }];
  all.forEach((suite, at) => {
    const { encr, keyBits, integ, esn } = suite;
    it(`carry ${names[encr]} ${keyBits} with integrity ${integ}${esn ? ' and ESN' : ''}`, async () => {
      const sa = twin(0x1000 + 16 * at, { suite });
      await pair.install(sa);
      pair.ping('left', inner.right4, 20);
      pair.ping('right', inner.left4, 20);
      pair.ping('left', inner.right6, 20);
      const traffic = await pair.left.children.remove(sa.left.spiIn);
      assert.deepEqual([traffic?.packetsIn, traffic?.packetsOut, traffic?.bytesOut], [60, 60, 60 * 84 + 20 * 20]);
    });
  });
});
