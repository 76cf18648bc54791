/** What strangers and single clients cannot make the gateway pay. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_RULES } from '../../../sidecar/contract/authentication-yaml.ts';
import { Deadlines } from '../../../sidecar/ike/deadlines.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import { hex, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import type { Payload } from '../../../sidecar/ike/wire/payload.ts';
import { notify } from '../../../sidecar/ike/wire/payload.ts';
import { Exchange, Notify } from '../../../sidecar/ike/wire/registry.ts';
import { counted } from '../../harness/counted-cryptography.ts';
import { rekeyIke } from '../../harness/create-child-sa.ts';
import { adding, connect, ikeAuth, ikeSaInit, resume, ticketIn, without } from '../../harness/handshake.ts';
import { notifies, Peer, payload } from '../../harness/peer.ts';
import { ALICE, config, email, PSK, policy } from '../../harness/policy.ts';
import { configure, gatewayOf, Subject } from '../../harness/subject.ts';

const from = (host: string, seed: number) => ({ seed, path: { local: '10.0.0.10:500', remote: `${host}:500` } });
/** The KE payload with another public value. */
const publicValue =
  (data: Uint8Array) =>
  (payloads: readonly Payload[]): readonly Payload[] =>
    payloads.map((one) => (one.kind === 'KE' ? { ...one, data } : one));

describe('strangers', () => {
  it('get no key exchange for a public value of the wrong length', () => {
    const { crypto, counts } = counted();
    const gateway = new Subject({ crypto });
    configure(gateway, policy());
    ikeSaInit(Peer.towards(gateway), { change: publicValue(new Uint8Array(31)) });
    assert.equal(counts.keyExchange, 0);
    assert.deepEqual(gateway.drops(), ['malformed']);
  });

  it('are asked for a cookie after key exchanges that came to nothing, and forgiven with time', () => {
    const gateway = gatewayOf({ config: config({ ike: { cookieThreshold: 5 } }) });
    const forbidden = { change: publicValue(new Uint8Array(32)) }; // RFC 7748 §6.1: the all-zero point
    for (let seed = 0; seed < 6; seed++) ikeSaInit(Peer.towards(gateway, { seed }), forbidden);
    assert.equal(gateway.gateway.counts().halfOpen, 0);
    assert.deepEqual(notifies(ikeSaInit(Peer.towards(gateway, { seed: 20 }))), [Notify.COOKIE]);
    gateway.pass(60_000);
    assert.ok(payload(ikeSaInit(Peer.towards(gateway, { seed: 21 })), 'KE'));
  });

  it('are not held against key exchanges that led to an SA', () => {
    const many = DEFAULT_RULES.map((rule) => ({ ...rule, maxSessions: 20 }));
    const gateway = gatewayOf({ config: config({ ike: { cookieThreshold: 5 }, authentication: many }) });
    for (let seed = 0; seed < 20; seed++) assert.ok(connect(Peer.towards(gateway, { seed }), { spi: 0x0a00_0001 + seed }));
  });

  it('hold no more than half of the places from one address, or from one /64', () => {
    const gateway = gatewayOf({ config: config({ ike: { maxHalfOpen: 4 } }) });
    const begins = (host: string, seed: number) => ikeSaInit(Peer.towards(gateway, from(host, seed))) !== undefined;
    assert.deepEqual(
      [1, 2, 3].map((seed) => begins('192.0.2.9', seed)),
      [true, true, false],
    );
    assert.deepEqual(
      [4, 5, 6].map((seed) => begins(`[2001:db8::${seed}]`, seed)),
      [true, true, false],
    );
    assert.deepEqual(gateway.drops(), ['half-open-limit', 'half-open-limit']);
    assert.equal(begins('192.0.2.10', 7), false, 'all places are taken');
    gateway.pass(60_000);
    assert.equal(begins('192.0.2.9', 8), true, 'places come back');
  });

  it('are not read beyond what a first request needs', () => {
    const gateway = gatewayOf();
    ikeSaInit(Peer.towards(gateway), { change: adding({ kind: 'V', data: new Uint8Array(9_000) }) });
    assert.deepEqual(gateway.drops(), ['malformed']);
    assert.ok(ikeSaInit(Peer.towards(gateway, { seed: 2 }), { change: adding({ kind: 'V', data: new Uint8Array(4_000) }) }));
  });

  it('cannot answer for the peer with another exchange under the right message id', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    connect(peer);
    gateway.want({ kind: 'liveness' });
    peer.send(peer.sealed(Exchange.CREATE_CHILD_SA, [], { messageId: 0, response: true }));
    assert.deepEqual(gateway.drops(), ['out-of-window']);
  });
});

describe('one client', () => {
  it('makes one rival of a rekey of ours, and no more', () => {
    const gateway = gatewayOf({ config: config() });
    const peer = Peer.towards(gateway);
    connect(peer);
    gateway.want({ kind: 'rekeyIke' });
    assert.ok(rekeyIke(peer).next);
    assert.deepEqual(notifies(rekeyIke(peer).answer), [Notify.TEMPORARY_FAILURE]);
    assert.equal(gateway.gateway.counts().established, 2);
  });

  it('is told that it must ask for an address when it wants a child without one', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    ikeSaInit(peer);
    const answer = ikeAuth(peer, { change: without('CP') });
    assert.ok(payload(answer, 'AUTH'), 'the IKE SA is there');
    assert.ok(notifies(answer).includes(Notify.FAILED_CP_REQUIRED));
  });

  it('is refused beyond the number of sessions, but not when it comes back for one that is there', () => {
    const gateway = gatewayOf({
      config: config({ ike: { maxSessions: 1 } }),
      users: new Map([ALICE, email('bob')].map(({ data }) => [hex(data), PSK])),
    });
    const peer = Peer.towards(gateway);
    const held = ticketIn(peer, connect(peer));
    const bob = Peer.towards(gateway, { seed: 2 });
    assert.deepEqual(notifies(connect(bob, { identity: email('bob'), spi: 0x0a00_0002 })), [Notify.TEMPORARY_FAILURE]);
    assert.ok(payload(resume(Peer.towards(gateway, { seed: 3 }), held, { spi: 0x0a00_0003 }), 'AUTH'));
    const again = { change: adding(notify(Notify.INITIAL_CONTACT)), spi: 0x0a00_0004 };
    assert.ok(payload(connect(Peer.towards(gateway, { seed: 4 }), again), 'AUTH'));
    assert.equal(gateway.gateway.counts().established, 1);
  });

  it('does not resume by a ticket of a key that has been replaced', () => {
    const gateway = gatewayOf();
    const peer = Peer.towards(gateway);
    const held = ticketIn(peer, connect(peer));
    configure(gateway, policy({ users: new Map([[hex(ALICE.data), utf8('another key of alice')]]) }));
    assert.deepEqual(notifies(resume(Peer.towards(gateway, { seed: 2 }), held)), [Notify.TICKET_NACK]);
  });
});

describe('a crowd', () => {
  it('that came at once is not asked for signs of life at once', () => {
    const gateway = gatewayOf({ config: config({ ike: { deadPeerMs: 30_000 } }) });
    for (let seed = 0; seed < 20; seed++) connect(Peer.towards(gateway, { seed }), { spi: 0x0a00_0001 + seed });
    const instants = new Set<number>();
    for (let at = 0; at < 35_000; at += 250) if (gateway.pass(250).length > 0) instants.add(at);
    assert.ok(instants.size >= 8, `asked at ${instants.size} instants`);
  });

  it('whose deadlines have come is taken in portions, the earliest first', () => {
    const deadlines = new Deadlines();
    for (let at = 10; at > 0; at--) deadlines.set(`sa-${at}`, { at: at as Instant, why: 'test' });
    assert.deepEqual(deadlines.take(100 as Instant, 3), ['sa-1', 'sa-2', 'sa-3']);
    assert.equal(deadlines.next()?.at, 4);
    assert.equal(deadlines.take(100 as Instant).length, 7);
  });
});
