/** Questions between sibling pods, over loopback: small, short, and never more than a silence when something goes wrong. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import type { GatewayConfig } from '../../../sidecar/contract/gateway-config.ts';
import { parseGatewayConfig } from '../../../sidecar/contract/gateway-yaml.ts';
import type { KeyRing } from '../../../sidecar/contract/key-ring.ts';
import { encodeStatus, type GatewayStatus } from '../../../sidecar/contract/status.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import { PeerAddresses } from '../../../sidecar/shell/peer-addresses.ts';
import { PeerAdmission } from '../../../sidecar/shell/peer-admission.ts';
import { siblingsAhead } from '../../../sidecar/shell/peer-generations.ts';
import { PeerClient, startPeerServer } from '../../../sidecar/shell/peers.ts';
import { SiblingPods } from '../../../sidecar/shell/sibling-pods.ts';
import { exampleConfig } from './example-files.ts';

const question = Uint8Array.of(1, 2, 3);

describe('a question to a sibling', () => {
  it('comes back with its answer, again and again', async () => {
    const server = await startPeerServer('127.0.0.1', 0, (bytes) => bytes.toReversed());
    const client = new PeerClient();
    for (let i = 0; i < 3; i++) assert.deepEqual(await client.ask('127.0.0.1', server.port, question), Uint8Array.of(3, 2, 1));
    client.close();
    await server.close();
  });

  it('that the sibling does not answer is a silence', async () => {
    const server = await startPeerServer('127.0.0.1', 0, () => undefined);
    const client = new PeerClient();
    assert.equal(await client.ask('127.0.0.1', server.port, question), undefined);
    client.close();
    await server.close();
  });

  it('that is too long is not heard', async () => {
    let heard = 0;
    const server = await startPeerServer('127.0.0.1', 0, (bytes) => {
      heard++;
      return bytes;
    });
    const client = new PeerClient();
    assert.equal(await client.ask('127.0.0.1', server.port, new Uint8Array(70_000)), undefined);
    assert.equal(heard, 0);
    client.close();
    await server.close();
  });

  it('survives a sibling that is gone, and one that came back meanwhile', async () => {
    const client = new PeerClient();
    const first = await startPeerServer('127.0.0.1', 0, (bytes) => bytes);
    assert.deepEqual(await client.ask('127.0.0.1', first.port, question), question);
    await first.close();
    assert.equal(await client.ask('127.0.0.1', first.port, question), undefined);
    const again = await startPeerServer('127.0.0.1', first.port, (bytes) => bytes);
    assert.deepEqual(await client.ask('127.0.0.1', again.port, question), question);
    client.close();
    await again.close();
  });

  it('does not wait for a sibling that hangs, nor beside too many to the same, and finds its way to another', {
    timeout: 3_000,
  }, async () => {
    const port = 15_540;
    const hanging = createServer().listen(port, '127.83.0.31');
    await once(hanging, 'listening');
    const living = await startPeerServer('127.83.0.32', port, (bytes) => bytes);
    const pods = new SiblingPods(0);
    await pods.configure(config({ host: '127.83.0.3{ordinal}', replicas: 3 }, port));
    const asked = Array.from({ length: 64 }, () => pods.ask(1, question));
    const crowded = await Promise.race([pods.ask(1, question).then(() => 'at once'), ...asked]);
    assert.equal(crowded, 'at once');
    assert.deepEqual(await Promise.race([pods.ask(2, question), ...asked]), question);
    assert.deepEqual(new Set(await Promise.all(asked)), new Set([undefined]));
    pods.close();
    hanging.close();
    await living.close();
  });

  it('goes alone to a sibling that was silent just now, until that is heard', async () => {
    const client = new PeerClient(() => 5_000 as Instant);
    const { heard, server, port, answerAll } = await holding();
    server.close();
    await once(server, 'close');
    assert.equal(await client.ask('127.0.0.1', port, question), undefined);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const askThree = () => Array.from({ length: 3 }, () => client.ask('127.0.0.1', port, question));
    const [probe, ...others] = askThree();
    assert.deepEqual(await Promise.all(others), [undefined, undefined]);
    await heard(1);
    answerAll();
    assert.deepEqual(await probe, question);
    const all = askThree();
    await heard(3);
    answerAll();
    assert.deepEqual(await Promise.all(all), [question, question, question]);
    client.close();
    server.closeAllConnections();
    server.close();
  });

  it('may go out beside 63 others; after a silence alone, for a second after the last one', () => {
    let now = 5_000;
    const admission = new PeerAdmission(() => now as Instant);
    const enter = (times: number): number => Array.from({ length: times }, () => admission.enter()).filter(Boolean).length;
    assert.equal(enter(65), 64);
    for (let i = 0; i < 64; i++) admission.leave(false);
    assert.equal(enter(2), 1);
    now += 999;
    assert.equal(enter(1), 0);
    admission.leave(false);
    now += 999;
    assert.equal(enter(2), 1);
    now += 1;
    assert.equal(enter(2), 2);
  });

  it('is a POST to one path', async () => {
    const server = await startPeerServer('127.0.0.1', 0, () => question);
    const url = `http://127.0.0.1:${server.port}`;
    assert.equal((await fetch(`${url}/peer`)).status, 404);
    assert.equal((await fetch(`${url}/other`, { method: 'POST', body: 'x' })).status, 404);
    await server.close();
  });
});

describe('the addresses of siblings', () => {
  it('are resolved in the background, and the last known ones kept while names do not resolve', async () => {
    const names = new Map([
      ['gw-0.peers', '127.0.0.10'],
      ['gw-2.peers', '127.0.0.12'],
    ]);
    const addresses = new PeerAddresses(async (host) => {
      const found = names.get(host);
      if (found === undefined) throw new Error('ENOTFOUND');
      return found;
    });
    await addresses.configure({ host: 'gw-{ordinal}.peers', replicas: 4, self: 1 });
    assert.deepEqual(addresses.siblings(), [0, 2, 3]);
    assert.deepEqual(
      [0, 1, 2, 3].map((ordinal) => addresses.of(ordinal)),
      ['127.0.0.10', undefined, '127.0.0.12', undefined],
    );
    names.clear();
    names.set('gw-2.peers', '127.0.0.22');
    await addresses.refresh();
    assert.deepEqual(
      [0, 2].map((ordinal) => addresses.of(ordinal)),
      ['127.0.0.10', '127.0.0.22'],
    );
    await addresses.configure({ host: 'gw-{ordinal}.peers', replicas: 2, self: 1 });
    assert.deepEqual(
      [0, 2].map((ordinal) => addresses.of(ordinal)),
      ['127.0.0.10', undefined],
    );
    addresses.close();
  });

  it('may be written as such', async () => {
    const addresses = new PeerAddresses(() => Promise.reject(new Error('nobody asks')));
    await addresses.configure({ host: '127.0.0.{ordinal}', replicas: 3, self: 0 });
    assert.equal(addresses.of(2), '127.0.0.2');
    addresses.close();
  });

  it('are asked by ordinal, and an unknown one is a silence', async () => {
    const pods = new SiblingPods(0);
    assert.equal(await pods.ask(1, question), undefined);
    const server = await startPeerServer('127.0.0.1', 0, (bytes) => bytes);
    await pods.configure(config({ host: '127.0.0.{ordinal}', replicas: 2 }, server.port));
    assert.deepEqual(await pods.ask(1, question), question);
    assert.equal(await pods.ask(5, question), undefined);
    pods.close();
    await server.close();
  });
});

describe('siblings with a later key ring', () => {
  const ring: KeyRing = { ringId: 'ring-1', generation: 4, keys: [], revoked: [], revokedBefore: 0 };
  const status = (ringId: string, generation: number): string => {
    const base: GatewayStatus = {
      ...{ version: '1', name: undefined, ordinal: 0, incarnation: '00'.repeat(16), ready: true, reasons: [], config: undefined },
      ...{ sessions: 0, halfOpen: 0, faults: [], dataplane: 'none', dataplaneProblems: undefined },
      keyRing: { ringId, generation, acknowledgement: undefined },
    };
    return encodeStatus(base);
  };

  it('are those that say so of the same ring; the dead and the confused do not count', { timeout: 3_000 }, async () => {
    const answers = [status('ring-1', 5), status('ring-1', 4), status('ring-2', 9), '<html>', 'x'.repeat(100_000)];
    const servers = await Promise.all(
      answers.map(async (answer) => {
        const server = createHttpServer((_, response) => void response.end(answer)).listen(0, '127.0.0.1');
        await new Promise((resolve) => server.once('listening', resolve));
        return server;
      }),
    );
    const ports = servers.map((server) => {
      const address = server.address();
      return address !== null && typeof address === 'object' ? address.port : 0;
    });
    const siblings = [...ports, 1].map((httpPort, ordinal) => ({ ordinal, address: '127.0.0.1', httpPort }));
    assert.deepEqual(await siblingsAhead(ring, siblings), [0]);
    for (const server of servers) server.close();
  });
});

/** A sibling that answers when the test says so. */
async function holding() {
  const held: ServerResponse[] = [];
  let arrived = (): void => {};
  const server = createHttpServer((asked, response) => {
    asked.resume();
    held.push(response);
    arrived();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    server,
    port: address !== null && typeof address === 'object' ? address.port : 0,
    async heard(count: number): Promise<void> {
      while (held.length < count) await new Promise<void>((resolve) => (arrived = resolve));
    },
    answerAll: () => held.splice(0).forEach((response) => void response.end(question)),
  };
}

function config(peers: GatewayConfig['peers'], peerPort: number): GatewayConfig {
  const parsed = parseGatewayConfig('gateway.yaml', exampleConfig(1));
  assert.ok(parsed.ok);
  return { ...parsed.value, peers, listen: { ...parsed.value.listen, peerPort } };
}
