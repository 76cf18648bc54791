/** The last count of a child before it goes, whether the data plane knows it at once or later. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Dataplane, LastTraffic, Traffic } from '../../../sidecar/dataplane/dataplane.ts';
import { withLastTraffic } from '../../../sidecar/shell/last-traffic.ts';

const traffic = (packetsIn: number): Traffic => ({ packetsIn, bytesIn: 0, packetsOut: 0, bytesOut: 0 });
const remove = { order: 'remove', spiIn: 300 } as const;

/** What is told of a child of which three packets are known, when its removal is answered so. */
function told(answer: () => ReturnType<Dataplane['order']>) {
  const heard: { spiIn: number; counted: Traffic; more: Promise<Traffic> | undefined }[] = [];
  const known = new Map([[300, traffic(3)]]);
  const port = { order: answer, traffic: (spiIn: number) => known.get(spiIn) };
  const order = withLastTraffic(port, (spiIn, counted, more) => void heard.push({ spiIn, counted, more }));
  return { heard, order };
}

describe('the last traffic of a child', () => {
  it('is what is known before the removal, or what the removal answers', () => {
    for (const [answer, packets] of [
      [undefined, 3],
      [traffic(5), 5],
    ] as const) {
      const { heard, order } = told(() => answer as LastTraffic);
      order(remove);
      assert.deepEqual(heard, [{ spiIn: 300, counted: traffic(packets), more: undefined }]);
    }
  });

  it('is followed by what a later answer says, if that comes', async () => {
    for (const [answer, packets] of [
      [Promise.resolve(traffic(5)), 5],
      [Promise.resolve(), 3],
      [Promise.reject(new Error('away')), 3],
    ] as const) {
      const { heard, order } = told(() => answer);
      void Promise.resolve(order(remove)).catch(() => {});
      assert.deepEqual([heard[0]?.counted, await heard[0]?.more], [traffic(3), traffic(packets)]);
    }
  });

  it('is not told of a child that was not there, nor of other orders', () => {
    const { heard, order } = told(() => {});
    order({ order: 'remove', spiIn: 301 });
    order({ order: 'move', spiIn: 300, path: { local: '', remote: '' }, encapsulated: true });
    assert.deepEqual(heard, []);
  });
});
