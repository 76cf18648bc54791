/** Where a client that is sent to other gateways goes (RFC 5685 §7). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Redirects } from '../../../sidecar/client/redirects.ts';

describe('redirects', () => {
  it('are followed five times in five minutes, and again when these have passed', () => {
    const redirects = new Redirects();
    const follow = (at: number) => redirects.follow('b.example', '192.0.2.1', at);
    assert.deepEqual([0, 1, 2, 3, 4, 5].map(follow), [true, true, true, true, true, false]);
    assert.deepEqual([follow(299_999), follow(300_001)], [false, true]);
  });

  it('remember who sent us, until we give up and are where we were told to be', () => {
    const redirects = new Redirects();
    assert.deepEqual([redirects.from, redirects.giveUp()], [undefined, false]);
    redirects.follow('b.example', 'fd00::1', 0);
    assert.deepEqual([redirects.from?.length, redirects.giveUp(), redirects.from], [16, true, undefined]);
  });
});
