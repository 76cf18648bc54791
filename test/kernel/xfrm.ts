/**
 * Child SAs in a kernel with ESP, as root: two networks, a data plane in each, real packets between them.
 * `node --test test/kernel/xfrm.ts`; everything happens in network namespaces of its own.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { ChildSa, InstallOrder } from '../../sidecar/contract/dataplane.ts';
import { KernelChild } from '../../sidecar/dataplane/kernel/kernel-child.ts';
import { deleteState, newState, updateState, type XfrmState } from '../../sidecar/dataplane/kernel/xfrm-state.ts';
import { suites } from '../sidecar/dataplane/children.ts';
import { inner, openIn, outer, type Pair, pairOfNetworks, settings, twin, until } from './xfrm-pair.ts';

let pair: Pair;
before(async () => {
  pair = await pairOfNetworks();
});
after(() => pair.close());
afterEach(async () => {
  for (const side of [pair.left, pair.right]) {
    side.reports.length = 0;
    side.traffic.length = 0;
  }
  await Promise.all([pair.left.children.flush(), pair.right.children.flush()]);
  assert.equal(pair.leftOver(), '', 'states and policies are left');
});

const names = { 20: 'AES-GCM', 28: 'ChaCha20-Poly1305', 12: 'AES-CBC' } as Readonly<Record<number, string>>;

describe('children in the kernel', () => {
  const all = [...suites, { encr: 20, keyBits: 192, integ: 0, esn: true }, { encr: 12, keyBits: 128, integ: 2, esn: false }];
  all.forEach((suite, at) => {
    const { encr, keyBits, integ, esn } = suite;
    it(`carry ${names[encr]} ${keyBits} with integrity ${integ}${esn ? ' and ESN' : ''}`, async () => {
      const sa = twin(0x1000 + 16 * at, { suite });
      await pair.install(sa);
      pair.ping('left', inner.right4, 20);
      pair.ping('right', inner.left4, 20);
      pair.ping('left', inner.right6, 20);
      const traffic = await pair.left.children.remove(sa.left.spiIn);
      assert.deepEqual([traffic?.packetsIn, traffic?.packetsOut, traffic?.bytesOut], [60, 60, 60 * 84 + 20 * 20]);
    });
  });

  for (const [name, options] of Object.entries({
    'IPv6 in UDP outside': { ipv6: true },
    'ESP without UDP': { encapsulated: false },
    'ESP without UDP, IPv6 outside': { encapsulated: false, ipv6: true },
    'one pair of selectors, IPv6 around IPv4': { ipv6: true, lefts: [inner.left4] },
    'one pair of selectors, IPv4 around IPv6': { lefts: [inner.left6] },
  })) {
    it(`carry IPv4 and IPv6 with ${name}`, async () => {
      const lefts = options.lefts ?? [inner.left4, inner.left6];
      await pair.install(twin(0x2000, options));
      if (lefts.includes(inner.left4)) pair.ping('left', inner.right4, 20);
      if (lefts.includes(inner.left6)) pair.ping('right', inner.left6, 20);
    });
  }

  it('are told of: how far they came, that their peer lives, what they carried', async () => {
    const sa = twin(0x4000);
    await pair.install(sa);
    pair.ping('left', inner.right4, 10);
    await pair.right.children.settle();
    const { spiIn } = sa.right;
    assert.deepEqual(
      pair.right.reports.filter((report) => report.spiIn === spiIn),
      [
        { report: 'carried', spiIn, sent: 10, received: 10 },
        { report: 'alive', spiIn },
      ],
    );
    assert.deepEqual(pair.right.traffic.at(-1), { spiIn, packetsIn: 10, bytesIn: 840, packetsOut: 10, bytesOut: 840 });
  });

  it('are told of about once a second without being asked', async () => {
    const sa = twin(0x3100);
    await pair.install(sa);
    const told = (): number => pair.right.reports.filter((r) => r.report === 'carried' && r.spiIn === sa.right.spiIn).length;
    const began = performance.now();
    const flood = pair.flood('left', inner.right4);
    await setTimeout(5000);
    await flood.end();
    const seconds = (performance.now() - began) / 1000;
    assert.ok(told() >= seconds / 2 && told() <= 2 * seconds + 1, `${told()} reports in ${seconds} s`);
  });

  it('take over sequence numbers from another pod, and never send one twice', async () => {
    const sa = twin(0x3200);
    const sequences = { sent: 1000, received: 500 };
    await pair.right.children.install({ order: 'install', child: { ...sa.right, sequences } });
    await pair.left.children.install({ order: 'install', child: { ...sa.left, sequences: { sent: 500, received: 1000 } } });
    pair.ping('left', inner.right4, 10);
    await pair.right.children.settle();
    assert.deepEqual(
      pair.right.reports.findLast((report) => report.report === 'carried'),
      { report: 'carried', spiIn: sa.right.spiIn, sent: 1000 + 2 ** 20 + 10, received: 500 + 2 ** 20 + 10 },
    );
  });

  it('say why the kernel would not, and leave nothing behind', async () => {
    const sa = twin(0x3300);
    pair.right.run(
      ...`ip xfrm state add src ${outer.left4} dst ${outer.right4} proto esp spi ${sa.right.spiIn} reqid 9 mode tunnel aead`.split(
        ' ',
      ),
      'rfc4106(gcm(aes))',
      `0x${'11'.repeat(20)}`,
      '128',
    );
    await assert.rejects(pair.right.children.install({ order: 'install', child: sa.right }), /another state has this SPI/);
    assert.equal(pair.right.run('ip', 'xfrm', 'policy'), '');
    assert.match(pair.right.run('ip', 'xfrm', 'state'), /^src \S+ dst \S+\n\tproto esp spi \S+ reqid 9 /);
    assert.equal(pair.right.run('ip', 'xfrm', 'state').match(/^src/gm)?.length, 1);
    pair.right.run('ip', 'xfrm', 'state', 'flush');
  });

  it('are lost when somebody else removes what carries them', async () => {
    const [flushed, kept] = [twin(0x3400), twin(0x3500, { lefts: ['10.8.0.66'] })];
    await pair.install(flushed);
    await pair.right.children.install({ order: 'install', child: kept.right });
    pair.right.run(
      ...`ip xfrm state delete src ${outer.left4} dst ${outer.right4} proto esp spi ${flushed.right.spiIn}`.split(' '),
    );
    await pair.right.children.settle();
    await until('it is lost', () => pair.right.reports.some(({ report }) => report === 'lost'));
    assert.deepEqual(pair.right.reports, [{ report: 'lost', spiIn: flushed.right.spiIn }]);
    assert.equal(pair.right.run('ip', 'xfrm', 'state').match(/^src/gm)?.length, 2);
    assert.equal(await pair.right.children.remove(flushed.right.spiIn), undefined);
  });

  it('send at last by the one that the policy names, whichever is newer', async () => {
    const [old, next] = [twin(0x4000), twin(0x4100)];
    await pair.install(old);
    await pair.right.children.install({ order: 'install', child: next.right, sendsAfter: old.right.spiIn });
    assert.deepEqual(sendingSpis('right'), [old.right.spiOut]);
    await pair.left.children.install({ order: 'install', child: next.left });
    assert.deepEqual(sendingSpis('left'), [next.left.spiOut]);
    pair.ping('left', inner.right4, 1);
    await until('the responder sends on the new one', () => sendingSpis('right').includes(next.right.spiOut));
    assert.deepEqual(sendingSpis('right'), [next.right.spiOut]);
  });

  it('send by the new one when the old one is removed, though nothing came by the new one', async () => {
    const [old, next] = [twin(0x4200), twin(0x4300)];
    await pair.install(old);
    await pair.right.children.install({ order: 'install', child: next.right, sendsAfter: old.right.spiIn });
    await pair.right.children.remove(old.right.spiIn);
    assert.deepEqual(sendingSpis('right'), [next.right.spiOut]);
  });

  it('are rekeyed under a flood without a lost packet', async () => {
    let old = twin(0x5000);
    await pair.install(old);
    const floods = [pair.flood('left', inner.right4), pair.flood('right', inner.left6)];
    for (let round = 1; round <= 10; round++) {
      const next = twin(0x5000 + 16 * round);
      await pair.right.children.install({ order: 'install', child: next.right, sendsAfter: old.right.spiIn });
      await pair.left.children.install({ order: 'install', child: next.left });
      await setTimeout(30);
      // Asked to delete it, the responder does, and answers; then the initiator does.
      await pair.right.children.remove(old.right.spiIn);
      await pair.left.children.remove(old.left.spiIn);
      old = next;
      await setTimeout(30);
    }
    for (const flood of floods) await flood.end();
  });

  it('send to a peer at another address without a lost packet', async () => {
    const sa = twin(0x6000);
    await pair.install(sa);
    // The peer receives at both of its addresses.
    const { left } = new KernelPeer(sa.left);
    await pair.askAt('left', newState({ ...left, destination: Uint8Array.of(192, 0, 2, 11) }));
    const floods = [pair.flood('left', inner.right4), pair.flood('right', inner.left6)];
    const paths = ['192.0.2.11', outer.left4].map((remote) => ({ local: `${outer.right4}:4500`, remote: `${remote}:4500` }));
    for (let round = 0; round < 10; round++) {
      await setTimeout(50);
      const path = paths[round % 2] ?? sa.right.path;
      await pair.right.children.move({ order: 'move', spiIn: sa.right.spiIn, path, encapsulated: true });
    }
    let total = 0;
    for (const flood of floods) total += await flood.end();
    const traffic = await pair.right.children.remove(sa.right.spiIn);
    await pair.askAt('left', deleteState({ ...left, destination: Uint8Array.of(192, 0, 2, 11) }, 0));
    assert.deepEqual([traffic?.packetsIn, traffic?.packetsOut], [total, total]);
  });

  it('follow a NAT that has another port for the peer, without a lost packet', async () => {
    const sa = twin(0x6080);
    await pair.install(sa);
    const flood = pair.flood('left', inner.right4);
    await setTimeout(100);
    const { leftOut } = new KernelPeer(sa.left);
    await pair.askAt('left', updateState({ ...leftOut, encapsulation: { sourcePort: 14500, destinationPort: 4500 } }));
    const moved = () => pair.right.reports.find((report) => report.report === 'alive' && report.path);
    await until('the peer is seen at another port', () => moved() !== undefined);
    const path = { local: `${outer.right4}:4500`, remote: `${outer.left4}:14500` };
    assert.deepEqual(moved(), { report: 'alive', spiIn: sa.right.spiIn, path });
    await pair.right.children.move({ order: 'move', spiIn: sa.right.spiIn, path, encapsulated: true });
    const known = pair.right.reports.filter((report) => report.report === 'alive' && report.path).length;
    await setTimeout(2000);
    const sent = await flood.end();
    assert.match(pair.right.run('ip', 'xfrm', 'state'), /encap type espinudp sport 4500 dport 14500/);
    assert.equal(pair.right.reports.filter((report) => report.report === 'alive' && report.path).length, known);
    const traffic = await pair.right.children.remove(sa.right.spiIn);
    assert.deepEqual([traffic?.packetsIn, traffic?.packetsOut], [sent, sent]);
  });

  it('move to another address of ours, and out of UDP', async () => {
    const sa = twin(0x6100);
    await pair.install(sa);
    pair.ping('left', inner.right4, 10);
    const left = { local: '192.0.2.21:4500', remote: `${outer.right4}:4500` };
    const right = { local: left.remote, remote: left.local };
    await pair.left.children.move({ order: 'move', spiIn: sa.left.spiIn, path: left, encapsulated: false });
    await pair.right.children.move({ order: 'move', spiIn: sa.right.spiIn, path: right, encapsulated: false });
    pair.ping('left', inner.right4, 10);
    pair.ping('right', inner.left4, 10);
    const traffic = await pair.left.children.remove(sa.left.spiIn);
    assert.deepEqual([traffic?.packetsIn, traffic?.packetsOut], [30, 30]);
  });

  it('ask for a successor before their bytes are used up, and are lost when they are', async () => {
    const sa = twin(0x7000);
    pair.left.children.configure({ ...settings, lifetimeBytes: 20_000 });
    await pair.install(sa);
    pair.left.children.configure(settings);
    const told = (): string[] => pair.left.reports.filter((r) => r.spiIn === sa.left.spiIn).map(({ report }) => report);
    pair.ping('left', inner.right4, 200);
    await pair.left.children.settle();
    assert.ok(!told().includes('expiring'));
    pair.ping('left', inner.right4, 20);
    await until('it expires', () => told().includes('expiring'));
    assert.throws(() => pair.ping('left', inner.right4, 40));
    await until('it is lost', () => told().includes('lost'));
    assert.equal(told().filter((report) => report === 'expiring').length, 1);
    assert.equal(pair.left.run('ip', 'xfrm', 'state'), '');
  });

  for (const lefts of [[inner.left4, inner.left6], [inner.left4]]) {
    it(`drop what has another client's source address (selectors: ${lefts.join(', ')})`, async () => {
      const [spy, victim] = [twin(0x8000, { lefts }), twin(0x8100, { lefts: ['10.8.0.66'] })];
      await pair.install(spy);
      await pair.right.children.install({ order: 'install', child: victim.right });
      for (const spoofed of ['10.8.0.66', '10.8.0.99']) {
        const [reqid] = /0x52[0-9a-f]+|reqid (\d+)/.exec(pair.left.run('ip', 'xfrm', 'state')) ?? [];
        pair.left.run(
          ...`ip xfrm policy add src ${spoofed} dst ${inner.right4} dir out tmpl src ${outer.left4} dst ${outer.right4} proto esp spi ${spy.left.spiOut} ${reqid} mode tunnel`.split(
            ' ',
          ),
        );
        const before = dropsAtRight();
        const received = seenAtRight(() =>
          assert.throws(() => pair.left.run('ping', '-q', '-c', '5', '-i', '0.01', '-W', '1', '-I', spoofed, inner.right4)),
        );
        assert.equal(received, 0);
        assert.equal(dropsAtRight() - before, 5);
        pair.left.run(...`ip xfrm policy delete src ${spoofed} dst ${inner.right4} dir out`.split(' '));
      }
      pair.ping('left', inner.right4, 5);
    });
  }

  it('let nothing in that came outside of them', async () => {
    await pair.right.children.install({ order: 'install', child: twin(0x8200).right });
    const before = dropsAtRight();
    assert.throws(() => pair.left.run('ping', '-q', '-c', '5', '-i', '0.01', '-W', '1', inner.right4));
    assert.equal(dropsAtRight() - before, 5);
  });
});

describe('many children in the kernel', () => {
  it('come and go, a thousand of them, and leave nothing', async () => {
    const orders = Array.from({ length: 1000 }, (_, at): InstallOrder => {
      const address = `10.64.${at >> 8}.${at & 255}`;
      return { order: 'install', child: twin(0x100000 + 256 * at, { lefts: [address] }).right };
    });
    const began = performance.now();
    await Promise.all(orders.map((order) => pair.right.children.install(order)));
    const installed = performance.now();
    assert.equal(pair.right.run('ip', 'xfrm', 'state', 'list', 'nokeys').match(/^src/gm)?.length, 2000);
    assert.equal(pair.right.run('ip', 'xfrm', 'policy').match(/^src/gm)?.length, 3000);
    const settling = performance.now();
    await pair.right.children.settle();
    const settled = performance.now();
    assert.deepEqual(
      await pair.right.children.reconcile(orders),
      orders.map(() => ({ ok: true })),
    );
    const reconciled = performance.now();
    await Promise.all(orders.map(({ child }) => pair.right.children.remove(child.spiIn)));
    const removed = performance.now();
    assert.equal(pair.leftOver(), '');
    const rate = (from: number, to: number): string => `${Math.round(1_000_000 / (to - from))}/s`;
    console.log(
      `1000 children: installed ${rate(began, installed)}, removed ${rate(reconciled, removed)}, all counters read in ${Math.round(settled - settling)} ms, reconciled in ${Math.round(reconciled - settled)} ms`,
    );
  });
});

describe('children that an agent finds when it starts', () => {
  it('go on undisturbed if they are equal; others go, and what is missing comes', async () => {
    const [equal, rekeyed, gone, missing] = [
      twin(0x9000),
      twin(0x9100, { lefts: ['10.8.0.66'] }),
      twin(0x9200, { lefts: ['10.8.0.99'] }),
      twin(0x9300, { lefts: ['10.8.0.77'] }),
    ];
    await pair.install(equal);
    for (const { right } of [rekeyed, gone]) await pair.right.children.install({ order: 'install', child: right });
    const flood = pair.flood('left', inner.right4);
    await setTimeout(100);
    // As if it had been killed.
    pair.right.children.close();
    pair.right = { ...pair.right, children: await openIn('right', settings, pair.right.reports, pair.right.traffic) };
    const otherKeys = { ...rekeyed.right, keyIn: rekeyed.right.keyOut, keyOut: rekeyed.right.keyIn };
    const wanted = [equal.right, otherKeys, missing.right].map((child): InstallOrder => ({ order: 'install', child }));
    const policiesOfEqual = (): string =>
      pair.right.run('ip', '-s', 'xfrm', 'policy', 'list', 'dst', inner.left4, 'dir', 'out').replace(/ use .*/g, '');
    const before = policiesOfEqual();
    assert.deepEqual(await pair.right.children.reconcile(wanted), [{ ok: true }, { ok: true }, { ok: true }]);
    assert.equal(policiesOfEqual(), before);
    assert.deepEqual(await pair.right.children.reconcile(wanted), [{ ok: true }, { ok: true }, { ok: true }]);
    const sent = await flood.end();
    const states = pair.right.run('ip', 'xfrm', 'state');
    assert.equal(states.match(/^src/gm)?.length, 6);
    assert.equal(pair.right.run('ip', 'xfrm', 'policy').match(/^src/gm)?.length, 3 * 2 + 3 + 3);
    assert.ok(!states.includes(`spi 0x${gone.right.spiIn.toString(16).padStart(8, '0')}`));
    const traffic = await pair.right.children.remove(equal.right.spiIn);
    assert.deepEqual([traffic?.packetsIn, traffic?.packetsOut], [sent, sent]);
  });

  it('are left alone if they are another program\u2019s', async () => {
    await pair.right.children.install({ order: 'install', child: twin(0x9400).right });
    const foreign = '10.1.1.0/24 dst 10.2.2.0/24';
    pair.right.run(
      ...`ip xfrm state add src ${outer.right4} dst 192.0.2.77 proto esp spi 0x1234 reqid 9 mode tunnel aead`.split(' '),
      'rfc4106(gcm(aes))',
      `0x${'11'.repeat(20)}`,
      '128',
    );
    pair.right.run(
      ...`ip xfrm policy add src ${foreign} dir out tmpl src ${outer.right4} dst 192.0.2.77 proto esp reqid 9 mode tunnel`.split(
        ' ',
      ),
    );
    await pair.right.children.flush();
    const [states, policies] = [pair.right.run('ip', 'xfrm', 'state'), pair.right.run('ip', 'xfrm', 'policy')];
    pair.right.run('ip', 'xfrm', 'state', 'flush');
    pair.right.run('ip', 'xfrm', 'policy', 'flush');
    assert.deepEqual([states.match(/^src.*/gm)?.length, policies.match(/^src.*/gm)], [1, [`src ${foreign} `]]);
  });

  it('are another agent\u2019s if they have another mark, which packets must have, too', async () => {
    const marked = await openIn('left', { ...settings, mark: 7 });
    const sa = twin(0x9500);
    await marked.install({ order: 'install', child: sa.left });
    await pair.right.children.install({ order: 'install', child: sa.right });
    await pair.left.children.flush();
    for (const mark of ['7', '8']) {
      assert.throws(() => pair.left.run('ping', '-q', '-c', '5', '-i', '0.01', '-W', '1', '-m', mark, inner.right4));
    }
    const traffic = await pair.right.children.remove(sa.right.spiIn);
    await marked.flush();
    marked.close();
    assert.equal(traffic?.packetsIn, 5);
  });
});

/** The states of the left, as it has installed them. */
class KernelPeer {
  readonly left: XfrmState;
  readonly leftOut: XfrmState;

  constructor(sa: ChildSa) {
    const child = new KernelChild(sa, settings);
    child.reqid = Number(/reqid (\d+)/.exec(pair.left.run('ip', 'xfrm', 'state'))?.[1]);
    [this.left, this.leftOut] = [child.stateOf('in'), child.stateOf('out')];
  }
}

/** Of policies for what leaves, the SPIs that they name. */
function sendingSpis(side: 'left' | 'right'): readonly number[] {
  const out = pair[side]
    .run('ip', 'xfrm', 'policy')
    .split(/^(?=src)/m)
    .filter((policy) => policy.includes('dir out'));
  return [...new Set(out.map((policy) => Number(/spi (0x[0-9a-f]+)/.exec(policy)?.[1])))];
}

const counter = (text: string, name: RegExp): number =>
  [...text.matchAll(name)].reduce((sum, [, count]) => sum + Number(count), 0);

/** Packets that came through no SA that may carry them. */
const dropsAtRight = (): number =>
  counter(pair.right.run('cat', '/proc/net/xfrm_stat'), /^XfrmIn(?:StateMismatch|TmplMismatch|NoPols|StateInvalid)\s+(\d+)$/gm);

/** Echo requests that reached the right, whoever sent them. */
function seenAtRight(during: () => void): number {
  const seen = (): number => counter(pair.right.run('cat', '/proc/net/snmp'), /^Icmp: \d+ \d+ \d+ \d+ \d+ \d+ \d+ \d+ (\d+)/gm);
  const before = seen();
  during();
  return seen() - before;
}
