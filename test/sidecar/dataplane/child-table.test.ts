import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Selector } from '../../../sidecar/contract/dataplane.ts';
import { ChildTable } from '../../../sidecar/dataplane/userspace/child-table.ts';
import { InstalledChild } from '../../../sidecar/dataplane/userspace/installed-child.ts';
import { anywhere, ends, parsed, ping, selector } from './children.ts';
import { ciphers } from './esp-in-place.ts';

const { gateway } = ends(0x1000);

const to = (spiIn: number, ...remote: readonly Selector[]): InstalledChild =>
  new InstalledChild({ ...gateway, spiIn, local: anywhere, remote }, ciphers, 64);
const carrying = (table: ChildTable, destination: string, source = '172.16.0.1'): number | undefined =>
  table.carrying(parsed(ping(source, destination)))?.child.spiIn;

function tableOf(...children: readonly InstalledChild[]): ChildTable {
  const table = new ChildTable();
  for (const child of children) table.add(child);
  return table;
}

describe('the child that carries a packet', () => {
  it('is the one with that very address among 10 000', () => {
    const table = new ChildTable();
    for (let n = 0; n < 10_000; n++) table.add(to(1000 + n, selector(`10.8.${n >> 8}.${n & 255}`)));
    assert.equal(carrying(table, '10.8.0.0'), 1000);
    assert.equal(carrying(table, '10.8.19.136'), 1000 + 5000);
    assert.equal(carrying(table, '10.9.0.0'), undefined);
    assert.equal(table.size, 10_000);
  });

  it('is one for the address before one for a range, and of ranges the narrowest, whatever the order', () => {
    const children = [
      to(1, selector('10.8.0.7')),
      to(2, selector('10.8.0.0', '10.8.0.255')),
      to(3, selector('10.0.0.0', '10.255.255.255')),
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(children, { minLength: 3 }), (order) => {
        const table = tableOf(...order);
        assert.deepEqual(
          ['10.8.0.7', '10.8.0.8', '10.9.0.1'].map((address) => carrying(table, address)),
          [1, 2, 3],
        );
      }),
    );
  });

  it('is the newest of those with the same addresses', () => {
    for (const remote of [selector('10.8.0.7'), selector('10.8.0.0', '10.8.0.255')]) {
      const table = tableOf(to(1, remote), to(2, remote), to(3, remote));
      assert.equal(carrying(table, '10.8.0.7'), 3);
      table.remove(3);
      assert.equal(carrying(table, '10.8.0.7'), 2);
      table.remove(1);
      assert.equal(carrying(table, '10.8.0.7'), 2);
      table.remove(2);
      assert.equal(carrying(table, '10.8.0.7'), undefined);
    }
  });

  it('is an older one when the newest does not carry this protocol', () => {
    const table = tableOf(to(1, selector('10.8.0.7')), to(2, selector('10.8.0.7', '10.8.0.7', { protocol: 6 })));
    assert.equal(carrying(table, '10.8.0.7'), 1);
  });

  it('is never one of the other version of IP', () => {
    const table = tableOf(to(1, selector('0.0.0.0', '255.255.255.255')), to(2, selector('::', 'ffff::')));
    assert.equal(carrying(table, '10.8.0.7'), 1);
    assert.equal(carrying(table, 'fd08::7', 'fd08::1'), 2);
  });

  it('keeps apart IPv6 addresses that differ in one bit', () => {
    const table = tableOf(to(1, selector('fd08::7')), to(2, selector('fd08:0:0:1::7')));
    assert.equal(carrying(table, 'fd08::7', 'fd08::1'), 1);
    assert.equal(carrying(table, 'fd08:0:0:1::7', 'fd08::1'), 2);
    assert.equal(carrying(table, 'fd08:0:0:2::7', 'fd08::1'), undefined);
  });
});

describe('OPAQUE ports', () => {
  it('carry what shows no ports, and nothing else does but ANY (RFC 7296 §3.13.1)', () => {
    const gre = ping('172.16.0.1', '10.8.0.7');
    gre[9] = 47;
    const carries = (startPort: number, endPort: number) =>
      tableOf(to(1, selector('10.8.0.7', '10.8.0.7', { startPort, endPort }))).carrying(parsed(gre)) !== undefined;
    assert.deepEqual([carries(65535, 0), carries(0, 65535), carries(0, 65534), carries(1, 65535)], [true, true, false, false]);
  });
});
