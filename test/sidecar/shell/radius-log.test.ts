import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import { createLog } from '../../../sidecar/process/log.ts';
import { radiusLog } from '../../../sidecar/shell/radius-log.ts';

function begin() {
  const lines: Readonly<Record<string, unknown>>[] = [];
  const time = { now: 1_000_000 };
  const log = createLog({ level: 'info', base: {}, to: { write: (line: string) => void lines.push(JSON.parse(line)) } });
  return { lines, time, observer: radiusLog(log, () => time.now as Instant) };
}

describe('the log of RADIUS', () => {
  it('says once that a server is silent, and once that it is back', () => {
    const { lines, observer } = begin();
    for (const yes of [false, true, true, false, false]) observer.passedOver('a:1812', yes);
    assert.deepEqual(
      lines.map(({ server, msg }) => [server, msg]),
      [
        ['a:1812', 'the RADIUS server does not answer; the next one is asked'],
        ['a:1812', 'the RADIUS server answers again'],
      ],
    );
  });

  it('says nothing any more of a server that has left the configuration', () => {
    const { lines, observer } = begin();
    observer.passedOver('a:1812', true);
    observer.configured([]);
    observer.passedOver('a:1812', false);
    assert.equal(lines.length, 1);
  });

  it('tells of records that are lost a few times in a minute, and of all that are', () => {
    const { lines, time, observer } = begin();
    for (let lost = 0; lost < 1_000; lost++) observer.lost(1);
    assert.ok(lines.length < 10, `${lines.length}`);
    time.now += 60_000;
    observer.lost(2);
    assert.equal(
      lines.reduce((sum, { records }) => sum + Number(records), 0),
      1_002,
    );
  });
});
