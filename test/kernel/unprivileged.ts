/**
 * The wall of privilege on this machine's own kernel: the sidecar as a pod runs it, without root, capabilities or a file system that it could write
 * to, serves a client through the TUN device that its agent made. Needs root and Linux; run it in a network and with mounts of its own:
 *
 *     unshare --net --mount node --test test/kernel/unprivileged.ts
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { dump } from 'js-yaml';
import { encodeKeyRing } from '../../sidecar/contract/key-ring-yaml.ts';
import { ring } from '../harness/policy.ts';
import { Program } from '../interop/lab/program.ts';
import { unprivileged } from './lab/agent-pod.ts';

const SIDECAR = 65_532;
const GATEWAY = '192.0.2.1';
const CLIENT = '192.0.2.2';
/** Behind the gateway: this network's loopback interface. */
const SERVER = '10.20.0.1';
/** In memory, and open to all: the repository may lie where only its owner can look. */
const POD = '/mnt';
const REPOSITORY = join(POD, 'rekindle');
const FILES = join(POD, 'files');
const MEETING = join(POD, 'run');
const SOCKET = join(MEETING, 'agent.sock');
const LOGS = join(POD, 'logs');

const root = join(import.meta.dirname, '../..');
const inRepository = (path: string): string => (path.startsWith(root) ? join(REPOSITORY, relative(root, path)) : path);
const NODE = inRepository(process.execPath);

const run = async (command: string, ...args: readonly string[]): Promise<string> =>
  (await promisify(execFile)(command, args)).stdout;

/** The sidecar's container: no user, no capability, nothing that could be written to. */
const contained = (...argv: readonly string[]): readonly string[] => [
  ...['unshare', '--mount', 'sh', '-c', `mount -o remount,bind,ro / && mount -o remount,bind,ro ${POD} && exec "$@"`, 'sh'],
  ...unprivileged(SIDECAR),
  ...argv,
];

/** The agent's: root in name, with NET_ADMIN. */
const AGENT = [
  ...['setpriv', '--bounding-set=-all,+net_admin', '--inh-caps=-all,+net_admin', '--no-new-privs'],
  ...[NODE, join(REPOSITORY, 'sidecar/dataplane/kernel/main.ts'), '--config', join(FILES, 'dataplane.yaml')],
  ...['--socket', SOCKET, '--socket-mode', '0660', '--allow-uid', String(SIDECAR)],
];

const GATEWAY_YAML = {
  ...{ name: 'test/unprivileged', audience: 'unprivileged', identity: 'vpn.example.com' },
  listen: { httpPort: 8080, peerPort: 8081 },
  ...{ pools: [{ cidr: '10.8.0.0/24' }], routes: ['10.8.0.0/24', '10.20.0.0/16'] },
};
const DATAPLANE_YAML = {
  ...{ name: 'test/unprivileged', dataplane: 'userspace', pools: ['10.8.0.0/24'], routes: ['10.8.0.0/24', '10.20.0.0/16'] },
  ...{ tun: 'rekindle0', traffic: { forwarding: 'masquerade' } },
};

/** As the kubelet projects a Secret with fsGroup: root's, and readable for the group. */
function project(name: string, text: string): void {
  const file = join(FILES, name);
  writeFileSync(file, text);
  chownSync(file, 0, SIDECAR);
  chmodSync(file, 0o440);
}

const programs: Program[] = [];
function start(name: string, argv: readonly string[]): Program {
  const program = new Program(name, argv, join(LOGS, `${name}.log`));
  programs.push(program);
  return program;
}

async function startAgent(): Promise<Program> {
  rmSync(SOCKET, { force: true });
  const started = start('agent', AGENT);
  await until(async () => existsSync(SOCKET), 'a socket of the agent');
  return started;
}

const asked = (path: string): Promise<Response> => fetch(`http://${GATEWAY}:8080${path}`);
const ready = async (): Promise<boolean> =>
  asked('/readyz').then(
    ({ status }) => status === 200,
    () => false,
  );
async function until(is: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = performance.now() + 15_000; !(await is()); await new Promise((resolve) => setTimeout(resolve, 50)))
    if (performance.now() > deadline) assert.fail(`never: ${what}`);
}

let client: Program;
/** A client in a network of its own, which pings what lies behind the gateway. */
function startClient(name: string, count: number): Program {
  const argv = ['connect', '--gateway', GATEWAY, '--psk-file', join(FILES, 'client.psk'), '--id', 'alice@example.com'];
  const pings = ['--ping', SERVER, '--interval', '200ms', '--count', String(count)];
  return start(name, [
    ...['nsenter', `--net=/proc/${holder.pid}/ns/net`, process.execPath, join(root, 'sidecar/client/main.ts')],
    ...[...argv, ...pings],
  ]);
}

let holder: Program;
let agent: Program;
let sidecar: Program;

before(async () => {
  await run('mount', '-t', 'tmpfs', '-o', 'mode=0755', 'tmpfs', POD);
  for (const folder of [REPOSITORY, FILES, MEETING, LOGS, join(FILES, 'psk')]) mkdirSync(folder);
  await run('mount', '--bind', root, REPOSITORY);
  // The group is the pod's (fsGroup): the agent may not chown, so the socket gets it from the folder.
  chownSync(MEETING, 0, SIDECAR);
  chmodSync(MEETING, 0o2770);
  project('gateway.yaml', `${dump(GATEWAY_YAML)}...\n`);
  project('dataplane.yaml', `${dump(DATAPLANE_YAML)}...\n`);
  project('key-ring.yaml', encodeKeyRing(ring()));
  project('psk/users.yaml', '"alice@example.com": a secret of sixteen\n');
  writeFileSync(join(FILES, 'client.psk'), 'a secret of sixteen', { mode: 0o600 });

  holder = start('client-network', ['unshare', '--net', 'sleep', '600']);
  await run('ip', 'link', 'set', 'dev', 'lo', 'up');
  await run('ip', 'address', 'add', `${SERVER}/32`, 'dev', 'lo');
  await until(async () => readFileSync(`/proc/${holder.pid}/cmdline`, 'utf8').startsWith('sleep'), 'a network for the client');
  await run('ip', 'link', 'add', 'outside', 'type', 'veth', 'peer', 'name', 'outside', 'netns', String(holder.pid));
  await run('ip', 'address', 'add', `${GATEWAY}/24`, 'dev', 'outside');
  await run('ip', 'link', 'set', 'dev', 'outside', 'up');
  const inClient = (...args: readonly string[]) => run('nsenter', `--net=/proc/${holder.pid}/ns/net`, 'ip', ...args);
  await inClient('address', 'add', `${CLIENT}/24`, 'dev', 'outside');
  await inClient('link', 'set', 'dev', 'outside', 'up');
  // As a pod declares them.
  await run('sysctl', '-qw', 'net.ipv4.ip_unprivileged_port_start=0', 'net.ipv4.ip_forward=1');

  agent = await startAgent();
  const files = [
    '--config',
    join(FILES, 'gateway.yaml'),
    '--key-ring',
    join(FILES, 'key-ring.yaml'),
    '--psk-dir',
    join(FILES, 'psk'),
  ];
  const flags = [...files, '--address', GATEWAY, '--http-address', GATEWAY, '--agent', SOCKET];
  sidecar = start('sidecar', contained(NODE, join(REPOSITORY, 'sidecar/main.ts'), ...flags));
  await until(ready, 'a gateway that is ready');
});
after(async () => {
  for (const program of programs.reverse()) await program.stop();
});

describe('the sidecar of a pod', { timeout: 120_000 }, () => {
  it('has no privilege and cannot get one', () => {
    const text = readFileSync(`/proc/${sidecar.pid}/status`, 'utf8');
    const field = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(text)?.[1] ?? '';
    for (const name of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      process.stdout.write(`# ${name}: ${field(name)}\n`);
      assert.equal(BigInt(`0x${field(name)}`), 0n, name);
    }
    assert.deepEqual([field('Uid').split('\t'), field('Gid').split('\t')], [Array(4).fill('65532'), Array(4).fill('65532')]);
    assert.deepEqual([field('Groups').trim(), field('NoNewPrivs')], ['', '1']);
  });

  it('can write nowhere', async () => {
    const touch = (file: string) => run('nsenter', `--mount=/proc/${sidecar.pid}/ns/mnt`, 'touch', file);
    for (const file of ['/written', '/tmp/written', join(MEETING, 'written')])
      await assert.rejects(touch(file), /Read-only file system/);
  });

  it('can have its sockets leave ESP to the kernel all the same', async () => {
    const [batches, espInUdp] = ['udp-batches', 'esp-in-udp'].map((file) => join(REPOSITORY, `sidecar/shell/${file}.ts`));
    const program = `
      const { loadUdpBatches } = await import('${batches}');
      const { loadEspInUdp } = await import('${espInUdp}');
      const [udp, leave] = await Promise.all([loadUdpBatches(), loadEspInUdp()]);
      leave(udp.open('${GATEWAY}', 4501));
      console.log('left');`;
    const [command = '', ...args] = contained(NODE, '--input-type=module', '--eval', program);
    assert.equal(await run(command, ...args), 'left\n');
  });

  it('serves on ports 500 and 4500 a client, whose packets go through the device that the agent made', async () => {
    client = startClient('client', 10);
    await client.ended();
    assert.equal(client.exitCode, 0, client.lines.join('\n'));
    const { packetsIn } = await carried();
    assert.ok(packetsIn >= 10, `${packetsIn}`);
    const status = JSON.parse(await (await asked('/status')).text());
    assert.deepEqual([status.dataplane, status.ready], ['userspace', true]);
  });

  it('is not ready while the agent is away, gives nobody a session, and goes on with the next agent', async () => {
    await agent.kill();
    await until(async () => !(await ready()), 'a gateway that is not ready');
    assert.match(await (await asked('/readyz')).text(), /no agent: /);
    client = startClient('client-that-waits', 5);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.equal(client.lines.filter((line) => line.includes('"established"')).length, 0, client.lines.join('\n'));
    agent = await startAgent();
    await until(ready, 'a gateway that is ready again');
    await client.ended(30_000);
    assert.equal(client.exitCode, 0, client.lines.join('\n'));
  });

  it('ends in good order', async () => {
    await sidecar.stop();
    assert.equal(sidecar.exitCode, 0);
  });
});

async function carried(): Promise<{ readonly packetsIn: number }> {
  const read = async (): Promise<number> => {
    const metrics = await (await asked('/metrics')).text();
    return Number(/^rekindle_esp_packets_total\{direction="in"\} (\d+)/m.exec(metrics)?.[1] ?? 0);
  };
  await until(async () => (await read()) > 0, 'packets that are counted');
  return { packetsIn: await read() };
}
