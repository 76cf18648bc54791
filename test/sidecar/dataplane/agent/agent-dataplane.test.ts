/** The kernel's data plane over an agent that answers when the test says so, or goes away. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CarriedTraffic, Outcome } from '../../../../sidecar/contract/agent-protocol.ts';
import type { DataplaneOrder, DataplaneReport, InstallOrder } from '../../../../sidecar/contract/dataplane.ts';
import { AgentAway } from '../../../../sidecar/dataplane/agent/agent-connection.ts';
import { AgentDataplane } from '../../../../sidecar/dataplane/agent/agent-dataplane.ts';
import { ends } from '../children.ts';

const install = (spiIn: number, more: Partial<InstallOrder> = {}): InstallOrder => ({
  order: 'install',
  child: { ...ends(spiIn).gateway, spiIn },
  ...more,
});
const remove = (spiIn: number): DataplaneOrder => ({ order: 'remove', spiIn });
const moved = { path: { local: '192.0.2.1:4500', remote: '203.0.113.5:4500' }, encapsulated: false };
const move = (spiIn: number): DataplaneOrder => ({ order: 'move', spiIn, ...moved });
const carried = (spiIn: number, packetsIn: number): CarriedTraffic => ({
  ...{ spiIn, packetsIn, bytesIn: 100 * packetsIn, packetsOut: 1, bytesOut: 50 },
});
const traffic = (packetsIn: number) => ({ packetsIn, bytesIn: 100 * packetsIn, packetsOut: 1, bytesOut: 50 });
const turn = (): Promise<void> => new Promise((next) => setImmediate(next));
const OK: Outcome = { ok: true };
const away = () => new AgentAway('gone');

interface Asked<T> {
  readonly answer: (value: T) => void;
  readonly fail: (error: Error) => void;
}

class Agent {
  readonly requests: (Asked<readonly Outcome[]> & { readonly orders: readonly DataplaneOrder[] })[] = [];
  readonly settles: Asked<void>[] = [];
  readonly available: boolean[] = [];
  readonly failures: unknown[] = [];
  active = 0;
  readonly port = new AgentDataplane({
    connection: () => ({
      request: (orders) => this.#ask(this.requests, { orders }),
      settle: () => this.#ask(this.settles, {}),
    }),
    active: () => void this.active++,
    available: (is) => void this.available.push(is),
    failed: (error) => void this.failures.push(error),
  });

  /** As the connection does it: the welcome, the list of all children, an answer to that. */
  async come(): Promise<readonly InstallOrder[]> {
    this.port.welcomed();
    const told = this.port.children();
    this.settles.at(-1)?.answer();
    await turn();
    return told;
  }

  async go(): Promise<void> {
    for (const asked of [...this.requests, ...this.settles]) asked.fail(away());
    this.port.lost();
    await turn();
  }

  #ask<T, More extends object>(list: (Asked<T> & More)[], more: More): Promise<T> {
    return new Promise((answer, fail) => void list.push({ ...more, answer, fail }));
  }
}

/** An agent that is there and has these children. */
async function serving(...spis: readonly number[]): Promise<Agent> {
  const agent = new Agent();
  await agent.come();
  for (const spi of spis) void agent.port.order(install(spi));
  await turn();
  for (const { orders, answer } of agent.requests.splice(0)) answer(orders.map(() => OK));
  await turn();
  return agent;
}
/** What becomes of a promise by now. */
const fate = async (promise: unknown): Promise<unknown> => Promise.race([promise, turn().then(() => 'waits')]);
const lost = (spiIn: number, reason: string): DataplaneReport => ({ report: 'lost', spiIn, reason });

describe('the data plane over an agent', () => {
  it('asks for all orders of one turn at once, and each is done when that is answered', async () => {
    const { port, requests } = await serving();
    const orders = [install(300), install(301), move(300), remove(301)];
    const done = orders.map((order) => port.order(order));
    await turn();
    assert.deepEqual(
      requests.map((one) => one.orders),
      [orders],
    );
    const next = port.order(remove(300));
    await turn();
    assert.equal(requests.length, 2);
    assert.equal(await fate(done[0]), 'waits');
    requests[0]?.answer(orders.map(() => OK));
    assert.deepEqual(await Promise.all(done), [undefined, undefined, undefined, { ...NONE }]);
    assert.equal(await fate(next), 'waits');
  });

  it('reports a child as lost that the agent refuses, the kernel would not have or that cannot follow its peer', async () => {
    const agent = await serving(302);
    const { port, requests } = agent;
    const done = [install(300), install(301), move(302), remove(299)].map((order) => port.order(order));
    await turn();
    requests[0]?.answer([
      { ok: false, why: 'refused', reason: 'outside of the pools' },
      { ok: false, why: 'failed', reason: 'ENOSYS' },
      { ok: false, why: 'failed', reason: 'ESRCH' },
    ]);
    await Promise.all(done);
    assert.deepEqual(port.reports(), [
      lost(300, 'refused: outside of the pools'),
      lost(301, 'failed: ENOSYS'),
      lost(302, 'failed: ESRCH'),
    ]);
    assert.deepEqual([port.reports(), port.children().map(({ child }) => child.spiIn), agent.active], [[], [302], 3]);
  });

  it('has the agent remove a child that could not follow its peer: it is there still', async () => {
    const { port, requests } = await serving(300);
    void port.order(move(300));
    await turn();
    requests.pop()?.answer([{ ok: false, why: 'refused', reason: 'path.remote: inside a pool' }]);
    await turn();
    assert.deepEqual(port.reports(), [lost(300, 'refused: path.remote: inside a pool')]);
    void port.order(remove(300));
    await turn();
    assert.deepEqual(requests.pop()?.orders, [remove(300)]);
  });

  it('asks for nothing that concerns a child which is gone already', async () => {
    const { port, requests } = await serving(300);
    port.hear([lost(300, 'expired')]);
    assert.equal(await fate(port.order(move(300))), undefined);
    assert.deepEqual(await fate(port.order(remove(300))), NONE);
    await turn();
    assert.deepEqual(requests, []);
  });

  it('passes on what the agent reports, and says that there is something', async () => {
    const agent = await serving(300);
    const before = agent.active;
    const reports: DataplaneReport[] = [
      { report: 'alive', spiIn: 300 },
      { report: 'expiring', spiIn: 300 },
    ];
    agent.port.hear(reports);
    assert.deepEqual([agent.port.reports(), agent.port.reports(), agent.active - before], [reports, [], 1]);
  });

  it('gives the last word on a child with the answer to its removal, and keeps it in the totals', async () => {
    const { port, requests } = await serving(300, 301);
    port.count([carried(300, 3), carried(301, 4), carried(999, 5)], { XfrmInNoStates: 7 });
    assert.deepEqual([port.traffic(300), port.traffic(999)], [traffic(3), undefined]);
    const done = port.order(remove(300));
    assert.deepEqual(port.traffic(300), traffic(3));
    await turn();
    requests[0]?.answer([{ ok: true, traffic: carried(300, 8) }]);
    assert.deepEqual(await done, traffic(8));
    assert.deepEqual(port.stats(), {
      children: [{ spiIn: 301, ...traffic(4) }],
      totals: { packetsIn: 12, bytesIn: 1_200, packetsOut: 2, bytesOut: 100 },
      drops: { XfrmInNoStates: 7 },
    });
  });

  it('settles when the agent has', async () => {
    const { port, settles } = await serving();
    const settled = port.settle();
    assert.equal(await fate(settled), 'waits');
    settles.at(-1)?.answer();
    assert.equal(await fate(settled), undefined);
  });

  it('goes on after a failure that is a bug, and the child is lost', async () => {
    const { port, requests, failures } = await serving();
    const done = port.order(install(300));
    await turn();
    const bug = new RangeError('a bug');
    requests[0]?.fail(bug);
    assert.equal(await fate(done), undefined);
    assert.deepEqual([failures, port.reports()], [[bug], [lost(300, 'the request came to nothing')]]);
  });
});

describe('the data plane while the agent is away', () => {
  it('is available when an agent has been told of all children, and only then', async () => {
    const agent = new Agent();
    assert.deepEqual([agent.available, agent.port.settle()], [[], undefined]);
    agent.port.welcomed();
    await turn();
    assert.deepEqual(agent.available, []);
    agent.settles[0]?.answer();
    await turn();
    await agent.go();
    assert.deepEqual(agent.available, [true, false]);
  });

  it('is not made available by an agent that went before it was up to date', async () => {
    const agent = new Agent();
    agent.port.welcomed();
    agent.port.lost();
    agent.port.welcomed();
    agent.settles[0]?.answer();
    await turn();
    assert.deepEqual(agent.available, [false]);
    agent.settles[1]?.answer();
    await turn();
    assert.deepEqual(agent.available, [false, true]);
  });

  it('keeps the list of children: those that came, moved and went meanwhile', async () => {
    const agent = await serving(300, 301, 302);
    await agent.go();
    const done = [install(303), move(301), remove(300)].map((order) => agent.port.order(order));
    assert.deepEqual(done, [undefined, undefined, NONE]);
    await turn();
    assert.deepEqual(agent.requests, []);
    const told = await agent.come();
    assert.deepEqual(
      told.map(({ child: { spiIn, path, encapsulated } }) => ({ spiIn, path, encapsulated })),
      [{ spiIn: 301, ...moved }, ...[302, 303].map((spiIn) => ({ spiIn, ...still(spiIn) }))],
    );
  });

  it('tells of a child that may have sent unseen that it has sent, and how far it had come', async () => {
    const agent = await serving(300, 301);
    agent.port.hear([{ report: 'carried', spiIn: 301, sent: 5_000, received: 70 }]);
    await agent.go();
    agent.port.order(install(302));
    const sequences = (told: readonly InstallOrder[]) => told.map(({ child }) => child.sequences);
    assert.deepEqual(sequences(await agent.come()), [
      { sent: 1, received: 0 },
      { sent: 5_000, received: 70 },
      { sent: 0, received: 0 },
    ]);
    await agent.go();
    assert.deepEqual(sequences(await agent.come()).at(-1), { sent: 1, received: 0 });
  });

  it('says which child goes on sending only while that is there', async () => {
    const agent = await serving(300);
    void agent.port.order(install(301, { sendsAfter: 300 }));
    assert.equal(agent.port.children()[1]?.sendsAfter, 300);
    void agent.port.order(remove(300));
    assert.deepEqual('sendsAfter' in (agent.port.children()[0] ?? {}), false);
  });

  it('holds a child that the agent had not answered for until the next agent has it', async () => {
    const agent = await serving(299);
    const done = [install(300), remove(299)].map((order) => agent.port.order(order));
    await turn();
    await agent.go();
    assert.deepEqual([await fate(done[0]), await fate(done[1])], ['waits', NONE]);
    assert.deepEqual(
      (await agent.come()).map(({ child }) => child.spiIn),
      [300],
    );
    assert.equal(await fate(done[0]), undefined);
  });

  it('lets no count fall when a child had to be installed anew', async () => {
    const agent = await serving(300);
    agent.port.count([carried(300, 9)], {});
    await agent.go();
    await agent.come();
    agent.port.count([carried(300, 2)], {});
    assert.deepEqual(agent.port.traffic(300), { packetsIn: 11, bytesIn: 1_100, packetsOut: 2, bytesOut: 100 });
    agent.port.count([carried(300, 3)], {});
    assert.equal(agent.port.stats().totals.packetsIn, 12);
  });

  it('settles at once when the agent goes meanwhile', async () => {
    const agent = await serving();
    const settled = agent.port.settle();
    await agent.go();
    assert.equal(await fate(settled), undefined);
  });
});

const NONE = { packetsIn: 0, bytesIn: 0, packetsOut: 0, bytesOut: 0 };
const still = (spi: number) => {
  const { path, encapsulated } = install(spi).child;
  return { path, encapsulated };
};
