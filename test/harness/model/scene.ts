/** Performs a schedule: the world, the operator, the subscribers and the ledger together; checks as it goes, and at the end. */
import assert from 'node:assert/strict';
import type { Intent } from '../../../sidecar/ike/established.ts';
import { inPhase, later } from '../../../sidecar/ike/sa.ts';
import type { SaTable } from '../../../sidecar/ike/sa-table.ts';
import type { Event, Input, Output } from '../../../sidecar/ike/step.ts';
import { hex } from '../../../sidecar/ike/wire/bytes.ts';
import { below, pick, type Random, seeded } from '../random.ts';
import { type Node, World } from '../world.ts';
import { checkNodes, checkPeace, isCalm } from './invariants.ts';
import { Ledger } from './ledger.ts';
import { checkIvs, Packets } from './nonces.ts';
import { Operator } from './operator.ts';
import type { Action, Schedule, Side, Want } from './schedule.ts';
import { connectionTerms, gatewayConfig } from './settings.ts';
import { Subscriber } from './subscriber.ts';
import { Transcript } from './transcript.ts';

/** Longer than a dead peer, a lease and a refused rekey take to be over. */
const SETTLE_MS = 150_000;
/** Time for everything that may come before a session in fair weather. */
const CONNECT_MS = 6_000;

/** Runs it from start to end and answers all that came out of every gateway and client. @throws AssertionError */
export function perform(schedule: Schedule, table?: () => SaTable): readonly string[] {
  const scene = new Scene(schedule, table);
  for (const action of schedule.actions) scene.act(action, action.wait);
  scene.settle();
  scene.everybodyComes();
  scene.everybodyComesBack();
  scene.everybodyLeaves();
  checkIvs(scene.world.sent);
  return scene.transcript.lines;
}

/** What each action does; one that is forgotten does not compile. */
type Deeds = { readonly [D in Action['do']]: (action: Extract<Action, { do: D }>) => void };

class Scene {
  readonly world: World;
  readonly operator: Operator;
  readonly ledger: Ledger;
  readonly people: readonly Subscriber[];
  readonly transcript: Transcript;
  readonly #random: Random;
  readonly #packets = new Packets();
  readonly #pods: number;
  readonly #deeds: Deeds = {
    connect: ({ client }) => this.#person(client).connect(),
    leave: ({ client, tell, keep }) => this.#person(client).leave(tell, keep),
    roam: ({ client }) => this.#person(client).roam(),
    rebind: ({ client }) => this.#person(client).rebind(),
    want: (action) => this.#want(this.#person(action.client), action),
    traffic: ({ client }) => this.#traffic(this.#person(client)),
    lose: (action) => this.#lose(this.#person(action.client), action.side),
    carry: ({ pod, available }) => this.#withPod(pod, (one) => this.world.do(one, { type: 'dataplane', available })),
    kill: ({ pod }) => this.#withPod(pod, (one) => this.world.kill(one)),
    restart: ({ pod }) => this.#restart(pod % this.#pods),
    'shut down': ({ pod, tell }) => this.#withPod(pod, (one) => this.world.do(one, { type: 'shutdown', tell })),
    spread: ({ how }) => this.#spread(how),
    weather: (weather) => this.#weather(weather),
    rotate: () => this.operator.rotate(),
    load: ({ pod }) => this.#withPod(pod, (one) => this.operator.load(one)),
    revoke: ({ what, client }) => this.operator.revoke(what, this.#person(client).identity),
    pardon: () => this.operator.pardon(),
    jump: ({ ms }) => {
      this.world.now = later(this.world.now, ms);
      this.operator.upheaval += ms; // what was under way still is
    },
  };

  constructor({ setting }: Schedule, table: (() => SaTable) | undefined) {
    const { seed, pods, clients, nat } = setting;
    this.#random = seeded(seed + 1_000_000);
    this.#pods = pods;
    this.world = new World(seed);
    if (table) this.world.table = table;
    const terms = connectionTerms(setting);
    this.people = Array.from({ length: clients }, (_, number) => new Subscriber(this.world, number, terms, nat));
    const users = new Map(this.people.map(({ identity, psk }) => [hex(identity.data), psk]));
    this.operator = new Operator(this.world, gatewayConfig(setting), users);
    this.ledger = new Ledger(this.world, this.operator);
    this.world.watch = (node, input, outputs) => this.#watch(node, input, outputs);
    this.transcript = new Transcript(this.world);
    for (let ordinal = 0; ordinal < pods; ordinal++) this.#start(ordinal);
    this.world.run(100);
    if (!setting.connected) return;
    for (const person of this.people) person.connect();
    this.world.run(100);
  }

  act(action: Action, wait: number): void {
    if (wait > 0) this.world.run(wait);
    (this.#deeds[action.do] as (action: Action) => void)(action);
    checkNodes(this.world);
  }

  /** The weather clears, what is dead is forgotten, what is under way comes to its end. */
  settle(): void {
    this.world.wire = () => [1];
    this.world.words = () => 1;
    this.world.forgetFlows();
    if (this.world.pods().length === 0) this.#start(0);
    this.operator.loadAll();
    for (const pod of this.world.pods()) this.world.do(pod, { type: 'dataplane', available: true });
    this.world.run(SETTLE_MS);
    this.#calmDown();
    checkPeace(this.world);
  }

  /** Whoever has no session gets one: by a ticket when it has a good one, else in full. */
  everybodyComes(): void {
    for (const person of this.people) if (person.node.sessions().length === 0) this.#comes(person);
    this.#calmDown();
    checkPeace(this.world);
  }

  /** And again, whatever pod it reaches. */
  everybodyComesBack(): void {
    for (let round = 0; round < 2; round++) {
      this.#spread('per flow');
      for (const person of this.people) this.#comes(person);
    }
    this.world.run(SETTLE_MS);
    this.#calmDown();
    checkPeace(this.world);
  }

  everybodyLeaves(): void {
    for (const person of this.people) person.leave(true, false);
    this.world.run(SETTLE_MS);
    checkPeace(this.world);
    for (const pod of this.world.pods()) assert.equal(pod.gateway.sessions().length, 0);
  }

  #comes(person: Subscriber): void {
    const [before] = person.node.sessions();
    const shortLived = person.hand !== undefined && this.ledger.isShortLived(person.hand.ticket, CONNECT_MS);
    person.connect();
    const verdicts = shortLived ? [] : this.world.pods().map((pod) => this.#verdict(person, pod));
    this.world.run(CONNECT_MS);
    if (shortLived && person.node.sessions().length === 0) this.#comesInFull(person);
    const [session, ...others] = person.node.sessions();
    assert(session && others.length === 0, `${person.node.name} cannot connect`);
    if (!shortLived && verdicts.every((one) => one === 'good'))
      assert.equal(session.kind, 'resumed', 'a good ticket was refused');
    if (!shortLived && verdicts.every((one) => one === 'bad'))
      assert.equal(session.kind, 'full', 'a ticket that is no good was taken');
    assert(session.children.length > 0, `${person.node.name} has no child`);
    if (session.kind === 'resumed' && before) this.#hasGone(before.spiR);
  }

  /** The gateway had to end what came of the ticket. */
  #comesInFull(person: Subscriber): void {
    assert.equal(person.hand, undefined, 'the gateway deleted the SA: its ticket is void');
    person.connect();
    this.world.run(CONNECT_MS);
  }

  /** RFC 5723 §4.3.4: the old SA, if it was alive, has gone silently, wherever it was. */
  #hasGone(spiR: string): void {
    const all = this.world.pods().flatMap((pod) => pod.sessions());
    assert(!all.some((one) => one.spiR === spiR), 'a session was resumed, and lives on as well');
  }

  #verdict({ presented }: Subscriber, pod: Node): 'good' | 'bad' | 'either' {
    const known = presented && this.ledger.read(presented.ticket);
    if (!known || this.ledger.faults(known, pod).size > 0) return 'bad';
    return this.ledger.mayBeSpent(known, pod) ? 'either' : 'good';
  }

  #calmDown(): void {
    for (let tries = 0; !isCalm(this.world); tries++) {
      assert(tries < 400, 'the world does not come to rest');
      this.world.run(250);
    }
  }

  #person(number: number): Subscriber {
    const person = this.people[number % this.people.length];
    assert(person);
    return person;
  }

  #withPod(number: number, change: (pod: Node) => void): void {
    const pod = this.world.nodes.get(`pod-${number % this.#pods}`);
    if (pod?.alive) change(pod);
  }

  #restart(ordinal: number): void {
    this.#withPod(ordinal, (pod) => this.world.kill(pod));
    this.#start(ordinal);
  }

  /** A pod waits with its first Ready until it has loaded what its siblings have. */
  #start(ordinal: number): void {
    this.operator.load(this.world.pod(ordinal));
    this.world.forgetFlows();
  }

  #spread(how: Extract<Action, { do: 'spread' }>['how']): void {
    this.world.forgetFlows();
    const seed = below(this.#random, 1_000);
    this.world.balance = ({ from, port }, pods) => {
      if (how === 'one pod') return pods[seed % pods.length];
      if (how === 'per port') return pods[(seed + Number(port)) % pods.length];
      return pods.length === 0 ? undefined : pick(seeded(seed + from.length * 31 + Number(port) + sum(from)), pods);
    };
  }

  #weather({ lost, doubled, late }: Extract<Action, { do: 'weather' }>): void {
    const percent = (): number => below(this.#random, 100);
    const delay = (): number => 1 + below(this.#random, late + 1);
    this.world.words = () => 1 + below(this.#random, Math.ceil(late / 20) + 1);
    this.world.wire = () => {
      if (percent() < lost) return [];
      return percent() < doubled ? [delay(), delay()] : [delay()];
    };
  }

  #traffic(person: Subscriber): void {
    const [session] = person.node.sessions();
    const pod = session && this.#podOf(session.spiR);
    const mirror = pod?.sessions().find(({ spiI, spiR }) => spiI === session?.spiI && spiR === session?.spiR);
    for (const spiIn of pod && mirror ? mirror.children : []) this.#carry(pod as Node, spiIn);
    for (const spiIn of session?.children ?? []) this.#carry(person.node, spiIn);
  }

  /** The data plane reports how far it is every third time. */
  #carry(node: Node, spiIn: number): void {
    const sent = this.#packets.send(node, spiIn, 1 + below(this.#random, 5_000));
    if (sent === undefined) return;
    this.world.do(node, { type: 'report', report: { report: 'alive', spiIn } });
    if (below(this.#random, 3) === 0)
      this.world.do(node, { type: 'report', report: { report: 'carried', spiIn, sent, received: 0 } });
  }

  #lose(person: Subscriber, side: Side): void {
    const [session] = person.node.sessions();
    const pod = session && this.#podOf(session.spiR);
    for (const node of [side === 'gateway' ? undefined : person.node, side === 'client' ? undefined : pod]) {
      const spiIn = node?.sessions().find(({ spiR }) => spiR === session?.spiR)?.children[0];
      if (node && spiIn !== undefined) this.world.do(node, { type: 'report', report: { report: 'lost', spiIn } });
    }
  }

  #want(person: Subscriber, { side, want }: Extract<Action, { do: 'want' }>): void {
    const [session] = person.node.sessions();
    if (!session) return;
    if (side !== 'gateway') this.#wantAt(person.node, session.spi, want);
    const pod = this.#podOf(session.spiR);
    const mirror = pod?.sessions().find(({ spiI, spiR }) => spiI === session.spiI && spiR === session.spiR);
    if (side !== 'client' && pod && mirror && want !== 'requestTicket') this.#wantAt(pod, mirror.spi, want);
  }

  #wantAt(node: Node, spi: string, want: Want): void {
    const sa = node.sas.get(spi);
    if (!sa || !inPhase(sa, 'established')) return;
    const [child] = sa.phase.children;
    if ((want === 'rekeyChild' || want === 'deleteChild') && !child) return;
    const intent = { kind: want, ...(child && { spiIn: child.spiIn }) } as Intent;
    this.world.do(node, { type: 'want', spi, intent });
  }

  #podOf(spiR: string): Node | undefined {
    return this.world.pods().find((pod) => pod.sessions().some((session) => session.spiR === spiR));
  }

  #watch(node: Node, input: Input, outputs: readonly Output[]): void {
    const events = outputs.flatMap((output) => (output.type === 'event' ? [output.event] : []));
    if (node.ordinal === undefined) this.#clientSaid(node, events);
    else {
      if (input.type === 'datagram') this.ledger.arrived(input.bytes);
      const spiI = input.type === 'datagram' ? hex(input.bytes.subarray(0, 8)) : undefined;
      for (const event of events) this.ledger.gatewaySaid(node, event, spiI);
    }
    const after = this.world.now - this.operator.upheaval;
    for (const event of events) assert(!isFault(event) || isLostWord(event, after), `${node.name}: ${JSON.stringify(event)}`);
  }

  #clientSaid(node: Node, events: readonly Event[]): void {
    const person = this.people.find((one) => one.node === node);
    for (const event of events) {
      person?.heard(event);
      if (event.name === 'ticket') this.ledger.given(event.ticket.ticket, event.ticket.inner);
    }
  }
}

const sum = (text: string): number => [...text].reduce((total, letter) => total * 33 + letter.charCodeAt(0), 7) % 65_521;

const isLostWord = (event: Event, ms: number): boolean =>
  event.name === 'dropped' && event.detail === 'words that no sibling sealed for this' && ms < 200;

/** What cannot happen among honest peers, whatever the weather. */
function isFault(event: Event): boolean {
  if (event.name === 'closed') return ['protocol error', 'internal error'].includes(event.why);
  // More cookies, or groups asked for, than a client has use for: one for each copy of a request.
  if (event.name === 'dropped' && /^an IKE_\w+ response without|^a repeated/.test(event.detail)) return false;
  if (event.name === 'dropped') return event.reason === 'malformed' || event.reason === 'half-open-limit';
  if (event.name === 'refused')
    return (
      ['INVALID_SYNTAX', 'NO_PROPOSAL_CHOSEN', 'TS_UNACCEPTABLE'].includes(event.notify) ||
      (event.notify === 'INVALID_KE_PAYLOAD' && event.reason.startsWith('the gateway refuses'))
    );
  return event.name === 'address-refused' || event.name === 'internal-error';
}
