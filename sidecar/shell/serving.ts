/** Everything that serves clients, put together: core, sockets, data plane, loop, and the port for sibling pods. */
import type { GatewayConfig } from '../contract/gateway-config.ts';
import { cryptography } from '../ike/crypto/cryptographies.ts';
import { selfTest } from '../ike/crypto/self-test.ts';
import { Gateway } from '../ike/gateway.ts';
import type { Event } from '../ike/step.ts';
import { type Bytes, hex } from '../ike/wire/bytes.ts';
import type { Log } from '../process/log.ts';
import { bothObservers, type RadiusObserver } from '../radius/observer.ts';
import { Radius } from '../radius/radius.ts';
import { connectUdp, resolveHost } from '../radius/udp.ts';
import type { AgentLink } from './agent-link.ts';
import type { Clock } from './clock.ts';
import type { ServerCredentials } from './credential-files.ts';
import { EapService } from './eap-service.ts';
import { type CreateDataplane, createDataplane, espApart, type GatewayDataplane } from './gateway-dataplane.ts';
import { withLastTraffic } from './last-traffic.ts';
import { localAddresses } from './local-addresses.ts';
import { Loop, systemAfter } from './loop.ts';
import { startPeerServer } from './peers.ts';
import { radiusLog } from './radius-log.ts';
import { pooledRandom } from './random.ts';
import { bindUdp, type Udp } from './udp.ts';
import { reportUdp } from './udp-report.ts';

export interface ServingOptions {
  /** Its ports, cryptography and data plane are taken now and stay; the rest comes with each `configure`. */
  readonly config: GatewayConfig;
  readonly addresses: readonly string[];
  /** Where sibling pods reach us; undefined: at every address. */
  readonly peerHost: string | undefined;
  readonly ordinal: number;
  readonly incarnation: Bytes;
  readonly tun: string | undefined;
  /** Whose first welcome has come; undefined: there is none. */
  readonly agent: AgentLink | undefined;
  /** What its data plane has to say has changed. */
  readonly dataplaneChanged: () => void;
  /** Default: the one that the configuration asks for. */
  readonly createDataplane?: CreateDataplane;
  readonly clock: Clock;
  readonly log: Log;
  readonly ask: (ordinal: number, bytes: Bytes) => Promise<Bytes | undefined>;
  readonly observe: (event: Event) => void;
  /** What becomes of requests to RADIUS servers. */
  readonly radius: RadiusObserver;
  /** A bug outside of the core. */
  readonly failed: (error: unknown, doing: string) => void;
}

export interface Serving {
  readonly core: Gateway;
  readonly loop: Loop;
  readonly udp: Udp;
  readonly dataplane: GatewayDataplane;
  /** What its data plane has to say has changed. */
  changed(): void;
  /** What is beside the core goes by these from now on. */
  configure(config: GatewayConfig, credentials: ServerCredentials): void;
  /** `tell`: peers get a DELETE; else they keep their tickets and come back elsewhere (RFC 5723 §6.2). */
  close(tell: boolean): Promise<void>;
}

/** How long deleted sessions may take to say good-bye. */
const FAREWELL_MS = 500;

/** @throws Error with a remedy when the platform's cryptography is broken or a port cannot be had. */
export async function serve(options: ServingOptions): Promise<Serving> {
  const { config, log, clock, ordinal, incarnation, failed } = options;
  const crypto = cryptography(config.crypto);
  selfTest(crypto);
  log.info({ crypto: crypto.name, provider: crypto.provider }, 'cryptography tested');
  const random = pooledRandom();
  const core = new Gateway({ crypto, random, member: { ordinal, incarnation } });
  const udp = await bindUdp({
    addresses: localAddresses(options.addresses),
    ...{ ikePort: config.listen.ikePort, natPort: config.listen.natPort, espApart: espApart(options) },
  });
  reportUdp(udp, log);
  let available = true;
  const changed = (): void => {
    const is = !dataplane.problems().some(({ severity }) => severity === 'blocking');
    if (is !== available) loop.handle({ type: 'dataplane', available: is });
    available = is;
    options.dataplaneChanged();
  };
  const dataplane = (options.createDataplane ?? createDataplane)({
    ...{ config, crypto, random, tun: options.tun, agent: options.agent },
    send: (packet, path) => udp.sendEsp(packet, path),
    udp,
    active: () => loop.expectReports(),
    changed,
    failed: (error) => failed(error, 'dataplane'),
  });
  const radius = new Radius({
    ports: {
      ...{ clock: () => clock(), after: systemAfter, random, resolve: resolveHost, connect: connectUdp },
      observer: bothObservers(radiusLog(log, clock), options.radius),
    },
    pod: `${ordinal}-${hex(incarnation).slice(0, 12)}`,
    traffic: (spiIn) => dataplane.port.traffic(spiIn),
  });
  const eap = new EapService({
    ...{ random, clock, failed: (error) => failed(error, 'eap') },
    radius,
    missing: (secrets) =>
      log.error(
        { secrets },
        'radius.servers: no such files in --radius-dir; these servers are left out; add them, one line each',
      ),
  });
  const loop = new Loop({
    ...{ core, clock, after: systemAfter, failed },
    dataplane: {
      order: withLastTraffic(dataplane.port, (spiIn, counted, more) => radius.removed(spiIn, counted, more)),
      receive: (packet, path) => dataplane.port.receive(packet, path),
      reports: () => dataplane.port.reports(),
      settle: () => dataplane.port.settle(),
    },
    send: (bytes, path) => udp.sendIke(bytes, path),
    ask: options.ask,
    eap,
    observe(event) {
      radius.observe(event);
      options.observe(event);
    },
  });
  // The first packet from inside may come while the device is set up, the first datagram as soon as someone receives: after all that they need.
  await dataplane.open();
  changed();
  udp.receive({
    onIke: (bytes, path) => loop.handle({ type: 'datagram', path, bytes }),
    onEsp: (packet, path) => loop.receiveEsp(packet, path),
  });
  const peerServer = await startPeerServer(options.peerHost, config.listen.peerPort, (bytes) => loop.answer(bytes));
  log.info({ port: peerServer.port }, 'listening for sibling pods');
  return {
    ...{ core, loop, udp, dataplane, changed },
    configure(next, credentials) {
      dataplane.configure(next);
      eap.configure(next, credentials);
      changed();
    },
    async close(tell) {
      const some = core.counts().established > 0;
      loop.handle({ type: 'shutdown', tell });
      if (tell && some) await new Promise((resolve) => setTimeout(resolve, FAREWELL_MS));
      loop.stop();
      await radius.close();
      // It may use sockets of ours until it has ended.
      await dataplane.close();
      await Promise.all([udp.close(), peerServer.close()]);
    },
  };
}
