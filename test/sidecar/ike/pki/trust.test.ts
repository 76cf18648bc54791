/** Whom certificates make trustworthy: each reason to refuse one, and what is good though it looks strange (RFC 5280 §6, RFC 4945). */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { cryptography } from '../../../../sidecar/ike/crypto/cryptographies.ts';
import { Hash } from '../../../../sidecar/ike/crypto/signature.ts';
import type { Demand, Distrust, Trust, Verdict } from '../../../../sidecar/ike/pki/trust.ts';
import { parseTrust } from '../../../../sidecar/ike/pki/trust-files.ts';
import type { Identity, Instant } from '../../../../sidecar/ike/sa.ts';
import { type Bytes, hex, utf8 } from '../../../../sidecar/ike/wire/bytes.ts';
import {
  Authority,
  extension,
  type Issued,
  KeyUsageFlags,
  keyId,
  nameBytes,
  pem,
  purposes,
  YEAR_2030,
} from '../../../harness/certificate-authority.ts';

const crypto = cryptography('auto');
const now = YEAR_2030 as Instant;
const DAY_MS = 86_400_000;

function trusting(...anchors: readonly (Authority | readonly [string, Authority])[]): Trust {
  const files = anchors.map((anchor, index) => {
    const [file, { issued }] = anchor instanceof Authority ? [`ca${index}.pem`, anchor] : anchor;
    return { file, content: pem('CERTIFICATE', issued.der) };
  });
  const parsed = parseTrust(files, { crypto, revocation: 'ifKnown', now });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value.trust;
}

const demand: Demand = { now, identity: undefined, usage: 'client', authorities: [] };
const asked = (trust: Trust, certificates: readonly (Issued | Authority)[], wish: Partial<Demand> = {}): Verdict => {
  const presented = certificates.map((one) => (one instanceof Authority ? one.issued.der : one.der));
  return trust.verify({ certificates: presented, ocsp: [], lists: [] }, { ...demand, ...wish });
};
const reason = (verdict: Verdict): Distrust | 'trusted' => (verdict.trusted ? 'trusted' : verdict.reason);

const root = Authority.root();
const trust = trusting(root);
const judged = (certificates: readonly (Issued | Authority)[], wish?: Partial<Demand>) =>
  reason(asked(trust, certificates, wish));

describe('trust', () => {
  it('is in a certificate of an anchor, and tells all about it', () => {
    const peer = root.issue({ names: ['dns:alice.example.com', 'email:alice@example.com', 'ip:192.0.2.7', 'ip:2001:db8::7'] });
    const verdict = asked(trusting(['staff.pem', root]), [peer]);
    assert.ok(verdict.trusted);
    assert.equal(verdict.anchor, 'staff.pem');
    assert.equal(verdict.subject, 'CN=alice,O=Example');
    assert.equal(hex(verdict.fingerprint), hex(crypto.sealing.sha256(peer.der)));
    assert.equal(verdict.notAfter, now + 30 * DAY_MS);
    assert.equal(verdict.key.kind, 'ec-p256');
    assert.deepEqual(
      verdict.chain.map(({ serial }) => serial),
      [peer.serial],
    );
    assert.deepEqual(verdict.identities, [
      { idType: 2, data: utf8('alice.example.com') },
      { idType: 3, data: utf8('alice@example.com') },
      { idType: 1, data: Uint8Array.of(192, 0, 2, 7) },
      { idType: 5, data: Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7) },
    ]);
  });

  it('goes over every kind of key and signature', () => {
    for (const key of ['rsa', 'ec-p256', 'ec-p384', 'ec-p521', 'ed25519', 'ed448'] as const) {
      const own = Authority.root({ key });
      assert.equal(reason(asked(trusting(own), [own.issue({ key })])), 'trusted', key);
    }
  });

  it('goes over intermediates in any order, past ones that lead nowhere', () => {
    const first = root.intermediate({ subject: 'CN=One' });
    const second = first.intermediate({ subject: 'CN=Two' });
    const stranger = Authority.root({ subject: 'CN=Stranger' });
    const verdict = asked(trust, [second.issue(), stranger, first, second]);
    assert.ok(verdict.trusted);
    assert.equal(verdict.chain.length, 3);
  });

  it('does not mind certificates beside the chain that nobody can read', () => {
    const middle = root.intermediate();
    assert.equal(judged([middle.issue(), { ...root.issue(), der: utf8('garbage') }, middle]), 'trusted');
  });

  it('finds the right one of several authorities with one name', () => {
    const twin = Authority.root();
    for (const keyIds of [true, false]) {
      assert.equal(reason(asked(trusting(twin, root), [root.issue({ keyIds })])), 'trusted');
      const good = root.intermediate({ keyIds });
      const false1 = twin.intermediate({ keyIds });
      assert.equal(judged([good.issue({ keyIds }), false1, good]), 'trusted');
    }
  });

  it('finds it by its key identifier among more of them than signatures are looked at', () => {
    const twins = Array.from({ length: 20 }, () => Authority.root());
    assert.equal(reason(asked(trusting(...twins, root), [root.issue()])), 'trusted');
  });

  it('ends with the first certificate of the chain that does', () => {
    const brief = root.intermediate({ notAfter: now + DAY_MS });
    const verdict = asked(trust, [brief.issue(), brief]);
    assert.ok(verdict.trusted);
    assert.equal(verdict.notAfter, now + DAY_MS);
    assert.equal(judged([brief.issue(), brief], { now: (now + 2 * DAY_MS) as Instant }), 'expired');
  });

  it('can be in one certificate alone that is an anchor itself', () => {
    const pinned = Authority.root({ authority: false, keyUsage: KeyUsageFlags.digitalSignature, names: ['dns:gw.example.com'] });
    assert.equal(reason(asked(trusting(pinned), [pinned])), 'trusted');
    assert.equal(reason(asked(trusting(root), [pinned])), 'unknown-authority');
    assert.equal(reason(asked(trusting(pinned), [pinned.issue()])), 'constraint');
  });

  it('counts the authorities that are demanded alone', () => {
    const other = Authority.root({ subject: 'CN=Other' });
    const both = trusting(['staff.pem', root], ['machines.pem', other]);
    assert.equal(reason(asked(both, [root.issue()], { authorities: ['staff.pem'] })), 'trusted');
    assert.equal(reason(asked(both, [root.issue()], { authorities: ['machines.pem'] })), 'unknown-authority');
    assert.equal(both.size, 2);
    assert.deepEqual(both.keyHashes.map(hex), [hex(keyId(root.issued.spki)), hex(keyId(other.issued.spki))]);
  });
});

describe('distrust', () => {
  const cases: Readonly<Record<string, readonly [Distrust, () => readonly (Issued | Authority)[], Partial<Demand>?]>> = {
    'no certificate': ['no-certificate', () => []],
    garbage: ['malformed', () => [{ ...root.issue(), der: utf8('garbage') }]],
    'an intermediate behind more certificates than anybody sends': [
      'unknown-authority',
      () => {
        const late = root.intermediate();
        return [late.issue(), ...Array.from({ length: 9 }, () => root.issue()), late];
      },
    ],
    'an authority that nobody knows': ['unknown-authority', () => [Authority.root({ subject: 'CN=Stranger' }).issue()]],
    'an authority of the same name': ['unknown-authority', () => [Authority.root().issue()]],
    'an authority of the same name and without key identifiers': [
      'unknown-authority',
      () => [Authority.root({ keyIds: false }).issue({ keyIds: false })],
    ],
    'a missing intermediate': ['unknown-authority', () => [root.intermediate().issue()]],
    'an altered certificate': ['unknown-authority', () => [altered(root.issue({ subject: 'CN=alice' }), 'alice', 'malic')]],
    'an expired one': ['expired', () => [root.issue({ notAfter: now - 1 })]],
    'one of tomorrow': ['not-yet-valid', () => [root.issue({ notBefore: now + 1000 })]],
    'an expired intermediate': ['expired', () => issuedBy(root.intermediate({ notAfter: now - 1 }))],
    'an intermediate that is no authority': ['constraint', () => issuedBy(root.intermediate({ authority: false }))],
    'an intermediate of version 1': ['constraint', () => issuedBy(root.intermediate({ version: 0, keyIds: false }))],
    'an intermediate that may not sign certificates': [
      'constraint',
      () => issuedBy(root.intermediate({ keyUsage: KeyUsageFlags.cRLSign })),
    ],
    'another client as issuer': ['constraint', () => issuedBy(new Authority(root.issue({ subject: 'CN=mallory' })))],
    'more intermediates than pathLenConstraint': [
      'constraint',
      () => {
        const narrow = root.intermediate({ subject: 'CN=Narrow', pathLength: 0 });
        const below = narrow.intermediate({ subject: 'CN=Below' });
        return [below.issue(), below, narrow];
      },
    ],
    'an unknown critical extension': ['constraint', () => [root.issue({ extra: [extension('1.2.3.4', utf8('x'), true)] })]],
    'an unknown critical extension of an intermediate': [
      'constraint',
      () => issuedBy(root.intermediate({ extra: [extension('1.2.3.4', utf8('x'), true)] })),
    ],
    'an extension that occurs twice': [
      'malformed',
      () => [root.issue({ extra: [extension('2.5.29.15', Uint8Array.of(3, 2, 7, 128))] })],
    ],
    'extensions in a certificate of version 2': [
      'malformed',
      () => [root.issue({ version: 1, extra: [extension('1.2.3.4', utf8('x'))] })],
    ],
    'a key that is not for signatures': ['wrong-usage', () => [root.issue({ keyUsage: KeyUsageFlags.keyEncipherment })]],
    'the certificate of a server for a client': ['wrong-usage', () => [root.issue({ purposes: [purposes.serverAuth] })]],
    'the certificate of a client for a server': [
      'wrong-usage',
      () => [root.issue({ purposes: [purposes.clientAuth] })],
      { usage: 'server' },
    ],
    'one for signing code': ['wrong-usage', () => [root.issue({ purposes: [purposes.codeSigning] })]],
    'a short RSA key': ['weak', () => [root.issue({ key: generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey })]],
    'a short RSA key of an intermediate': [
      'weak',
      () => issuedBy(root.intermediate({ key: generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey })),
    ],
    'a signature with SHA-1': ['weak', () => [root.issue({ scheme: { kind: 'ecdsa', hash: Hash.SHA1 } })]],
    'an empty identity': ['wrong-identity', () => [root.issue()], { identity: { idType: 2, data: new Uint8Array() } }],
  };

  for (const [name, [expected, certificates, wish]] of Object.entries(cases))
    it(`is in ${name}`, () => assert.equal(judged(certificates(), wish), expected));

  it('is in every chain that is longer than six certificates, and not in shorter ones', () => {
    let authority = root;
    const above: Authority[] = [];
    for (let length = 2; length <= 8; length++) {
      assert.equal(judged([authority.issue(), ...above]), length <= 6 ? 'trusted' : 'unknown-authority', `${length}`);
      authority = authority.intermediate({ subject: `CN=${length}` });
      above.push(authority);
    }
  });

  it('costs no more than sixteen signatures, however many issuers of one name there are', () => {
    const counting = { count: 0 };
    const counted = {
      ...crypto,
      signatures: {
        ...crypto.signatures,
        publicKey(spki: Bytes) {
          const key = crypto.signatures.publicKey(spki);
          const verify = (...of: Parameters<NonNullable<typeof key>['verify']>): boolean => {
            counting.count += 1;
            return key?.verify(...of) ?? false;
          };
          return key && { ...key, verify };
        },
      },
    };
    const files = [{ file: 'ca.pem', content: pem('CERTIFICATE', root.issued.der) }];
    const parsed = parseTrust(files, { crypto: counted, revocation: 'ifKnown', now });
    assert.ok(parsed.ok);
    // Each signs itself and all the others, as far as anybody can see who has not verified it.
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const rings = Array.from({ length: 9 }, () => Authority.root({ subject: 'CN=Ring', key, keyIds: false }));
    const verdict = asked(parsed.value.trust, [rings[0]!.issue({ keyIds: false }), ...rings]);
    assert.equal(reason(verdict), 'unknown-authority');
    assert.equal(counting.count, 16);
  });

  it('does not depend on what was asked before', () => {
    const peer = root.issue({ names: ['dns:alice.example.com'] });
    const own = trusting(root);
    const identity = { idType: 2, data: utf8('alice.example.com') };
    const answers = (): unknown => [
      reason(asked(own, [peer], { identity })),
      reason(asked(own, [peer], { identity: { ...identity, data: utf8('bob.example.com') } })),
      reason(asked(own, [peer], { usage: 'server', authorities: ['elsewhere.pem'] })),
      reason(asked(own, [altered(peer, 'alice', 'malic')])),
      reason(asked(own, [peer], { now: (now + 99 * DAY_MS) as Instant })),
    ];
    const first = answers();
    assert.deepEqual(first, ['trusted', 'wrong-identity', 'unknown-authority', 'unknown-authority', 'expired']);
    assert.deepEqual(answers(), first);
  });
});

describe('the uses of a certificate', () => {
  const use = (usage: Demand['usage'], ...of: readonly string[]) => judged([root.issue({ purposes: of })], { usage });

  it('are those of its side, of IPsec, or any', () => {
    for (const both of [purposes.ipsecIke, purposes.ikeIntermediate, purposes.any])
      for (const usage of ['client', 'server'] as const) assert.equal(use(usage, both), 'trusted');
    assert.equal(use('server', purposes.codeSigning, purposes.serverAuth), 'trusted');
    assert.equal(use('client', purposes.clientAuth), 'trusted');
  });

  it('are free when it names none', () => {
    for (const usage of ['client', 'server'] as const)
      assert.equal(judged([root.issue({ keyUsage: undefined })], { usage }), 'trusted');
  });

  it('are signatures, also those that cannot be denied', () => {
    assert.equal(judged([root.issue({ keyUsage: KeyUsageFlags.nonRepudiation })]), 'trusted');
  });
});

describe('the identity of a peer', () => {
  const named = (names: readonly string[], identity: Identity, usage: Demand['usage'] = 'client') =>
    judged([root.issue({ names, subject: 'CN=Alice  Example,O=Org' })], { identity, usage });
  const text = (idType: number, data: string): Identity => ({ idType, data: utf8(data) });

  it('stands in the subjectAltName, by its kind', () => {
    const names = ['dns:a.example.com', 'email:alice@example.com', 'ip:192.0.2.1'];
    assert.equal(named(names, text(2, 'A.Example.COM')), 'trusted');
    assert.equal(named(names, text(2, 'b.example.com')), 'wrong-identity');
    assert.equal(named(names, text(2, 'alice@example.com')), 'wrong-identity');
    assert.equal(named(names, text(3, 'alice@EXAMPLE.com')), 'trusted');
    assert.equal(named(names, text(3, 'ALICE@example.com')), 'wrong-identity');
    assert.equal(named(names, text(3, 'a.example.com')), 'wrong-identity');
    assert.equal(named(names, { idType: 1, data: Uint8Array.of(192, 0, 2, 1) }), 'trusted');
    assert.equal(named(names, { idType: 1, data: Uint8Array.of(192, 0, 2, 2) }), 'wrong-identity');
    assert.equal(
      named(['ip:2001:db8::1'], { idType: 5, data: Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) }),
      'trusted',
    );
    assert.equal(named(names, text(99, 'a.example.com')), 'wrong-identity');
  });

  it('is no common name', () => {
    assert.equal(
      judged([root.issue({ subject: 'CN=gw.example.com' })], { identity: text(2, 'gw.example.com') }),
      'wrong-identity',
    );
  });

  it('fits a star for one label in the certificate of a server, and of nobody else', () => {
    assert.equal(named(['dns:*.example.com'], text(2, 'gw.example.com'), 'server'), 'trusted');
    for (const other of ['example.com', 'a.b.example.com', '.example.com', 'gwexample.com', 'gw.example.org'])
      assert.equal(named(['dns:*.example.com'], text(2, other), 'server'), 'wrong-identity', other);
    assert.equal(named(['dns:*.example.com'], text(2, 'gw.example.com'), 'client'), 'wrong-identity');
    assert.equal(named(['dns:*.com'], text(2, 'example.com'), 'server'), 'wrong-identity');
    assert.equal(named(['dns:gw*.example.com'], text(2, 'gw1.example.com'), 'server'), 'wrong-identity');
  });

  it('is the subject, whatever the case, the spaces and the kind of string (RFC 5280 §7.1)', () => {
    for (const same of ['CN=Alice  Example,O=Org', 'CN=alice example,O=ORG', 'CN== ALICE EXAMPLE ,O==org'])
      assert.equal(named([], { idType: 9, data: nameBytes(same) }), 'trusted', same);
    for (const other of ['CN=Alice Example', 'O=Org,CN=Alice Example', 'CN=AliceExample,O=Org', 'CN=Alice Example,OU=Org', ''])
      assert.equal(named([], { idType: 9, data: nameBytes(other) }), 'wrong-identity', other);
    assert.equal(named([], text(9, 'garbage')), 'wrong-identity');
  });

  it('is the key identifier of the subject as ID_KEY_ID, as strongSwan has it', () => {
    const peer = root.issue();
    assert.equal(judged([peer], { identity: { idType: 11, data: keyId(peer.spki) } }), 'trusted');
    assert.equal(judged([peer], { identity: { idType: 11, data: keyId(root.issued.spki) } }), 'wrong-identity');
    const unnamed = root.issue({ keyIds: false, extra: [extension('2.5.29.14', Uint8Array.of(4, 0))] });
    for (const nobody of [unnamed, root.issue({ keyIds: false })])
      assert.equal(judged([nobody], { identity: { idType: 11, data: new Uint8Array() } }), 'wrong-identity');
  });
});

describe('name constraints (RFC 5280 §4.2.1.10)', () => {
  const below = (bounds: { permitted?: readonly string[]; excluded?: readonly string[] }, ...names: readonly string[]) =>
    judged(issuedBy(root.intermediate(bounds), { names }));

  it('keep an authority to domains, mailboxes, addresses and directory names', () => {
    assert.equal(below({ permitted: ['dns:example.com'] }, 'dns:a.example.com'), 'trusted');
    assert.equal(below({ permitted: ['dns:example.com'] }, 'dns:aexample.com'), 'constraint');
    assert.equal(below({ permitted: ['dns:example.com'] }, 'dns:a.example.com', 'dns:b.example.org'), 'constraint');
    assert.equal(below({ excluded: ['dns:secret.example.com'] }, 'dns:a.SECRET.example.com'), 'constraint');
    assert.equal(below({ excluded: ['dns:secret.example.com'] }, 'dns:a.example.com'), 'trusted');
    assert.equal(below({ permitted: ['email:example.com'] }, 'email:a@Example.com'), 'trusted');
    assert.equal(below({ permitted: ['email:example.com'] }, 'email:a@b.example.com'), 'constraint');
    assert.equal(below({ permitted: ['email:.example.com'] }, 'email:a@b.example.com'), 'trusted');
    assert.equal(below({ permitted: ['email:a@example.com'] }, 'email:b@example.com'), 'constraint');
    assert.equal(below({ permitted: ['directory:O=Example'] }), 'trusted');
    assert.equal(below({ permitted: ['directory:O=Other'] }), 'constraint');
    assert.equal(below({ excluded: ['directory:O=EXAMPLE'] }), 'constraint');
  });

  it('leave kinds of names alone that they do not name', () => {
    assert.equal(below({ permitted: ['dns:example.com'] }, 'email:a@elsewhere.org'), 'trusted');
  });

  it('of a kind that we do not know refuse a name of such a kind', () => {
    assert.equal(below({ permitted: ['uri:example.com'] }, 'uri:https://example.com/'), 'constraint');
    assert.equal(below({ excluded: ['uri:example.com'] }, 'uri:https://example.org/'), 'constraint');
    assert.equal(below({ excluded: ['uri:example.com'] }, 'dns:example.com'), 'trusted');
  });

  it('hold for intermediates too', () => {
    const bound = root.intermediate({ permitted: ['directory:O=Example'] });
    const next = bound.intermediate({ subject: 'CN=Next,O=Elsewhere' });
    assert.equal(judged([next.issue(), next, bound]), 'constraint');
  });
});

describe('any bytes', () => {
  const seeds = [
    root.issue({ names: ['dns:a.example.com'], purposes: [purposes.clientAuth] }),
    issuedBy(root.intermediate({ permitted: ['dns:x'] }))[1]!,
  ];
  const change = fc.tuple(fc.nat(), fc.nat(255));

  it('of a certificate get a verdict', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 3 }),
        fc.uint8Array({ maxLength: 60 }),
        (certificates, data) => {
          trust.verify({ certificates, ocsp: certificates, lists: certificates }, { ...demand, identity: { idType: 9, data } });
        },
      ),
    );
  });

  it('changed in a good certificate get one, and none that is trusted', () => {
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.array(change, { minLength: 1, maxLength: 4 }), (seed, changes) => {
        const before = seed instanceof Authority ? seed.issued.der : seed.der;
        const der = before.slice();
        for (const [at, value] of changes) der[at % der.length] = value;
        if (hex(der) === hex(before)) return;
        const verdict = trust.verify({ certificates: [der], ocsp: [], lists: [] }, demand);
        // ECDSA signatures of other bytes are none: all of the certificate is covered, but for the signature itself.
        assert.ok(!verdict.trusted);
      }),
      { numRuns: 1000 },
    );
  });
});

function issuedBy(authority: Authority, wish = {}): readonly [Issued, Authority] {
  return [authority.issue(wish), authority];
}

function altered(issued: Issued, from: string, to: string): Issued {
  const der = issued.der.slice();
  const at = Buffer.from(der).indexOf(from);
  der.set(utf8(to), at);
  return { ...issued, der };
}
