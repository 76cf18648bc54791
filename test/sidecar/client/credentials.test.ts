/** Files that a client authenticates with: what is taken from them, who we and the gateway are by default, and every refusal with its remedy. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import type { CredentialFlags } from '../../../sidecar/client/credential-flags.ts';
import { type CredentialRequest, readCredentials } from '../../../sidecar/client/credentials.ts';
import { formatIdentity } from '../../../sidecar/contract/identity.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import { hex } from '../../../sidecar/ike/wire/bytes.ts';
import { IdType } from '../../../sidecar/ike/wire/registry.ts';
import { pem, YEAR_2030 } from '../../harness/certificate-authority.ts';
import { crypto } from '../../harness/peer.ts';
import { fqdn } from '../../harness/policy.ts';
import { folderOfFiles, household } from './credential-files.ts';

const NOW = YEAR_2030 as Instant;
const write = folderOfFiles();
const { valid, root, issuing, alice, chain, key } = household(NOW);
const certificate = write('alice.crt', chain(alice), 0o644);
const keyFile = write('alice.key', key(alice));
const ca = write('root.pem', pem('CERTIFICATE', root.issued.der), 0o644);
const password = write('alice.password', 'open sesame\n');

const own = { certificate, key: keyFile, authorities: [ca], revocation: 'ifKnown' } as const;
const BY_CERTIFICATE: CredentialFlags = { method: 'certificate', ...own };
const BY_PASSWORD: CredentialFlags = {
  method: 'eap-mschapv2',
  user: 'alice',
  passwordFile: password,
  authorities: [ca],
  revocation: 'ifKnown',
};
const BY_EAP_TLS = { method: 'eap-tls', ...own, user: undefined, eapServer: undefined, eapOnly: false } as const;

const read = (credentials: CredentialFlags, part: Partial<CredentialRequest> = {}) =>
  readCredentials(
    { credentials, identity: undefined, remoteIdentity: undefined, ppk: undefined, host: 'vpn.example.com', ...part },
    { crypto, now: NOW },
  );

describe('the credentials of a client', () => {
  it('are a certificate with its intermediates and key, and authorities that are trusted', () => {
    const { authentication, trust, warnings } = read(BY_CERTIFICATE);
    assert.ok(authentication.method === 'certificate');
    assert.deepEqual(authentication.certificate.chain.map(hex), [alice.der, issuing.issued.der].map(hex));
    assert.equal(hex(authentication.certificate.key.expose()), hex(alice.pkcs8));
    assert.deepEqual(trust, { anchors: [root.issued.der], lists: [], revocation: 'ifKnown' });
    assert.deepEqual(warnings, []);
    assert.doesNotMatch(JSON.stringify(authentication.certificate.key), /[0-9a-f]{8}/);
  });

  it('say who we are: the mailbox of the certificate, else its domain name, else its subject', () => {
    assert.equal(formatIdentity(read(BY_CERTIFICATE).identity), 'alice@example.com');
    const machine = issuing.issue({ ...valid, names: ['dns:laptop.example.com'] });
    const named = { ...own, certificate: write('m.crt', chain(machine)), key: write('m.key', key(machine)) };
    assert.equal(formatIdentity(read({ ...named, method: 'certificate' }).identity), 'laptop.example.com');
    const bare = issuing.issue({ ...valid, subject: 'CN=alice,O=Example', names: [] });
    const unnamed = { ...own, certificate: write('b.crt', chain(bare)), key: write('b.key', key(bare)) };
    assert.equal(read({ ...unnamed, method: 'certificate' }).identity.idType, IdType.ID_DER_ASN1_DN);
    const { authentication } = read({ ...BY_EAP_TLS, ...unnamed, method: 'eap-tls' });
    assert.ok(authentication.method === 'eap-tls');
    assert.match(authentication.user, /CN=alice/);
    assert.deepEqual(read(BY_CERTIFICATE, { identity: fqdn('laptop.example.com') }).identity, fqdn('laptop.example.com'));
  });

  it('say who the gateway must be: whom we dialled, unless we were told', () => {
    assert.deepEqual(read(BY_CERTIFICATE).remoteIdentity, fqdn('vpn.example.com'));
    assert.deepEqual(read(BY_CERTIFICATE, { host: '192.0.2.1' }).remoteIdentity, {
      idType: IdType.ID_IPV4_ADDR,
      data: Uint8Array.of(192, 0, 2, 1),
    });
    assert.deepEqual(read(BY_PASSWORD, { remoteIdentity: fqdn('other.example') }).remoteIdentity, fqdn('other.example'));
    const psk = { method: 'psk', pskFile: write('psk', 'secret') } as const;
    assert.equal(read(psk, { identity: fqdn('laptop.example.com') }).remoteIdentity, undefined);
  });

  it('are a user with the hash of the password, which nothing prints', () => {
    const { authentication, identity } = read(BY_PASSWORD);
    assert.ok(authentication.method === 'eap-mschapv2');
    assert.deepEqual([authentication.user, authentication.ntHash.length], ['alice', 16]);
    assert.equal(formatIdentity(identity), 'alice');
    const odd = read({ ...BY_PASSWORD, user: 'EXAMPLE\\alice' }).identity;
    assert.equal(odd.idType, IdType.ID_KEY_ID);
    assert.doesNotMatch(JSON.stringify(authentication), /sesame/);
  });

  it('of EAP-TLS want the EAP server to be the gateway, unless it is told to be another', () => {
    const { authentication } = read(BY_EAP_TLS);
    assert.ok(authentication.method === 'eap-tls');
    assert.deepEqual([authentication.user, authentication.server], ['alice@example.com', fqdn('vpn.example.com')]);
    const other = read({ ...BY_EAP_TLS, eapServer: fqdn('radius.example.com') }).authentication;
    assert.ok(other.method === 'eap-tls');
    assert.deepEqual(other.server, fqdn('radius.example.com'));
  });

  it('may have authorities in several files and folders, each counted once, with revocation lists', () => {
    const folder = join(dirname(ca), 'authorities');
    mkdirSync(folder);
    const other = root.intermediate(valid).issued.der;
    writeFileSync(join(folder, 'other.pem'), pem('CERTIFICATE', other));
    writeFileSync(join(folder, 'root.crl'), root.list([alice], { thisUpdate: NOW - 1_000, nextUpdate: NOW + 1_000_000 }));
    writeFileSync(join(folder, 'README'), 'no certificate');
    const { trust } = read({ ...BY_CERTIFICATE, authorities: [ca, folder, ca], revocation: 'required' });
    assert.deepEqual(trust.anchors.map(hex), [root.issued.der, other].map(hex));
    assert.deepEqual([trust.lists.length, trust.revocation], [1, 'required']);
  });

  const strange = issuing.issue(valid);
  const old = issuing.issue({ ...valid, notAfter: NOW - 1_000 });
  for (const [what, make, words] of [
    [
      'everybody may read the key',
      () => ({ key: write('open.key', key(alice), 0o644) }),
      /^--key: .*open\.key: everybody may read it \(mode 0644\); run: chmod 600/,
    ],
    [
      'the key belongs to another certificate',
      () => ({ key: write('s.key', key(strange)) }),
      /^--key: .*s\.key: does not belong to the first certificate in .*alice\.crt; /,
    ],
    [
      'the key is not there',
      () => ({ key: '/no/such/key' }),
      /^--key: \/no\/such\/key: does not exist; write the private key into it, with mode 0600$/,
    ],
    [
      'the certificate is not there',
      () => ({ certificate: '/no/such/crt' }),
      /^--cert: \/no\/such\/crt: does not exist; check its name$/,
    ],
    [
      'there is a key instead of a certificate',
      () => ({ certificate: keyFile }),
      /^--cert: .*alice\.key: no certificate; write the certificate/,
    ],
    [
      'the authority is not there',
      () => ({ authorities: ['/no/such/ca'] }),
      /^--ca: \/no\/such\/ca: does not exist; check its name$/,
    ],
    ['the authority is none', () => ({ authorities: [write('text', 'hello')] }), /^--ca: .*text: neither PEM nor DER; /],
    [
      'no authority is in the file',
      () => ({ authorities: [write('empty.crl', root.list([], {}))] }),
      /^--ca: .*empty\.crl: no certificate of an authority; add/,
    ],
    [
      'no authority is in the folder',
      () => ({ authorities: ['/proc/self/fdinfo'] }),
      /^--ca: \/proc\/self\/fdinfo: no file \*\.pem, .* in it; /,
    ],
  ] as const) {
    it(`are refused with the remedy when ${what}`, () => {
      const flags = { ...BY_CERTIFICATE, ...make() };
      assert.throws(
        () => read(flags),
        (error: Error) => (words.test(error.message) && !/PRIVATE|sesame/.test(error.message)) || assert.fail(error.message),
      );
    });
  }

  it('are refused with all that is wrong at once', () => {
    assert.throws(() => read({ ...BY_CERTIFICATE, authorities: ['/no/ca'], key: '/no/key' }), /^Error: --ca: .*\n--key: /);
    assert.throws(
      () => read({ ...BY_PASSWORD, passwordFile: '/no/password', authorities: ['/no/ca'] }),
      /--ca: .*\n--eap-password-file: /,
    );
  });

  it('come with a warning when the certificate has expired', () => {
    const flags = { ...BY_CERTIFICATE, certificate: write('old.crt', chain(old)), key: write('old.key', key(old)) };
    assert.match(read(flags).warnings.join(), /^--cert: .*old\.crt: line 1: expired on 20.*; renew it; gateways refuse it$/);
  });
});
