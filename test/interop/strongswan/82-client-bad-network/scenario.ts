/** Our client through a network that loses, doubles and reorders: retransmission and the window of RFC 7296 §2.1 to §2.3 carry every exchange through. */
import assert from 'node:assert/strict';
import { RELAY } from '../../lab/lab.ts';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = '10.20.0.1';
const ROUNDS = 5;
const BAD = { lost: 15, doubled: 20, delayed: 30, seed: 20_260_102 };

export const scenario: Scenario = {
  title: 'a network that loses, doubles and reorders: our client connects, is rekeyed, pings; nothing is left behind',
  limitMs: 120_000,
  async run(lab) {
    await lab.responder.must('ip', 'address', 'add', `${BEHIND}/32`, 'dev', 'lo');
    const peer = await lab.strongSwan('responder');
    const relay = await lab.relayOfInitiator();
    await relay.disturb(BAD);

    for (let round = 1; round <= ROUNDS; round++)
      await lab.step(`connects, is rekeyed, pings, deletes (${round} of ${ROUNDS})`, async () => {
        const client = lab.clientWith({ gateway: RELAY }, '--ping', BEHIND, '--interval', '50ms');
        await client.tells('established');
        await peer.must('--rekey', '--child', 'net');
        await client.tells('rekeyed', { accept: ({ what }) => what === 'child' });
        await peer.must('--rekey', '--ike', 'psk');
        await client.tells('rekeyed', { accept: ({ what }) => what === 'ike' });
        await client.tells('ping', { times: client.told('ping').length + 5 });
        await client.stop();
        assert.equal(client.told('established').length, 1);
      });
    await lab.step('nothing is left at strongSwan', () =>
      lab.eventually(async () => assert.doesNotMatch(await peer.must('--list-sas'), /#\d/)),
    );
  },
};
