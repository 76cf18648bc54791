/** The gateway as a process: waits for its files, serves, reloads them while it serves, and says what is true of it. */
import type { Problem } from '../contract/agent-protocol.ts';
import type { GatewayConfig } from '../contract/gateway-config.ts';
import { connectAgent } from '../dataplane/agent/connect-agent.ts';
import type { Policy } from '../ike/context.ts';
import { hex } from '../ike/wire/bytes.ts';
import { type HttpServer, startHttpServer } from '../process/http-server.ts';
import type { Log } from '../process/log.ts';
import { RateLimit } from '../process/rate-limit.ts';
import { Readiness } from '../process/readiness.ts';
import { AgentLink, type ConnectAgent } from './agent-link.ts';
import { type Clock, systemClock } from './clock.ts';
import { eventLog } from './event-log.ts';
import { GatewayMetrics } from './gateway-metrics.ts';
import { gatewayRoutes } from './gateway-routes.ts';
import type { SidecarOptions } from './options.ts';
import { type InForce, PolicyFiles } from './policy-files.ts';
import { pooledRandom } from './random.ts';
import { restartNeeds } from './restart-needs.ts';
import { type Serving, serve } from './serving.ts';
import { SiblingPods } from './sibling-pods.ts';

/** A sibling that lies about its key ring must not hold us for ever. */
const LONGEST_CATCH_UP_MS = 120_000;
const CATCH_UP_MS = 1_000;
/** An agent that is started anew is back by then, even with the pause of a kubelet before its second attempt, and the kernel has carried on meanwhile; a pod that is not ready loses all its flows at once. */
const GRACE_MS = 15_000;

export interface SidecarPorts {
  readonly connect?: ConnectAgent;
  readonly graceMs?: number;
}

export class Sidecar {
  readonly #options: SidecarOptions;
  readonly #log: Log;
  readonly #clock: Clock = systemClock();
  /** A bug that every datagram meets must not fill the disk. */
  readonly #bugs = new RateLimit(20, 10_000);
  readonly #incarnation = pooledRandom()(16);
  readonly #readiness = new Readiness();
  #saidReady = false;
  readonly #metrics: GatewayMetrics;
  readonly #siblings: SiblingPods;
  readonly #files: PolicyFiles;
  readonly #firstConfig = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #agent: AgentLink | undefined;
  readonly #graceMs: number;
  /** Until the pod is not ready for what its data plane says; undefined: it says nothing, or the time is over. */
  #grace: NodeJS.Timeout | undefined;
  #carried = false;
  #serving: Serving | undefined;
  #http: HttpServer | undefined;
  #began: GatewayConfig | undefined;
  #policy: Policy | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: SidecarOptions, log: Log, { connect = connectAgent, graceMs = GRACE_MS }: SidecarPorts = {}) {
    this.#graceMs = graceMs;
    this.#options = options;
    this.#log = log;
    this.#siblings = new SiblingPods(options.ordinal);
    this.#metrics = new GatewayMetrics(options.version, () => this.#state());
    this.#hinder('files', 'the files are not loaded yet');
    this.#hinder('serving', 'the ports are not open yet');
    this.#agent =
      options.agent === undefined
        ? undefined
        : new AgentLink({
            ...{ connect, path: options.agent, incarnation: this.#incarnation, log },
            changed: () => (this.#serving ? this.#serving.changed() : this.#heedDataplane()),
          });
    this.#heedDataplane();
    this.#hinder('siblings', 'the sibling pods were not asked for their key ring yet');
    this.#files = new PolicyFiles(options.paths, log, {
      changed: (inForce) => this.#configure(inForce),
      looked: (role, outcome) => {
        if (outcome !== 'missing') this.#metrics.reloaded(role, outcome);
        this.#sayWhatIsMissing();
        if (this.#files.config) this.#firstConfig.resolve();
      },
    });
  }

  /** Done when it serves. @throws Error with a remedy when it never can: a port that is taken, broken cryptography. */
  async start(): Promise<void> {
    if (this.#options.http.port !== undefined) await this.#startHttp(this.#options.http.port);
    await this.#files.look();
    await this.#firstConfig.promise;
    const config = this.#files.config;
    if (this.#closing || !config) return;
    await this.#serve(config);
  }

  /** Where it listens; undefined before it does. For tests, which let the system choose. */
  get ports(): { readonly http: number; readonly udp: Serving['udp']['locals'] } | undefined {
    return this.#http && this.#serving && { http: this.#http.port, udp: this.#serving.udp.locals };
  }

  /** In good order. Holders of tickets are told nothing, so that they come back with these at a sibling. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#firstConfig.resolve();
    this.#ended.resolve();
    clearTimeout(this.#grace);
    this.#files.close();
    await this.#serving?.close(this.#policy?.config.tickets.enabled === false);
    this.#siblings.close();
    await Promise.all([this.#http?.close(), this.#agent?.connection.close()]);
  }

  async #serve(config: GatewayConfig): Promise<void> {
    if (!this.#http) await this.#startHttp(config.listen.httpPort);
    await this.#siblings.configure(config);
    await Promise.race([this.#agent?.first, this.#ended.promise]);
    if (this.#closing) return;
    const write = eventLog(this.#log, this.#clock);
    this.#serving = await serve({
      config,
      addresses: this.#options.addresses,
      peerHost: this.#options.http.host,
      ordinal: this.#options.ordinal,
      incarnation: this.#incarnation,
      tun: this.#options.tun,
      agent: this.#agent,
      dataplaneChanged: () => this.#heedDataplane(),
      clock: this.#clock,
      log: this.#log,
      radius: this.#metrics.radius,
      ask: (ordinal, bytes) => this.#siblings.ask(ordinal, bytes),
      observe: (event) => {
        write(event);
        this.#metrics.events.observe(event);
      },
      failed: (error, doing) => {
        this.#metrics.events.failed();
        const heldBack = this.#bugs.pass(this.#clock());
        if (heldBack !== undefined) this.#log.error({ err: error, doing, heldBack }, 'internal error');
      },
    });
    this.#began = config;
    this.#hinder('serving', undefined);
    const { inForce } = this.#files;
    if (inForce) this.#configure(inForce);
  }

  #configure({ policy, servers }: InForce): void {
    if (!this.#serving || !this.#began) return;
    const first = this.#policy === undefined;
    this.#policy = policy;
    for (const need of restartNeeds(this.#began, policy.config))
      this.#log.warn({ field: need }, 'changed, which takes effect at the next start');
    if (!first) void this.#siblings.configure(policy.config);
    this.#serving.configure(policy.config, servers);
    this.#serving.loop.handle({ type: 'configure', policy });
    this.#metrics.events.useKeys(policy.ring.keys.map(({ id }) => hex(id)));
    this.#log.info({ config: policy.config.generation, keyRing: policy.ring.generation }, 'configured');
    if (first) void this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    // The core begins with questions about its addresses, and takes no client before they are answered.
    await this.#siblings.settled();
    const giveUpAt = this.#clock() + LONGEST_CATCH_UP_MS;
    for (;;) {
      const ahead = this.#policy ? await this.#siblings.ahead(this.#policy.ring) : [];
      if (this.#closing) return;
      if (ahead.length === 0 || this.#clock() >= giveUpAt) break;
      this.#hinder('siblings', `sibling pods have a later key ring: ${ahead.join(', ')}; ours will be updated soon`);
      await new Promise((resolve) => setTimeout(resolve, CATCH_UP_MS));
    }
    this.#hinder('siblings', undefined);
  }

  /** Whichever reason is the last one to go: the log says when this pod begins to serve, and when it does no more. */
  #hinder(name: string, reason: string | undefined): void {
    this.#readiness.set(name, reason);
    const { ready } = this.#readiness;
    if (ready === this.#saidReady) return;
    // The first reasons come before anything could be ready.
    if (ready && !this.#policy) return;
    this.#saidReady = ready;
    if (ready) this.#log.info('ready');
    else this.#log.warn({ reasons: this.#readiness.reasons() }, 'not ready');
  }

  #problems(): readonly Problem[] {
    return this.#serving?.dataplane.problems() ?? this.#agent?.problems() ?? [];
  }

  /** What is in the way is told to the core and in the status at once, and makes the pod not ready when it stays. */
  #heedDataplane(): void {
    const blocking = this.#blocking();
    const hinders = blocking !== undefined && !this.#carried;
    if (!blocking || hinders) {
      clearTimeout(this.#grace);
      this.#grace = undefined;
      this.#hinder('dataplane', blocking);
    } else
      this.#grace ??= setTimeout(() => {
        this.#carried = false;
        this.#heedDataplane();
      }, this.#graceMs).unref();
    if (!blocking && this.#serving) this.#carried = true;
  }

  #blocking(): string | undefined {
    const blocking = this.#problems().filter(({ severity }) => severity === 'blocking');
    return blocking.map(({ text }) => text).join('; ') || undefined;
  }

  #sayWhatIsMissing(): void {
    const missing = this.#files.missing();
    this.#hinder(
      'files',
      missing.length === 0 && this.#files.inForce ? undefined : missing.join('; ') || 'the files are not loaded yet',
    );
  }

  async #startHttp(port: number): Promise<void> {
    const routes = gatewayRoutes({
      version: this.#options.version,
      ordinal: this.#options.ordinal,
      incarnation: hex(this.#incarnation),
      podUid: this.#options.podUid,
      readiness: this.#readiness,
      policy: () => this.#policy,
      counts: () => this.#counts(),
      sessions: () => this.#serving?.core.sessions() ?? [],
      faults: () => this.#files.faults(),
      dataplane: () => this.#serving?.dataplane.kind ?? this.#agent?.welcome?.dataplane ?? 'none',
      problems: () => this.#problems(),
      metrics: () => this.#metrics.render(),
    });
    this.#http = await startHttpServer({ host: this.#options.http.host, port, routes, log: this.#log });
    this.#log.info({ port: this.#http.port }, 'listening for probes and metrics');
  }

  #counts(): { readonly established: number; readonly halfOpen: number } {
    return this.#serving?.core.counts() ?? { established: 0, halfOpen: 0 };
  }

  #state(): Parameters<GatewayMetrics['refresh']>[0] {
    const { udp, dataplane } = this.#serving ?? {};
    return {
      policy: this.#policy,
      counts: this.#counts(),
      udp: udp?.counts(),
      receiveBufferBytes: udp?.buffers().receive,
      esp: dataplane?.port.stats(),
      dataplane: dataplane?.kind,
      dataplaneProblems: this.#problems(),
      agentReconnects: this.#agent?.reconnects,
      ready: this.#readiness.ready,
    };
  }
}
