/** Retransmission, identifiers, silence and its end, with time in the test's hands. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sealAccess, sealAccounting } from '../../../sidecar/radius/authenticity.ts';
import { Code } from '../../../sidecar/radius/packet.ts';
import type { Request } from '../../../sidecar/radius/server.ts';
import { ServerList } from '../../../sidecar/radius/server-list.ts';
import { settled } from '../../harness/fake-clock.ts';
import { RadiusWorld, SECRET } from './radius-world.ts';
import { type Script, ScriptedServer, sealAnswer } from './scripted-server.ts';

const accept: Script = ({ code }) => ({ code: code === Code.ACCOUNTING_REQUEST ? Code.ACCOUNTING_RESPONSE : 2, attributes: [] });
const silence: Script = () => undefined;
let chance = 0;
const access: Request = {
  renewed: false,
  seal: (identifier, secret) =>
    sealAccess({ code: Code.ACCESS_REQUEST, identifier, attributes: [] }, secret, new Uint8Array(16).fill(++chance)),
};

describe('a RADIUS server', () => {
  it('is asked with the same bytes again when it is silent, twice as long apart each time', async () => {
    const world = new RadiusWorld();
    const { server, scripted } = world.server('192.0.2.1', silence);
    const answer = server.ask(access);
    const sentAt = [];
    for (let ms = 0; ms < 9_000; ms += 100) {
      if (scripted.datagrams.length > sentAt.length) sentAt.push(ms);
      await world.clock.advance(100);
    }
    assert.equal(await answer, undefined);
    const [, second = 0, third = 0] = sentAt;
    assert.equal(sentAt.length, 3);
    assert.ok(second >= 900 && second <= 1_200, `${second}`);
    assert.ok(third - second >= 1_800 && third - second <= 2_300, `${third}`);
    assert.deepEqual(scripted.datagrams[0], scripted.datagrams[2]);
    assert.deepEqual(world.seen, ['192.0.2.1:1812 silent', '192.0.2.1:1812 passed over']);
  });

  it('may answer an earlier attempt of a request that is renewed with each', async () => {
    const world = new RadiusWorld();
    const { server, scripted } = world.server('192.0.2.1', silence);
    const waits: number[] = [];
    const accounting: Request = {
      renewed: true,
      seal: (identifier, secret, waitedMs) => {
        waits.push(waitedMs);
        return sealAccounting({ identifier, attributes: [{ type: 41, value: Uint8Array.of(0, 0, 0, waits.length) }] }, secret);
      },
    };
    let receive: ((datagram: Uint8Array) => void) | undefined;
    const connect = world.ports.connect;
    Object.assign(world.ports, {
      connect: (...[address, port, hear]: Parameters<typeof connect>) => {
        receive = hear;
        return connect(address, port, hear);
      },
    });
    const moved = world.client('192.0.2.1');
    const answer = moved.ask(accounting);
    await world.clock.advance(1_200);
    assert.deepEqual(
      scripted.requests.map(({ identifier }) => identifier),
      [0, 1],
    );
    assert.ok(waits[1] !== undefined && waits[1] >= 900);
    const [first] = scripted.requests;
    assert.ok(first);
    receive?.(sealAnswer(first.authenticator, Code.ACCOUNTING_RESPONSE, 0, [], SECRET));
    assert.equal((await answer)?.packet.code, Code.ACCOUNTING_RESPONSE);
    server.close();
  });

  it('forged, foreign and late answers are counted and dropped, and the right one still counts', async () => {
    const world = new RadiusWorld();
    const { server } = world.server('192.0.2.1', accept);
    world.noise = (answer) => [
      Uint8Array.of(1, 2, 3),
      answer.with(25, (answer[25] ?? 0) ^ 1),
      answer.with(1, 200),
      answer.subarray(0, 19),
      answer,
      answer,
    ];
    assert.ok(await server.ask(access));
    const dropped = ['unexpected', 'not-authentic', 'unexpected', 'malformed'];
    assert.deepEqual(world.seen, [...dropped.map((reason) => `192.0.2.1:1812 dropped ${reason}`), '192.0.2.1:1812 accept']);
  });

  it('has 256 requests under way per source port, more ports when it takes them, and gives the oldest up when all are full', async () => {
    const world = new RadiusWorld();
    const { server, scripted } = world.server('192.0.2.1', silence);
    const outcomes: string[] = [];
    for (let n = 0; n < 256 * 8 + 3; n += 1) void server.ask(access).then(() => outcomes.push(`${n}`));
    await settled();
    assert.equal(world.sockets, 8);
    assert.equal(scripted.datagrams.length, 256 * 8 + 3);
    assert.deepEqual(outcomes, ['0', '1', '2']);
    assert.equal(world.seen.filter((one) => one.endsWith('crowded')).length, 3);
    await world.clock.advance(20_000);
    assert.equal(outcomes.length, 256 * 8 + 3);
    assert.equal(world.sockets, 1);
  });

  it('nothing is waited for any more when nobody waits', async () => {
    const world = new RadiusWorld();
    const { server, scripted } = world.server('192.0.2.1', silence);
    const abort = new AbortController();
    const answer = server.ask(access, abort.signal);
    abort.abort();
    assert.equal(await answer, undefined);
    await world.clock.advance(60_000);
    assert.equal(scripted.datagrams.length, 1);
    assert.deepEqual(world.seen, ['192.0.2.1:1812 abandoned']);
  });

  it('is found again under the address that its name has now', async () => {
    const world = new RadiusWorld();
    world.servers.set('192.0.2.1:1812', new ScriptedServer(SECRET, silence));
    world.servers.set('2001:db8::1:1812', new ScriptedServer(SECRET, accept));
    const server = world.client('radius.example');
    assert.equal(await server.ask(access), undefined);
    world.names.set('radius.example', '192.0.2.1');
    await world.clock.advance(30_000);
    assert.equal(world.seen.at(-1), 'radius.example:1812 unresolved');
    world.names.set('radius.example', '2001:db8::1');
    await world.clock.advance(30_000);
    assert.ok(await server.ask(access));
    world.names.clear();
    await world.clock.advance(90_000);
    assert.ok(await server.ask(access));
  });
});

describe('several RADIUS servers', () => {
  const pair = (world: RadiusWorld, first: Script, second: Script) => {
    const [a, b] = [world.server('192.0.2.1', first), world.server('192.0.2.2', second)];
    return { a: a.scripted, b: b.scripted, list: new ServerList([a.server, b.server]) };
  };

  it('the next is asked when the first is silent, and only by those that met the silence', async () => {
    const world = new RadiusWorld();
    const { a, b, list } = pair(world, silence, accept);
    const unlucky = list.ask(access);
    await world.clock.advance(8_000);
    assert.equal((await unlucky)?.server.name, '192.0.2.2:1812');
    const before = a.datagrams.length;
    for (let n = 0; n < 50; n += 1) assert.ok(await list.ask(access));
    assert.equal(a.datagrams.length, before);
    assert.equal(b.datagrams.length, 51);
  });

  it('one that was passed over is in use again when it answers a Status-Server', async () => {
    const world = new RadiusWorld();
    const { a, list } = pair(world, silence, accept);
    const unlucky = list.ask(access);
    await world.clock.advance(8_000);
    await unlucky;
    a.script = accept;
    await world.clock.advance(12_000);
    assert.equal(a.requests.at(-1)?.code, Code.STATUS_SERVER);
    assert.equal((await list.ask(access))?.server.name, '192.0.2.1:1812');
    assert.ok(world.seen.includes('192.0.2.1:1812 alive'));
    const probes = a.requests.length;
    await world.clock.advance(120_000);
    assert.equal(a.requests.length, probes);
  });

  it('one that knows no Status-Server gets one request in a while, and all others go elsewhere', async () => {
    const world = new RadiusWorld();
    const { a, list } = pair(world, silence, accept);
    const unlucky = list.ask(access);
    await world.clock.advance(8_000);
    await unlucky;
    const accesses = () => a.requests.filter(({ code }) => code === Code.ACCESS_REQUEST).length;
    await world.clock.advance(60_000);
    const trials = Array.from({ length: 10 }, () => list.ask(access));
    await settled();
    assert.equal(accesses(), 4);
    await world.clock.advance(8_000);
    await Promise.all(trials);
    a.script = ({ code }) => (code === Code.STATUS_SERVER ? undefined : { code: 2, attributes: [] });
    await world.clock.advance(60_000);
    await list.ask(access);
    assert.equal((await list.ask(access))?.server.name, '192.0.2.1:1812');
  });

  it('all are tried when all are passed over', async () => {
    const world = new RadiusWorld();
    const { b, list } = pair(world, silence, silence);
    const unlucky = list.ask(access);
    await world.clock.advance(20_000);
    assert.equal(await unlucky, undefined);
    b.script = ({ code }) => (code === Code.STATUS_SERVER ? undefined : { code: 2, attributes: [] });
    const lucky = list.ask(access);
    await world.clock.advance(8_000);
    assert.equal((await lucky)?.server.name, '192.0.2.2:1812');
  });
});
