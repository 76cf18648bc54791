/** The certificate and key of a gateway as Secrets hold them, and anchors in files: every problem with its place and remedy. */
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { cryptography } from '../../../../sidecar/ike/crypto/cryptographies.ts';
import { parseOwnCertificate } from '../../../../sidecar/ike/pki/own-certificate.ts';
import { parseTrust } from '../../../../sidecar/ike/pki/trust-files.ts';
import type { Instant } from '../../../../sidecar/ike/sa.ts';
import { hex, utf8 } from '../../../../sidecar/ike/wire/bytes.ts';
import { Authority, type Issued, pem, purposes, YEAR_2030 } from '../../../harness/certificate-authority.ts';

const crypto = cryptography('auto');
const now = YEAR_2030 as Instant;
const DAY_MS = 86_400_000;
const root = Authority.root();
const middle = root.intermediate();
const forServers = { subject: 'CN=gw', names: ['dns:gw.example.com'], purposes: [purposes.serverAuth] };
const gateway = middle.issue(forServers);

const crt = (...chain: readonly Issued[]): string => chain.map(({ der }) => pem('CERTIFICATE', der)).join('');
const parsed = (chain: string, key: string) =>
  parseOwnCertificate({ file: 'tls.crt', content: chain }, { file: 'tls.key', content: key }, { crypto, now });
const keyPem = ({ pkcs8 }: Issued): string => pem('PRIVATE KEY', pkcs8);
const messages = (result: ReturnType<typeof parsed>): readonly string[] =>
  (result.ok ? result.value.warnings : result.problems).map(({ file, path, message }) => `${file}: ${path}: ${message}`);

describe('tls.crt and tls.key', () => {
  it('hold a chain, own certificate first, and its key; a root is not sent', () => {
    const result = parsed(crt(gateway, middle.issued, root.issued), keyPem(gateway));
    assert.ok(result.ok, JSON.stringify(result));
    const { certificate, subject, notAfter, warnings, privateKey } = result.value;
    assert.deepEqual(certificate.chain.map(hex), [gateway.der, middle.issued.der].map(hex));
    assert.equal(certificate.key.kind, 'ec-p256');
    assert.equal(hex(privateKey), hex(gateway.pkcs8));
    assert.equal(subject, 'CN=gw');
    assert.equal(notAfter, now + 30 * DAY_MS);
    assert.deepEqual(warnings, []);
  });

  it('hold keys of every kind, as PKCS #8, PKCS #1 and SEC 1', () => {
    for (const key of ['rsa', 'ec-p256', 'ec-p384', 'ec-p521', 'ed25519', 'ed448'] as const) {
      const issued = root.issue({ ...forServers, key });
      const old = key === 'rsa' ? 'pkcs1' : key.startsWith('ec') ? 'sec1' : 'pkcs8';
      for (const type of ['pkcs8', old] as const) {
        const text = String(issued.privateKey.export({ format: 'pem', type }));
        const result = parsed(crt(issued), text);
        assert.ok(result.ok, `${key} ${type} ${JSON.stringify(result)}`);
        assert.equal(hex(result.value.certificate.key.publicKey()), hex(issued.spki));
        assert.ok(createPrivateKey({ key: Buffer.from(result.value.privateKey), format: 'der', type: 'pkcs8' }));
      }
    }
  });

  it('may have EC PARAMETERS, comments and line ends of Windows', () => {
    const key = `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${String(gateway.privateKey.export({ format: 'pem', type: 'sec1' }))}`;
    assert.ok(parsed(`subject=CN = gw\n${crt(gateway)}`.replaceAll('\n', '\r\n'), key.replaceAll('\n', '\r\n')).ok);
  });

  it('are refused with every problem at its place', () => {
    const garbled = pem('CERTIFICATE', utf8('garbage'));
    assert.deepEqual(messages(parsed(crt(middle.issued, gateway), keyPem(gateway))), [
      'tls.key: : does not belong to the first certificate in tls.crt',
    ]);
    assert.deepEqual(messages(parsed('', '')), ['tls.crt: : neither PEM nor DER', 'tls.key: : neither PEM nor DER']);
    assert.deepEqual(messages(parsed(keyPem(gateway), crt(gateway))), ['tls.crt: : no certificate', 'tls.key: : no private key']);
    assert.match(messages(parsed(crt(gateway) + garbled, keyPem(gateway)))[0] ?? '', /^tls\.crt: line 1\d: not a certificate/);
    assert.match(messages(parsed(crt(gateway).slice(0, -20), keyPem(gateway)))[0] ?? '', /begins at line 1 has no end/);
    assert.deepEqual(messages(parsed(crt(gateway), keyPem(gateway) + keyPem(root.issued))), ['tls.key: : several private keys']);
    assert.deepEqual(messages(parsed(crt(gateway), pem('ENCRYPTED PRIVATE KEY', gateway.pkcs8))), [
      'tls.key: : the private key is encrypted',
    ]);
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
    assert.deepEqual(messages(parsed(crt(gateway), String(short.export({ format: 'pem', type: 'pkcs8' })))), [
      'tls.key: : a private key that is malformed, too weak or of an unknown kind',
    ]);
  });

  it('never repeat the key in a problem', () => {
    const key = keyPem(gateway);
    const body = key.split('\n')[1] ?? '';
    for (const bad of [key.slice(0, -30), key.replace('=', '*'), key.replaceAll('PRIVATE', 'STRANGE'), `${key}${key}`])
      assert.ok(!JSON.stringify(parsed(crt(gateway), bad)).includes(body.slice(0, 20)));
  });

  it('warn of what clients will not like', () => {
    const warned = (wish: object) => messages(parsed(crt(root.issue({ ...forServers, ...wish })), keyPem(root.issued)));
    const own = (wish: object) => {
      const issued = root.issue({ ...forServers, ...wish });
      return messages(parsed(crt(issued), keyPem(issued)));
    };
    assert.equal(warned({}).length, 1);
    assert.deepEqual(own({}), []);
    assert.deepEqual(own({ notAfter: now - 1000 }), ['tls.crt: line 1: expired on 2029-12-31T23:59:59.000Z']);
    assert.deepEqual(own({ notAfter: now + 2 * DAY_MS }), ['tls.crt: line 1: expires on 2030-01-03T00:00:00.000Z']);
    assert.deepEqual(own({ notBefore: now + DAY_MS }), ['tls.crt: line 1: not valid before 2030-01-02T00:00:00.000Z']);
    assert.deepEqual(own({ names: [] }), ['tls.crt: line 1: no subjectAltName']);
    assert.deepEqual(own({ purposes: [purposes.clientAuth] }), ['tls.crt: line 1: no extended key usage serverAuth']);
  });
});

describe('files of trust anchors', () => {
  const trust = (...files: readonly { file: string; content: string | Uint8Array }[]) =>
    parseTrust(files, { crypto, revocation: 'ifKnown', now });

  it('are PEM with several certificates, or DER', () => {
    const bundle = { file: 'bundle.pem', content: crt(root.issued, Authority.root({ subject: 'CN=Second' }).issued) };
    const single = { file: 'third.der', content: Authority.root({ subject: 'CN=Third' }).issued.der };
    const result = trust(bundle, single);
    assert.ok(result.ok);
    assert.equal(result.value.trust.size, 3);
    assert.ok(trust().ok);
  });

  it('are refused whole, with all that is wrong in any of them', () => {
    const weak = Authority.root({ key: generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey });
    const result = trust(
      { file: 'a.pem', content: crt(root.issued) },
      { file: 'b.pem', content: keyPem(root.issued) },
      { file: 'c.txt', content: 'hello' },
      { file: 'd.pem', content: crt(weak.issued) },
      { file: 'e.der', content: root.issued.der.slice(0, 100) },
    );
    assert.ok(!result.ok);
    assert.deepEqual(
      result.problems.map(({ file, message }) => `${file}: ${message.split(':')[0]}`),
      [
        'c.txt: neither PEM nor DER',
        'b.pem: a PRIVATE KEY',
        'd.pem: the key of "CN=Root,O=Example" is too weak or of an unknown kind',
        'e.der: not a certificate that can be read',
      ],
    );
    for (const { remedy } of result.problems) assert.ok(remedy.length > 10);
  });

  it('warn of an anchor that has expired and of a list that is out of date', () => {
    const old = Authority.root({ subject: 'CN=Old', notAfter: now - 1000 });
    const result = trust(
      { file: 'old.pem', content: crt(old.issued) },
      { file: 'ca.pem', content: crt(root.issued) },
      { file: 'list.crl', content: root.list([], { nextUpdate: now - 1 }) },
      { file: 'other.crl', content: middle.list([]) },
    );
    assert.ok(result.ok);
    assert.deepEqual(
      result.value.warnings.map(({ file, message }) => `${file}: ${message}`),
      [
        'old.pem: "CN=Old" expired on 2029-12-31T23:59:59.000Z',
        'list.crl: out of date',
        'other.crl: of an authority that is not here',
      ],
    );
  });
});
