import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KernelChild } from '../../../../sidecar/dataplane/kernel/kernel-child.ts';
import { parseDrops } from '../../../../sidecar/dataplane/kernel/kernel-child-drops.ts';
import { Turns } from '../../../../sidecar/dataplane/kernel/kernel-child-order.ts';
import { ChildPolicies } from '../../../../sidecar/dataplane/kernel/kernel-child-policies.ts';
import { isOurs, Reqids } from '../../../../sidecar/dataplane/kernel/kernel-child-reqids.ts';
import type { Request } from '../../../../sidecar/dataplane/kernel/netlink-message.ts';
import { decodePolicy } from '../../../../sidecar/dataplane/kernel/xfrm-policy.ts';
import { ends } from '../children.ts';

const settings = { natPort: 4500, lifetimeBytes: 1000, mark: 0 };
const gateway = (spi: number, inner = ['10.8.0.7']) => ends(spi, { inner }).gateway;
const child = (spi: number, inner?: string[]): KernelChild => new KernelChild(gateway(spi, inner), settings);

describe('a child in the kernel', () => {
  it('begins 2^20 further than another pod has counted', () => {
    const moved = new KernelChild({ ...gateway(0x1000), sequences: { sent: 7, received: 9 } }, settings);
    assert.deepEqual(moved.stateOf('out').sequences, { sent: 7 + 2 ** 20, received: 0 });
    assert.deepEqual(moved.stateOf('in').sequences, { sent: 0, received: 9 });
    assert.deepEqual(child(0x1000).stateOf('out').sequences, { sent: 0, received: 0 });
  });

  it('is refused when that leaves no sequence numbers', () => {
    const suite = { ...gateway(0x1000).suite, esn: false };
    const used = { ...gateway(0x1000), suite, sequences: { sent: 2 ** 32 - 2, received: 0 } };
    assert.throws(() => new KernelChild(used, settings), /sequence numbers are used up/);
  });

  it('asks for a successor at nine tenths of its bytes, and without ESN of its sequence numbers', () => {
    const suite = { ...gateway(0x1000).suite, esn: false };
    const limits = new KernelChild({ ...gateway(0x1000), suite }, settings).stateOf('out').limits;
    assert.deepEqual(limits, { softBytes: 900, hardBytes: 1000, softPackets: Math.floor(0.9 * (2 ** 32 - 1)), hardPackets: 0 });
    assert.equal(child(0x1000).stateOf('out').limits.softPackets, 0);
  });
});

describe('reqids', () => {
  const take = (reqids: Reqids, of: KernelChild): number => reqids.take(of.reqidKeys);

  it('are one for each client, and stay with who has equal selectors', () => {
    const reqids = new Reqids();
    const [a, b, next] = [child(0x1000), child(0x1001, ['10.8.0.8']), child(0x1002)];
    const [first, second] = [take(reqids, a), take(reqids, b)];
    assert.ok(isOurs(first) && isOurs(second) && first !== second);
    assert.equal(take(reqids, next), first);
    reqids.give(a.reqidKeys, first);
    assert.equal(take(reqids, child(0x1003)), first);
  });

  it('are not shared by another peer that has one of several selectors', () => {
    const reqids = new Reqids();
    const both = take(reqids, child(0x1000, ['10.8.0.7', 'fd08::7']));
    const one = take(reqids, child(0x1001, ['10.8.0.7']));
    assert.notEqual(one, both);
  });
});

describe('policies of children with equal selectors', () => {
  const recorded = (fails = false) => {
    const asked: string[] = [];
    const ask = async (request: Request) => {
      const policy = decodePolicy({ type: 0x13, flags: 0, sequence: 0, body: bodyOf(request) });
      asked.push(`${request.type.toString(16)} ${policy?.direction ?? ''} ${policy?.template.through?.spi ?? ''}`.trim());
      if (fails) throw new Error('no');
      return [];
    };
    return { asked, policies: new ChildPolicies(ask) };
  };

  it('come with the first, name the newest that need not wait, and go with the last', async () => {
    const { asked, policies } = recorded();
    const [old, next] = [child(0x1000), child(0x2000)];
    next.waitsFor = old.spiIn;
    await policies.join(old);
    await policies.join(next);
    assert.deepEqual(asked.splice(0), ['13 in', '13 fwd', `13 out ${0x1001}`]);
    next.waitsFor = undefined;
    await policies.refresh(next);
    assert.deepEqual(asked.splice(0), [`19 out ${0x2001}`]);
    await policies.leave(old);
    assert.deepEqual(asked.splice(0), []);
    await policies.leave(next);
    assert.deepEqual(asked.splice(0), ['14', '14', '14']);
  });

  it('are written anew after a refusal', async () => {
    const { asked, policies } = recorded(true);
    await assert.rejects(policies.join(child(0x1000)), /no/);
    asked.length = 0;
    await assert.rejects(policies.join(child(0x2000)), /no/);
    assert.equal(asked.length, 3);
  });
});

describe('calls to the kernel', () => {
  it('of one kind about different children run together, all others one after the other', async () => {
    const turns = new Turns();
    const log: string[] = [];
    const work = (name: string) => async () => {
      log.push(`${name} begins`);
      await new Promise(setImmediate);
      log.push(`${name} ends`);
    };
    await Promise.all([
      turns.run('install', 1, work('a')),
      turns.run('install', 2, work('b')),
      turns.run('install', 1, work('c')),
      turns.run('remove', 2, work('d')),
      turns.run('install', 3, work('e')),
    ]);
    const expected = 'a begins,b begins,a ends,b ends,c begins,c ends,d begins,d ends,e begins,e ends';
    assert.equal(log.join(), expected);
  });

  it('go on after one that failed', async () => {
    const turns = new Turns();
    const failing = turns.run('install', 1, () => Promise.reject(new Error('no')));
    const next = turns.run('install', 1, async () => 'yes');
    await assert.rejects(failing);
    assert.equal(await next, 'yes');
  });
});

describe('drops', () => {
  it('have the names of the user-space data plane', () => {
    assert.deepEqual(
      parseDrops(
        'XfrmInError             \t0\nXfrmInNoStates          \t3\nXfrmInNoPols            \t1\nXfrmInTmplMismatch      \t2\n',
      ),
      {
        'unknown-spi': 3,
        selector: 3,
      },
    );
  });
});

function bodyOf({ fixed, attributes }: Request): Uint8Array {
  const bytes = [...fixed];
  for (const { type, value } of attributes) {
    const length = 4 + value.length;
    bytes.push(length & 0xff, length >> 8, type, 0, ...value, ...new Uint8Array(-length & 3));
  }
  return Uint8Array.from(bytes);
}
