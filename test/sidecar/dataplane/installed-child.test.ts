import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Sequences } from '../../../sidecar/contract/dataplane.ts';
import { sequenceOf } from '../../../sidecar/dataplane/userspace/esp.ts';
import { InstalledChild } from '../../../sidecar/dataplane/userspace/installed-child.ts';
import type { Bytes } from '../../../sidecar/ike/wire/bytes.ts';
import { clientPath, ends, gatewayPath, gcm, ping, suites } from './children.ts';
import { ciphers, openedBy, sealedBy } from './esp-in-place.ts';

const inner = ping('10.8.0.7', '10.8.0.1');
const WINDOW = 64;
const NO_LIMIT = 0;

function installed(suite = gcm, state?: Sequences) {
  const { client, gateway } = ends(0x1000, { suite });
  return {
    client: new InstalledChild(client, ciphers, WINDOW, state),
    gateway: new InstalledChild(gateway, ciphers, WINDOW, state),
  };
}

function sealed(child: InstalledChild, limit = NO_LIMIT): Bytes {
  const packet = sealedBy(child, inner, limit);
  return typeof packet === 'string' ? assert.fail(packet) : packet;
}

describe('a child SA', () => {
  it('takes every packet once, in whatever order they come, and drops every replay', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...suites),
        fc.shuffledSubarray(Array.from({ length: WINDOW }, (_, at) => at)),
        fc.array(fc.nat(WINDOW - 1), { maxLength: 30 }),
        (suite, order, again) => {
          const { client, gateway } = installed(suite);
          const packets = Array.from({ length: WINDOW }, () => sealed(client));
          for (const at of order) assert.equal(typeof openedBy(gateway, packets[at] ?? assert.fail(), gatewayPath), 'object');
          for (const at of again) {
            if (order.includes(at)) assert.equal(openedBy(gateway, packets[at] ?? assert.fail(), gatewayPath), 'replay');
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  it('drops what is older than the window', () => {
    const { client, gateway } = installed();
    const [first, ...rest] = Array.from({ length: WINDOW + 1 }, () => sealed(client));
    for (const packet of rest) openedBy(gateway, packet, gatewayPath);
    // With extended numbers an old packet looks like one of the next half, which its ICV denies.
    assert.equal(openedBy(gateway, first ?? assert.fail(), gatewayPath), 'authentication');
  });

  it('goes on across 2^32 with extended sequence numbers (RFC 4303 §2.2.1)', () => {
    const { client, gateway } = installed(gcm, { sent: 2 ** 32 - 3, received: 2 ** 32 - 3 });
    const packets = Array.from({ length: 6 }, () => sealed(client));
    assert.deepEqual(packets.map(sequenceOf), [2 ** 32 - 2, 2 ** 32 - 1, 0, 1, 2, 3]);
    for (const at of [5, 0, 3, 1, 2, 4])
      assert.equal(typeof openedBy(gateway, packets[at] ?? assert.fail(), gatewayPath), 'object');
  });

  it('never lets its sequence number wrap (RFC 4303 §3.3.3)', () => {
    const { client } = installed({ ...gcm, esn: false }, { sent: 2 ** 32 - 3, received: 0 });
    assert.equal(sequenceOf(sealed(client)), 2 ** 32 - 2);
    assert.equal(sequenceOf(sealed(client)), 2 ** 32 - 1);
    for (let more = 0; more < 3; more++) assert.equal(sealedBy(client, inner, NO_LIMIT), 'exhausted');
    assert.equal(client.traffic().packetsOut, 2);
  });

  it('never uses an IV twice, not even when the last extended number is sent', () => {
    const { client } = installed(gcm, { sent: Number.MAX_SAFE_INTEGER - 1, received: 0 });
    sealed(client);
    assert.equal(sealedBy(client, inner, NO_LIMIT), 'exhausted');
  });

  it('announces that sequence numbers run out once at nine tenths, and once more when none is left', () => {
    const { client } = installed({ ...gcm, esn: false }, { sent: Math.floor((2 ** 32 - 1) * 0.9) - 1, received: 0 });
    sealed(client);
    assert.equal(client.takeExpiring(NO_LIMIT), false);
    sealed(client);
    assert.equal(client.takeExpiring(NO_LIMIT), true);
    assert.equal(client.takeExpiring(NO_LIMIT), false);
    const { client: last } = installed({ ...gcm, esn: false }, { sent: 2 ** 32 - 1, received: 0 });
    assert.equal(last.takeExpiring(NO_LIMIT), true);
    sealedBy(last, inner, NO_LIMIT);
    assert.equal(last.takeExpiring(NO_LIMIT), true);
    assert.equal(last.takeExpiring(NO_LIMIT), false);
  });

  it('announces that the peer runs out of sequence numbers', () => {
    const { gateway } = installed({ ...gcm, esn: false }, { sent: 0, received: Math.ceil(2 ** 32 * 0.9) });
    assert.equal(gateway.takeExpiring(NO_LIMIT), true);
  });

  it('carries no more bytes than its lifetime, and announces it at nine tenths', () => {
    const { client } = installed();
    const limit = inner.length * 10;
    for (let packets = 0; packets < 8; packets++) sealed(client, limit);
    assert.equal(client.takeExpiring(limit), false);
    sealed(client, limit);
    assert.equal(client.takeExpiring(limit), true);
    sealed(client, limit);
    assert.equal(sealedBy(client, inner, limit), 'exhausted');
    assert.equal(client.takeExpiring(limit), true);
  });

  it('announces that it was given nine tenths of its bytes', () => {
    const { client, gateway } = installed();
    const limit = inner.length * 10;
    for (let packets = 0; packets < 9; packets++) openedBy(gateway, sealed(client), gatewayPath);
    assert.equal(gateway.takeExpiring(limit), true);
  });

  it('is alive when a packet was authentic, and only then', () => {
    const { client, gateway } = installed();
    assert.equal(gateway.takeAlive(), undefined);
    openedBy(gateway, new Uint8Array(60).fill(1), gatewayPath);
    assert.equal(gateway.takeAlive(), undefined);
    openedBy(gateway, sealed(client), gatewayPath);
    assert.deepEqual(gateway.takeAlive(), {});
    assert.equal(gateway.takeAlive(), undefined);
  });

  it('says where the newest packet came from, and is not misled by an older one (RFC 7296 §2.23)', () => {
    const { client, gateway } = installed();
    const elsewhere = { ...gatewayPath, remote: '203.0.113.9:61000' };
    const [first, second, third] = [sealed(client), sealed(client), sealed(client)];
    openedBy(gateway, second, gatewayPath);
    openedBy(gateway, first, elsewhere);
    assert.deepEqual(gateway.takeAlive(), {});
    openedBy(gateway, third, elsewhere);
    assert.deepEqual(gateway.takeAlive(), { path: elsewhere });
    openedBy(gateway, third, clientPath);
    assert.equal(gateway.takeAlive(), undefined);
  });
});
