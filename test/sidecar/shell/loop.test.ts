/** The loop, with a core that does what the test says: outputs go where they belong, and one timer follows the core's deadline. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DataplaneOrder, DataplaneReport } from '../../../sidecar/contract/dataplane.ts';
import type { EapAnswer, EapQuestion } from '../../../sidecar/ike/eap.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import type { Deadline, Event, Input, Output } from '../../../sidecar/ike/step.ts';
import { Loop, type LoopPorts } from '../../../sidecar/shell/loop.ts';

const path = { local: '192.0.2.1:500', remote: '198.51.100.7:500' };
const bytes = Uint8Array.of(1, 2, 3);
const datagram: Input = { type: 'datagram', path, bytes };
const event: Event = { name: 'cookie-demanded', path };

class FakeCore {
  readonly inputs: Input[] = [];
  next: Deadline | undefined;
  reply: (input: Input) => readonly Output[] = () => [];

  handle(input: Input, _now: Instant): readonly Output[] {
    this.inputs.push(input);
    return this.reply(input);
  }
  deadline = (): Deadline | undefined => this.next;
  counts = () => ({ halfOpen: 0, established: 0 });
}

function setUp() {
  const core = new FakeCore();
  const sent: unknown[] = [];
  const orders: DataplaneOrder[] = [];
  const events: Event[] = [];
  const failures: string[] = [];
  const timers: { at: number; run: () => void }[] = [];
  const reports: DataplaneReport[] = [];
  const questions: { ordinal: number; answer: (bytes: Uint8Array | undefined) => void }[] = [];
  let now = 1_000;
  const dataplane: { -readonly [K in keyof LoopPorts['dataplane']]: LoopPorts['dataplane'][K] } = {
    order: (order) => void orders.push(order),
    receive: () => undefined,
    settle: () => undefined,
    reports: () => reports.splice(0),
  };
  const ports: { -readonly [K in keyof LoopPorts]: LoopPorts[K] } = {
    core,
    clock: () => now as Instant,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return () => {
        if (timers.includes(timer)) timers.splice(timers.indexOf(timer), 1);
      };
    },
    send: (...args) => void sent.push(args),
    dataplane,
    ask: (ordinal) => new Promise((answer) => void questions.push({ ordinal, answer })),
    observe: (happened) => void events.push(happened),
    failed: (error, doing) => void failures.push(`${doing}: ${error instanceof Error ? error.message : error}`),
  };
  const loop = new Loop(ports);
  /** The clock jumps to the next timer. */
  const fire = (): void => {
    const [timer] = timers.splice(0, 1);
    assert.ok(timer, 'a timer is armed');
    now = Math.max(now, timer.at);
    timer.run();
  };
  return { core, loop, ports, sent, orders, events, failures, timers, reports, questions, fire, dataplane };
}
const at = (instant: number): Deadline => ({ at: instant as Instant, why: 'test' });

describe('the loop', () => {
  it('carries out every output where it belongs', () => {
    const { core, loop, sent, orders, events } = setUp();
    const order: DataplaneOrder = { order: 'remove', spiIn: 300 };
    core.reply = () => [
      { type: 'send', path, bytes },
      { type: 'dataplane', order },
      { type: 'event', event },
    ];
    loop.handle(datagram);
    assert.deepEqual(sent, [[bytes, path]]);
    assert.deepEqual(orders, [order]);
    assert.deepEqual(events, [event]);
  });

  it('brings the answer of a sibling back under the name of the question', async () => {
    const { core, loop, questions } = setUp();
    core.reply = (input) => (input.type === 'datagram' ? [{ type: 'ask', ordinal: 2, question: 'q1', bytes }] : []);
    loop.handle(datagram);
    assert.equal(questions[0]?.ordinal, 2);
    questions[0]?.answer(undefined);
    await Promise.resolve();
    await Promise.resolve();
    assert.deepEqual(core.inputs[1], { type: 'answered', question: 'q1', bytes: undefined });
  });

  it('brings back what whoever speaks EAP answers, and a failure where nobody does or it breaks', async () => {
    const question: EapQuestion = {
      ...{ conversation: 'c1', side: 'server', method: 'eap-tls', name: 'staff', message: undefined },
      ...{ claimed: { idType: 2, data: bytes }, ...path },
    };
    const packet: EapAnswer = { is: 'packet', message: bytes };
    const told = async (eap: LoopPorts['eap']) => {
      const { core, ports, failures } = setUp();
      if (eap) ports.eap = eap;
      core.reply = (input) => (input.type === 'datagram' ? [{ type: 'eap', question }] : []);
      new Loop(ports).handle(datagram);
      await new Promise((next) => setImmediate(next));
      return { input: core.inputs[1], failures };
    };
    const forgotten: string[] = [];
    const forget = (conversation: string): void => void forgotten.push(conversation);
    const good = await told({ answer: async () => packet, forget });
    assert.deepEqual(good.input, { type: 'eap-answered', conversation: 'c1', answer: packet });
    const failure = { is: 'failure', message: undefined, why: 'nobody speaks EAP here' };
    assert.deepEqual((await told(undefined)).input, { type: 'eap-answered', conversation: 'c1', answer: failure });
    const broken = await told({ answer: () => Promise.reject(new Error('a bug')), forget });
    assert.deepEqual(
      [broken.input, broken.failures],
      [{ type: 'eap-answered', conversation: 'c1', answer: failure }, ['eap: a bug']],
    );
    const { core, ports } = setUp();
    ports.eap = { answer: async () => packet, forget };
    core.reply = () => [{ type: 'eap-forget', conversation: 'c2' }];
    new Loop(ports).handle(datagram);
    assert.deepEqual(forgotten, ['c2']);
  });

  it('gives the core the question of a sibling, and the sibling its answer or silence', async () => {
    const { core, loop } = setUp();
    assert.equal(await loop.answer(bytes), undefined);
    core.reply = (input) =>
      input.type === 'asked' ? [{ type: 'answer', question: input.question, bytes: Uint8Array.of(9) }] : [];
    assert.deepEqual(await loop.answer(bytes), Uint8Array.of(9));
    core.reply = () => [{ type: 'answer', question: 'of another', bytes }];
    assert.equal(await loop.answer(bytes), undefined);
  });

  it('has one timer, at the deadline of the core', () => {
    const { core, loop, timers, fire } = setUp();
    core.next = at(5_000);
    loop.handle(datagram);
    loop.handle(datagram);
    assert.deepEqual(
      timers.map((timer) => timer.at),
      [5_000],
    );
    core.reply = (input) => {
      if (input.type === 'deadline') core.next = at(9_000);
      return [];
    };
    fire();
    assert.deepEqual(core.inputs.at(-1), { type: 'deadline' });
    assert.deepEqual(
      timers.map((timer) => timer.at),
      [9_000],
    );
  });

  it('comes earlier when the deadline moves to the front, and is not disturbed when it moves back', () => {
    const { core, loop, timers, fire } = setUp();
    core.next = at(5_000);
    loop.handle(datagram);
    core.next = at(3_000);
    loop.handle(datagram);
    assert.deepEqual(
      timers.map((timer) => timer.at),
      [3_000],
    );
    core.next = at(8_000);
    loop.handle(datagram);
    assert.deepEqual(
      timers.map((timer) => timer.at),
      [3_000],
    );
    fire();
    assert.equal(core.inputs.length, 3, 'no deadline was due');
    assert.deepEqual(
      timers.map((timer) => timer.at),
      [8_000],
    );
    core.next = undefined;
    fire();
    assert.deepEqual(timers, []);
  });

  it('waits in steps for a deadline that no timer can wait for', () => {
    const { core, loop, timers, fire } = setUp();
    core.next = at(2 ** 33);
    loop.handle(datagram);
    assert.equal(timers[0]?.at, 1_000 + 2 ** 31 - 1);
    fire();
    assert.equal(core.inputs.length, 1);
    assert.equal(timers.length, 1);
  });

  it('tells the core a second after ESP came what the data plane has to report, once', () => {
    const { core, loop, reports, timers, fire } = setUp();
    loop.receiveEsp(bytes, path);
    loop.receiveEsp(bytes, path);
    reports.push({ report: 'alive', spiIn: 300 });
    assert.deepEqual(
      timers.map((timer) => timer.at),
      [2_000],
    );
    fire();
    assert.deepEqual(core.inputs, [{ type: 'report', report: { report: 'alive', spiIn: 300 } }]);
    assert.deepEqual(timers, []);
  });

  it('tells the core of many reports in several turns, and of what came meanwhile a second later', () => {
    const { core, loop, reports, timers, fire } = setUp();
    const report = (spiIn: number): DataplaneReport => ({ report: 'alive', spiIn });
    loop.receiveEsp(bytes, path);
    for (let spiIn = 0; spiIn < 1_100; spiIn++) reports.push(report(spiIn));
    fire();
    assert.equal(core.inputs.length, 500);
    reports.push(report(2_000));
    loop.receiveEsp(bytes, path);
    fire();
    fire();
    assert.deepEqual(
      core.inputs.map((input) => input.type === 'report' && input.report.spiIn),
      Array.from({ length: 1_100 }, (_, spiIn) => spiIn),
    );
    assert.deepEqual(
      timers.map((timer) => timer.at),
      [3_000],
    );
    fire();
    assert.deepEqual(core.inputs.at(-1), { type: 'report', report: report(2_000) });
    assert.deepEqual(timers, []);
  });

  it('goes on after a bug of the core and a refusal of the data plane, and tells of both', () => {
    const { core, loop, failures, sent, dataplane } = setUp();
    core.reply = () => {
      throw new Error('a bug');
    };
    loop.handle(datagram);
    dataplane.order = () => {
      throw new Error('no such algorithm');
    };
    core.reply = () => [
      { type: 'dataplane', order: { order: 'remove', spiIn: 300 } },
      { type: 'send', path, bytes },
    ];
    loop.handle(datagram);
    assert.deepEqual(failures, ['datagram: a bug', 'dataplane remove: no such algorithm']);
    assert.equal(sent.length, 1);
  });

  it('goes on with the next output when a port fails at one, and tells of each', async () => {
    const { core, loop, ports, failures, sent, events, dataplane } = setUp();
    const broken = (what: string) => () => {
      throw new Error(`no ${what}`);
    };
    const { send, observe } = ports;
    Object.assign(ports, { send: broken('port 0'), observe: broken('log'), ask: async () => broken('sibling')() });
    dataplane.receive = broken('packet');
    const outputs: readonly Output[] = [
      { type: 'send', path, bytes },
      { type: 'event', event },
      { type: 'ask', ordinal: 2, question: 'q1', bytes },
    ];
    core.reply = (input) => (input.type === 'datagram' ? outputs : []);
    loop.handle(datagram);
    loop.receiveEsp(bytes, path);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(failures, ['send: no port 0', 'event: no log', 'esp: no packet', 'ask: no sibling']);
    assert.deepEqual(core.inputs.at(-1), { type: 'answered', question: 'q1', bytes: undefined });
    Object.assign(ports, { send, observe });
    loop.handle(datagram);
    assert.deepEqual([sent.length, events.length], [1, 1]);
  });

  it('is still after it was stopped', async () => {
    const { core, loop, timers, questions } = setUp();
    core.next = at(5_000);
    core.reply = () => [{ type: 'ask', ordinal: 2, question: 'q1', bytes }];
    loop.handle(datagram);
    loop.stop();
    assert.deepEqual(timers, []);
    questions[0]?.answer(bytes);
    await Promise.resolve();
    await Promise.resolve();
    assert.equal(core.inputs.length, 1);
  });
});

/** A data plane that carries out orders, and settles, when the test says so. */
function slow() {
  const set = setUp();
  const { dataplane, orders } = set;
  const doing: { readonly done: () => void; readonly broken: (error: Error) => void }[] = [];
  const later = (): Promise<void> =>
    new Promise((resolve, reject) => {
      doing.push({ done: resolve, broken: reject });
    });
  dataplane.order = (order) => {
    orders.push(order);
    return later();
  };
  /** Says in what order the messages of the test have left. */
  const left = async (): Promise<readonly number[]> => {
    await new Promise((next) => setImmediate(next));
    return set.sent.map((one) => (one as readonly [Uint8Array])[0][0] ?? 0);
  };
  return { ...set, doing, left, later };
}
const to = (host: number) => ({ ...path, remote: `198.51.100.${host}:500` });
const say = (word: number, host = 7): Output => ({ type: 'send', path: to(host), bytes: Uint8Array.of(word) });
const install = (spiIn: number): Output => ({
  type: 'dataplane',
  order: { order: 'install', child: { spiIn } as Extract<DataplaneOrder, { order: 'install' }>['child'] },
});
const lost = (spiIn: number, reason: string): Input => ({ type: 'report', report: { report: 'lost', spiIn, reason } });

describe('the loop, with a data plane that takes its time', () => {
  it('sends what comes after an order when that is carried out, and everything else at once', async () => {
    const { core, loop, events, doing, left } = slow();
    core.reply = () => [say(1), install(300), { type: 'event', event }, say(2)];
    loop.handle(datagram);
    core.reply = () => [say(3, 8)];
    loop.handle(datagram);
    assert.deepEqual([await left(), events.length], [[1, 3], 1]);
    doing[0]?.done();
    assert.deepEqual(await left(), [1, 3, 2]);
  });

  it('waits for all orders before a message, whichever is carried out first', async () => {
    const { core, loop, doing, left } = slow();
    core.reply = () => [install(300), say(1), install(301), say(2, 8)];
    loop.handle(datagram);
    doing[1]?.done();
    assert.deepEqual(await left(), []);
    doing[0]?.done();
    assert.deepEqual(await left(), [1, 2]);
  });

  it('says nothing to a peer before what it was to be told first, not even the same again', async () => {
    const { core, loop, doing, left, sent } = slow();
    core.reply = () => [install(300), say(1)];
    loop.handle(datagram);
    core.reply = () => [say(1), say(2, 8)];
    loop.handle(datagram);
    core.reply = () => [install(301), say(3)];
    loop.handle(datagram);
    doing[1]?.done();
    assert.deepEqual(await left(), [2]);
    doing[0]?.done();
    assert.deepEqual(await left(), [2, 1, 1, 3]);
    core.reply = () => [say(4)];
    loop.handle(datagram);
    assert.equal(sent.length, 5, 'at once');
  });

  it('holds so much for a peer and no more: who repeats himself all the while fills no memory', async () => {
    const { core, loop, sent, dataplane } = setUp();
    const done = Promise.withResolvers<undefined>();
    dataplane.order = () => done.promise;
    core.reply = () => [
      { type: 'dataplane', order: { order: 'remove', spiIn: 256 } },
      { type: 'send', bytes, path },
    ];
    loop.handle(datagram);
    core.reply = () => [{ type: 'send', bytes, path }];
    for (let repeated = 0; repeated < 10_000; repeated++) loop.handle(datagram);
    done.resolve(undefined);
    for (let turn = 0; turn < 10; turn++) await new Promise((next) => setImmediate(next));
    assert.equal(sent.length, 64);
    loop.handle(datagram);
    assert.equal(sent.length, 65);
  });

  it('holds nothing for ever: after ten seconds the child is lost and the message leaves', async () => {
    const { core, loop, doing, left, fire, timers } = slow();
    core.reply = (input) => (input.type === 'report' ? [say(2)] : [install(300), say(1)]);
    loop.handle(datagram);
    assert.deepEqual(
      timers.map((timer) => timer.at),
      [11_000],
    );
    fire();
    assert.deepEqual(await left(), [1]);
    fire();
    assert.deepEqual(core.inputs.slice(1), [lost(300, 'the data plane did not answer')]);
    doing[0]?.done();
    assert.deepEqual([await left(), timers], [[1, 2], []]);
  });

  it('tells the core of what came to be with an order soon after it', async () => {
    const { core, loop, doing, left, fire, reports } = slow();
    core.reply = (input) => (input.type === 'report' ? [] : [install(300), say(1)]);
    loop.handle(datagram);
    reports.push({ report: 'lost', spiIn: 300 });
    doing[0]?.done();
    await left();
    fire();
    assert.deepEqual(core.inputs[1], { type: 'report', report: { report: 'lost', spiIn: 300 } });
  });

  it('takes a failure for the loss of the child, and tells of it', async () => {
    const { core, loop, doing, left, fire, failures, dataplane } = slow();
    core.reply = (input) => (input.type === 'report' ? [] : [install(300), say(1)]);
    loop.handle(datagram);
    doing[0]?.broken(new Error('a bug'));
    assert.deepEqual([await left(), failures], [[1], ['dataplane install: a bug']]);
    fire();
    assert.deepEqual(core.inputs[1], lost(300, 'the data plane failed'));
    dataplane.order = () => {
      throw new Error('another');
    };
    loop.handle(datagram);
    assert.deepEqual([await left(), failures[1]], [[1, 1], 'dataplane install: another']);
    fire();
    assert.deepEqual(core.inputs.at(-1), lost(300, 'the data plane failed'));
  });

  it('goes on when the removal of a child fails: it is gone for everybody else', async () => {
    const { core, loop, doing, left, failures, timers } = slow();
    core.reply = () => [{ type: 'dataplane', order: { order: 'remove', spiIn: 300 } }, say(1)];
    loop.handle(datagram);
    doing[0]?.broken(new Error('a bug'));
    assert.deepEqual([await left(), failures], [[1], ['dataplane remove: a bug']]);
    assert.equal(core.inputs.length, 1);
    assert.equal(timers.length, 1, 'for reports');
  });

  it('answers a sibling when all that happened before has been reported', async () => {
    const { core, loop, doing, later, reports, dataplane } = slow();
    dataplane.settle = later;
    core.reply = (input) => (input.type === 'asked' ? [{ type: 'answer', question: input.question, bytes }] : []);
    const answer = loop.answer(bytes);
    loop.handle(datagram);
    const carried: DataplaneReport = { report: 'carried', spiIn: 300, sent: 5, received: 6 };
    reports.push(carried);
    assert.deepEqual(core.inputs, [datagram]);
    doing[0]?.done();
    assert.deepEqual(await answer, bytes);
    assert.deepEqual(
      core.inputs.map((input: Input) => (input.type === 'report' ? input.report : input.type)),
      ['datagram', carried, 'asked'],
    );
  });

  it('answers a sibling without the data plane when that does not settle in time, or fails', async () => {
    const { core, loop, doing, later, fire, failures, timers, dataplane } = slow();
    dataplane.settle = later;
    core.reply = (input) => (input.type === 'asked' ? [{ type: 'answer', question: input.question, bytes }] : []);
    const [first, second] = [loop.answer(bytes), loop.answer(bytes)];
    assert.deepEqual(
      timers.map((timer) => timer.at),
      [1_200, 1_200],
    );
    fire();
    assert.deepEqual(await first, bytes);
    doing[1]?.broken(new Error('a bug'));
    assert.deepEqual([await second, failures], [bytes, ['settle: a bug']]);
  });

  it('says nothing any more after it was stopped', async () => {
    const { core, loop, doing, left, timers, later, dataplane } = slow();
    dataplane.settle = later;
    core.reply = () => [install(300), say(1)];
    loop.handle(datagram);
    const answer = loop.answer(bytes);
    loop.stop();
    doing[0]?.done();
    assert.deepEqual([await left(), timers], [[], []]);
    assert.equal(core.inputs.length, 1);
    assert.equal(await answer, undefined);
  });
});
