/** What people see, and how the command line is read. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseCommandLine } from '../../../operator/local/command-line.ts';
import { Display } from '../../../operator/local/display.ts';
import { EventLog } from '../../../operator/local/event-log.ts';
import type { Happening } from '../../../operator/local/happening.ts';
import { PodLog } from '../../../operator/local/pod-log.ts';
import { scratch } from '../../harness/scratch.ts';

function shown(...happenings: readonly Happening[]): readonly string[] {
  let text = '';
  const write = (more: string) => {
    text += more;
  };
  const display = new Display({ write, colours: false, columns: undefined }, () => new Date(Date.UTC(2030, 0, 1, 12, 30)));
  for (const happening of happenings) display.show(happening);
  return text.split('\n').slice(0, -1);
}

const condition = {
  event: 'condition',
  object: 'VpnGateway vpn/office',
  status: 'False',
  reason: 'PodsStarting',
  message: '0 of 2',
} as const;

describe('display', { timeout: 10_000 }, () => {
  it('has one line with the time per happening, and one per problem', () => {
    assert.deepEqual(
      shown(
        { event: 'pod', pod: 'office-0', change: 'ready', address: '127.71.0.10' },
        { event: 'refused', file: 'a.yaml', problems: ['a.yaml: spec: missing; add this field'] },
      ),
      [
        '12:30:00 pod office-0 ready at 127.71.0.10',
        '12:30:00 a.yaml refused; what it said before stays in force',
        '12:30:00   a.yaml: spec: missing; add this field',
      ],
    );
  });

  it('says once what a condition, its event and Reconciling say three times', () => {
    const event = {
      event: 'event',
      object: condition.object,
      type: 'Normal',
      reason: 'PodsStarting',
      message: '0 of 2',
      count: 1,
    } as const;
    assert.equal(shown({ ...condition, type: 'Ready' }, { ...condition, type: 'Reconciling', status: 'True' }, event).length, 1);
    assert.equal(shown({ ...condition, type: 'Ready' }, { ...event, message: 'another' }).length, 2);
  });

  it('is free of escape sequences where it is not on a terminal', () => {
    assert.ok(shown({ ...condition, type: 'Stalled', status: 'True' }).every((line) => !line.includes('\x1b')));
  });
});

describe('command line of the local mode', { timeout: 10_000 }, () => {
  it('has a default for everything but the directory', () => {
    assert.deepEqual(parseCommandLine(['examples/quickstart']), {
      do: 'run',
      command: { directory: 'examples/quickstart', json: false, options: {} },
    });
  });

  it('reads what is given', () => {
    const line = parseCommandLine([
      'd',
      '--state',
      's',
      '--affinity',
      'none',
      '--endpoint-delay',
      '500ms',
      '--network',
      '127.80',
      '--json',
    ]);
    assert.deepEqual(line.do === 'run' && line.command, {
      directory: 'd',
      json: true,
      options: { state: 's', affinity: 'None', endpointDelayMs: 500, network: '127.80' },
    });
  });

  it('reports every problem with a remedy', () => {
    const line = parseCommandLine(['--affinity', 'x', '--endpoint-delay', '3', '--network', '10.0']);
    assert.deepEqual(line.do === 'refuse' && line.problems, [
      'name one directory of manifests, for instance examples/quickstart',
      '--affinity: unknown: "x"; write none or ClientIP',
      '--endpoint-delay: not a time: "3"; write for instance 500ms or 3s',
      '--network: not two bytes of the loopback network: "10.0"; write for instance 127.80',
    ]);
  });
});

describe('days of running', { timeout: 10_000 }, () => {
  it('leave no more than two bounded log files per pod', () => {
    const { path } = scratch();
    const file = join(path, 'pod.log');
    const log = new PodLog(file, 100);
    for (let n = 0; n < 50; n += 1) log.write(Buffer.from(`line ${n}\n`));
    log.close();
    assert.ok(readFileSync(file).length <= 100 && readFileSync(`${file}.1`).length <= 100);
    assert.match(readFileSync(file, 'utf8'), /line 49\n$/);
    assert.equal(existsSync(`${file}.2`), false);
  });

  it('leave no more than five hundred events, and count one that comes again', () => {
    let heard = 0;
    const log = new EventLog(() => {
      heard += 1;
    });
    const about = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'office-0', namespace: 'vpn', uid: 'u' } };
    for (let n = 0; n < 700; n += 1) log.add(about, { type: 'Normal', reason: 'R', message: `${n % 600}` }, n);
    assert.equal(heard, 700);
    assert.equal(log.all().length, 500);
    log.add(about, { type: 'Normal', reason: 'R', message: '99' }, 1_000);
    assert.deepEqual([log.all().at(-1)?.count, log.all().length], [2, 500]);
  });
});
