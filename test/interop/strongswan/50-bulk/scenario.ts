/** Much traffic through every ESP algorithm, both ways at once, over the gateway's TUN device. */
import assert from 'node:assert/strict';
import { BulkServer, retransmissions } from '../../lab/bulk.ts';
import type { Scenario } from '../../lab/scenario.ts';

const BEHIND = '10.20.0.1';
const BYTES = 50_000_000;
/** As the connections and children of swanctl.conf are called. */
const ALGORITHMS = [
  'aes256gcm16',
  'aes128gcm16',
  'chacha20poly1305',
  'aes256-sha256',
  'aes128-sha256',
  'aes256-sha384',
  'aes128-sha512',
] as const;

export const scenario: Scenario = {
  title: '50 MB in each direction through every ESP algorithm, unchanged',
  limitMs: 180_000,
  async run(lab) {
    await lab.responder.must('ip', 'address', 'add', `${BEHIND}/32`, 'dev', 'lo');
    const gateway = await lab.gateway({ settings: { routes: ['10.20.0.0/16'] }, tun: 'vpn0' });
    const peer = await lab.strongSwan('initiator');
    const down = await BulkServer.start(lab.responder, BEHIND, BYTES);
    let up: BulkServer | undefined;

    for (const [index, name] of ALGORITHMS.entries()) {
      await lab.step(name, async () => {
        await peer.initiate(name);
        const { inner } = await gateway.session(index + 1);
        up ??= await BulkServer.start(lab.initiator, inner.ipv4, BYTES);
        const before = await lost();
        const [mbitDown, mbitUp] = await Promise.all([down.fetch(lab.initiator, inner.ipv4), up.fetch(lab.responder, BEHIND)]);
        const after = await lost();
        lab.note(
          `${name}: ${Math.round(mbitDown)} Mbit/s down, ${Math.round(mbitUp)} up; sent again by TCP: ${after.down - before.down} down, ${after.up - before.up} up`,
        );
        assert.equal(await gateway.metric('esp_dropped_packets_total'), 0);
        await peer.must('--terminate', '--ike', name);
      });
    }

    async function lost() {
      const [ofGateway, ofPeer] = await Promise.all([retransmissions(lab.responder), retransmissions(lab.initiator)]);
      return { down: ofGateway, up: ofPeer };
    }
  },
};
