/** libreswan misbehaves as a gateway by its own options (`whack --impair`): our client stands, is fooled by nothing, and connects as soon as it can. */
import assert from 'node:assert/strict';
import type { Client } from '../../lab/client.ts';
import type { Libreswan } from '../../lab/libreswan.ts';
import type { Scenario } from '../../lab/scenario.ts';

/** Doubled, replayed and lost messages; bits that are ignored on receipt; payloads and notifications that nobody knows. */
const HARMLESS = [
  ...['jacob-two-two', 'duplicate-outbound', 'duplicate-inbound', 'replay-outbound', 'replay-inbound', 'replay-encrypted'],
  ...['drop-outbound:1', 'drop-outbound:2', 'drop-inbound:1', 'drip-outbound:1'],
  ...['send-bogus-isakmp-flag', 'send-bogus-payload-flag', 'send-nonzero-reserved', 'minor-version-bump'],
  ...['add-unknown-v2-payload-to:IKE_SA_INIT', 'add-unknown-v2-payload-to-sk:IKE_AUTH'],
  ...['add-v2-notification:TICKET_OPAQUE', 'add-v2-notification:REKEY_SA'],
];

/** No session comes of these. */
const HOSTILE = ['ke-payload:OMIT', 'ke-payload:EMPTY', 'ke-payload:7', 'corrupt-encrypted', 'major-version-bump'];

export const scenario: Scenario = {
  title: 'a gateway that misbehaves: the client connects all the same, or as soon as it behaves',
  limitMs: 150_000,
  async run(lab) {
    const peer = await lab.libreswan('responder');
    await peer.add('psk');
    // Some of these make libreswan sleep for half a second a message.
    const connect = (): Client => lab.tunedClient({ deadPeerMs: 4_000 });

    for (const name of HARMLESS)
      await lab.step(`${name}: a session all the same`, async () => {
        await peer.must('whack', '--impair', name);
        const client = connect();
        await client.tells('established');
        await behave(peer);
        await client.stop();
      });
    for (const name of HOSTILE)
      await lab.step(`${name}: none; and one when it behaves`, async () => {
        await peer.must('whack', '--impair', name);
        const client = connect();
        await client.tells('waiting');
        assert.deepEqual(client.told('established'), []);
        await behave(peer);
        await client.tells('established');
        await client.stop();
      });
  },
};

/** Its own bookkeeping of what was recorded goes with the connection. */
async function behave(peer: Libreswan): Promise<void> {
  await peer.must('whack', '--impair', 'none');
}
