/** One socket, one core and one data plane: from the first message of an attempt to the end of what it led to. */
import type { Selector } from '../contract/dataplane.ts';
import type { DropReason } from '../dataplane/dataplane.ts';
import { UserspaceDataplane } from '../dataplane/userspace.ts';
import type { Connection, HeldTicket } from '../ike/connection.ts';
import { Gateway } from '../ike/gateway.ts';
import type { Instant, Path } from '../ike/sa.ts';
import type { SessionSummary } from '../ike/session-summary.ts';
import type { Event, Input, Output } from '../ike/step.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import { Exchange } from '../ike/wire/registry.ts';
import { splitEndpoint } from '../shell/endpoint.ts';
import { Loop } from '../shell/loop.ts';
import { eapSpeaker } from './authentication.ts';
import { AwaitedChild } from './awaited-child.ts';
import { GatewaySilence } from './gateway-silence.ts';
import { Keepalive } from './keepalive.ts';
import type { ClientSocket } from './ports.ts';
import { Roaming } from './roaming.ts';
import type { SessionEnd, SessionRequest } from './session-request.ts';

/** RFC 7296 §3.1: where a header has its exchange type. */
const EXCHANGE_AT = 18;

export class Session {
  readonly connection: Connection;
  readonly ended: Promise<SessionEnd>;
  readonly #request: SessionRequest;
  #socket: ClientSocket;
  readonly #core: Gateway;
  readonly #dataplane: UserspaceDataplane;
  readonly #loop: Loop;
  readonly #keepalive: Keepalive;
  readonly #roaming: Roaming;
  readonly #end = Promise.withResolvers<SessionEnd>();
  readonly #silence: GatewaySilence;
  readonly #child: AwaitedChild;
  #why: SessionEnd['why'] = 'unanswered';
  #establishedAt: Instant | undefined;
  #remoteTraffic: readonly Selector[] = [];
  #moves = 0;
  #over = false;

  constructor(request: SessionRequest, socket: ClientSocket, connection: Connection) {
    const { ports, observer, options } = request;
    const { crypto, random, clock, after } = ports;
    this.#request = request;
    this.#socket = socket;
    this.connection = connection;
    this.ended = this.#end.promise;
    this.#core = new Gateway({ crypto, random, member: { ordinal: undefined, incarnation: random(16) } });
    this.#dataplane = new UserspaceDataplane({
      ...{ crypto, random, ownAddresses: [], lifetimeBytes: 0, forward: false },
      send: (packet, path) => this.#sendEsp(packet, path),
      deliver: observer.inner,
    });
    this.#silence = new GatewaySilence(ports, {
      ...{ patienceMs: request.patienceMs, deadPeerMs: options.deadPeerMs },
      unanswered: () => this.abandon('unanswered'),
      doubtful: () => this.#askForLife(),
    });
    this.#child = new AwaitedChild(connection.childless, observer.event);
    this.#keepalive = new Keepalive(ports, options.keepaliveMs, () => this.#socket.sendKeepalive(connection.natPath));
    this.#roaming = new Roaming(ports, {
      towards: splitEndpoint(connection.path.remote),
      local: () => splitEndpoint(this.#socket.local).address,
      moved: () => this.#roam(),
    });
    const eap = eapSpeaker(options, ports, (error) => observer.failed(error, 'eap'));
    this.#loop = new Loop({
      ...{ clock, after, dataplane: this.#dataplane, failed: observer.failed },
      core: {
        handle: (input, now) => this.#handle(input, now),
        deadline: () => this.#core.deadline(),
        counts: () => this.#core.counts(),
      },
      send: (bytes, path) => this.#sendIke(bytes, path),
      ask: async () => undefined,
      ...(eap && { eap }),
      observe: (event) => this.#observe(event),
    });
  }

  get localPort(): number {
    return splitEndpoint(this.#socket.local).port;
  }

  begin(ticket: HeldTicket | undefined): void {
    this.#silence.asked();
    this.#loop.handle({ type: 'connect', connection: this.connection, ticket });
  }

  /** Our inner addresses, 4 or 16 bytes each. */
  inner(): readonly Bytes[] {
    return this.summary()?.inner ?? [];
  }

  /** What is known of the session, once it is established. */
  summary(): SessionSummary | undefined {
    return this.#core.sessions().find(({ phase }) => phase === 'established');
  }

  /** What the gateway carries traffic to. */
  remoteTraffic(): readonly Selector[] {
    return this.#remoteTraffic;
  }

  /** Carries an inner packet to the gateway; answers why not. */
  transmit(inner: Bytes): DropReason | undefined {
    const dropped = this.#dataplane.transmit(inner);
    this.#loop.expectReports();
    return dropped;
  }

  /** Ends it: with DELETE, so that its tickets are void (RFC 5723 §6.2), or silently. */
  stop(tell: boolean): void {
    if (!this.#over) this.#loop.handle({ type: 'shutdown', tell });
  }

  /** Ends it whatever state it is in. */
  abandon(why: SessionEnd['why']): void {
    if (this.#over) return;
    this.#over = true;
    this.#loop.stop();
    this.#keepalive.stop();
    this.#roaming.stop();
    this.#silence.stop();
    this.#dataplane.close();
    this.#socket.close();
    this.#end.resolve({ why, establishedAt: this.#establishedAt, silentMs: this.#silence.ms });
  }

  receiveIke(bytes: Bytes, path: Path): void {
    if (!this.#over) this.#loop.handle({ type: 'datagram', path, bytes });
  }

  receiveEsp(packet: Bytes, path: Path): void {
    if (this.#over) return;
    const dropped = this.#dataplane.receive(packet, path);
    if (dropped === undefined) this.#silence.heard();
    this.#loop.expectReports();
  }

  #handle(input: Input, now: Instant): readonly Output[] {
    const outputs = this.#core.handle(input, now);
    if (input.type === 'datagram' || input.type === 'eap-answered') this.#consider(outputs);
    for (const output of outputs) {
      if (output.type === 'dataplane' && output.order.order === 'install') this.#remoteTraffic = output.order.child.remote;
    }
    // After the outputs have been carried out.
    queueMicrotask(() => this.#settle());
    return outputs;
  }

  #consider(outputs: readonly Output[]): void {
    if (outputs.some(({ type }) => type === 'eap')) this.#silence.conversing();
    if (outputs.some((output) => output.type === 'event' && output.event.name === 'dropped')) return;
    if (this.#establishedAt !== undefined) {
      this.#silence.heard();
      return;
    }
    const sent = outputs.filter((output) => output.type === 'send');
    if (sent.length > 0) this.#silence.asked();
    if (sent.some(({ bytes }) => bytes[EXCHANGE_AT] === Exchange.IKE_AUTH)) this.#request.observer.authenticating();
  }

  #observe(event: Event): void {
    if (event.name === 'closed') this.#why = event.why;
    if (event.name === 'moved') this.#moves += 1;
    if (event.name === 'established') this.#establish(event.inner);
    this.#child.observe(event);
  }

  #establish(inner: readonly Bytes[]): void {
    if (this.#request.answersEcho) this.#dataplane.configure({ ownAddresses: inner, lifetimeBytes: 0 });
    this.#establishedAt = this.#request.ports.clock();
    this.#silence.established();
    this.#keepalive.start();
    if (this.#request.options.source === undefined) this.#roaming.start();
  }

  #settle(): void {
    if (this.#over) return;
    const sessions = this.#core.sessions().filter(({ phase }) => phase !== 'gone');
    if (sessions.length === 0) this.abandon(this.#why);
    // RFC 7296 §1.2: an IKE SA may come to be without its child; to a client it is of no use.
    else if (sessions.every(({ phase, children }) => phase === 'established' && children.length === 0)) this.#childless(sessions);
  }

  /** From another address of ours: the session goes along (RFC 4555), or ends so that a ticket brings it back. */
  async #roam(): Promise<void> {
    const { ports, options } = this.#request;
    const { natPath, path } = this.connection;
    const socket = await ports.openSocket({
      ...{ source: undefined, not: undefined, natPort: options.gateway.natPort, towards: splitEndpoint(path.remote) },
      onIke: (bytes, way) => this.receiveIke(bytes, way),
      onEsp: (packet, way) => this.receiveEsp(packet, way),
    });
    if (this.#over) return socket.close();
    this.#socket.close();
    this.#socket = socket;
    const before = this.#moves;
    this.#loop.handle({ type: 'roam', path: { local: socket.local, remote: natPath.remote } });
    if (this.#moves === before) this.abandon('peer dead');
  }

  #childless(sessions: readonly SessionSummary[]): void {
    const next = this.#child.missing();
    if (next === 'give up') {
      this.stop(true);
      this.abandon('no child SA');
    }
    if (next === 'ask') for (const { spi } of sessions) this.#loop.handle({ type: 'want', spi, intent: { kind: 'newChild' } });
  }

  #sendIke(bytes: Bytes, path: Path): void {
    this.#keepalive.sent();
    this.#socket.sendIke(bytes, path);
  }

  #sendEsp(packet: Bytes, path: Path): void {
    this.#keepalive.sent();
    this.#socket.sendEsp(packet, path);
    this.#silence.sent();
  }

  /** RFC 7296 §2.4: traffic that nothing answers is a reason to ask; only the missing answer to that ends the session. */
  #askForLife(): void {
    const session = this.summary();
    if (session) this.#loop.handle({ type: 'want', spi: session.spi, intent: { kind: 'liveness' } });
  }
}
