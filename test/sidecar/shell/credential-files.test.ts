/** Credentials in folders, as Secrets and ConfigMaps are mounted: what counts, what is refused whole, and what stays in force. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { parseIdentity } from '../../../sidecar/contract/identity.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import { createLog } from '../../../sidecar/process/log.ts';
import { type InForce, PolicyFiles } from '../../../sidecar/shell/policy-files.ts';
import { Authority, type Issued, pem } from '../../harness/certificate-authority.ts';
import { exampleConfig, exampleRing } from './example-files.ts';

const DAY_MS = 86_400_000;
const NOW = Date.now();
const validity = { notBefore: NOW - DAY_MS, notAfter: NOW + 365 * DAY_MS };
const ALICE = 'alice@example.com';

describe('the credentials of a gateway', () => {
  const staff = Authority.root({ subject: 'CN=Staff', ...validity });
  const guests = Authority.root({ subject: 'CN=Guests', ...validity });
  const gateway = staff.issue({ subject: 'CN=gateway', names: ['dns:vpn.example.com'], key: 'ec-p256', ...validity });
  const alice = staff.issue({ subject: 'CN=alice', names: [`email:${ALICE}`], key: 'ec-p256', ...validity });
  let directory: string;
  let files: PolicyFiles;
  let lines: string[];
  let looked: string[];
  let seen: InForce[];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rekindle-credentials-'));
    [lines, looked, seen] = [[], [], []];
    await write('config/gateway.yaml', exampleConfig(1));
    await write('ring/key-ring.yaml', exampleRing(1));
    await writeCertificate(gateway, gateway);
    await write('staff/ca.crt', pem('CERTIFICATE', staff.issued.der));
    await write('guests/root.pem', pem('CERTIFICATE', guests.issued.der));
    await write('eap/users.yaml', 'bob: a password of his own\n');
    await write('radius/office.secret', 'a secret that is shared\n');
    files = new PolicyFiles(
      {
        config: path('config/gateway.yaml'),
        keyRing: path('ring/key-ring.yaml'),
        credentials: {
          certificate: [{ path: path('certificate'), name: undefined }],
          authorities: ['staff', 'guests'].map((name) => ({ path: path(name), name })),
          eap: [{ path: path('eap'), name: undefined }],
          radius: [{ path: path('radius'), name: undefined }],
        },
      },
      createLog({ level: 'info', base: {}, to: { write: (line) => void lines.push(JSON.parse(line).msg) } }),
      {
        changed: (inForce) => void seen.push(inForce),
        looked: (role, outcome) => void looked.push(`${role} ${outcome}`),
      },
    );
  });
  afterEach(async () => {
    files.close();
    await rm(directory, { recursive: true });
  });

  const path = (name: string): string => join(directory, name);
  const write = async (name: string, content: string | Uint8Array): Promise<void> => {
    await mkdir(join(path(name), '..'), { recursive: true });
    await writeFile(path(name), content);
  };
  const writeCertificate = async (certificate: Issued, key: Issued): Promise<void> => {
    await write('certificate/tls.crt', pem('CERTIFICATE', certificate.der));
    await write('certificate/tls.key', pem('PRIVATE KEY', key.pkcs8));
  };
  const now = (): InForce => {
    assert.ok(files.inForce);
    return files.inForce;
  };
  const verdict = (issued: Issued, authorities: readonly string[] = []): string => {
    const demand = { now: NOW as Instant, identity: parseIdentity(ALICE), usage: 'client' as const, authorities };
    const said = now().policy.credentials.trust.verify({ certificates: [issued.der], ocsp: [], lists: [] }, demand);
    return said.trusted ? said.anchor : said.reason;
  };

  it('are in force once all are there, each where it is used', async () => {
    await files.look();
    const { policy, servers } = now();
    assert.deepEqual(policy.credentials.certificate?.chain, [gateway.der]);
    assert.deepEqual(servers.certificate?.chain, [gateway.der]);
    assert.equal(policy.credentials.trust.size, 2);
    assert.equal(servers.trust, policy.credentials.trust);
    assert.ok(servers.users.ntHash('bob'));
    assert.equal(servers.radius.secret('office.secret')?.length, 'a secret that is shared'.length);
    assert.equal(policy.credentials.psk(parseIdentity(ALICE)), undefined);
    assert.deepEqual(files.faults(), []);
  });

  it('know an authority by the name that it was given, whatever its files are called', async () => {
    await files.look();
    assert.equal(verdict(alice), 'staff');
    assert.equal(verdict(alice, ['staff']), 'staff');
    assert.equal(verdict(alice, ['guests']), 'unknown-authority');
  });

  it('revoke a certificate as soon as a list comes that names it, and no earlier', async () => {
    await files.look();
    const list = staff.list([alice], { thisUpdate: NOW - DAY_MS, nextUpdate: NOW + DAY_MS });
    await write('staff/latest.crl', list);
    await files.look();
    assert.equal(verdict(alice), 'revoked');
    assert.equal(seen.length > 1, true);
    await write('staff/latest.crl', staff.list([], { thisUpdate: NOW - DAY_MS, nextUpdate: NOW + DAY_MS }));
    await files.look();
    assert.equal(verdict(alice), 'staff');
  });

  it('follow what the configuration demands of revocation, though no file of theirs has changed', async () => {
    await files.look();
    await write('config/gateway.yaml', exampleConfig(2).replace('\n...', '\nrevocation: required\n...'));
    await files.look();
    assert.equal(now().policy.config.revocation, 'required');
    assert.equal(verdict(alice), 'revocation-unknown');
  });

  it('leave other files alone', async () => {
    await write('staff/tls.key', 'nonsense');
    await write('certificate/ca.crt', 'nonsense');
    await files.look();
    assert.equal(verdict(alice), 'staff');
  });

  it('are refused whole, and the old ones stay in force', async () => {
    await files.look();
    await writeCertificate(gateway, alice);
    await write('guests/root.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    await write('eap/users.yaml', 'bob: ""\n');
    await files.look();
    assert.deepEqual(now().policy.credentials.certificate?.chain, [gateway.der]);
    assert.equal(verdict(alice), 'staff');
    assert.ok(now().servers.users.ntHash('bob'));
    assert.deepEqual(
      files.faults().map(({ file }) => file),
      ['certificate: tls.key', 'authorities: guests/root.pem', 'EAP users: users.yaml'],
    );
    assert.ok(lines.some((line) => line.startsWith('tls.key: does not belong to the first certificate in tls.crt; ')));
    assert.deepEqual(looked.filter((one) => one.endsWith('refused')).toSorted(), [
      'authorities refused',
      'certificate refused',
      'eap refused',
    ]);
  });

  it('that never came are said by name, and nothing is in force before they do', async () => {
    await unlink(path('certificate/tls.key'));
    await unlink(path('staff/ca.crt'));
    await files.look();
    assert.equal(files.inForce, undefined);
    assert.deepEqual(files.missing(), ['certificate: tls.key: not there', 'authorities: not there']);
    assert.deepEqual(files.faults(), [
      { file: 'certificate: tls.key', problems: 1 },
      { file: 'authorities', problems: 1 },
    ]);
  });

  it('never stand in a line of the log', async () => {
    await write('radius/office.secret', 'first-secret-line\nsecond-secret-line\n');
    await write('eap/users.yaml', 'bob: [hidden-password]\n');
    await files.look();
    assert.doesNotMatch(lines.join('\n'), /secret-line|hidden-password|a password of his own/);
  });
});
