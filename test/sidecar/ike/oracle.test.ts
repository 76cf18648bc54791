/** Whoever is not believed learns nothing of why (RFC 7296 §2.21.2): not by what is answered, and not by how much work it was. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Exchange, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { alice, signing } from '../../harness/certified.ts';
import { type Counts, counted } from '../../harness/counted-cryptography.ts';
import { beginFailure, FAILURES, type Failure, strictGateway } from '../../harness/failures.ts';
import { ikeAuth } from '../../harness/handshake.ts';
import { type Heard, notifies, Peer } from '../../harness/peer.ts';

interface Failed {
  readonly heard: Heard | undefined;
  /** What IKE_AUTH alone was worth. */
  readonly spent: Counts;
}

function failed({ part }: Failure): Failed {
  const { crypto, counts } = counted();
  const gateway = strictGateway(crypto);
  const peer = Peer.towards(gateway);
  beginFailure(peer);
  const before = { ...counts };
  const heard = ikeAuth(peer, part(peer));
  assert.deepEqual([gateway.sessions().length, gateway.endings()], [0, ['authentication failed']]);
  const spent = Object.entries(counts).map(([name, value]) => [name, value - before[name as keyof Counts]]);
  return { heard, spent: Object.fromEntries(spent) as Counts };
}

const shown = ({ heard }: Failed) => ({
  ...{ notifies: notifies(heard), payloads: heard?.payloads.length, exchange: heard?.exchange },
  lengths: heard?.datagrams.map(({ length }) => length),
});

const made = FAILURES.map((failure) => ({ ...failure, ...failed(failure) }));

describe('a failed authentication', () => {
  const [first] = made;
  assert.ok(first);

  it('is answered by AUTHENTICATION_FAILED and nothing else', () => {
    const { exchange, payloads, ...rest } = shown(first);
    assert.deepEqual([rest.notifies, payloads, exchange], [[Notify.AUTHENTICATION_FAILED], 1, Exchange.IKE_AUTH]);
  });

  for (const one of made)
    it(`is answered alike for ${one.why}, ${one.by}`, () => {
      assert.deepEqual(shown(one), shown(first));
    });

  it('by a key costs the same for everybody', () => {
    for (const { by, why, spent } of made) if (by === 'key') assert.deepEqual(spent, first.spent, why);
  });

  it('by a certificate without its key costs one signature, whatever certificate that is', () => {
    for (const { by, why, spent } of made)
      if (by === 'certificate without its key')
        assert.deepEqual([spent.verified, spent.signed, spent.keyExchange], [1, 0, 0], why);
  });

  it('by a certificate with its key costs that, and the signatures of the chain that was sent', () => {
    for (const { by, why, spent } of made)
      if (by === 'certificate with its key')
        assert.ok(spent.verified >= 1 && spent.verified <= 4, `${spent.verified} for ${why}`);
  });

  it('by the certificate of somebody who has been here costs what one of a stranger costs', () => {
    const { crypto, counts } = counted();
    const gateway = strictGateway(crypto);
    const keysRead = (by: typeof alice, spoil: boolean, seed: number): number => {
      const peer = Peer.towards(gateway, { seed });
      beginFailure(peer);
      const before = counts.imported;
      ikeAuth(peer, { change: signing(peer, by, { spoil }) });
      return counts.imported - before;
    };
    assert.equal(keysRead(alice, true, 1), 1);
    keysRead(alice, false, 2);
    assert.equal(gateway.sessions().length, 1);
    assert.equal(keysRead(alice, true, 3), 1);
  });
});
