import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AddressPools, type Announcement, identityKey } from '../../../sidecar/ike/addresses.ts';
import { formatAddress, parseAddress } from '../../../sidecar/ike/ip-address.ts';
import { type Identity, type Instant, later } from '../../../sidecar/ike/sa.ts';
import { utf8 } from '../../../sidecar/ike/wire/bytes.ts';
import { NOW } from './key-rings.ts';

const who = (name: string): Identity => ({ idType: 2, data: utf8(name) });
const HOUR = 3_600_000;
const SOON = later(NOW, HOUR);

/** 10.8.0.0/28 in two slices: .2–.7 are ordinal 0's, .8–.14 ordinal 1's. */
function pod(ordinal: number, cidr = '10.8.0.0/28'): AddressPools {
  const pools = new AddressPools();
  pools.configure([{ cidr }], 2, ordinal);
  return pools;
}

interface Wish {
  readonly wanted?: string;
  readonly proven?: boolean;
  readonly holder?: string;
  readonly now?: Instant;
}
function lease(
  pools: AddressPools,
  name: string,
  { wanted, proven = false, holder = name, now = NOW }: Wish = {},
): string | undefined {
  const request = {
    identity: who(name),
    family: 4,
    wanted: wanted === undefined ? undefined : parseAddress(wanted),
    proven,
    holder,
  } as const;
  const address = pools.lease(request, now);
  return address && formatAddress(address);
}

const notice = (address: string, name: string, part: Partial<Announcement> = {}): Announcement => ({
  address: parseAddress(address),
  identity: identityKey(who(name)),
  until: SOON,
  began: NOW,
  replaces: [],
  ...part,
});

describe('a lease', () => {
  it('comes from our own slice, as long as there is one', () => {
    const pools = pod(1);
    const given = Array.from({ length: 8 }, (_, index) => lease(pools, `user ${index}`));
    assert.deepEqual(given.slice(0, 7).sort(), ['8', '9', '10', '11', '12', '13', '14'].map((low) => `10.8.0.${low}`).sort());
    assert.equal(given[7], undefined);
    assert.deepEqual([pools.size, pools.free], [7, 0]);
  });

  it('is what was wanted when that is free in our slice', () => {
    assert.equal(lease(pod(0), 'alice', { wanted: '10.8.0.6' }), '10.8.0.6');
  });

  const notGiven: Record<string, Wish> = {
    'an address of a foreign slice': { wanted: '10.8.0.9' },
    'an address of no pool, even with proof': { wanted: '10.9.0.5', proven: true },
    "the gateway's own, even with proof": { wanted: '10.8.0.1', proven: true },
    'the broadcast address, even with proof': { wanted: '10.8.0.15', proven: true },
    'an address of the other family': { wanted: '2001:db8::5', proven: true },
  };
  for (const [what, wish] of Object.entries(notGiven)) {
    it(`is another one when ${what} is wanted`, () => assert.equal(lease(pod(0), 'alice', wish), '10.8.0.2'));
  }

  it('is out of a foreign slice when a ticket proves it, and is listed for its owner', () => {
    const pools = pod(0);
    assert.equal(lease(pools, 'alice', { wanted: '10.8.0.9', proven: true, holder: 'spi' }), '10.8.0.9');
    assert.deepEqual(pools.foreign(), [
      { ordinal: 1, address: parseAddress('10.8.0.9'), identity: identityKey(who('alice')), holder: 'spi' },
    ]);
    assert.equal(pools.free, pools.size, 'nothing of our own was taken');
  });

  it('is never what somebody else has or may come back to, whatever is proven', () => {
    const pools = pod(0);
    assert.equal(lease(pools, 'alice', { wanted: '10.8.0.5' }), '10.8.0.5');
    assert.notEqual(lease(pools, 'bob', { wanted: '10.8.0.5', proven: true }), '10.8.0.5');
    pools.release('alice', NOW, SOON);
    assert.notEqual(lease(pools, 'carol', { wanted: '10.8.0.5', proven: true }), '10.8.0.5');
  });

  it('passes from the old SA of an identity to its new one, and outlives the old one', () => {
    const pools = pod(0);
    assert.equal(lease(pools, 'alice', { holder: 'old' }), '10.8.0.2');
    assert.equal(lease(pools, 'alice', { holder: 'new', wanted: '10.8.0.2', proven: true }), '10.8.0.2');
    pools.release('old', NOW, SOON);
    assert.equal(lease(pools, 'bob', { wanted: '10.8.0.2' }), '10.8.0.3');
    pools.release('new', NOW, NOW);
    assert.equal(lease(pools, 'bob', { wanted: '10.8.0.2', holder: 'other' }), '10.8.0.2');
  });

  it('is not that of a live session of the same identity, when nothing proves that it is the successor', () => {
    const pools = pod(0);
    assert.equal(lease(pools, 'alice', { holder: 'one device' }), '10.8.0.2');
    assert.equal(lease(pools, 'alice', { holder: 'another device', wanted: '10.8.0.2' }), '10.8.0.3');
  });

  it('is a second one for a second session of an identity that asks for none in particular', () => {
    const pools = pod(0);
    assert.deepEqual([lease(pools, 'alice', { holder: 'a' }), lease(pools, 'alice', { holder: 'b' })], ['10.8.0.2', '10.8.0.3']);
  });

  it('is one per family', () => {
    const pools = new AddressPools();
    pools.configure([{ cidr: '10.8.0.0/28' }, { cidr: '2001:db8::/64' }], 2, 0);
    assert.equal(lease(pools, 'alice'), '10.8.0.2');
    const six = pools.lease({ identity: who('alice'), family: 6, wanted: undefined, proven: false, holder: 'alice' }, NOW);
    assert.equal(six && formatAddress(six), '2001:db8::2');
    pools.release('alice', NOW, SOON);
    assert.equal(lease(pools, 'alice', { holder: 'again', wanted: '2001:db8::2', proven: true }), '10.8.0.2');
    const again = pools.lease({ identity: who('alice'), family: 6, wanted: undefined, proven: false, holder: 'again' }, NOW);
    assert.deepEqual(again, six);
    assert.deepEqual(pools.gateways.map(formatAddress), ['10.8.0.1', '2001:db8::1']);
  });

  it('is given again for ever, once it was given back', () => {
    const pools = pod(0, '10.8.0.0/29'); // .2 and .3
    for (let index = 0; index < 9; index++) {
      assert.ok(lease(pools, `user ${index}`));
      pools.release(`user ${index}`, NOW, NOW);
    }
  });

  it('comes from the next pool of the family when one is used up', () => {
    const pools = new AddressPools();
    pools.configure([{ cidr: '10.8.0.0/30' }, { cidr: '10.9.0.0/30' }], 1, 0);
    assert.deepEqual(
      ['a', 'b', 'c'].map((name) => lease(pools, name)),
      ['10.8.0.2', '10.9.0.2', undefined],
    );
  });

  it('is none without pools, nor for a process without an ordinal', () => {
    assert.equal(lease(new AddressPools(), 'alice'), undefined);
    const client = new AddressPools();
    client.configure([{ cidr: '10.8.0.0/24' }], 1, undefined);
    assert.equal(lease(client, 'alice', { wanted: '10.8.0.5', proven: true }), undefined);
  });
});

describe('a reservation', () => {
  it('gives an identity its own back, whoever came in between', () => {
    const pools = pod(0);
    assert.equal(lease(pools, 'alice'), '10.8.0.2');
    pools.release('alice', NOW, SOON);
    assert.equal(lease(pools, 'bob'), '10.8.0.3');
    assert.equal(lease(pools, 'alice', { holder: 'again' }), '10.8.0.2');
  });

  it('is the latest one of an identity that had several', () => {
    const pools = pod(0);
    for (const holder of ['a', 'b']) lease(pools, 'alice', { holder });
    pools.release('b', NOW, SOON);
    pools.release('a', NOW, SOON);
    assert.equal(lease(pools, 'alice', { holder: 'c' }), '10.8.0.2');
  });

  it('is the one that was wanted of an identity that had several', () => {
    const pools = pod(0);
    for (const holder of ['a', 'b']) lease(pools, 'alice', { holder });
    for (const holder of ['a', 'b']) pools.release(holder, NOW, SOON);
    assert.equal(lease(pools, 'alice', { holder: 'c', wanted: '10.8.0.2' }), '10.8.0.2');
  });

  it('is none when its time is over before it begins', () => {
    const pools = pod(0, '10.8.0.0/29'); // .2 and .3
    for (const name of ['alice', 'bob']) lease(pools, name);
    pools.release('alice', NOW, SOON);
    pools.release('bob', NOW, NOW);
    assert.deepEqual([lease(pools, 'carol'), lease(pools, 'alice', { holder: 'again' })], ['10.8.0.3', '10.8.0.2']);
  });

  it('ends with its time', () => {
    const pools = pod(0);
    lease(pools, 'alice');
    pools.release('alice', NOW, SOON);
    assert.equal(lease(pools, 'bob', { wanted: '10.8.0.2', now: later(SOON, -1) }), '10.8.0.3');
    assert.equal(lease(pools, 'carol', { wanted: '10.8.0.2', now: SOON }), '10.8.0.2');
  });

  it('ends with its time even behind one that lasts longer', () => {
    const pools = pod(0);
    for (const name of ['alice', 'bob']) lease(pools, name);
    pools.release('alice', NOW, later(SOON, HOUR));
    pools.release('bob', NOW, SOON);
    assert.equal(lease(pools, 'carol', { wanted: '10.8.0.3', now: SOON }), '10.8.0.3');
  });

  it('gives way, the oldest first, when nothing else is left; a live lease never does', () => {
    const pools = pod(0, '10.8.0.0/29'); // .2 and .3
    lease(pools, 'alice');
    lease(pools, 'bob');
    pools.release('bob', NOW, later(SOON, HOUR));
    pools.release('alice', NOW, SOON);
    assert.equal(lease(pools, 'carol'), '10.8.0.3');
    assert.equal(lease(pools, 'dave'), '10.8.0.2');
    assert.equal(lease(pools, 'erin'), undefined);
    assert.equal(lease(pools, 'alice', { holder: 'again' }), undefined);
  });

  it('counts as free', () => {
    const pools = pod(0);
    lease(pools, 'alice');
    assert.equal(pools.free, pools.size - 1);
    pools.release('alice', NOW, SOON);
    assert.equal(pools.free, pools.size);
  });

  it('is not kept for an address of a foreign slice: its owner does that', () => {
    const pools = pod(0);
    lease(pools, 'alice', { wanted: '10.8.0.9', proven: true });
    pools.release('alice', NOW, SOON);
    assert.deepEqual(pools.foreign(), []);
    assert.equal(lease(pools, 'alice', { holder: 'again' }), '10.8.0.2');
  });

  it('is a courtesy for a bounded number', () => {
    const pools = pod(0, '10.0.0.0/12');
    for (let index = 0; index <= 65_536; index++) {
      lease(pools, `${index}`);
      pools.release(`${index}`, NOW, SOON);
    }
    assert.equal(lease(pools, 'bob', { wanted: '10.0.0.2' }), '10.0.0.2', 'the oldest is forgotten');
    assert.notEqual(lease(pools, 'carol', { wanted: '10.0.0.3' }), '10.0.0.3');
  });
});

describe('after an IKE rekey', () => {
  it('the lease is that of the new SA', () => {
    const pools = pod(0);
    lease(pools, 'alice', { holder: 'old' });
    lease(pools, 'alice', { holder: 'old', wanted: '10.8.0.9', proven: true });
    pools.rename('old', 'new');
    pools.release('old', NOW, NOW);
    assert.equal(pools.foreign()[0]?.holder, 'new');
    assert.notEqual(lease(pools, 'bob', { wanted: '10.8.0.2' }), '10.8.0.2');
    pools.release('new', NOW, NOW);
    assert.equal(lease(pools, 'carol', { wanted: '10.8.0.2' }), '10.8.0.2');
    assert.deepEqual(pools.foreign(), []);
  });
});

describe('what another pod announces', () => {
  it('is not given to anybody else until it ends', () => {
    const pools = pod(0);
    assert.equal(pools.announce(notice('10.8.0.2', 'alice'), 1, NOW), 'ok');
    assert.equal(pools.free, pools.size - 1);
    assert.equal(lease(pools, 'bob'), '10.8.0.3');
    assert.notEqual(lease(pools, 'carol', { wanted: '10.8.0.2', proven: true }), '10.8.0.2');
    assert.equal(lease(pools, 'dave', { wanted: '10.8.0.2', now: SOON }), '10.8.0.2');
  });

  it('is ours to give once it has ended', () => {
    const pools = pod(0, '10.8.0.0/29');
    for (const address of ['10.8.0.2', '10.8.0.3']) pools.announce(notice(address, 'alice'), 1, NOW);
    assert.equal(lease(pools, 'bob'), undefined);
    assert.equal(lease(pools, 'bob', { now: SOON }), '10.8.0.2');
    assert.equal(pools.free, 1);
  });

  it('lasts longer when it is told again, and ends at once when its pod says so', () => {
    const pools = pod(0);
    pools.announce(notice('10.8.0.2', 'alice'), 1, NOW);
    pools.announce(notice('10.8.0.2', 'alice', { until: later(SOON, HOUR) }), 1, NOW);
    assert.notEqual(lease(pools, 'bob', { wanted: '10.8.0.2', now: SOON }), '10.8.0.2');
    pools.announce(notice('10.8.0.2', 'alice', { until: SOON }), 2, SOON);
    assert.notEqual(lease(pools, 'carol', { wanted: '10.8.0.2', now: SOON }), '10.8.0.2', 'another pod has no say');
    pools.announce(notice('10.8.0.2', 'alice', { until: SOON }), 1, SOON);
    assert.equal(lease(pools, 'dave', { wanted: '10.8.0.2', now: SOON }), '10.8.0.2');
  });

  it('is taken when a live session of another identity has it, here or at a third pod', () => {
    const pools = pod(0);
    lease(pools, 'alice');
    assert.equal(pools.announce(notice('10.8.0.2', 'bob'), 1, NOW), 'taken');
    pools.announce(notice('10.8.0.3', 'carol'), 1, NOW);
    assert.equal(pools.announce(notice('10.8.0.3', 'bob'), 2, NOW), 'taken');
    assert.equal(pools.announce(notice('10.8.0.3', 'bob'), 2, SOON), 'ok', 'but not once that has ended');
  });

  it('goes before a reservation', () => {
    const pools = pod(0);
    lease(pools, 'alice');
    pools.release('alice', NOW, SOON);
    assert.equal(pools.announce(notice('10.8.0.2', 'bob'), 1, NOW), 'ok');
    assert.equal(lease(pools, 'alice', { holder: 'again' }), '10.8.0.3');
  });

  it('takes the address from the SA that it replaces, which then has nothing to give back', () => {
    const pools = pod(0);
    lease(pools, 'alice', { holder: 'old' });
    assert.equal(pools.announce(notice('10.8.0.2', 'alice', { replaces: ['old'] }), 1, NOW), 'ok');
    pools.release('old', NOW, NOW);
    assert.notEqual(lease(pools, 'bob', { wanted: '10.8.0.2' }), '10.8.0.2');
  });

  it('does not take it from a session that came back here since, when it is only told again', () => {
    const pools = pod(0);
    pools.announce(notice('10.8.0.2', 'alice', { replaces: ['old'] }), 1, NOW);
    assert.equal(lease(pools, 'alice', { wanted: '10.8.0.2', proven: true }), '10.8.0.2');
    assert.equal(pools.announce(notice('10.8.0.2', 'alice'), 1, NOW), 'taken');
    assert.notEqual(lease(pools, 'bob', { wanted: '10.8.0.2', now: SOON }), '10.8.0.2');
  });

  it('is the youngest of two sessions of one identity at other pods', () => {
    const pools = pod(0);
    const at = (ms: number) => notice('10.8.0.2', 'alice', { began: later(NOW, ms) });
    assert.deepEqual([pools.announce(at(0), 1, NOW), pools.announce(at(5), 2, NOW)], ['ok', 'ok']);
    assert.deepEqual([pools.announce(at(0), 1, NOW), pools.announce(at(5), 2, NOW)], ['taken', 'ok']);
  });

  it('is not ours to judge outside our slice', () => {
    const pools = pod(0);
    lease(pools, 'alice', { wanted: '10.8.0.9', proven: true });
    assert.equal(pools.announce(notice('10.8.0.9', 'bob'), 1, NOW), 'ok');
    assert.equal(pools.announce(notice('10.9.0.9', 'bob'), 1, NOW), 'ok');
    assert.equal(pools.foreign().length, 1);
    const client = new AddressPools();
    assert.equal(client.announce(notice('10.8.0.9', 'bob'), 1, NOW), 'ok');
    assert.deepEqual([client.size, client.free], [0, 0]);
  });
});

describe('a new configuration', () => {
  it('keeps the leases that still lie in a pool', () => {
    const pools = pod(0);
    lease(pools, 'alice', { wanted: '10.8.0.5' });
    lease(pools, 'bob', { wanted: '10.8.0.4' });
    pools.release('bob', NOW, SOON);
    pools.configure([{ cidr: '10.9.0.0/24' }, { cidr: '10.8.0.0/28' }], 2, 0);
    assert.equal(lease(pools, 'bob', { holder: 'again' }), '10.8.0.4');
    assert.notEqual(lease(pools, 'carol', { wanted: '10.8.0.5' }), '10.8.0.5');
  });

  it('forgets the others, and does not count them', () => {
    const pools = pod(0);
    lease(pools, 'alice');
    pools.configure([{ cidr: '10.9.0.0/28' }], 2, 0);
    pools.release('alice', NOW, SOON);
    assert.deepEqual([pools.size, pools.free], [6, 6]);
    pools.configure([{ cidr: '10.8.0.0/28' }], 2, 0);
    assert.equal(lease(pools, 'bob'), '10.8.0.2');
  });

  it('makes foreign what is now in another slice, and the other way round', () => {
    const pools = pod(0);
    lease(pools, 'alice', { wanted: '10.8.0.7' });
    lease(pools, 'bob', { wanted: '10.8.0.6' });
    pools.release('bob', NOW, SOON);
    pools.configure([{ cidr: '10.8.0.0/28' }], 4, 0);
    assert.deepEqual(
      pools.foreign().map(({ ordinal, holder }) => [ordinal, holder]),
      [[1, 'alice']],
    );
    assert.equal(lease(pools, 'bob', { holder: 'again' }), '10.8.0.2', 'reserving is its owner’s now');
    pools.configure([{ cidr: '10.8.0.0/28' }], 2, 0);
    assert.deepEqual(pools.foreign(), []);
    assert.notEqual(lease(pools, 'carol', { wanted: '10.8.0.7' }), '10.8.0.7');
  });

  it('that says the same changes nothing', () => {
    const pools = pod(0);
    lease(pools, 'alice');
    pools.configure([{ cidr: '10.8.0.0/28' }], 2, 0, 5);
    assert.equal(lease(pools, 'bob'), '10.8.0.3');
  });
});

/** Three pods that tell each other at once what they hold; clients of four identities that come, go, and come back with tickets elsewhere. */
describe('the pods of a gateway', () => {
  const SLICES = 3;
  const command = fc.record({
    verb: fc.constantFrom('connect', 'resume', 'leave', 'wait', 'rekey'),
    pod: fc.nat(SLICES - 1),
    client: fc.nat(5),
    ms: fc.nat(2 * HOUR),
  });

  interface Session {
    readonly pod: number;
    readonly holder: string;
    readonly address: string;
  }

  it('never have one address in two live sessions, and return an address to who proves it', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 80 }), fc.nat(100), (commands, start) => {
        const pods = Array.from({ length: SLICES }, (_, ordinal) => {
          const pools = new AddressPools();
          pools.configure([{ cidr: '10.8.0.0/28' }], SLICES, ordinal, start);
          return pools;
        });
        const live = new Map<number, Session>();
        const tickets = new Map<number, string>();
        let now = NOW;
        let serial = 0;
        const at = (ordinal: number): AddressPools => pods[ordinal] ?? assert.fail();
        const leave = (client: number): void => {
          const session = live.get(client);
          if (!session) return;
          const foreign = at(session.pod)
            .foreign()
            .filter(({ holder }) => holder === session.holder);
          at(session.pod).release(session.holder, now, later(now, HOUR));
          for (const { ordinal, address, identity } of foreign)
            at(ordinal).announce({ address, identity, until: now, began: now, replaces: [] }, session.pod, now);
          live.delete(client);
        };
        const arrive = (client: number, ordinal: number, wanted: string | undefined): void => {
          const holder = `spi ${serial++}`;
          const name = `client ${client}`;
          const address = lease(at(ordinal), name, {
            proven: wanted !== undefined,
            holder,
            now,
            ...(wanted !== undefined && { wanted }),
          });
          if (address === undefined) {
            assert.equal(at(ordinal).free, 0, 'refused only when nothing is left');
            return;
          }
          const others = [...tickets].filter(([other]) => other !== client).map(([, theirs]) => theirs);
          if (wanted !== undefined && !others.includes(wanted)) assert.equal(address, wanted);
          const before = live.get(client);
          for (const one of at(ordinal)
            .foreign()
            .filter((lease) => lease.holder === holder)) {
            const told = {
              address: one.address,
              identity: one.identity,
              until: later(now, 100 * HOUR),
              began: now,
              replaces: before ? [before.holder] : [],
            };
            if (at(one.ordinal).announce(told, ordinal, now) === 'ok') continue;
            at(ordinal).release(holder, now, now);
            return;
          }
          leave(client);
          live.set(client, { pod: ordinal, holder, address });
          tickets.set(client, address);
        };
        for (const { verb, pod: ordinal, client, ms } of commands) {
          const session = live.get(client);
          if (verb === 'wait') now = later(now, ms);
          if (verb === 'leave') leave(client);
          if (verb === 'connect' && !session) arrive(client, ordinal, undefined);
          if (verb === 'resume' && tickets.has(client)) arrive(client, ordinal, tickets.get(client));
          if (verb === 'rekey' && session) {
            at(session.pod).rename(session.holder, `${session.holder}'`);
            live.set(client, { ...session, holder: `${session.holder}'` });
          }
          const inUse = [...live.values()].map(({ address }) => address);
          assert.equal(new Set(inUse).size, inUse.length, inUse.join(' '));
          for (const pools of pods) assert.ok(pools.free >= 0 && pools.free <= pools.size);
        }
      }),
      { numRuns: 300 },
    );
  });
});
