import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Selector } from '../../../../sidecar/contract/dataplane.ts';
import { MOST_PAIRS, outboundSelectors, priorityOf, reversed } from '../../../../sidecar/dataplane/kernel/xfrm-selectors.ts';
import type { PortMask, XfrmPrefix, XfrmSelector } from '../../../../sidecar/dataplane/kernel/xfrm-structures.ts';
import { formatAddress } from '../../../../sidecar/ike/ip-address.ts';
import { anywhere, selector } from '../children.ts';

const words = (pairs: readonly XfrmSelector[]): readonly string[] =>
  pairs.map(({ source, destination, protocol, sourcePort, destinationPort }) =>
    [prefixWords(source), portWords(sourcePort), prefixWords(destination), portWords(destinationPort), protocol].join(' '),
  );
const prefixWords = ({ address, length }: XfrmPrefix): string => `${formatAddress(address)}/${length}`;
const portWords = ({ port, mask }: PortMask): string => `${port}&${mask.toString(16)}`;

describe('selectors as the kernel has them', () => {
  it('pair what is of one family', () => {
    assert.deepEqual(words(outboundSelectors({ local: anywhere, remote: [selector('10.8.0.7'), selector('fd08::7')] })), [
      '0.0.0.0/0 0&0 10.8.0.7/32 0&0 0',
      '::/0 0&0 fd08::7/128 0&0 0',
    ]);
  });

  it('take ranges apart into prefixes and masks', () => {
    const local = [selector('10.0.0.1', '10.0.0.6', { protocol: 6, startPort: 80, endPort: 82 })];
    assert.deepEqual(words(outboundSelectors({ local, remote: [selector('10.8.0.7')] })), [
      '10.0.0.1/32 80&fffe 10.8.0.7/32 0&0 6',
      '10.0.0.1/32 82&ffff 10.8.0.7/32 0&0 6',
      '10.0.0.2/31 80&fffe 10.8.0.7/32 0&0 6',
      '10.0.0.2/31 82&ffff 10.8.0.7/32 0&0 6',
      '10.0.0.4/31 80&fffe 10.8.0.7/32 0&0 6',
      '10.0.0.4/31 82&ffff 10.8.0.7/32 0&0 6',
      '10.0.0.6/32 80&fffe 10.8.0.7/32 0&0 6',
      '10.0.0.6/32 82&ffff 10.8.0.7/32 0&0 6',
    ]);
  });

  it('carry exactly the ports of a range', () => {
    fc.assert(
      fc.property(fc.nat(0xffff), fc.nat(0xffff), fc.nat(0xffff), (a, b, port) => {
        const [startPort, endPort] = [Math.min(a, b), Math.max(a, b)];
        const local = [selector('10.0.0.1', '10.0.0.1', { protocol: 17, startPort, endPort })];
        const pairs = outboundSelectors({ local, remote: [selector('10.8.0.7')] });
        const matching = pairs.filter(({ sourcePort }) => ((port ^ sourcePort.port) & sourcePort.mask) === 0);
        assert.equal(matching.length, port >= startPort && port <= endPort ? 1 : 0);
      }),
    );
  });

  it('are taken apart no further than they can be carried', () => {
    const wide = selector('10.0.0.1', '10.255.255.254', { protocol: 6, startPort: 1, endPort: 65_534 });
    const untouched = new Proxy(wide, { get: () => assert.fail('it was looked at') });
    assert.throws(() => outboundSelectors({ local: [wide, untouched], remote: [selector('10.8.0.7')] }), /more than 64 policies/);
  });

  it('turn round for what comes back', () => {
    const local = [selector('10.0.0.1', '10.0.0.1', { protocol: 17, startPort: 53, endPort: 53 })];
    assert.deepEqual(words(outboundSelectors({ local, remote: [selector('10.8.0.7')] }).map(reversed)), [
      '10.8.0.7/32 0&0 10.0.0.1/32 53&ffff 17',
    ]);
  });

  it('have the narrower first', () => {
    const priority = (remote: Selector, local = anywhere): number =>
      Math.max(...outboundSelectors({ local, remote: [remote] }).map(priorityOf));
    const host = priority(selector('10.8.0.7'));
    assert.ok(host < priority(selector('10.8.0.0', '10.8.0.255')));
    assert.ok(priority(selector('10.8.0.7'), [selector('10.9.0.1')]) < host);
    assert.ok(priority(selector('10.8.0.7', '10.8.0.7', { protocol: 6 })) < host);
  });

  const refused: readonly (readonly [string, readonly Selector[], readonly Selector[], RegExp])[] = [
    ['of other families', [selector('10.0.0.1')], [selector('fd08::7')], /no packet could pass/],
    [
      'of other protocols',
      [selector('10.0.0.1', '10.0.0.1', { protocol: 6 })],
      [selector('10.8.0.7', '10.8.0.7', { protocol: 17 })],
      /no packet could pass/,
    ],
    [
      'that take too many policies',
      [selector('10.0.0.1', '10.255.255.254')],
      [selector('10.8.0.1', '10.8.0.254')],
      new RegExp(`more than ${MOST_PAIRS} policies`),
    ],
    [
      'with a type of ICMP',
      [selector('10.0.0.1', '10.0.0.1', { protocol: 1, startPort: 0x0800, endPort: 0x08ff })],
      anywhere,
      /ICMP of all types/,
    ],
    ['that end before they begin', [selector('10.0.0.2', '10.0.0.1')], anywhere, /ends before it begins/],
  ];
  for (const [what, local, remote, reason] of refused) {
    it(`refuse those ${what}`, () => {
      assert.throws(() => outboundSelectors({ local, remote }), reason);
    });
  }
});
