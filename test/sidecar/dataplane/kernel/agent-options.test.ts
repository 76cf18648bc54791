/** The command line of the agent: every problem at once, each with its remedy. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseCommandLine } from '../../../../sidecar/dataplane/kernel/agent-options.ts';

const parse = (...args: readonly string[]) => parseCommandLine(args, { uid: 1000 });
const needed = ['--config', '/c/dataplane.yaml', '--socket', '/run/agent.sock'];

describe('the command line of the agent', () => {
  it('needs a configuration and a socket, and nothing else', () => {
    assert.deepEqual(parse(...needed), {
      do: 'run',
      options: {
        ...{ config: '/c/dataplane.yaml', socket: '/run/agent.sock', socketMode: 0o600, allowUids: [1000] },
        ...{ orphanGraceMs: 60_000, logLevel: 'info', metrics: undefined },
      },
    });
  });

  it('takes users, the mode of the socket, a grace and an address for metrics', () => {
    const all = ['--socket-mode', '0660', '--allow-uid', '65532', '--allow-uid', '1000', '--orphan-grace', '5m'];
    const line = parse(...needed, ...all, '--metrics-address', '[::]:8082', '--log-level', 'debug');
    assert.ok(line.do === 'run');
    const { socketMode, allowUids, orphanGraceMs, metrics, logLevel } = line.options;
    assert.deepEqual([socketMode, allowUids, orphanGraceMs, logLevel], [0o660, [1000, 65_532], 300_000, 'debug']);
    assert.deepEqual(metrics, { host: '::', port: 8082 });
  });

  it('tells every problem', () => {
    const wrong = ['--socket-mode', '0666', '--allow-uid', 'root', '--orphan-grace', '5', '--metrics-address', 'localhost:1'];
    assert.deepEqual(parse(...wrong, '--log-level', 'loud'), {
      do: 'refuse',
      problems: [
        '--config is missing; name the file',
        '--socket is missing; name the path',
        '--socket-mode: neither 0600 nor 0660: "0666"; others than user and group have no business here',
        '--allow-uid: not a user id: "root"; write a number, such as that of runAsUser',
        '--orphan-grace: not a span of time up to 24h: "5"; write for instance 30s or 5m',
        '--log-level: unknown: "loud"; write one of trace, debug, info, warn, error, fatal, silent',
        '--metrics-address: not an IP address with a port: "localhost:1"; write for instance 127.0.0.1:8082 or [::]:8082',
      ],
    });
    assert.deepEqual(parse('--no-such-flag'), { do: 'refuse', problems: ["Unknown option '--no-such-flag'"] });
  });

  it('is explained by the program', () => {
    const main = join(import.meta.dirname, '../../../../sidecar/dataplane/kernel/main.ts');
    const run = (...args: readonly string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
    assert.match(run('--help').stdout, /^usage: node sidecar\/dataplane\/kernel\/main\.ts --config FILE --socket PATH/);
    const refused = run();
    assert.deepEqual([refused.status, refused.stderr.split('\n')[0]], [2, '--config is missing; name the file']);
  });
});
