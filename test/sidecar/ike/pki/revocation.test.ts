/** Revocation: lists in files, lists and OCSP responses that a peer sends, and what a ticket is refused for (RFC 5280 §6.3, RFC 6960, RFC 4806). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { cryptography } from '../../../../sidecar/ike/crypto/cryptographies.ts';
import { Hash } from '../../../../sidecar/ike/crypto/signature.ts';
import type { Distrust, Presented, Trust } from '../../../../sidecar/ike/pki/trust.ts';
import { parseTrust, type TrustOptions } from '../../../../sidecar/ike/pki/trust-files.ts';
import type { Instant } from '../../../../sidecar/ike/sa.ts';
import type { Bytes } from '../../../../sidecar/ike/wire/bytes.ts';
import {
  Authority,
  extension,
  type Issued,
  KeyUsageFlags,
  pem,
  purposes,
  YEAR_2030,
} from '../../../harness/certificate-authority.ts';

const crypto = cryptography('auto');
const now = YEAR_2030 as Instant;
const DAY_MS = 86_400_000;

const root = Authority.root();
const middle = root.intermediate();
const alice = root.issue();
const bob = root.issue({ subject: 'CN=bob' });
const carol = middle.issue({ subject: 'CN=carol' });

const parsed = (lists: readonly Bytes[], revocation: TrustOptions['revocation'] = 'ifKnown') =>
  parseTrust(
    [
      { file: 'ca.pem', content: pem('CERTIFICATE', root.issued.der) },
      ...lists.map((list, index) => ({ file: `list${index}.pem`, content: pem('X509 CRL', list) })),
    ],
    { crypto, revocation, now },
  );

function trusting(lists: readonly Bytes[], revocation?: TrustOptions['revocation']): Trust {
  const result = parsed(lists, revocation);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value.trust;
}

function judged(trust: Trust, peer: Issued, more: Partial<Presented> = {}, at: Instant = now): Distrust | 'trusted' {
  const certificates = [peer.der, middle.issued.der];
  const demand = { now: at, identity: undefined, usage: 'client', authorities: [] } as const;
  const verdict = trust.verify({ certificates, ocsp: [], lists: [], ...more }, demand);
  return verdict.trusted ? 'trusted' : verdict.reason;
}

const problems = (list: Bytes): string => {
  const result = parsed([list]);
  return result.ok ? 'none' : result.problems.map(({ file, message }) => `${file}: ${message}`).join('\n');
};

describe('a revocation list', () => {
  it('refuses what it names, and nobody else', () => {
    const trust = trusting([root.list([alice])]);
    assert.equal(judged(trust, alice), 'revoked');
    assert.equal(judged(trust, bob), 'trusted');
  });

  it('refuses those below an intermediate that it names', () => {
    assert.equal(judged(trusting([root.list([middle.issued])]), carol), 'revoked');
  });

  it('of an intermediate counts once a peer presents that', () => {
    const trust = trusting([middle.list([carol])]);
    assert.equal(judged(trust, carol), 'revoked');
    assert.equal(judged(trust, middle.issue()), 'trusted');
  });

  it('that somebody else has signed for an intermediate does not count', () => {
    assert.equal(judged(trusting([middle.list([carol], { signer: bob.privateKey })]), carol), 'trusted');
  });

  it('names serial numbers of its own issuer alone', () => {
    const same = middle.issue({ serial: alice.serial });
    assert.equal(judged(trusting([root.list([alice])]), same), 'trusted');
  });

  it('still revokes when it is out of date', () => {
    const trust = trusting([root.list([alice], { nextUpdate: now - 1 })]);
    assert.equal(judged(trust, alice), 'revoked');
    assert.equal(judged(trust, bob), 'trusted');
  });

  it('gives way to a later one of the same issuer', () => {
    const [before, after] = [root.list([alice]), root.list([bob], { thisUpdate: now - 1000 })];
    for (const lists of [
      [before, after],
      [after, before],
    ]) {
      const trust = trusting(lists);
      assert.equal(judged(trust, alice), 'trusted');
      assert.equal(judged(trust, bob), 'revoked');
    }
  });

  it('counts when the peer sends it', () => {
    const trust = trusting([]);
    assert.equal(judged(trust, carol, { lists: [middle.list([carol])] }), 'revoked');
    assert.equal(judged(trust, carol, { lists: [middle.list([carol], { signer: bob.privateKey })] }), 'trusted');
  });
});

describe('a file with a revocation list is refused', () => {
  const cases: Readonly<Record<string, readonly [RegExp, Bytes]>> = {
    'that its authority has not signed': [/not signed by the authority/, root.list([alice], { signer: bob.privateKey })],
    'that is signed with SHA-1': [/not signed by the authority/, root.list([], { scheme: { kind: 'ecdsa', hash: Hash.SHA1 } })],
    'that is a delta': [/a delta list/, root.list([], { extra: [extension('2.5.29.27', Uint8Array.of(2, 1, 1), true)] })],
    'that is of a part of the certificates': [
      /critical extension 2\.5\.29\.28/,
      root.list([], { extra: [extension('2.5.29.28', Uint8Array.of(0x30, 0), true)] }),
    ],
    'that speaks of certificates of others': [
      /critical extension 2\.5\.29\.29 in an entry/,
      root.list([alice], { entryExtensions: [extension('2.5.29.29', Uint8Array.of(0x30, 0), true)] }),
    ],
    'that is cut off': [/not a revocation list that can be read/, root.list([alice]).slice(0, -5)],
  };
  for (const [name, [message, list]] of Object.entries(cases)) it(name, () => assert.match(problems(list), message));

  it('whose authority may not sign lists', () => {
    const silent = Authority.root({ subject: 'CN=Silent', keyUsage: KeyUsageFlags.keyCertSign });
    const files = [
      { file: 'ca.pem', content: pem('CERTIFICATE', silent.issued.der) },
      { file: 'list.crl', content: silent.list([]) },
    ];
    const result = parseTrust(files, { crypto, revocation: 'ifKnown', now });
    assert.ok(!result.ok);
    assert.deepEqual(
      result.problems.map(({ file, message }) => `${file}: ${message}`),
      ['list.crl: not signed by the authority that it names'],
    );
  });
});

describe('a policy that requires a word on revocation', () => {
  const good = root.list([]);

  it('trusts nobody of whom nothing is known, or of whom a part of the chain is not', () => {
    assert.equal(judged(trusting([], 'required'), alice), 'revocation-unknown');
    assert.equal(judged(trusting([good], 'required'), alice), 'trusted');
    assert.equal(judged(trusting([good], 'required'), carol), 'revocation-unknown');
    assert.equal(judged(trusting([good, middle.list([])], 'required'), carol), 'trusted');
  });

  it('does not count a list that is out of date, of tomorrow, or says not how long it counts', () => {
    const trust = trusting([good], 'required');
    assert.equal(judged(trust, alice, {}, (now + DAY_MS) as Instant), 'trusted');
    assert.equal(judged(trust, alice, {}, (now + DAY_MS + 1) as Instant), 'revocation-unknown');
    assert.equal(judged(trusting([root.list([], { nextUpdate: undefined })], 'required'), alice), 'revocation-unknown');
    assert.equal(judged(trusting([root.list([], { thisUpdate: now + 400_000 })], 'required'), alice), 'revocation-unknown');
  });

  it('takes an OCSP response for each certificate, of the issuer or of whom it has delegated that to', () => {
    const trust = trusting([], 'required');
    const delegate = root.issue({ subject: 'CN=OCSP', purposes: [purposes.ocspSigning] });
    for (const wish of [{}, { hash: 'sha256' }, { responder: delegate }] as const)
      assert.equal(judged(trust, alice, { ocsp: [root.ocsp(alice, wish)] }), 'trusted', JSON.stringify(wish));
    assert.equal(judged(trust, carol, { ocsp: [middle.ocsp(carol)] }), 'revocation-unknown');
    assert.equal(judged(trust, carol, { ocsp: [middle.ocsp(carol), root.ocsp(middle.issued)] }), 'trusted');
  });

  it('takes no OCSP response that is not good, not of this certificate, out of date, or of somebody else', () => {
    const trust = trusting([], 'required');
    const expired = root.issue({ subject: 'CN=OCSP', purposes: [purposes.ocspSigning], notAfter: now - 1 });
    const elsewhere = middle.issue({ subject: 'CN=OCSP', purposes: [purposes.ocspSigning] });
    const unsent = root.issue({ subject: 'CN=OCSP', purposes: [purposes.ocspSigning] });
    const critical = [extension('1.2.3.4', Uint8Array.of(5, 0), true)];
    const responses: Readonly<Record<string, Bytes>> = {
      unknown: root.ocsp(alice, { status: 'unknown' }),
      'of another': root.ocsp(bob),
      'of another with the same serial number': middle.ocsp(middle.issue({ serial: alice.serial })),
      'of the namesake of its issuer': root.ocsp(alice, { issuerKey: bob.spki }),
      'of the delegate of a namesake': root.ocsp(alice, {
        responder: Authority.root().issue({ subject: 'CN=OCSP', purposes: [purposes.ocspSigning] }),
      }),
      'of another issuer': middle.ocsp(alice),
      'out of date': root.ocsp(alice, { nextUpdate: now - 1 }),
      'for ever': root.ocsp(alice, { nextUpdate: undefined }),
      'of tomorrow': root.ocsp(alice, { thisUpdate: now + DAY_MS }),
      'of a client': root.ocsp(alice, { responder: bob }),
      'of an expired delegate': root.ocsp(alice, { responder: expired }),
      'of the delegate of another': root.ocsp(alice, { responder: elsewhere }),
      'of a delegate who does not show itself': root.ocsp(alice, { responder: unsent, sent: false }),
      unsuccessful: root.ocsp(alice, { responseStatus: 3 }),
      'with a critical extension': root.ocsp(alice, { extra: critical }),
      altered: altered(root.ocsp(alice)),
      garbage: new Uint8Array(50),
    };
    for (const [name, response] of Object.entries(responses))
      assert.equal(judged(trust, alice, { ocsp: [response] }), 'revocation-unknown', name);
  });
});

describe('an OCSP response', () => {
  it('that says revoked refuses, whatever the policy and whatever else is good', () => {
    for (const revocation of ['ifKnown', 'required'] as const)
      assert.equal(
        judged(trusting([root.list([])], revocation), alice, { ocsp: [root.ocsp(alice, { status: 'revoked' })] }),
        'revoked',
      );
  });

  it('of nobody with authority does not revoke', () => {
    const response = root.ocsp(alice, { status: 'revoked', responder: bob });
    assert.equal(judged(trusting([]), alice, { ocsp: [response] }), 'trusted');
  });
});

describe('a ticket', () => {
  it('is refused when a list names its certificate or one of the chain, also that of an intermediate whose chain it does not show', () => {
    const chainOf = (peer: Issued) => {
      const demand = { now, identity: undefined, usage: 'client', authorities: [] } as const;
      const verdict = trusting([]).verify({ certificates: [peer.der, middle.issued.der], ocsp: [], lists: [] }, demand);
      assert.ok(verdict.trusted);
      return verdict.chain;
    };
    const later = (...lists: readonly Bytes[]) => trusting(lists);
    assert.ok(!later().revokes(chainOf(alice), now));
    assert.ok(later(root.list([alice])).revokes(chainOf(alice), now));
    assert.ok(!later(root.list([alice])).revokes(chainOf(bob), now));
    assert.ok(later(root.list([middle.issued])).revokes(chainOf(carol), now));
    assert.ok(later(middle.list([carol])).revokes(chainOf(carol), now));
    assert.ok(!later(root.list([carol])).revokes(chainOf(carol), now));
    assert.ok(!later(root.list([alice])).revokes([], now));
  });
});

describe('any bytes, and good ones changed', () => {
  it('as lists or OCSP responses never throw', () => {
    const seeds = [root.list([alice, bob]), root.ocsp(alice), root.ocsp(alice, { responder: bob, status: 'revoked' })];
    const trust = trusting([]);
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...seeds), changes, fc.uint8Array({ maxLength: 100 }), (seed, changed, bytes) => {
        const der = seed.slice();
        for (const [at, value] of changed) der[at % der.length] = value;
        judged(trust, bob, { lists: [der, bytes], ocsp: [der, bytes] });
        parsed([der]);
      }),
      { numRuns: 500 },
    );
  });
});

const altered = (bytes: Bytes): Bytes => bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));
