/** Who is meant by what the kernel tells of a state. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KernelChild } from '../../../../sidecar/dataplane/kernel/kernel-child.ts';
import { ChildRegistry } from '../../../../sidecar/dataplane/kernel/kernel-child-registry.ts';
import { ends } from '../children.ts';

const settings = { natPort: 4500, lifetimeBytes: 1000, mark: 0 };
const child = (spiIn: number, spiOut: number): KernelChild =>
  new KernelChild({ ...ends(0x1000).gateway, spiIn, spiOut }, settings);

describe('the registry of children in the kernel', () => {
  it('knows a state as that of the child that had it first: the kernel takes it from nobody else', () => {
    const registry = new ChildRegistry();
    const [first, second] = [child(0x1000, 0x5000), child(0x2000, 0x5000)];
    registry.enter(first);
    // A peer at the same address, behind one NAT, chose the same SPI.
    registry.enter(second);
    assert.equal(registry.byState(first.idOf('out'))?.child, first);
    // It was refused by the kernel.
    registry.leave(second);
    assert.equal(registry.byState(first.idOf('out'))?.child, first);
    assert.equal(registry.isFresh(first.idOf('out')), true);
    registry.leave(first);
    assert.equal(registry.byState(first.idOf('out')), undefined);
  });
});
