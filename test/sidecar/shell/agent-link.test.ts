/** What the gateway knows of the agent beside it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AgentUser } from '../../../sidecar/shell/agent-link.ts';
import { StandInAgent, welcome } from './stand-in-agent.ts';

function linked() {
  const agent = new StandInAgent();
  let changes = 0;
  const link = agent.link(() => void changes++);
  return { agent, link, changes: () => changes };
}
const heard: string[] = [];
const user = (name: string): AgentUser => ({
  children: () => [],
  welcomed: () => void heard.push(`${name} welcomed`),
  lost: () => void heard.push(`${name} lost`),
  hear: (reports) => void heard.push(`${name} hears ${reports.length}`),
  count: (children, drops) => void heard.push(`${name} counts ${children.length} and ${Object.keys(drops)}`),
});

describe('the link to the agent', () => {
  it('is blocked until an agent has answered, and while none is there', async () => {
    const { agent, link, changes } = linked();
    assert.deepEqual(link.problems(), [{ severity: 'blocking', text: 'no agent: /run/agent.sock: it has not answered yet' }]);
    agent.handlers.lost(new Error('/run/agent.sock: nobody listens there yet'));
    assert.deepEqual(link.problems(), [{ severity: 'blocking', text: 'no agent: /run/agent.sock: nobody listens there yet' }]);
    agent.handlers.welcome(welcome);
    assert.deepEqual([link.present, link.problems(), link.welcome, await link.first], [true, [], welcome, welcome]);
    agent.handlers.lost(new Error('it went'));
    assert.deepEqual([link.present, link.welcome, changes()], [false, welcome, 3]);
  });

  it('counts agents that come after another', () => {
    const { agent, link } = linked();
    assert.equal(link.reconnects, 0);
    for (let time = 0; time < 3; time++) agent.handlers.welcome(welcome);
    assert.equal(link.reconnects, 2);
  });

  it('says what the agent says of its health, as long as that agent is there, and logs each sentence once', () => {
    const { agent, link, changes } = linked();
    agent.handlers.welcome(welcome);
    const [warning, blocking] = [
      { severity: 'warning', text: 'ip_forward is 0' },
      { severity: 'blocking', text: 'no nft_masq' },
    ] as const;
    agent.handlers.health([warning]);
    agent.handlers.health([warning, blocking]);
    assert.deepEqual(link.problems(), [warning, blocking]);
    agent.handlers.health([]);
    assert.deepEqual(
      agent.lines.map(({ level, problem }) => [level, problem]),
      [
        ['warn', 'ip_forward is 0'],
        ['error', 'no nft_masq'],
        ['info', undefined],
      ],
    );
    agent.handlers.health([blocking]);
    agent.handlers.welcome(welcome);
    assert.deepEqual([link.problems(), changes()], [[], 6]);
    agent.handlers.health([blocking]);
    assert.equal(agent.lines.length, 4);
  });

  it('lets whoever uses the agent hear of it, also of one that is there already', () => {
    const { agent, link } = linked();
    agent.handlers.welcome(welcome);
    link.use(user('first'));
    agent.handlers.reports([{ report: 'alive', spiIn: 300 }]);
    agent.handlers.traffic([], { XfrmInNoStates: 1 });
    agent.handlers.lost(new Error('it went'));
    agent.handlers.welcome(welcome);
    assert.deepEqual(heard, [
      'first welcomed',
      'first hears 1',
      'first counts 0 and XfrmInNoStates',
      'first lost',
      'first welcomed',
    ]);
  });
});
