import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Command } from '../../../../sidecar/dataplane/kernel/nft-json.ts';
import { type FilterFacts, filterDrops, ruleset } from '../../../../sidecar/dataplane/kernel/ruleset.ts';
import { type Change, configured, goldens } from './rulesets.ts';

const folder = join(import.meta.dirname, 'rulesets');
const kernel: FilterFacts = { dataplane: 'kernel', mtu: 1390 };
const rulesOf = (change: Change, facts = kernel): readonly string[] =>
  ruleset(configured(change), facts, 1).rules.map((command) => JSON.stringify(command));
const count = (rules: readonly string[], text: string): number => rules.filter((rule) => rule.includes(text)).length;

// That nft and a kernel take each golden is tested in test/kernel/packet-filter.ts.
describe('the packet filter', () => {
  for (const { file, text } of goldens())
    it(`is that of ${file}; npm run golden writes it anew`, () => assert.equal(text, readFileSync(join(folder, file), 'utf8')));

  it('has no golden file too many', () => {
    assert.deepEqual(
      readdirSync(folder).toSorted(),
      goldens()
        .map(({ file }) => file)
        .toSorted(),
    );
  });

  it('has a table of its own for each mark, so that gateways share the network of a host', () => {
    assert.equal(ruleset(configured(), kernel, 1).table, 'rekindle');
    assert.equal(ruleset(configured({ mark: 7 }), kernel, 1).table, 'rekindle-7');
  });

  it('counts every packet that it drops or refuses, under a reason that the table has', () => {
    const counters = ruleset(configured(), kernel, 1).counters.flatMap(({ add }) => namesOf(add));
    assert.deepEqual(counters, [...filterDrops]);
    for (const change of [{}, { interfaces: ['eth0'], traffic: { isolateClients: true } }] as const)
      for (const rule of rulesOf(change).filter((one) => /"drop"|"reject"/.test(one)))
        assert.match(rule, /"counter":"[a-z-]+"\},\{"(drop|reject)"/);
  });

  it('masquerades nothing where the network knows the way back', () => {
    assert.equal(count(rulesOf({}), '"masquerade":null'), 2);
    assert.equal(count(rulesOf({ traffic: { forwarding: 'routed' } }), '"masquerade"'), 0);
  });

  it('leaves room for the headers of each version of IP when it makes segments fit', () => {
    const rules = rulesOf({}, { dataplane: 'kernel', mtu: 1280 });
    assert.equal(count(rules, '"value":1240'), 2);
    assert.equal(count(rules, '"value":1220'), 2);
  });

  it("keeps clients of a default route from what a network hides: its links, clouds' metadata, multicast", () => {
    const rules = rulesOf({ routes: ['0.0.0.0/0', '::/0'] });
    assert.equal(count(rules, '"@hidden4-1"'), 1);
    assert.equal(count(rules, '"@hidden6-1"'), 1);
    assert.equal(count(rulesOf({}), '"@hidden'), 0);
    const sets = JSON.stringify(ruleset(configured(), kernel, 1).sets);
    for (const hidden of ['169.254.0.0', 'fe80::', 'ff00::', 'fd00:ec2::254']) assert.ok(sets.includes(hidden), hidden);
  });

  it('takes 0.0.0.0/0 in halves for what it is', () => {
    const halves = rulesOf({ routes: ['0.0.0.0/1', '128.0.0.0/1'] });
    assert.equal(count(halves, '"@hidden4-1"'), 1);
    assert.equal(count(halves, '"addr":"128.0.0.0","len":1'), 1);
  });

  it('refuses a configuration whose pools are no prefixes', () => {
    assert.throws(() => ruleset(configured({ pools: ['10.8.0.1'] }), kernel, 1), /not an IPv4 or IPv6 prefix: 10\.8\.0\.1/);
  });
});

const namesOf = (add: Command[string] | undefined): string[] => {
  const { counter } = (add ?? {}) as { readonly counter?: { readonly name: string } };
  return counter ? [counter.name] : [];
};
