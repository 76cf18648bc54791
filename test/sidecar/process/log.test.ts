/** Logs, readiness and limits that any process of ours uses. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Secret } from '../../../sidecar/contract/secret.ts';
import { createLog, type LogLevel } from '../../../sidecar/process/log.ts';
import { RateLimit } from '../../../sidecar/process/rate-limit.ts';
import { Readiness } from '../../../sidecar/process/readiness.ts';

function logged(level: LogLevel, write: (log: ReturnType<typeof createLog>) => void): readonly Record<string, unknown>[] {
  const lines: string[] = [];
  write(createLog({ level, base: { ordinal: 1 }, to: { write: (line) => void lines.push(line) } }));
  return lines.map((line) => JSON.parse(line));
}

describe('the log', () => {
  it('is one JSON object per line, with the level as a word and the time in ISO 8601', () => {
    const [line] = logged('info', (log) => log.info({ a: 1 }, 'hello'));
    assert.match(String(line?.['time']), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.deepEqual({ ...line, time: '' }, { level: 'info', time: '', ordinal: 1, a: 1, msg: 'hello' });
  });

  it('leaves out what is below its level', () => {
    assert.equal(logged('warn', (log) => log.info('hello')).length, 0);
  });

  it('prints no secret, neither a Secret nor a field with the name of one', () => {
    const text = JSON.stringify(
      logged('info', (log) => {
        const secret = new Secret(new TextEncoder().encode('hunter2'));
        log.info({ anything: secret, deep: { in: [secret] }, psk: 'hunter2', sa: { skD: 'hunter2', keys: 'hunter2' } }, 'told');
      }),
    );
    assert.doesNotMatch(text, /hunter2|104,117/);
    assert.match(text, /\[secret\]/);
  });
});

describe('a rate limit', () => {
  it('passes so many per span, and tells afterwards how many it held back', () => {
    const limit = new RateLimit(2, 1_000);
    assert.deepEqual(
      [0, 1, 2, 3, 999].map((now) => limit.pass(now)),
      [0, 0, undefined, undefined, undefined],
    );
    assert.deepEqual(
      [1_000, 1_001, 1_002].map((now) => limit.pass(now)),
      [3, 0, undefined],
    );
    assert.equal(limit.pass(5_000), 1);
    assert.equal(limit.pass(9_000), 0);
  });
});

describe('readiness', () => {
  it('is given when no reason is left', () => {
    const readiness = new Readiness();
    assert.equal(readiness.ready, true);
    readiness.set('files', 'no key ring');
    readiness.set('ports', 'not open');
    readiness.set('files', 'no configuration');
    assert.deepEqual(readiness.reasons(), ['no configuration', 'not open']);
    readiness.set('files', undefined);
    readiness.set('ports', undefined);
    assert.equal(readiness.ready, true);
  });
});
