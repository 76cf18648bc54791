/** What sibling pods tell each other beside SAs: addresses of one in the slice of another, and tickets that were used. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AddressPools, identityKey } from '../../../sidecar/ike/addresses.ts';
import type { Context } from '../../../sidecar/ike/context.ts';
import { LeaseExchange, type Telling } from '../../../sidecar/ike/lease-exchange.ts';
import { type LeaseNotice, openQuestion, type Question, sealQuestion } from '../../../sidecar/ike/peer-channel.ts';
import { type Instant, later } from '../../../sidecar/ike/sa.ts';
import { hex, u32Bytes, utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { Exchange, Protocol } from '../../../sidecar/ike/wire/registry.ts';
import { connect, ikeAuth, ikeSaInit, ikeSessionResume, innerIn, resume, ticketIn } from '../../harness/handshake.ts';
import { crypto, NAT_PATH, Peer, payload, requests } from '../../harness/peer.ts';
import { Pods } from '../../harness/pods.ts';
import { ALICE, config, email, PSK, policy, ring } from '../../harness/policy.ts';
import { seeded } from '../../harness/random.ts';
import { gatewayOf, START } from '../../harness/subject.ts';

const keys = { ring: ring(), crypto, audience: 'audience', random: seeded(5) };
const opened = (one: { readonly bytes: Uint8Array }): Question => openQuestion(keys, one.bytes);
const who = (number: number) => ({ idType: 3, data: utf8(`user ${number}`) });
const addressOf = (number: number): Uint8Array => u32Bytes(0x0a00_0064 + number);

/** A pod by its leases alone: `held` addresses of slice 0 are leased to sessions here. */
class Holder {
  readonly addresses = new AddressPools();
  readonly leases = new LeaseExchange();
  readonly #ordinal: number;

  constructor(ordinal: number, held = 0) {
    this.#ordinal = ordinal;
    this.addresses.configure([{ cidr: '10.0.0.0/8' }], 4, ordinal);
    for (let number = 0; number < held; number++)
      this.addresses.lease(
        { identity: who(number), family: 4, wanted: addressOf(number), proven: true, holder: `spi ${number}` },
        START,
      );
  }

  ctx(now: Instant = START): Context {
    return { now, addresses: this.addresses, member: { ordinal: this.#ordinal }, find: () => undefined } as never;
  }

  /** As if a session had changed. */
  changed(now: Instant, isNew = false): Telling[] {
    const phase = { name: 'established', inner: [addressOf(0)], remote: who(0), replaces: { spiR: 'old', pod: 0 } };
    return this.leases.announce({ role: 'responder', spiI: 'i', spiR: 'spi 0', phase } as never, isNew, this.ctx(now));
  }

  asked({ to, words }: Telling): Question {
    const asked = { nonce: new Uint8Array(16), from: this.#ordinal, incarnation: new Uint8Array(16), to, at: START };
    return { ...words, ...asked } as Question;
  }
}

type LeaseQuestion = Extract<Question, { kind: 'lease' | 'leases?' }>;
const leasesIn = (question: Question): readonly LeaseNotice[] => (question.kind === 'lease' ? question.leases : []);

describe('a pod that comes back', () => {
  it('learns of all its addresses that another one holds, page by page, and gives none out before', () => {
    const [owner, holder] = [new Holder(0), new Holder(1, 1_000)];
    let asking = owner.leases.begin([1], START);
    let pages = 0;
    for (; asking[0]; pages++) {
      assert.equal(owner.leases.settled(START), false, `after ${pages} pages`);
      const question = owner.asked(asking[0]) as LeaseQuestion;
      const { answer } = holder.leases.answer(question, holder.ctx());
      asking = [...owner.leases.conclude(question, answer, owner.ctx()).tell];
    }
    assert.equal(pages, 4);
    assert.equal(owner.leases.settled(START), true);
    assert.equal(owner.addresses.size - owner.addresses.free, 1_000);
  });

  it('waits two seconds for that and no longer', () => {
    const owner = new Holder(0);
    owner.leases.begin([1], START);
    assert.deepEqual(
      [1_999, 2_000].map((ms) => owner.leases.settled(later(START, ms))),
      [false, true],
    );
  });

  it('asks again for a page that was lost', () => {
    const users = new Map(Array.from({ length: 260 }, (_, number) => [hex(email(`${number}`).data), PSK] as const));
    const part = { peers: { replicas: 2 }, ike: { cookieThreshold: 10_000, deadPeerMs: 0, maxHalfOpen: 10_000 } };
    const whole = { config: config(part), users };
    const pods = new Pods(2, part);
    for (const ordinal of [0, 1]) pods.get(ordinal).do({ type: 'configure', policy: policy(whole) });
    for (let number = 0; number < 260; number++) {
      const identity = email(`${number}`);
      const peer = Peer.towards(pods.get(0), { seed: 1_000 + number });
      const heard = connect(peer, { identity });
      const held = { ...ticketIn(peer, heard, [innerIn(heard) ?? assert.fail()]), local: identity };
      resume(Peer.towards(pods.get(1), { seed: 5_000 + number }), held, { identity, wanted: innerIn(heard) ?? assert.fail() });
    }
    pods.questions();
    const fresh = gatewayOf(whole, { ordinal: 0, seed: 99 });
    pods.replace(0, fresh);
    const [first] = pods.questions().filter((one) => opened(one).kind === 'leases?');
    assert.ok(first);
    pods.answer(first, pods.ask(first));
    const [lost] = pods.questions();
    pods.answer(lost ?? assert.fail(), undefined);
    const [again] = pods.questions();
    assert.deepEqual(opened(again ?? assert.fail()), opened(lost ?? assert.fail()));
    const welcome = (): unknown => ikeSaInit(Peer.towards(fresh, { seed: 9_000 }));
    assert.equal(welcome(), undefined, 'not settled yet');
    pods.answer(again ?? assert.fail(), pods.ask(again ?? assert.fail()));
    assert.ok(welcome());
  });
});

describe('leases in the slice of another pod', () => {
  it('are told again batch by batch, the next when the one before has its answer or none', () => {
    const holder = new Holder(1, 1_000);
    holder.changed(START);
    const due = later(START, 30_000);
    const told = new Set<string>();
    let batches = 0;
    for (let telling = holder.leases.renew(holder.ctx(due)); telling.length > 0; batches++) {
      assert.equal(telling.length, 1);
      const question = holder.asked(telling[0] ?? assert.fail()) as LeaseQuestion;
      for (const { address } of leasesIn(question)) told.add(hex(address));
      const answer = batches === 1 ? undefined : ({ kind: 'leased', refused: [] } as const);
      telling = [...holder.leases.conclude(question, answer, holder.ctx(due)).tell];
    }
    assert.deepEqual([batches, told.size], [4, 1_000]);
    assert.equal(holder.leases.renew(holder.ctx(later(due, 30_000))).length, 1, 'and again after half a minute');
  });

  it('are not told twice at once when a round takes long, and a round whose answer never comes is begun anew', () => {
    const holder = new Holder(1, 1_000);
    holder.changed(START);
    let now = later(START, 30_000);
    const [first] = holder.leases.renew(holder.ctx(now));
    now = later(now, 29_000);
    holder.leases.conclude(holder.asked(first ?? assert.fail()) as LeaseQuestion, undefined, holder.ctx(now));
    now = later(now, 1_000);
    assert.deepEqual(holder.leases.renew(holder.ctx(now)), []);
    now = later(now, 30_000);
    assert.equal(holder.leases.renew(holder.ctx(now)).length, 1);
  });

  it('are left out when they have ended meanwhile', () => {
    const holder = new Holder(1, 300);
    holder.changed(START);
    const now = later(START, 30_000);
    const [first] = holder.leases.renew(holder.ctx(now));
    for (let number = 200; number < 300; number++) holder.addresses.release(`spi ${number}`, now, now);
    assert.deepEqual(
      holder.leases.conclude(holder.asked(first ?? assert.fail()) as LeaseQuestion, undefined, holder.ctx(now)).tell,
      [],
    );
  });

  it('go in one piece, however long the identities are', () => {
    const holder = new Holder(1);
    for (let number = 0; number < 100; number++)
      holder.addresses.lease(
        {
          identity: { idType: 3, data: new Uint8Array(1_000).fill(number) },
          ...{ family: 4, wanted: addressOf(number), proven: true, holder: `spi ${number}` },
        },
        START,
      );
    const [question] = new Holder(0).leases.begin([1], START).map((telling) => new Holder(0).asked(telling));
    const { answer } = holder.leases.answer(question as LeaseQuestion, holder.ctx());
    assert.ok(answer.kind === 'leases' && answer.more && answer.leases.length > 10 && answer.leases.length < 30);
  });

  it('are told of once when a session begins, at the cost of that session alone', () => {
    const holder = new Holder(1, 10);
    holder.addresses.foreign = () => assert.fail('looked at all leases');
    assert.deepEqual(
      holder.changed(START, true).map(({ to, words }) => [to, words.kind]),
      [[0, 'lease']],
    );
    assert.deepEqual(holder.changed(START), []);
  });

  it('are told of after the slices have moved', () => {
    const holder = new Holder(0);
    const own = { identity: who(1), family: 4, wanted: addressOf(0x20_0000), proven: true, holder: 'spi 0' } as const;
    holder.addresses.lease(own, START);
    holder.changed(START);
    assert.equal(holder.leases.deadline(), undefined);
    holder.addresses.configure([{ cidr: '10.0.0.0/8' }], 16, 0);
    holder.leases.configured(holder.ctx());
    assert.deepEqual(
      holder.leases.renew(holder.ctx()).map(({ to }) => to),
      [2],
    );
  });
});

/** Alice connects at pod 0 and has a ticket. */
function ticketed(pods: Pods) {
  const first = Peer.towards(pods.get(0));
  const heard = connect(first);
  const inner = innerIn(heard) ?? assert.fail();
  return { first, inner, ticket: ticketIn(first, heard, [inner]) };
}

describe('a session that has lost its address', () => {
  it('is deleted, so that its client knows', () => {
    const users = new Map([ALICE, email('bob@example.com')].map(({ data }) => [hex(data), PSK] as const));
    const whole = { config: config({ peers: { replicas: 2 }, ike: { deadPeerMs: 0 } }), users };
    const pods = new Pods(2);
    const { inner, ticket } = ticketed(pods);
    const fresh = gatewayOf(whole, { ordinal: 0, seed: 99 });
    pods.replace(0, fresh);
    pods.talk();
    const bob = connect(Peer.towards(fresh, { seed: 200 }), { identity: email('bob@example.com'), wanted: inner });
    assert.deepEqual(innerIn(bob), inner, 'bob has it now');
    const alice = Peer.towards(pods.get(1), { seed: 300 });
    assert.deepEqual(innerIn(resume(alice, ticket, { wanted: inner })), inner);
    const [request] = requests(alice.hear(pods.talk()));
    assert.equal(payload(request, 'D')?.protocol, Protocol.IKE);
    alice.answer(request ?? assert.fail(), []);
    assert.deepEqual([pods.get(1).phases(), fresh.sessions().length], [[], 1]);
  });
});

describe('two sessions that claim one address', () => {
  it('that began with one ticket, before the pods had heard of each other, become one: the younger', () => {
    const pods = new Pods(2);
    const { inner, ticket } = ticketed(pods);
    const older = Peer.towards(pods.get(1), { seed: 300 });
    resume(older, ticket, { wanted: inner });
    for (const question of pods.questions()) if (opened(question).kind === 'lease') pods.answer(question, pods.ask(question));
    for (const ordinal of [0, 1]) pods.get(ordinal).pass(10);
    resume(Peer.towards(pods.get(0), { seed: 301 }), ticket, { wanted: inner });
    assert.deepEqual([pods.get(0).sessions().length, pods.get(1).sessions().length], [1, 1]);
    pods.talk();
    assert.deepEqual([pods.get(0).phases(), pods.get(1).phases()], [['established'], []]);
  });

  it('become one when the words were lost: the client of the older is told, who may not know', () => {
    const pods = new Pods(2);
    const { inner, ticket } = ticketed(pods);
    resume(Peer.towards(pods.get(1), { seed: 300 }), ticket, { wanted: inner });
    for (const question of pods.questions()) if (opened(question).kind === 'lease') pods.answer(question, pods.ask(question));
    for (const ordinal of [0, 1]) pods.get(ordinal).pass(10);
    resume(Peer.towards(pods.get(0), { seed: 301 }), ticket, { wanted: inner });
    for (let lost = pods.questions(); lost.length > 0; lost = pods.questions())
      for (const question of lost) pods.answer(question, undefined);
    pods.pass(30_000);
    assert.deepEqual([pods.get(0).phases(), pods.get(1).phases()], [['established'], ['closing']]);
  });

  it('become one when it was not heard that the client went away: the younger', () => {
    const pods = new Pods(2);
    const { inner, ticket } = ticketed(pods);
    resume(Peer.towards(pods.get(1), { seed: 300 }), ticket, { wanted: inner });
    for (let lost = pods.questions(); lost.length > 0; lost = pods.questions())
      for (const question of lost) pods.answer(question, undefined);
    pods.pass(30_000);
    assert.deepEqual([pods.get(0).phases(), pods.get(1).phases()], [[], ['established']]);
  });
});

describe('recorded words', () => {
  it('do not end a session that came back since, nor take its address', () => {
    const pods = new Pods(2);
    const { inner, ticket } = ticketed(pods);
    const away = Peer.towards(pods.get(1), { seed: 300 });
    const heard = resume(away, ticket, { wanted: inner });
    const recorded = pods.questions();
    assert.ok(recorded.some((one) => opened(one).kind === 'lease'));
    for (const question of recorded) pods.answer(question, pods.ask(question));
    pods.pass(1_000);
    resume(Peer.towards(pods.get(0), { seed: 301 }), ticketIn(away, heard, [inner]), { wanted: inner });
    pods.talk();
    // Its answer is forgotten, its time is still good.
    pods.pass(20_000);
    for (const question of recorded) pods.ask(question);
    assert.deepEqual([pods.get(0).sessions().length, pods.get(0).endings().at(-1)], [1, 'superseded by resumption']);
    assert.deepEqual(pods.get(0).session().inner, [inner]);
    assert.equal(pods.get(0).named('closed').length, 1);
    pods.pass(95_000);
    const rival = connect(Peer.towards(pods.get(0), { seed: 302 }), { wanted: inner });
    assert.notDeepEqual(innerIn(rival), inner);
  });

  it('are of no use after ninety seconds, to a pod that was restarted either', () => {
    const pods = new Pods(2);
    const { inner, ticket } = ticketed(pods);
    resume(Peer.towards(pods.get(1), { seed: 300 }), ticket, { wanted: inner });
    const recorded = pods.questions();
    pods.get(0).pass(90_001);
    for (const question of recorded) assert.equal(pods.ask(question), undefined);
    assert.equal(pods.get(0).sessions().length, 1);
    assert.equal(pods.get(0).drops().at(-1), 'out-of-window');
  });

  it('are understood with clocks that are a minute apart, and a lease lasts as long', () => {
    for (const ms of [60_000, -60_000]) {
      const pods = new Pods(2);
      const { inner, ticket } = ticketed(pods);
      pods.get(1).now = later(pods.get(1).now, ms);
      resume(Peer.towards(pods.get(1), { seed: 300 }), ticket, { wanted: inner });
      pods.talk();
      assert.deepEqual(pods.get(0).endings(), ['superseded by resumption']);
      const given = (seed: number) => innerIn(connect(Peer.towards(pods.get(0), { seed }), { wanted: inner }));
      pods.get(0).pass(89_000);
      assert.notDeepEqual(given(400), inner);
      pods.get(0).pass(1_000);
      assert.deepEqual(given(401), inner);
    }
  });

  it('of a session that began elsewhere end the one that has its address here, after a rekey too, if that is older', () => {
    const pods = new Pods(2);
    const { inner } = ticketed(pods);
    const told = (at: number, oldSpi: string | undefined) => {
      const lease = { address: inner, identity: identityKey(ALICE), forMs: 90_000, ageMs: 0, oldSpi };
      const asked = { nonce: keys.random(16), from: 1, incarnation: keys.random(16), to: 0, at: at as Instant };
      pods.ask({ ordinal: 0, question: 'q', bytes: sealQuestion(keys, { kind: 'lease', leases: [lease], ...asked }) });
    };
    told(START - 1, 'ffffffffffffffff');
    told(START - 1, undefined);
    assert.equal(pods.get(0).sessions().length, 1);
    told(START, undefined);
    assert.deepEqual(pods.get(0).endings(), ['superseded by resumption']);
  });
});

describe('a ticket that was used at one pod', () => {
  const isRefused = (pods: Pods, ordinal: number, ticket: ReturnType<typeof ticketIn>): boolean =>
    !payload(ikeSessionResume(Peer.towards(pods.get(ordinal), { seed: 900 + ordinal }), ticket), 'NONCE');

  it('is refused by all as soon as they have heard', () => {
    const pods = new Pods(3);
    const { ticket } = ticketed(pods);
    resume(Peer.towards(pods.get(1), { seed: 300 }), ticket);
    pods.talk();
    assert.deepEqual(
      [0, 1, 2].map((ordinal) => isRefused(pods, ordinal, ticket)),
      [true, true, true],
    );
    assert.equal(pods.get(2).named('ticket-refused')[0]?.reason, 'spent');
  });

  it('is no good anywhere after a DELETE when tickets end with their SAs', () => {
    const pods = new Pods(2, { tickets: { revokeOnDelete: true } });
    const { first, ticket } = ticketed(pods);
    first.request(Exchange.INFORMATIONAL, [{ kind: 'D', protocol: Protocol.IKE, spis: [] }]);
    pods.talk();
    assert.ok(isRefused(pods, 1, ticket));
  });

  it('is told of at once, the next ones together, once to each sibling, who tell nobody', () => {
    const pods = new Pods(3);
    for (const seed of [1, 2, 3]) {
      const peer = Peer.towards(pods.get(0), { seed });
      resume(Peer.towards(pods.get(0), { seed: 10 + seed }), ticketIn(peer, connect(peer)));
    }
    pods.get(0).pass(200);
    const told = pods.questions().filter((one) => opened(one).kind === 'spent');
    const ticketsIn = (question: Question): number => (question.kind === 'spent' ? question.tickets.length : 0);
    assert.deepEqual(
      told.map((one) => [one.from, one.ordinal, ticketsIn(opened(one))]),
      [
        [0, 1, 1],
        [0, 2, 1],
        [0, 1, 2],
        [0, 2, 2],
      ],
    );
    for (const question of told) pods.answer(question, pods.ask(question));
    for (const ordinal of [0, 1, 2]) {
      connect(Peer.towards(pods.get(ordinal), { seed: 50 + ordinal }));
      pods.get(ordinal).pass(5_000);
    }
    assert.deepEqual(pods.questions(), []);
  });

  it('is told of again when the words were lost', () => {
    const pods = new Pods(2);
    const { ticket } = ticketed(pods);
    resume(Peer.towards(pods.get(0), { seed: 300 }), ticket);
    const [lost] = pods.questions().filter((one) => opened(one).kind === 'spent');
    pods.answer(lost ?? assert.fail(), undefined);
    pods.talk();
    assert.ok(isRefused(pods, 1, ticket));
  });
});

it('pods that have nothing to do with each other any more remember nothing', () => {
  const pods = new Pods(2);
  for (let seed = 1; seed < 20; seed++) {
    const peer = Peer.towards(pods.get(0), { seed });
    ikeSaInit(peer, { behindNat: true });
    peer.subject = pods.get(1);
    ikeAuth(peer, { psk: new Uint8Array(4), path: NAT_PATH });
    pods.talk();
  }
  pods.pass(630_000);
  assert.deepEqual([pods.get(0).gateway.deadline(), pods.get(1).gateway.deadline()], [undefined, undefined]);
});
