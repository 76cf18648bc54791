/**
 * The host of an agent where the kernel has ESP, as root: packet filter, inner addresses and routes around real tunnels.
 * `node --test test/kernel/host.ts`; everything happens in network namespaces of its own.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { ChildSa } from '../../sidecar/contract/dataplane.ts';
import { ends } from '../sidecar/dataplane/children.ts';
import { type Change, configured } from '../sidecar/dataplane/kernel/rulesets.ts';
import { createNetworks, INNER, type Network, type Networks, SERVER } from './networks.ts';

const OTHER = { 4: '10.8.0.9', 6: 'fd08::9' } as const;
const OWN = { 4: '10.8.0.1', 6: 'fd08::1' } as const;
const POD = { 4: '198.51.100.1', 6: '2001:db8:1::1' } as const;
const FAMILIES = [4, 6] as const;
const NAT_PORT = 4500;

const config = (change: Change = {}) =>
  configured({ routes: ['198.51.100.0/24', '2001:db8:1::/64', '192.0.2.128/25'], ...change });
let networks: Networks;
let client: Network;
let gateway: Network;
let server: Network;
before(() => {
  networks = createNetworks();
  ({ client, gateway, server } = networks);
});
after(() => Promise.all([client.close(), gateway.close(), server.close()]));

/** Both ends of a child between client and gateway. */
function twin(): { readonly client: ChildSa; readonly gateway: ChildSa } {
  const both = ends(0x1000, { inner: Object.values(INNER) });
  const path = { local: '192.0.2.7:4500', remote: '192.0.2.1:4500' };
  return { client: { ...both.client, path }, gateway: { ...both.gateway, path: { local: path.remote, remote: path.local } } };
}

async function connect(mark: number): Promise<void> {
  const { client: near, gateway: far } = twin();
  await client.call('open', NAT_PORT, 0);
  await gateway.call('open', NAT_PORT, mark);
  await client.call('install', near);
  await gateway.call('install', far);
}

const received = (network: Network, ...args: readonly string[]): number =>
  Number(/(\d+) received/.exec(network.run('ping', '-n', '-q', '-c', '3', '-i', '0.05', '-W', '2', ...args))?.[1] ?? 0);

/** By how much a counter grows. */
async function counted(reason: string, act: () => unknown): Promise<number> {
  const count = (): number =>
    Number(/packets (\d+)/.exec(gateway.run('nft', 'list', 'counter', 'inet', 'rekindle', reason))?.[1]);
  const before = count();
  await act();
  return count() - before;
}

describe('a gateway whose kernel has ESP', () => {
  before(async () => {
    assert.equal(await gateway.call('probe'), 'kernel');
    assert.equal(gateway.run('ip', 'xfrm', 'state'), '', 'the question leaves nothing behind');
    await gateway.call('apply', config());
    assert.deepEqual(await gateway.call('check', config()), []);
    await connect(0);
  });
  let changed = false;
  const apply = async (change: Change): Promise<void> => {
    changed = true;
    await gateway.call('apply', config(change));
  };
  afterEach(async () => {
    if (changed) await gateway.call('apply', config());
    changed = false;
  });

  for (const family of FAMILIES) {
    const route = (verb: string, network: Network, ...args: readonly string[]): string =>
      network.run('ip', `-${family}`, 'route', verb, ...args);

    it(`masquerades clients, over IPv${family}`, () => assert.equal(received(client, SERVER[family]), 3));

    it(`answers pings to its own inner address, and nothing else there, over IPv${family}`, async () => {
      assert.equal(received(client, OWN[family]), 3);
      assert.equal(await counted('local', () => client.run('bash', '-c', `echo x > /dev/udp/${OWN[family]}/53`)), 1);
    });

    it(`pings its clients from that address, without a default route as well, over IPv${family}`, (t) => {
      const [, via = ''] = /via (\S+)/.exec(route('show', gateway, 'default')) ?? [];
      route('del', gateway, 'default');
      t.after(() => void route('add', gateway, 'default', 'via', via));
      assert.match(gateway.run('ping', '-n', '-c', '1', '-W', '1', INNER[family]), /1 received/);
      assert.match(route('get', gateway, INNER[family]), new RegExp(`src ${OWN[family]}`));
    });

    it(`drops a source of a pool that did not come out of the tunnel, over IPv${family}`, async (t) => {
      // Both the one that is connected and one that nobody has.
      for (const source of [INNER[family], OTHER[family]]) {
        server.run(
          'ip',
          'address',
          'add',
          `${source}/${family === 4 ? 32 : 128}`,
          'dev',
          'lo',
          ...(family === 6 ? ['nodad'] : []),
        );
        t.after(() => void server.run('ip', 'address', 'del', `${source}/${family === 4 ? 32 : 128}`, 'dev', 'lo'));
        assert.equal(await counted('spoofed-source', () => received(server, '-I', source, POD[family])), 3);
      }
    });

    it(`sends nothing in clear to a client that is not there, and says so, over IPv${family}`, async (t) => {
      route('add', server, family === 4 ? '10.8.0.0/24' : 'fd08::/64', 'via', POD[family]);
      t.after(() => void route('del', server, family === 4 ? '10.8.0.0/24' : 'fd08::/64'));
      const seen = await watched(client, `host ${OTHER[family]}`, async () => {
        assert.equal(
          await counted('unprotected', () =>
            assert.match(server.run('ping', '-n', '-c', '1', '-W', '1', OTHER[family]), /filtered|prohibited/i),
          ),
          1,
        );
        assert.equal(await counted('unprotected', () => received(gateway, OTHER[family])), 3);
      });
      assert.deepEqual(seen, []);
    });

    it(`makes segments fit both ways, over IPv${family}`, async () => {
      const listener = server.start(
        'bash',
        '-c',
        `exec ${process.execPath} -e "require('net').createServer((s) => s.end()).listen(8080, '${SERVER[family]}', () => console.log('up'))"`,
      );
      await once(listener.stdout!, 'data');
      const connectOnce = () => void client.run('bash', '-c', `exec 3<>/dev/tcp/${SERVER[family]}/8080`);
      const atServer = await watched(server, 'port 8080', connectOnce);
      const atClient = await watched(client, `port 8080 and src host ${SERVER[family]}`, connectOnce);
      listener.kill('SIGKILL');
      const fits = 1390 - (family === 4 ? 40 : 60);
      assert.match(atServer.find((line) => line.includes('Flags [S]')) ?? '', new RegExp(`mss ${fits},`));
      assert.match(atClient.find((line) => line.includes('Flags [S.]')) ?? '', new RegExp(`mss ${fits},`));
    });
  }

  it('keeps their addresses where pools are routed', async (t) => {
    await apply({ traffic: { forwarding: 'routed' } });
    server.run('ip', 'route', 'add', '10.8.0.0/24', 'via', POD[4]);
    t.after(() => void server.run('ip', 'route', 'del', '10.8.0.0/24'));
    assert.equal(received(client, SERVER[4]), 3);
    assert.equal(received(server, INNER[4]), 3);
  });

  it('lets clients reach what routes lead to, and nothing else', async () => {
    await apply({ routes: ['203.0.113.0/24'] });
    assert.equal(await counted('outside-routes', () => assert.equal(received(client, SERVER[4]), 0)), 3);
    await apply({ routes: ['0.0.0.0/0', '::/0'] });
    assert.equal(received(client, SERVER[4]), 3);
    assert.equal(await counted('local', () => assert.equal(received(client, POD[4]), 0)), 3);
  });

  it('replaces its filter again and again without losing a ping', async () => {
    const flood = client.start('ping', '-n', '-q', '-i', '0.02', '-W', '5', SERVER[4]);
    let output = '';
    flood.stdout?.on('data', (data: Buffer) => {
      output += data.toString();
    });
    await wait(200);
    await gateway.call('applyOften', config(), 5);
    await wait(200);
    flood.kill('SIGINT');
    await once(flood, 'close');
    const [, sent, answered] = /(\d+) packets transmitted, (\d+) received/.exec(output) ?? [];
    changed = true;
    assert.ok(Number(sent) > 10, output);
    assert.equal(answered, sent);
  });

  it('takes the place of an agent that was killed, with another configuration, and leaves nothing', async () => {
    await gateway.call('apply', config({ pools: ['10.9.0.0/24', 'fd09::/64'] }));
    assert.doesNotMatch(gateway.run('ip', 'address', 'show', 'lo') + gateway.run('ip', 'route'), /10\.8\.0|fd08/);
    await gateway.end();
    assert.match(gateway.run('ip', 'address', 'show', 'lo'), /10\.9\.0\.1[\s\S]*fd09::1/);
    await gateway.call('apply', config());
    assert.doesNotMatch(gateway.run('ip', 'address', 'show', 'lo') + gateway.run('ip', 'route'), /10\.9\.0|fd09/);
    await gateway.call('remove', config());
    assert.equal(gateway.run('nft', 'list', 'ruleset'), '');
    assert.doesNotMatch(
      gateway.run('ip', 'address') + gateway.run('ip', 'route') + gateway.run('ip', '-6', 'route'),
      /10\.8\.0|fd08/,
    );
  });
});

describe('a gateway that shares its network with others, by a mark', () => {
  before(async () => {
    gateway.run('ip', 'xfrm', 'state', 'flush');
    gateway.run('ip', 'xfrm', 'policy', 'flush');
    await Promise.all([client.end(), gateway.end()]);
    client.run('ip', 'xfrm', 'state', 'flush');
    client.run('ip', 'xfrm', 'policy', 'flush');
    await gateway.call('apply', config({ mark: 7 }));
    await connect(7);
  });

  for (const family of FAMILIES) {
    it(`carries what clients send, and the answers, over IPv${family}`, () => {
      assert.equal(received(client, SERVER[family]), 3);
      assert.equal(received(client, OWN[family]), 3);
      assert.equal(received(gateway, INNER[family]), 3);
    });
  }

  it('has a table of its own name', () => assert.match(gateway.run('nft', 'list', 'tables'), /^table inet rekindle-7\n$/));
});

/** Lines of tcpdump on eth0 while something happens. */
async function watched(network: Network, filter: string, act: () => unknown): Promise<string[]> {
  const tcpdump = network.start('tcpdump', '-l', '-n', '--immediate-mode', '-i', 'eth0', filter);
  let text = '';
  tcpdump.stdout?.on('data', (data: Buffer) => {
    text += data.toString();
  });
  await once(tcpdump.stderr!, 'data');
  await act();
  await wait(300);
  tcpdump.kill('SIGINT');
  await once(tcpdump, 'close');
  return text.split('\n').filter((line) => line !== '');
}
