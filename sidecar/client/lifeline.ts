/** Keeps a session with the gateway: attempt after attempt until one is established, and again when it ends (RFC 5723 §4.3, RFC 7296 §2.4). */
import { formatAddress } from '../contract/address.ts';
import { formatIdentity } from '../contract/identity.ts';
import { NEVER } from '../ike/sa.ts';
import type { Event } from '../ike/step.ts';
import type { Bytes } from '../ike/wire/bytes.ts';
import { splitEndpoint } from '../shell/endpoint.ts';
import { type Attempt, type Failure, NO_OUTAGE, nextAttempt, withFailure } from './attempts.ts';
import type { ClientEvent } from './event.ts';
import { type ClientOptions, dialled } from './options.ts';
import type { ClientPorts } from './ports.ts';
import { prefixesOf } from './prefixes.ts';
import { Redirects } from './redirects.ts';
import { remedyFor, remedyForEnd } from './remedy.ts';
import type { Session } from './session.ts';
import { openSession } from './session-opening.ts';
import type { SessionEnd, SessionObserver } from './session-request.ts';
import type { TicketCustody } from './ticket-custody.ts';

export interface LifelineHooks {
  readonly tell: (event: ClientEvent) => void;
  readonly trace: (event: Event) => void;
  readonly inner: (packet: Bytes) => void;
  /** Answer pings to our inner addresses ourselves. */
  readonly answersEcho: boolean;
}

/** A session that ended sooner was no success: the pauses of the outage before go on. */
const SHORT_LIVED_MS = 10_000;
/** How long an answer to DELETE is worth waiting for. */
const FAREWELL_MS = 2_000;

type Stop = 'delete' | 'silently';

export class Lifeline {
  readonly #options: ClientOptions;
  readonly #ports: ClientPorts;
  readonly #custody: TicketCustody;
  readonly #hooks: LifelineHooks;
  #session: Session | undefined;
  #lastPort: number | undefined;
  readonly #redirects = new Redirects();
  /** The last attempt led to another gateway. */
  #following = false;
  #outage = NO_OUTAGE;
  #lostAt: number | undefined;
  #stop: Stop | undefined;
  #wake = (): void => {};

  constructor(options: ClientOptions, ports: ClientPorts, custody: TicketCustody, hooks: LifelineHooks) {
    this.#options = options;
    this.#ports = ports;
    this.#custody = custody;
    this.#hooks = hooks;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  /** Done when it was stopped, or by the first failure when it is to run `once`; answers what that was. */
  async run(): Promise<string | undefined> {
    this.#custody.take(this.#ports.clock());
    while (!this.#stop) {
      const attempt = nextAttempt(this.#outage, this.#hasTicket(), this.#chance(), this.#options.tempo);
      await this.#pause(attempt.pauseMs);
      if (this.#stop) break;
      const failure = await this.#attempt(attempt);
      if (this.#options.once && !this.#stop && !this.#following) return failure;
      this.#following = false;
    }
    return undefined;
  }

  /** `run` is done soon after: the gateway may answer a DELETE, or not. */
  stop(how: Stop): void {
    this.#stop ??= how;
    const session = this.#session;
    this.#wake();
    if (!session) return;
    const cancel = this.#ports.after(FAREWELL_MS, () => session.abandon('shutdown'));
    session.ended.then(cancel);
    session.stop(how === 'delete');
  }

  /** Answers what became of it, in the end. */
  async #attempt(attempt: Attempt): Promise<string> {
    const watch = new Watch();
    const back = attempt.number > 1 && this.#redirects.giveUp();
    if (back) this.#warn('the gateway that we were sent to does not serve us: back to the one that is configured');
    const session = await this.#open(attempt, watch);
    if (typeof session === 'string') return this.#failed(attempt, 'unanswered', session);
    const began = this.#ports.clock();
    const end = await this.#live(session, attempt);
    if (watch.redirected !== undefined && !this.#stop) return this.#redirected(watch.redirected, session);
    return end.establishedAt === undefined ? this.#unestablished(attempt, watch, began) : this.#lost(end, end.establishedAt);
  }

  /** From its first message to its end. */
  async #live(session: Session, { kind, number }: Attempt): Promise<SessionEnd> {
    this.#session = session;
    this.#lastPort = session.localPort;
    const { local, remote } = session.connection.path;
    if (this.#stop) session.abandon('shutdown');
    else {
      this.#tell({ name: kind === 'full' ? 'connecting' : 'resuming', attempt: number, gateway: remote, local });
      session.begin(kind === 'resumed' ? this.#custody.inHand(this.#ports.clock()) : undefined);
    }
    const end = await session.ended;
    this.#session = undefined;
    return end;
  }

  /** RFC 5685 §3, §7: at the other gateway, at once, with the same credentials and expectations; so many times and no more. */
  #redirected(to: string, session: Session): string {
    const from = session.connection.path.remote;
    this.#lostAt ??= this.#ports.clock();
    this.#custody.take(this.#ports.clock());
    if (!this.#redirects.follow(to, splitEndpoint(from).address, this.#ports.clock())) {
      this.#warn(`sent from gateway to gateway too often, at last by ${from} to ${to}`);
      return this.#failed({ number: this.#outage.attempts + 1 }, 'refused', 'redirected too often');
    }
    this.#outage = NO_OUTAGE;
    this.#following = true;
    this.#tell({ name: 'redirected', from, to });
    return `redirected to ${to}`;
  }

  async #open(attempt: Attempt, watch: Watch): Promise<Session | string> {
    const { answersEcho } = this.#hooks;
    const observer: SessionObserver = {
      event: (event) => this.#observe(event, watch),
      authenticating: () => this.#authenticating(watch),
      inner: this.#hooks.inner,
      failed: (error, doing) => this.#warn(`${doing}: ${messageOf(error)}`),
    };
    try {
      const options = this.#redirects.at(this.#options);
      const request = {
        options,
        redirectedFrom: this.#redirects.from,
        ports: this.#ports,
        observer,
        answersEcho,
        not: this.#lastPort,
      };
      return await openSession({ ...request, patienceMs: attempt.patienceMs, entry: attempt.entry });
    } catch (error) {
      this.#warn(messageOf(error));
      return messageOf(error);
    }
  }

  /**
   * RFC 5723 §4.3.1: a ticket counts as used once an IKE SA was established with it, so a lost attempt is repeated with the same
   * one; if it was only the answer to IKE_AUTH that was lost, the gateway knows and says so.
   */
  #unestablished(attempt: Attempt, { refused }: Watch, began: number): string {
    if (this.#stop) return 'stopped';
    if (refused !== undefined) return this.#failed(attempt, 'refused', refused);
    const waitedMs = this.#ports.clock() - began;
    this.#tell({ name: 'unanswered', attempt: attempt.number, kind: attempt.kind, waitedMs });
    return this.#failed(
      attempt,
      'unanswered',
      `no answer from ${dialled(this.#options.gateway)}; is its address right, is it up, does a firewall drop UDP?`,
    );
  }

  #failed({ number }: Pick<Attempt, 'number'>, failure: Failure, why: string): string {
    this.#outage = withFailure(this.#outage, failure);
    return `attempt ${number}: ${why}`;
  }

  #lost(end: SessionEnd, establishedAt: number): string {
    const now = this.#ports.clock();
    if (this.#stop !== 'silently')
      this.#tell(
        end.why === 'peer dead'
          ? { name: 'dead-peer', detectedAfterMs: end.silentMs }
          : { name: 'closed', why: end.why, remedy: remedyForEnd(end.why) },
      );
    if (this.#stop) return end.why;
    const unsuccessful = end.why !== 'peer dead' && now - establishedAt < SHORT_LIVED_MS;
    this.#outage = unsuccessful ? withFailure(this.#outage, 'refused') : NO_OUTAGE;
    this.#lostAt = now;
    this.#custody.take(now);
    return `the session ended: ${end.why}`;
  }

  #observe(event: Event, watch: Watch): void {
    this.#hooks.trace(event);
    const news = this.#news(event, watch);
    if (news) this.#tell(news);
  }

  /** What an event of the core means to whoever runs the client, if anything. */
  #news(event: Event, watch: Watch): ClientEvent | undefined {
    switch (event.name) {
      case 'established':
        watch.established = true;
        return this.#established(event);
      case 'ticket':
        this.#custody.keep(event.ticket);
        return { name: 'ticket', lifetimeMs: event.ticket.expiresAt - this.#ports.clock() };
      case 'ticket-void':
        this.#custody.discard();
        watch.authenticating = false;
        return watch.established ? { name: 'ticket-void', why: event.why } : { name: 'nacked', why: event.why };
      case 'refused':
        return this.#refused(event, watch);
      case 'moved':
        return { name: 'moved', from: event.from, to: event.path.local };
      case 'redirected':
        watch.redirected = event.to;
        return undefined;
      case 'ike-rekeyed':
        return { name: 'rekeyed', what: 'ike' };
      case 'child-rekeyed':
        return { name: 'rekeyed', what: 'child' };
      case 'internal-error':
        return { name: 'warning', message: `a bug of this program ended the session: ${messageOf(event.error)}` };
      default:
        return undefined;
    }
  }

  #refused({ by, exchange, notify, reason }: Extract<Event, { name: 'refused' }>, watch: Watch): ClientEvent {
    const remedy = remedyFor({ by, notify, reason });
    watch.refused = `${exchange} refused with ${notify}: ${reason}${remedy === undefined ? '' : `; ${remedy}`}`;
    return { name: 'refused', by, exchange, notify, reason, remedy };
  }

  #established(event: Extract<Event, { name: 'established' }>): ClientEvent {
    this.#custody.used();
    const { kind, roundTrips = 0, keyExchanges, durationMs, inner, path, remote, spiI, spiR } = event;
    const outageMs = this.#lostAt === undefined ? undefined : this.#ports.clock() - this.#lostAt;
    const addresses = { inner: inner.map(formatAddress), routes: this.#session?.remoteTraffic().flatMap(prefixesOf) ?? [] };
    const ends = { gateway: path.remote, local: path.local, remoteId: formatIdentity(remote), spiI, spiR };
    const { postQuantum, resolvers } = event;
    const names = { dns: resolvers?.servers.map(formatAddress) ?? [], domains: resolvers?.domains ?? [] };
    const trust = { gatewayProof: this.#gatewayProof(kind), postQuantum, reauthenticateInMs: this.#reauthenticateInMs() };
    const cost = { roundTrips, keyExchanges, durationMs, outageMs };
    return { name: 'established', kind, ...cost, ...addresses, ...names, ...trust, ...ends };
  }

  #gatewayProof(kind: 'full' | 'resumed'): Extract<ClientEvent, { name: 'established' }>['gatewayProof'] {
    if (kind === 'resumed') return 'ticket';
    if (this.#session?.summary()?.certificate) return 'certificate';
    return this.#options.authentication.method === 'psk' ? 'pre-shared key' : 'EAP';
  }

  #reauthenticateInMs(): number | undefined {
    const by = this.#session?.summary()?.reauthenticateBy ?? NEVER;
    return by === NEVER ? undefined : by - this.#ports.clock();
  }

  #authenticating(watch: Watch): void {
    if (!watch.authenticating) this.#tell({ name: 'half-open', gateway: dialled(this.#options.gateway) });
    watch.authenticating = true;
  }

  async #pause(ms: number): Promise<void> {
    if (ms === 0) return;
    this.#tell({ name: 'waiting', waitMs: ms });
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#ports.after(ms, resolve);
    this.#wake = resolve;
    await promise;
    cancel();
  }

  #hasTicket(): boolean {
    return this.#custody.inHand(this.#ports.clock()) !== undefined;
  }

  #chance(): number {
    const [high = 0, low = 0] = this.#ports.random(2);
    return (high * 256 + low) / 65_536;
  }

  #tell(event: ClientEvent): void {
    this.#hooks.tell(event);
  }

  #warn(message: string): void {
    this.#tell({ name: 'warning', message });
  }
}

/** What was seen of one attempt. */
class Watch {
  authenticating = false;
  established = false;
  refused: string | undefined;
  redirected: string | undefined;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
