/** Patterns of identities: which rule a peer falls under. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseIdentity } from '../../../sidecar/contract/identity.ts';
import { matches, matchesAny } from '../../../sidecar/contract/identity-pattern.ts';

const fits = (pattern: string, identity: string): boolean => matches(pattern, parseIdentity(identity));

describe('a pattern of identities', () => {
  it('takes * for any text, at any place', () => {
    assert(fits('*@staff.example.com', 'alice@staff.example.com'));
    assert(fits('alice@*', 'alice@staff.example.com'));
    assert(fits('a*@*.example.com', 'alice@staff.example.com'));
    assert(fits('*', '192.0.2.1'));
    assert(fits('10.*', '10.1.2.3'));
    assert(!fits('*@staff.example.com', 'alice@staff.example.com.attacker.example'));
    assert(!fits('*@staff.example.com', 'alice@guests.example.com'));
    assert(!fits('10.*', '192.0.2.10'));
  });

  it('without * is one identity', () => {
    assert(fits('alice@example.com', 'alice@example.com'));
    assert(!fits('alice@example.com', 'alice@example.com.au'));
    assert(!fits('alice@example.com', 'malice@example.com'));
  });

  it('does not use one part of an identity for two parts of the pattern', () => {
    assert(!fits('ab*ba', 'aba'));
    assert(fits('ab*ba', 'abba'));
    assert(!fits('a*aa*a', 'aaa'));
    assert(fits('a*aa*a', 'aaaa'));
  });

  it('knows no difference of case in domain names and mail addresses, and does in all else', () => {
    assert(fits('*@Staff.example.COM', 'Alice@STAFF.example.com'));
    assert(fits('VPN.*', 'vpn.example.com'));
    assert(!fits('KEYID:0a*', 'keyid:0a0b'));
    assert(fits('keyid:0a*', 'keyid:0a0b'));
  });

  it('has no other sign with a meaning', () => {
    assert(!fits('a.ice@example.com', 'alice@example.com'));
    assert(fits('a+b@example.com', 'a+b@example.com'));
    assert(!fits('[a-z]*', 'alice'));
  });

  it('fits whatever was made by putting text in the place of its stars', () => {
    const part = fc.stringMatching(/^[ab]{0,4}$/);
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 6 }),
        fc.array(part, { minLength: 6, maxLength: 6 }),
        (parts, fill) => {
          const written = parts.map((one, index) => (index === 0 ? one : `${fill[index]}${one}`)).join('');
          fc.pre(written !== '');
          assert(fits(parts.join('*'), written));
        },
      ),
    );
  });

  it('agrees with the same pattern as a regular expression', () => {
    const pattern = fc.stringMatching(/^[ab*]{1,8}$/);
    fc.assert(
      fc.property(pattern, fc.stringMatching(/^[ab]{1,8}$/), (glob, written) => {
        assert.equal(fits(glob, written), new RegExp(`^${glob.replaceAll('*', '.*')}$`).test(written));
      }),
    );
  });

  it('in an empty list stands for everybody', () => {
    assert(matchesAny([], parseIdentity('alice@example.com')));
    assert(matchesAny(['bob', 'alice*'], parseIdentity('alice@example.com')));
    assert(!matchesAny(['bob'], parseIdentity('alice@example.com')));
  });
});
