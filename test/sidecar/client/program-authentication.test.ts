/** The program against a real gateway on loopback, by each way to authenticate: what it prints, and how it ends. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Sidecar } from '../../../sidecar/shell/sidecar.ts';
import {
  ca,
  files,
  otherCa,
  own,
  Program,
  passwordFile,
  ppkFile,
  startFullGateway,
  toFullGateway,
  wrongPasswordFile,
} from './program.ts';

let gateway: Sidecar;
before(async () => {
  gateway = await startFullGateway();
});
after(() => gateway.close());

const PINGS = ['--ping', '10.8.0.1', '--interval', '20ms', '--count', '1'];

describe('the client program', { timeout: 60_000 }, () => {
  for (const [way, flags, gatewayProof] of [
    ['a certificate', [...own, ...ca], 'certificate'],
    [
      'a certificate and a post-quantum key',
      [...own, ...ca, '--ppk-id', 'office', '--ppk-file', ppkFile, '--ppk-required'],
      'certificate',
    ],
    ['a password', ['--eap-user', 'alice', '--eap-password-file', passwordFile, ...ca], 'certificate'],
    ['EAP-TLS', ['--eap-tls', ...own, ...ca], 'certificate'],
    ['EAP-TLS alone', ['--eap-tls', '--eap-only', ...own, ...ca], 'EAP'],
    ['a certificate, childless', [...own, ...ca, '--childless', '--no-mobike', '--no-redirect'], 'certificate'],
  ] as const) {
    it(`connects by ${way}, pings through the tunnel, and tells what it was given`, async () => {
      const program = new Program(...toFullGateway, ...flags, ...PINGS);
      assert.deepEqual(await program.end(), { status: 0, stderr: '' });
      const established = await program.next('established');
      assert.deepEqual([established.kind, established.gatewayProof], ['full', gatewayProof]);
      assert.deepEqual([established.dns, established.domains], [['10.8.0.1'], ['corp.example.com']]);
      assert.ok((established.reauthenticateInMs ?? 0) > 0);
      assert.equal((await program.next('ping-summary')).received, 1);
      assert.doesNotMatch(JSON.stringify(program.events), /sesame|secrecy|PRIVATE/);
    });
  }

  it('keeps a ticket of its password and comes back by it, and does not use it with another credential', async () => {
    const ticket = ['--ticket-file', join(files.path, 'full.ticket'), '--suspend-on-exit'];
    const password = ['--eap-user', 'alice', '--eap-password-file', passwordFile, ...ca];
    const first = new Program(...toFullGateway, ...password, ...ticket, ...PINGS);
    assert.equal((await first.end()).status, 0);
    const second = new Program(...toFullGateway, ...password, ...ticket, ...PINGS);
    assert.equal((await second.end()).status, 0);
    assert.equal((await second.next('established')).kind, 'resumed');
    const third = new Program(...toFullGateway, ...own, '--id', 'alice', ...ca, ...ticket, '--once');
    assert.match(
      (await third.next('warning')).message,
      /full\.ticket: ticket not used: it came of other credentials \(eap-mschapv2 alice\)/,
    );
    await third.next('connecting');
    await third.end();
  });

  for (const [what, flags, words] of [
    [
      'the password is wrong',
      ['--eap-user', 'alice', '--eap-password-file', wrongPasswordFile, ...ca],
      /--eap-user and .*--eap-password-file/,
    ],
    [
      'nobody whom we trust vouches for the gateway',
      [...own, ...otherCa],
      /unknown-authority; give the authority .* with --ca$/m,
    ],
    [
      'no key is safe from quantum computers',
      [...own, ...ca, '--proposal', 'aes256gcm16-x25519', '--post-quantum', 'required'],
      /--post-quantum/,
    ],
  ] as const) {
    it(`says what to do when ${what}`, async () => {
      const { status, stderr } = await new Program(...toFullGateway, ...flags, '--once').end();
      assert.equal(status, 1);
      assert.match(stderr, words);
    });
  }

  it('says what to do when the gateway is not called as it was dialled', async () => {
    const [gatewayFlag = '', dialled = ''] = toFullGateway;
    const { status, stderr } = await new Program(gatewayFlag, dialled, ...own, ...ca, '--once').end();
    assert.equal(status, 1);
    assert.match(stderr, /the gateway calls itself vpn\.example\.com, not 127\.84\.0\.2; .*--remote-id\n$/);
  });

  it('ends with another status and names each file when it cannot begin', async () => {
    const { status, stderr } = await new Program(
      ...toFullGateway,
      '--cert',
      '/no/crt',
      '--key',
      '/no/key',
      '--ca',
      '/no/ca',
    ).end();
    assert.equal(status, 2);
    assert.match(stderr, /^--ca: \/no\/ca: does not exist; .*\n--cert: \/no\/crt: does not exist; /);
  });
});
