/** Bytes of heap that one established session costs in the core: measured in a process of its own that can collect its garbage. */
import { spawnSync } from 'node:child_process';
import { hex } from '../../sidecar/ike/wire/bytes.ts';
import { config, connection, email, PSK, policy } from '../harness/policy.ts';
import { World } from '../harness/world.ts';

export async function coreBytesPerSession(sessions: number): Promise<number> {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--expose-gc', import.meta.filename, String(sessions)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return Number(stdout);
}

/** Sessions of one client each; only the gateway is kept. */
function measure(sessions: number): number {
  const world = new World();
  const pod = world.pod(0);
  const users = new Map(Array.from({ length: sessions }, (_, user) => [hex(email(`user-${user}@example.com`).data), PSK]));
  world.do(pod, {
    type: 'configure',
    policy: policy({ users, config: config({ ike: { cookieThreshold: 1e9, maxHalfOpen: 1e6, maxSessions: 1e6 } }) }),
  });
  establish(world, 0, 100); // compiles
  const before = usedBytes(world);
  establish(world, 100, sessions);
  return (usedBytes(world) - before) / (sessions - 100);
}

function establish(world: World, from: number, to: number): void {
  for (let user = from; user < to; user++) {
    const client = world.client('client', '192.0.2.1');
    world.do(client, {
      type: 'connect',
      connection: connection({ local: email(`user-${user}@example.com`) }),
      ticket: undefined,
    });
    world.run(10);
    if (client.sessions().length !== 1) throw new Error(`user ${user} has no session`);
  }
}

function usedBytes(world: World): number {
  world.sent.length = 0;
  for (const { events, children } of world.nodes.values()) {
    events.length = 0;
    children.clear();
  }
  globalThis.gc?.();
  const { heapUsed, arrayBuffers, external } = process.memoryUsage();
  return heapUsed + Math.max(external, arrayBuffers);
}

if (process.argv[1] === import.meta.filename) process.stdout.write(String(measure(Number(process.argv[2]))));
