/** What a client is told when its own method has given up, and the server's EAP-Failure follows (RFC 5216 §2.1.3). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PeerStep } from '../../../sidecar/eap/method.ts';
import { EapType, encodeEap } from '../../../sidecar/eap/packet.ts';
import { PeerConversation } from '../../../sidecar/eap/peer-conversation.ts';
import { EMPTY } from '../../../sidecar/ike/wire/bytes.ts';
import { EapCode } from '../../../sidecar/ike/wire/registry.ts';

const FAILURE = Uint8Array.of(EapCode.FAILURE, 2, 0, 4);

async function fails(step: PeerStep) {
  const peer = new PeerConversation({ type: EapType.TLS, next: () => step, end: () => {} }, 'alice');
  await peer.take(encodeEap({ code: EapCode.REQUEST, identifier: 1, type: EapType.TLS, data: EMPTY }));
  return peer.take(FAILURE);
}

describe('an EAP-Failure', () => {
  it('is told with the reason that was ours', async () => {
    const step: PeerStep = { is: 'response', data: EMPTY, outcome: undefined, doom: 'TLS: no cipher in common' };
    assert.deepEqual(await fails(step), { is: 'failure', message: undefined, why: 'TLS: no cipher in common' });
  });

  it('is told as the server sent it when we had no reason', async () => {
    const step: PeerStep = { is: 'response', data: EMPTY, outcome: undefined };
    assert.deepEqual(await fails(step), { is: 'failure', message: undefined, why: 'the server sent EAP-Failure' });
  });
});
