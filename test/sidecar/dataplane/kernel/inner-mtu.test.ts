import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Egress, innerMtu, segmentMtu } from '../../../../sidecar/dataplane/kernel/egress.ts';
import { fittingMtu } from '../../../../sidecar/dataplane/kernel/inner-mtu.ts';
import { configured } from './rulesets.ts';

const egress = (mtu: number, families: readonly (4 | 6)[] = [4]): Egress => ({ name: 'eth0', mtu, families, advertised: false });

/** What goes on the wire (RFC 4303 §2) with AES-CBC and HMAC-SHA2-512-256. */
const outerLength = (inner: number, outerHeader: number): number =>
  outerHeader + 8 + 8 + 16 + Math.ceil((inner + 2) / 16) * 16 + 32;

describe('the MTU of the tunnel', () => {
  it('is the largest whose packet fits, with the costliest suite', () => {
    for (const [mtu, outer, header] of [
      [1500, 4, 20],
      [1500, 6, 40],
      [1280, 4, 20],
      [1450, 4, 20],
      [9001, 6, 40],
    ] as const) {
      const inner = fittingMtu(mtu, outer);
      assert.ok(outerLength(inner, header) <= mtu, `${mtu}: ${inner} is too large`);
      assert.ok(outerLength(inner + 1, header) > mtu, `${mtu}: ${inner} could be larger`);
    }
    assert.deepEqual([fittingMtu(1500, 4), fittingMtu(1500, 6)], [1406, 1390]);
  });

  it('leaves room for IPv6 outside where that leads out', () => {
    const config = configured({ pools: ['10.8.0.0/24'] });
    assert.equal(innerMtu(config, egress(1500)), 1406);
    assert.equal(innerMtu(config, egress(1500, [4, 6])), 1390);
  });

  it('is never less than what IPv6 needs, if a pool is of it', () => {
    assert.equal(innerMtu(configured(), egress(1280)), 1280);
    assert.equal(innerMtu(configured({ pools: ['10.8.0.0/24'] }), egress(1280)), 1182);
  });

  it('is less for segments of TCP, which fit whatever IPv6 needs', () => {
    assert.equal(segmentMtu(configured(), egress(1280)), 1182);
    assert.equal(segmentMtu(configured(), egress(1500)), innerMtu(configured(), egress(1500)));
    assert.equal(segmentMtu(configured({ traffic: { mtu: 1300 } }), egress(1500)), 1300);
  });

  it('is what is configured', () => {
    assert.equal(innerMtu(configured({ traffic: { mtu: 1300 } }), egress(1500)), 1300);
  });

  it('is a guess for Ethernet where nothing leads out', () => assert.equal(innerMtu(configured(), undefined), 1390));
});
