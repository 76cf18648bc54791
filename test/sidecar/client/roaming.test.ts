/** A client that notices that its way to the gateway begins at another address (RFC 4555 §3.5). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClientPorts } from '../../../sidecar/client/ports.ts';
import { Roaming } from '../../../sidecar/client/roaming.ts';

/** `looks`: what the routes say at each look; undefined: there is no way. */
async function roaming(looks: readonly (string | undefined)[], stopAt = looks.length) {
  const [waits, moves]: [(() => void)[], string[]] = [[], []];
  let [local, cancelled] = ['192.0.2.1', 0];
  const rest = [...looks];
  const ports = {
    after: (_: number, run: () => void) => {
      waits.push(run);
      return () => {
        cancelled += 1;
      };
    },
    sourceTowards: async () => rest.shift() ?? Promise.reject(new Error('no route')),
  } as unknown as Pick<ClientPorts, 'after' | 'sourceTowards'>;
  const one = new Roaming(ports, {
    towards: { host: '198.51.100.1', port: 500 } as never,
    local: () => local,
    moved: async () => {
      local = looks[looks.length - rest.length - 1] ?? local;
      moves.push(local);
    },
  });
  one.start();
  for (let look = 0; look < looks.length; look++) {
    if (look === stopAt) one.stop();
    waits[look]?.();
    for (let turn = 0; turn < 6; turn++) await Promise.resolve();
  }
  return { moves, asked: looks.length - rest.length, waiting: waits.length, cancelled };
}

describe('a client that looks where its way to the gateway begins', () => {
  it('moves when that is another address, once for each', async () => {
    const { moves, waiting } = await roaming(['192.0.2.1', '192.0.2.9', '192.0.2.9', '192.0.2.1']);
    assert.deepEqual([moves, waiting], [['192.0.2.9', '192.0.2.1'], 5]);
  });

  it('waits while there is no way at all, and looks again', async () => {
    assert.deepEqual((await roaming([undefined, undefined, '192.0.2.9'])).moves, ['192.0.2.9']);
  });

  it('does not move once it was stopped, not even by a look that was under way', async () => {
    const { moves, cancelled } = await roaming(['192.0.2.1', '192.0.2.9'], 1);
    assert.deepEqual([moves, cancelled], [[], 1]);
  });

  it('never looks where the platform cannot tell', () => {
    const waits: unknown[] = [];
    const after = (_: number, run: () => void) => {
      waits.push(run);
      return () => {};
    };
    new Roaming({ after, sourceTowards: undefined } as never, { local: () => '', moved: async () => {} } as never).start();
    assert.deepEqual(waits, []);
  });
});
