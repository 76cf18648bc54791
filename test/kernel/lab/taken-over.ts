/**
 * What a taken-over sidecar could be: it speaks to the agent as it likes. A program of its own, as it must be another user than the tests.
 * Arguments: the socket, and `children N` or `orders` with a JSON file of orders, in which bytes are written as hex behind `hex:`.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { AgentTalk } from './agent-talk.ts';
import { manyChildren } from './many-children.ts';

const [, , socket = '', what, argument = ''] = process.argv;
const tell = (fields: object): void => void process.stdout.write(`${JSON.stringify(fields)}\n`);

const agent = await AgentTalk.connect(socket).catch((error: unknown) => {
  tell({ away: error instanceof Error ? error.message : String(error) });
  process.exit();
});
tell({ welcome: agent.welcome.dataplane });
if (what === 'orders') {
  const orders = JSON.parse(readFileSync(argument, 'utf8'), (_, value) =>
    typeof value === 'string' && value.startsWith('hex:') ? new Uint8Array(Buffer.from(value.slice(4), 'hex')) : value,
  );
  tell({ outcomes: await agent.request(orders) });
}
if (what === 'children') await installAndRemove(Number(argument));

async function installAndRemove(count: number): Promise<void> {
  const children = manyChildren(count, randomBytes);
  tell({ installed: await timed(children.map((child) => ({ order: 'install', child }) as const)) });
  await new Promise((resolve) => process.once('SIGUSR1', resolve));
  tell({ removed: await timed(children.map(({ spiIn }) => ({ order: 'remove', spiIn }) as const)) });
}

async function timed(orders: Parameters<AgentTalk['request']>[0]): Promise<{ ok: number; ms: number; reason?: string }> {
  const began = performance.now();
  const outcomes = await agent.request(orders);
  const ms = performance.now() - began;
  const failed = outcomes.find((outcome) => !outcome.ok);
  return { ok: outcomes.filter(({ ok }) => ok).length, ms, ...(failed && !failed.ok ? { reason: failed.reason } : {}) };
}
process.exit();
