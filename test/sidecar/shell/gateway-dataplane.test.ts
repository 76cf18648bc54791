/** Which data plane a gateway has, and what it says is in the way. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GatewayConfig } from '../../../sidecar/contract/gateway-config.ts';
import type { AgentLink } from '../../../sidecar/shell/agent-link.ts';
import { createDataplane, type DataplaneOptions } from '../../../sidecar/shell/gateway-dataplane.ts';
import { crypto } from '../../harness/peer.ts';
import { config } from '../../harness/policy.ts';
import { seeded } from '../../harness/random.ts';
import { ends } from '../dataplane/children.ts';
import { StandInAgent, welcome } from './stand-in-agent.ts';

type Asked = GatewayConfig['dataplane'];

const udp = (natDescriptors: readonly number[] | undefined): DataplaneOptions['udp'] => ({
  ...{ natDescriptors, espSockets: undefined, takeEsp: () => {} },
});

function options(dataplane: Asked, agent?: AgentLink, more: Partial<DataplaneOptions> = {}): DataplaneOptions {
  return {
    ...{ config: config({ dataplane, esp: { forceEncapsulation: true } }), crypto, random: seeded(1), agent, tun: undefined },
    ...{ send: () => {}, udp: udp([]), active: () => {}, changed: () => {}, failed },
    ...more,
  };
}

const failed = (error: unknown): void => {
  throw error;
};

/** An agent that is there and runs this. */
function running(dataplane: 'kernel' | 'userspace' = 'kernel') {
  const agent = new StandInAgent();
  const link = agent.link();
  agent.handlers.welcome({ ...welcome, dataplane });
  return { agent, link };
}
const texts = (gateway: ReturnType<typeof createDataplane>): readonly string[] =>
  gateway.problems().map(({ severity, text }) => `${severity}: ${text}`);
const turn = (): Promise<void> => new Promise((next) => setImmediate(next));

describe('the data plane of a gateway', () => {
  it('is user space without an agent, and none where none is wanted', () => {
    assert.equal(createDataplane(options('auto')).kind, 'userspace');
    assert.equal(createDataplane(options('userspace')).kind, 'userspace');
    assert.equal(createDataplane(options('none')).kind, 'none');
    assert.equal(createDataplane(options('none', running().link)).kind, 'none');
  });

  it('cannot be the kernel without an agent', () => {
    assert.throws(() => createDataplane(options('kernel')), {
      message:
        'gateway.yaml: dataplane: kernel, but no agent is there to program the kernel; start with --agent SOCKET, or write userspace',
    });
  });

  it('is what the agent runs; what contradicts the configuration stands in the way', () => {
    const kinds = (['auto', 'kernel', 'userspace'] as const).map((asked) => {
      const gateway = createDataplane(options(asked, running().link));
      return [gateway.kind, texts(gateway).filter((text) => text.includes('gateway.yaml'))];
    });
    const contradiction =
      'blocking: gateway.yaml: dataplane: userspace, but the agent runs the kernel; write auto, or the same in gateway.yaml and dataplane.yaml';
    assert.deepEqual(kinds, [
      ['kernel', []],
      ['kernel', []],
      ['kernel', [contradiction]],
    ]);
  });

  it('stays what it was at the start when an agent comes that runs another', async () => {
    const { agent, link } = running();
    const gateway = createDataplane(options('auto', link));
    await gateway.open();
    agent.handlers.welcome({ ...welcome, dataplane: 'userspace' });
    await turn();
    assert.deepEqual(
      [gateway.kind, texts(gateway)],
      [
        'kernel',
        [
          'blocking: the agent runs user space now, and this process began with the kernel; restart it, its sessions come back by their tickets',
        ],
      ],
    );
  });

  it('says that user space needs UDP when the configuration may do without, as long as it does', () => {
    const gateway = createDataplane(options('auto'));
    const asking = (forceEncapsulation: boolean) => config({ dataplane: 'auto', esp: { forceEncapsulation } });
    gateway.configure(asking(false));
    assert.deepEqual(texts(gateway), [
      'blocking: gateway.yaml: esp.forceEncapsulation: false, but ESP in user space travels in UDP only; write true',
    ]);
    gateway.configure(asking(true));
    assert.deepEqual(texts(gateway), []);
  });
});

describe('the kernel as data plane', () => {
  it('is blocked until the agent has all children, and while the agent is away or says so', async () => {
    const { agent, link } = running();
    let changes = 0;
    const held = Promise.withResolvers<void>();
    agent.settled = held.promise;
    const gateway = createDataplane(options('auto', link, { changed: () => void changes++ }));
    await gateway.open();
    assert.deepEqual(texts(gateway), ['blocking: the agent is being told of the children that there are; this takes a moment']);
    held.resolve();
    await turn();
    assert.deepEqual([texts(gateway), changes], [[], 1]);
    agent.handlers.lost(new Error('it went'));
    assert.deepEqual(texts(gateway), ['blocking: no agent: it went']);
    agent.handlers.welcome(welcome);
    agent.handlers.health([{ severity: 'warning', text: 'slow' }]);
    await turn();
    assert.deepEqual(texts(gateway), ['warning: slow']);
  });

  it('is blocked where the sockets cannot leave ESP to the kernel', async () => {
    const { link } = running();
    const gateway = createDataplane(options('auto', link, { udp: udp(undefined) }));
    await gateway.open();
    await turn();
    assert.match(texts(gateway)[0] ?? '', /^blocking: the kernel cannot be given ESP on this platform/);
    const broken = createDataplane(options('auto', link, { udp: udp([-1]) }));
    await broken.open();
    assert.match(texts(broken)[0] ?? '', /^blocking: the kernel does not take ESP out of UDP \(UDP_ENCAP: EBADF\)/);
  });

  it('has the agent install children, and counts what comes here all the same', async () => {
    const { agent, link } = running();
    const gateway = createDataplane(options('auto', link));
    await gateway.open();
    const child = ends(300).gateway;
    await gateway.port.order({ order: 'install', child });
    assert.deepEqual(agent.orders, [{ order: 'install', child }]);
    agent.handlers.traffic([{ spiIn: child.spiIn, packetsIn: 3, bytesIn: 4, packetsOut: 5, bytesOut: 6 }], { XfrmInNoStates: 2 });
    gateway.port.receive(Uint8Array.of(1), child.path);
    const { drops, totals } = gateway.port.stats();
    assert.deepEqual([drops, totals.packetsIn], [{ XfrmInNoStates: 2, 'past-kernel': 1 }, 3]);
    await gateway.close();
    assert.deepEqual(agent.handlers.children(), []);
  });
});
