/** What serves clients is put together in an order in which nothing can come before what it needs. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { Problem } from '../../../sidecar/contract/agent-protocol.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import type { Event, Input } from '../../../sidecar/ike/step.ts';
import { createLog } from '../../../sidecar/process/log.ts';
import { type CreateDataplane, createDataplane } from '../../../sidecar/shell/gateway-dataplane.ts';
import { radiusLog } from '../../../sidecar/shell/radius-log.ts';
import { type ServingOptions, serve } from '../../../sidecar/shell/serving.ts';
import { config } from '../../harness/policy.ts';

const ADDRESS = '127.83.0.21';
const PORTS = { ikePort: 15_520, natPort: 15_521, httpPort: 0, peerPort: 0 };

function options(create: CreateDataplane, events: Event[], failures: string[]): ServingOptions {
  return {
    ...{ agent: undefined, dataplaneChanged: () => {} },
    ...{ config: config({ listen: PORTS }), addresses: [ADDRESS], peerHost: ADDRESS, createDataplane: create },
    ...{ ordinal: 0, incarnation: new Uint8Array(16), tun: undefined, clock: () => 1_000 as Instant },
    log: createLog({ level: 'silent', base: {} }),
    ask: async () => undefined,
    observe: (event) => void events.push(event),
    radius: radiusLog(createLog({ level: 'silent', base: {} }), () => 1_000 as Instant),
    failed: (_, doing) => void failures.push(doing),
  };
}

describe('a gateway that begins to serve', { timeout: 10_000 }, () => {
  it('survives datagrams and inner packets that come while its data plane is opened, and takes those that come later', async () => {
    const client = createSocket('udp4').bind(0, '127.0.0.1');
    await once(client, 'listening');
    const send = (): void => {
      for (const port of [PORTS.ikePort, PORTS.natPort]) client.send(Uint8Array.of(1, 2, 3, 4, 5), port, ADDRESS);
    };
    const begun = Promise.withResolvers<void>();
    const opened = Promise.withResolvers<void>();
    const events: Event[] = [];
    const failures: string[] = [];
    const serving = serve(
      options(
        (asked) => ({
          ...createDataplane(asked),
          open() {
            asked.active();
            begun.resolve();
            return opened.promise;
          },
        }),
        events,
        failures,
      ),
    );
    await begun.promise;
    send();
    // The sockets hear of them in one of the next turns of the event loop.
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    opened.resolve();
    const { udp, close } = await serving;
    assert.equal(udp.counts().dropped['not-ready'], 2);
    assert.deepEqual([events, failures], [[], []]);
    send();
    while (udp.counts().received < 4) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(events.length, 1, 'one for IKE, the other is ESP');
    client.close();
    await close(false);
  });
});

describe('a gateway whose data plane is not there', { timeout: 10_000 }, () => {
  it('tells the core so, and when that has changed, and nothing when it has not', async () => {
    let problems: readonly Problem[] = [{ severity: 'blocking', text: 'away' }];
    let told = 0;
    const create: CreateDataplane = (asked) => ({ ...createDataplane(asked), problems: () => problems });
    const serving = await serve({
      ...options(create, [], []),
      ...{ addresses: ['127.83.0.22'], peerHost: '127.83.0.22', dataplaneChanged: () => void told++ },
    });
    const inputs: Input[] = [];
    const { core } = serving;
    core.handle = (input) => {
      inputs.push(input);
      return [];
    };
    const say = (...now: readonly Problem[]): void => {
      problems = now;
      serving.changed();
    };
    say({ severity: 'blocking', text: 'still away' });
    say({ severity: 'warning', text: 'slow' });
    say();
    say({ severity: 'blocking', text: 'away again' });
    assert.deepEqual(inputs, [
      { type: 'dataplane', available: true },
      { type: 'dataplane', available: false },
    ]);
    assert.equal(told, 5);
    await serving.close(false);
  });
});
