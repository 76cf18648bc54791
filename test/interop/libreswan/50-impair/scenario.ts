/** libreswan misbehaves by its own options (`whack --impair`): what is harmless is let pass, what is wrong gets the answer of the RFC, nothing stays. */
import assert from 'node:assert/strict';
import type { Gateway, LogLine } from '../../lab/gateway.ts';
import type { Libreswan } from '../../lab/libreswan.ts';
import type { Scenario } from '../../lab/scenario.ts';

/** Doubled, replayed and lost messages; bits that are ignored on receipt; payloads, notifications and transforms that nobody knows. */
const HARMLESS = [
  ...['jacob-two-two', 'duplicate-outbound', 'duplicate-inbound', 'replay-outbound', 'replay-inbound', 'replay-encrypted'],
  ...['drop-outbound:1', 'drop-outbound:2', 'drop-inbound:1', 'drip-outbound:1'],
  ...[
    'send-bogus-isakmp-flag',
    'send-bogus-payload-flag',
    'send-nonzero-reserved',
    'send-nonzero-reserved-id',
    'minor-version-bump',
    'send-no-idr',
  ],
  ...['add-unknown-v2-payload-to:IKE_SA_INIT', 'add-unknown-v2-payload-to:IKE_AUTH', 'add-unknown-v2-payload-to-sk:IKE_AUTH'],
  ...['add-v2-notification:REDIRECT', 'add-v2-notification:TICKET_OPAQUE', 'add-v2-notification:REKEY_SA'],
  ...['omit-v2-notification:NAT_DETECTION_SOURCE_IP', 'ikev2-add-ike-transform:65537'],
];

/** What the gateway says of it. A message whose sender is not known, or that was tampered with, gets silence. */
const REFUSED: Readonly<Record<string, LogLine>> = {
  'ke-payload:OMIT': { event: 'dropped', reason: 'malformed' },
  'ke-payload:EMPTY': { event: 'dropped', reason: 'malformed' },
  'ke-payload:7': { event: 'dropped', reason: 'not-authentic' },
  'ike-initiator-spi:0': { event: 'dropped', reason: 'malformed' },
  'ike-key-length-attribute:DUPLICATE': { event: 'dropped', reason: 'malformed' },
  'major-version-bump': { event: 'refused', notify: 'INVALID_MAJOR_VERSION' },
  'ike-key-length-attribute:OMIT': { event: 'refused', notify: 'NO_PROPOSAL_CHOSEN' },
  'ike-key-length-attribute:77': { event: 'refused', notify: 'NO_PROPOSAL_CHOSEN' },
  'child-key-length-attribute:77': { event: 'refused', notify: 'NO_PROPOSAL_CHOSEN' },
  'ikev2-add-child-transform:131073': { event: 'refused', notify: 'NO_PROPOSAL_CHOSEN' },
  'number-of-TSi-selectors:0': { event: 'refused', notify: 'INVALID_SYNTAX' },
  'number-of-TSi-selectors:9': { event: 'refused', notify: 'INVALID_SYNTAX' },
  'force-v2-auth-method:NULL': { event: 'refused', notify: 'AUTHENTICATION_FAILED' },
  'send-no-ikev2-auth': { event: 'closed', why: 'half-open too long' },
  // It tampers with our responses, so that the session stands on our side alone until it is found dead.
  'corrupt-encrypted': { event: 'closed', why: 'peer dead' },
};

const CRITICAL = ['unknown-v2-payload-critical', 'add-unknown-v2-payload-to-sk:IKE_AUTH'];

export const scenario: Scenario = {
  title: 'a peer that misbehaves in forty ways: the gateway stands, answers as it must, and nothing is left behind',
  limitMs: 150_000,
  async run(lab) {
    const impatient = { halfOpen: '2s', deadPeer: '2s', retransmit: { first: '100ms', attempts: 3 } };
    const gateway = await lab.gateway({ settings: { ike: impatient } });
    const peer = await lab.libreswan('initiator');
    await peer.add('psk');

    for (const name of HARMLESS) {
      await lab.step(`${name}: a session all the same`, async () => {
        const established = gateway.log({ event: 'child-installed' }).length;
        assert.match(await impaired(peer, name), /established Child SA using/);
        await gateway.logged({ event: 'child-installed' }, established + 1);
        await comeBack(peer);
      });
    }
    for (const [name, expected] of Object.entries(REFUSED)) {
      await lab.step(`${name}: ${Object.values(expected).join(' ')}`, () => refused(gateway, peer, expected, name));
    }
    await lab.step('an unknown payload that is critical', () =>
      refused(gateway, peer, { event: 'refused', notify: 'UNSUPPORTED_CRITICAL_PAYLOAD' }, ...CRITICAL),
    );
    await lab.step('nothing is left: no session, no half-open one; no exception was counted', async () => {
      await lab.eventually(async () => {
        const { sessions, halfOpen } = await gateway.status();
        assert.deepEqual({ sessions, halfOpen }, { sessions: 0, halfOpen: 0 });
      });
      assert.equal(await gateway.metric('internal_errors_total'), 0);
    });
    await lab.step('and a peer that behaves is served', async () => {
      await peer.up('psk');
      assert.equal((await gateway.status()).sessions, 1);
    });
  },
};

async function refused(gateway: Gateway, peer: Libreswan, expected: LogLine, ...impairments: readonly string[]): Promise<void> {
  const before = gateway.log(expected).length;
  assert.doesNotMatch(await impaired(peer, ...impairments), /established Child SA using/);
  await gateway.logged(expected, before + 1);
  await comeBack(peer);
}

/** What it says when it tries to connect so. */
async function impaired(peer: Libreswan, ...impairments: readonly string[]): Promise<string> {
  for (const impairment of impairments) await peer.must('whack', '--impair', impairment);
  return (await peer.tryUp('psk')).text;
}

/** Its own bookkeeping of what was recorded goes with the connection. */
async function comeBack(peer: Libreswan): Promise<void> {
  await peer.must('whack', '--impair', 'none');
  await peer.ipsec('whack', '--delete', '--name', 'psk');
  await peer.add('psk');
}
