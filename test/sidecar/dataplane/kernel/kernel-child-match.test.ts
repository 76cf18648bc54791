/** Which states of the kernel are whose, after an agent that ended in the midst of something. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KernelChild } from '../../../../sidecar/dataplane/kernel/kernel-child.ts';
import { findChildren } from '../../../../sidecar/dataplane/kernel/kernel-child-match.ts';
import { algorithmAttributes } from '../../../../sidecar/dataplane/kernel/xfrm-algorithms.ts';
import type { ForeignState } from '../../../../sidecar/dataplane/kernel/xfrm-state.ts';
import { ends } from '../children.ts';

const child = new KernelChild(ends(0x1000).gateway, { natPort: 4500, lifetimeBytes: 0, mark: 0 });

function stateOf(way: 'in' | 'out', sent: number, change: Partial<ForeignState> = {}): ForeignState {
  const { suite, keys, ...state } = child.stateOf(way);
  const attributes = new Map(algorithmAttributes(suite, keys).map(({ type, value }) => [type, value]));
  const used = { bytes: 0, packets: 0 };
  return { ...state, protocol: 50, esn: suite.esn, used, attributes, sequences: { sent, received: 0 }, ...change };
}

describe('children that the kernel has', () => {
  it('send by the state that has come furthest: an agent that was killed amid a move leaves two, and numbers must not come twice', () => {
    const before = stateOf('out', 100);
    const after = stateOf('out', 5000, { destination: Uint8Array.of(203, 0, 113, 9) });
    for (const states of [
      [before, after],
      [after, before],
    ])
      assert.equal(findChildren([stateOf('in', 0), ...states], [child]).get(0x1000)?.out, after);
  });
});
