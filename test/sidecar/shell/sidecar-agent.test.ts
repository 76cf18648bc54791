/** A gateway whose kernel carries packets: what it tells the world while its agent comes and goes. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { parseStatus } from '../../../sidecar/contract/status.ts';
import { createLog } from '../../../sidecar/process/log.ts';
import type { ConnectAgent } from '../../../sidecar/shell/agent-link.ts';
import { Sidecar } from '../../../sidecar/shell/sidecar.ts';
import { exampleConfig, exampleRing } from './example-files.ts';
import { StandInAgent, welcome } from './stand-in-agent.ts';

const ADDRESS = '127.83.0.31';
const LISTEN = 'listen: { ikePort: 15530, natPort: 15531, httpPort: 15532, peerPort: 15533 }';

async function gateway(context: TestContext, connect: ConnectAgent): Promise<Sidecar> {
  const directory = await mkdtemp(join(tmpdir(), 'rekindle-agent-'));
  const inside = (name: string): string => join(directory, name);
  await writeFile(inside('gateway.yaml'), exampleConfig(1).replace(/listen:.*/, LISTEN));
  await writeFile(inside('key-ring.yaml'), exampleRing(1));
  await mkdir(inside('psk'));
  await writeFile(inside('psk/users.yaml'), '"alice@example.com": a secret of sixteen');
  const paths = {
    ...{ config: inside('gateway.yaml'), keyRing: inside('key-ring.yaml') },
    credentials: { psk: [{ path: inside('psk'), name: undefined }] },
  };
  const sidecar = new Sidecar(
    {
      ...{ paths, http: { host: ADDRESS, port: undefined }, ordinal: 0, addresses: [ADDRESS], podUid: undefined, tun: undefined },
      ...{ agent: '/run/agent.sock', logLevel: 'silent', version: '0' },
    },
    createLog({ level: 'silent', base: {} }),
    { connect, graceMs: 300 },
  );
  context.after(async () => {
    await sidecar.close();
    await rm(directory, { recursive: true });
  });
  return sidecar;
}
const asked = async (path: string): Promise<Response> => fetch(`http://${ADDRESS}:15532${path}`);
const status = async () => {
  const parsed = parseStatus('pod', await (await asked('/status')).text());
  return parsed.ok ? parsed.value : assert.fail();
};
const until = async (is: () => Promise<boolean>): Promise<void> => {
  while (!(await is())) await new Promise((resolve) => setTimeout(resolve, 10));
};
const ready = async (): Promise<boolean> => (await asked('/readyz')).status === 200;

describe('a gateway with an agent', { timeout: 20_000 }, () => {
  it('serves when the agent has said what carries packets, and is ready while nothing is in the way', async (context) => {
    const agent = new StandInAgent();
    const sidecar = await gateway(context, agent.connect);
    const started = sidecar.start();
    await until(async () =>
      asked('/status').then(
        () => true,
        () => false,
      ),
    );
    const { dataplane, dataplaneProblems } = await status();
    assert.deepEqual([dataplane, dataplaneProblems?.length, sidecar.ports], ['none', 1, undefined]);
    agent.handlers.welcome(welcome);
    await started;
    await until(ready);
    assert.deepEqual([(await status()).dataplane, (await status()).dataplaneProblems], ['kernel', []]);
    agent.handlers.lost(new Error('it went'));
    assert.deepEqual([await ready(), (await status()).dataplaneProblems?.map(({ text }) => text)], [true, ['no agent: it went']]);
    agent.handlers.welcome(welcome);
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.ok(await ready(), 'it was back in time');
    agent.handlers.lost(new Error('it went again'));
    await until(async () => !(await ready()));
    assert.deepEqual((await status()).reasons, ['no agent: it went again']);
    agent.handlers.welcome(welcome);
    agent.handlers.health([{ severity: 'warning', text: 'slow' }]);
    await until(ready);
    const metrics = await (await asked('/metrics')).text();
    for (const line of [
      'rekindle_dataplane_info{kind="kernel"} 1',
      'rekindle_dataplane_problems{severity="warning"} 1',
      'rekindle_dataplane_problems{severity="blocking"} 0',
      'rekindle_agent_reconnects_total 2',
    ])
      assert.ok(metrics.split('\n').includes(line), line);
    await sidecar.close();
    assert.ok(agent.closed);
  });

  it('ends while it waits for the agent', async (context) => {
    const agent = new StandInAgent();
    const sidecar = await gateway(context, agent.connect);
    const started = sidecar.start();
    await until(async () =>
      asked('/status').then(
        () => true,
        () => false,
      ),
    );
    await sidecar.close();
    await started;
    assert.ok(agent.closed);
  });
});
