/** Accounting: what is told of a session, and that it arrives (RFC 2866). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIdentity } from '../../../sidecar/contract/identity.ts';
import { parseRadiusSecrets } from '../../../sidecar/contract/radius-secrets.ts';
import type { Traffic } from '../../../sidecar/dataplane/dataplane.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import type { ClosedWhy, Event } from '../../../sidecar/ike/step.ts';
import { concat, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { integerOf, Type, textOf, valuesOf } from '../../../sidecar/radius/attribute.ts';
import { Code, type Packet } from '../../../sidecar/radius/packet.ts';
import { Radius } from '../../../sidecar/radius/radius.ts';
import { settled } from '../../harness/fake-clock.ts';
import { RadiusWorld, SECRET } from './radius-world.ts';
import { ScriptedServer } from './scripted-server.ts';

const path = { local: '192.0.2.9:4500', remote: '198.51.100.7:4500' };
const which = { spiI: '1111111111111111', spiR: '2222222222222222', path };
const later = { spiI: '3333333333333333', spiR: '4444444444444444', path };
const CLASS = concat(Uint8Array.of(25, 6), utf8('gold'), Uint8Array.of(25, 3, 7));
type Count = { -readonly [K in keyof Traffic]: Traffic[K] };

class Counted {
  readonly world = new RadiusWorld();
  readonly server = new ScriptedServer(SECRET, ({ code }) =>
    code === Code.ACCOUNTING_REQUEST ? { code: Code.ACCOUNTING_RESPONSE, attributes: [] } : undefined,
  );
  readonly counts = new Map<number, Count>();
  readonly radius: Radius;

  constructor(interimMs = 0, pod = 'pod0') {
    const { ports } = this.world;
    this.world.servers.set('192.0.2.1:1813', this.server);
    this.radius = new Radius({ ports, pod, traffic: (spiIn) => this.counts.get(spiIn) });
    const secrets = parseRadiusSecrets([{ file: 'one', text: 'a long shared secret' }]);
    assert.ok(secrets.ok);
    const missing = this.radius.configure(
      {
        servers: [
          { host: '192.0.2.1', port: 1812, accountingPort: 1813, secret: 'one' },
          { host: '192.0.2.3', port: 1812, accountingPort: 1813, secret: 'absent' },
        ],
        ...{ timeoutMs: 1_000, attempts: 2, nasIdentifier: 'vpn.example.com', accounting: true, interimMs },
      },
      secrets.value,
    );
    assert.deepEqual(missing, ['absent']);
  }

  get records(): readonly Packet[] {
    return this.server.requests.filter(({ code }) => code === Code.ACCOUNTING_REQUEST);
  }

  async happens(...events: readonly Event[]): Promise<void> {
    for (const event of events) this.radius.observe(event);
    await settled();
  }

  install(spiIn: number): Event {
    this.counts.set(spiIn, { packetsIn: 0, bytesIn: 0, packetsOut: 0, bytesOut: 0 });
    return { name: 'child-installed', spiIn, ...which };
  }

  carry(spiIn: number, bytesIn: number, bytesOut: number): void {
    this.counts.set(spiIn, { packetsIn: 3, bytesIn, packetsOut: 2, bytesOut });
  }

  /** As the data plane does it: counted a last time, then gone. */
  remove(spiIn: number): Event {
    const last = this.counts.get(spiIn);
    if (last) this.radius.removed(spiIn, last);
    this.counts.delete(spiIn);
    return { name: 'child-removed', spiIn, ...which };
  }
}

const established = (interimMs?: number, more: Partial<Extract<Event, { name: 'established' }>> = {}): Event => ({
  ...{ rule: 'radius', resolvers: undefined, postQuantum: false },
  ...{ name: 'established', kind: 'full', local: parseIdentity('vpn.example.com'), remote: parseIdentity('alice@example.com') },
  ...{ inner: [Uint8Array.of(10, 8, 0, 2)], durationMs: 40, roundTrips: undefined, keyExchanges: 0, connection: undefined },
  ...{
    rule: 'staff',
    resolvers: undefined,
    accounting: { class: CLASS, interimMs },
    authenticatedAt: 1_893_542_400_000 as Instant,
    ...which,
    ...more,
  },
});
const closed = (why: ClosedWhy, pair = which): Event => ({
  ...{ name: 'closed', why, remote: parseIdentity('alice@example.com'), connection: undefined, ...pair },
});
const integer = (packet: Packet | undefined, type: number) => integerOf(packet?.attributes ?? [], type);
const text = (packet: Packet | undefined, type: number) => textOf(packet?.attributes ?? [], type);
const statuses = (counted: Counted) => counted.records.map((record) => integer(record, Type.ACCT_STATUS_TYPE));

describe('accounting', () => {
  it('starts when a session is established: who, where, which address, each Class as it came', async () => {
    const counted = new Counted();
    await counted.happens(established());
    const [start] = counted.records;
    assert.equal(counted.records.length, 1);
    assert.equal(integer(start, Type.ACCT_STATUS_TYPE), 1);
    assert.equal(text(start, Type.USER_NAME), 'alice@example.com');
    assert.equal(text(start, Type.NAS_IDENTIFIER), 'vpn.example.com');
    assert.equal(text(start, Type.CALLING_STATION_ID), '198.51.100.7');
    assert.equal(text(start, Type.ACCT_SESSION_ID), 'pod0-1');
    assert.deepEqual(valuesOf(start?.attributes ?? [], Type.FRAMED_IP_ADDRESS), [Uint8Array.of(10, 8, 0, 2)]);
    assert.deepEqual(valuesOf(start?.attributes ?? [], Type.CLASS), [utf8('gold'), Uint8Array.of(7)]);
    assert.equal(integer(start, Type.ACCT_DELAY_TIME), 0);
    assert.equal(integer(start, Type.EVENT_TIMESTAMP), Date.UTC(2030, 0, 2) / 1_000);
  });

  it('stops with the bytes of all children that the session ever had, over 4 GiB too, and with the cause', async () => {
    const counted = new Counted();
    await counted.happens(established(), counted.install(700));
    counted.carry(700, 2 ** 32 + 5, 100);
    await counted.happens(counted.install(701), counted.remove(700));
    counted.carry(701, 1_000, 3 * 2 ** 32);
    await counted.world.clock.advance(90_000);
    await counted.happens(counted.remove(701), closed('deleted by peer'));
    const stop = counted.records.at(-1);
    assert.deepEqual(statuses(counted), [1, 2]);
    assert.deepEqual(
      [Type.ACCT_INPUT_OCTETS, Type.ACCT_INPUT_GIGAWORDS, Type.ACCT_OUTPUT_OCTETS, Type.ACCT_OUTPUT_GIGAWORDS].map((type) =>
        integer(stop, type),
      ),
      [1_005, 1, 100, 3],
    );
    assert.deepEqual([integer(stop, Type.ACCT_INPUT_PACKETS), integer(stop, Type.ACCT_OUTPUT_PACKETS)], [6, 4]);
    assert.equal(integer(stop, Type.ACCT_SESSION_TIME), 90);
    assert.equal(integer(stop, Type.ACCT_TERMINATE_CAUSE), 1);
  });

  it('stops with the last word on a child that comes after the session has ended, and with the time at which it ended', async () => {
    const counted = new Counted();
    await counted.happens(established(), counted.install(700), counted.install(701));
    counted.carry(701, 50, 60);
    const words = [Promise.withResolvers<Count>(), Promise.withResolvers<Count>()] as const;
    [700, 701].forEach((spiIn, index) => {
      counted.radius.removed(spiIn, counted.counts.get(spiIn) ?? assert.fail(), words[index]?.promise);
    });
    await counted.happens(closed('deleted by peer'));
    await counted.world.clock.advance(2_000);
    words[0].resolve({ packetsIn: 5, bytesIn: 500, packetsOut: 6, bytesOut: 600 });
    await settled();
    assert.deepEqual(statuses(counted), [1]);
    words[1].resolve({ packetsIn: 0, bytesIn: 0, packetsOut: 0, bytesOut: 0 });
    await settled();
    const stop = counted.records.at(-1);
    assert.deepEqual(statuses(counted), [1, 2]);
    const numbers = [Type.ACCT_INPUT_OCTETS, Type.ACCT_OUTPUT_OCTETS, Type.ACCT_SESSION_TIME, Type.ACCT_DELAY_TIME];
    assert.deepEqual(
      numbers.map((type) => integer(stop, type)),
      [550, 660, 0, 2],
    );
  });

  it('reports in between as often as the gateway says, else as the server says, else never', async () => {
    for (const [configured, said, expected] of [
      [60_000, 600_000, 9],
      [0, 60_000, 9],
      [0, undefined, 0],
    ] as const) {
      const counted = new Counted(configured);
      await counted.happens(established(said));
      await counted.world.clock.advance(600_000);
      const interims = statuses(counted).filter((status) => status === 3).length;
      assert.ok(interims >= expected && interims <= expected + 2, `${interims}`);
      await counted.happens(closed('peer dead'));
      await counted.world.clock.advance(600_000);
      assert.equal(statuses(counted).at(-1), 2);
    }
  });

  it('goes on through a rekey of the IKE SA and a move of the peer', async () => {
    const counted = new Counted();
    await counted.happens(
      ...[established(), { name: 'ike-rekeyed', newSpiI: later.spiI, newSpiR: later.spiR, ...which } as const],
      ...[closed('rekeyed'), { name: 'moved', from: 'x', ...later, path: { ...path, remote: '203.0.113.5:4500' } } as const],
    );
    assert.deepEqual(statuses(counted), [1]);
    await counted.happens(closed('shutdown', later));
    assert.deepEqual(statuses(counted), [1, 2]);
    assert.equal(integer(counted.records[1], Type.ACCT_TERMINATE_CAUSE), 7);
    assert.equal(text(counted.records[1], Type.CALLING_STATION_ID), '203.0.113.5');
  });

  it('a resumption on another pod is another session of the same multi-session; another login is not', async () => {
    const [first, second] = [new Counted(), new Counted(0, 'pod1')];
    await first.happens(established());
    await second.happens(established(undefined, { kind: 'resumed' }), { name: 'handed-over', to: 0, ...which });
    await second.happens(established(undefined, { authenticatedAt: 1_893_542_400_001 as Instant }));
    const ids = [...first.records, ...second.records].map((one) => text(one, Type.ACCT_MULTI_SESSION_ID));
    assert.equal(ids[0], ids[1]);
    assert.equal(ids[0], ids[2]);
    assert.notEqual(ids[0], ids[3]);
    assert.deepEqual(statuses(second), [1, 2, 1]);
    assert.equal(integer(second.records[1], Type.ACCT_TERMINATE_CAUSE), 10);
    assert.deepEqual(
      [text(second.records[0], Type.ACCT_SESSION_ID), text(second.records[2], Type.ACCT_SESSION_ID)],
      ['pod1-1', 'pod1-2'],
    );
  });

  it('a session that comes from another pod is counted on here, and nothing of a half-open one is', async () => {
    const [first, second] = [new Counted(), new Counted(0, 'pod1')];
    await first.happens(established(), first.install(700), { name: 'handed-over', to: 1, ...which }, closed('handed over'));
    const session = {
      ...{ remote: parseIdentity('alice@example.com'), inner: [Uint8Array.of(10, 8, 0, 2)] },
      ...{ accounting: { class: CLASS, interimMs: 60_000 }, authenticatedAt: 1_893_542_400_000 as Instant },
    };
    const taken = { name: 'taken-over', from: 0, ...which } as const;
    await second.happens({ ...taken, session: undefined }, { ...taken, session }, second.install(700));
    second.carry(700, 50, 60);
    await second.happens(closed('deleted by peer'));
    assert.deepEqual(
      [statuses(first), statuses(second)],
      [
        [1, 2],
        [1, 2],
      ],
    );
    const [start, stop] = second.records;
    for (const type of [Type.ACCT_MULTI_SESSION_ID, Type.CLASS, Type.FRAMED_IP_ADDRESS])
      assert.deepEqual(valuesOf(start?.attributes ?? [], type), valuesOf(first.records[0]?.attributes ?? [], type));
    assert.deepEqual([integer(stop, Type.ACCT_INPUT_OCTETS), integer(stop, Type.ACCT_OUTPUT_OCTETS)], [50, 60]);
  });

  it('sessions that RADIUS did not admit are not counted', async () => {
    const counted = new Counted();
    await counted.happens(established(undefined, { accounting: undefined }), closed('deleted'));
    assert.equal(counted.records.length, 0);
  });

  it('a record that is not acknowledged is sent again with its age, under another identifier, until it is', async () => {
    const counted = new Counted();
    const { script } = counted.server;
    counted.server.script = () => undefined;
    await counted.happens(established());
    await counted.world.clock.advance(45_000);
    counted.server.script = script;
    await counted.world.clock.advance(15_000);
    const delays = counted.records.map((one) => integer(one, Type.ACCT_DELAY_TIME) ?? -1);
    assert.ok(delays.length > 3 && (delays.at(-1) ?? 0) > 30, delays.join());
    assert.ok(delays.every((delay, at) => delay >= (delays[at - 1] ?? 0)));
    assert.notEqual(counted.records[0]?.identifier, counted.records[1]?.identifier);
    const total = counted.records.length;
    await counted.world.clock.advance(600_000);
    assert.equal(counted.records.length, total);
  });

  it('an interim record that nobody took makes way for the next, and for the stop', async () => {
    const counted = new Counted(60_000);
    const { script } = counted.server;
    counted.server.script = () => undefined;
    await counted.happens(established());
    await counted.world.clock.advance(1_000_000);
    counted.server.requests.length = 0;
    await counted.happens(closed('peer dead'));
    counted.server.script = script;
    counted.server.requests.length = 0;
    await counted.world.clock.advance(60_000);
    assert.deepEqual(new Set(statuses(counted)), new Set([1, 2]));
  });

  it('the oldest records are lost, and counted, when there is no room for more', async () => {
    const counted = new Counted();
    counted.server.script = () => undefined;
    for (let n = 0; n < 10_003; n += 1)
      counted.radius.observe(established(undefined, { spiI: n.toString(16).padStart(16, '0') }));
    assert.equal(counted.world.seen.filter((one) => one === 'lost 1').length, 3);
  });

  it('closing waits for the stops, but not for a server that is dead', async () => {
    const counted = new Counted();
    await counted.happens(established(), closed('shutdown'));
    await counted.radius.close();
    assert.deepEqual(statuses(counted), [1, 2]);

    const dead = new Counted();
    dead.server.script = () => undefined;
    await dead.happens(established(), closed('shutdown'));
    const done = dead.radius.close();
    await dead.world.clock.advance(2_100);
    await done;
    assert.ok(dead.world.seen.includes('lost 2'));
  });
});
