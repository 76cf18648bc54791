/** The command line: what it takes, and that each refusal names the flag and the remedy. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseArguments } from '../../../sidecar/client/arguments.ts';
import { FLAGS, parseGateway } from '../../../sidecar/client/flags.ts';
import { usage } from '../../../sidecar/client/usage.ts';
import { ALICE, fqdn } from '../../harness/policy.ts';

const ESSENTIAL = ['connect', '--gateway', 'vpn.example.com', '--id', 'alice@example.com', '--psk-file', 'alice.psk'];

function accepted(...more: readonly string[]) {
  const line = parseArguments([...ESSENTIAL, ...more]);
  assert.ok(line.command === 'connect', JSON.stringify(line));
  return line.connect;
}

function refused(...argv: readonly string[]): readonly string[] {
  const line = parseArguments(argv);
  assert.ok(line.command === 'refuse', JSON.stringify(line));
  return line.problems;
}

describe('the command line of the client', () => {
  it('needs gateway, identity and key file, and has defaults for the rest', () => {
    const connect = accepted();
    assert.deepEqual(connect.gateway, { host: 'vpn.example.com', ikePort: 500, natPort: 4500 });
    assert.deepEqual(connect.identity, ALICE);
    assert.deepEqual(connect.options, {});
    assert.deepEqual(connect.credentials, { method: 'psk', pskFile: 'alice.psk' });
    const { ticketFile, ping, tun, json, suspendOnExit, crypto, logLevel } = connect;
    assert.deepEqual(
      { ticketFile, ping, tun, json, suspendOnExit, crypto, logLevel },
      {
        ticketFile: undefined,
        ping: undefined,
        tun: undefined,
        json: false,
        suspendOnExit: false,
        crypto: 'auto',
        logLevel: 'error',
      },
    );
  });

  it('takes every flag', () => {
    const connect = accepted(
      ...[
        '--nat-port',
        '4501',
        '--remote-id',
        'vpn.example.com',
        '--ticket-file',
        't.json',
        '--ping',
        '10.8.0.1',
        '--interval',
        '200ms',
      ],
      ...['--count', '3', '--tun', 'vpn0', '--json', '--dead-peer', '2s', '--source', '127.0.0.1', '--once', '--suspend-on-exit'],
      ...[
        '--proposal',
        'aes256gcm16-prfsha384-x25519',
        '--esp-proposal',
        'chacha20poly1305-none',
        '--crypto',
        'noble',
        '--log-level',
        'debug',
      ],
    );
    assert.deepEqual(connect.ping, { address: Uint8Array.of(10, 8, 0, 1), intervalMs: 200, count: 3 });
    const { ike, esp, remoteIdentity, ...rest } = connect.options;
    assert.deepEqual(rest, { source: '127.0.0.1', deadPeerMs: 2_000, once: true });
    assert.deepEqual(remoteIdentity, fqdn('vpn.example.com'));
    assert.deepEqual([ike?.encryption, ike?.prf, ike?.keyExchange], [[{ id: 20, keyBits: 256 }], [6], [31]]);
    assert.deepEqual([esp?.encryption, esp?.prf, esp?.keyExchange], [[{ id: 28, keyBits: 0 }], [], [0]]);
    assert.deepEqual(accepted('--no-ticket').options, { tickets: false });
  });

  it('says all that is missing at once', () => {
    const problems = refused('connect');
    assert.equal(problems.length, 2);
    assert.match(problems.join('\n'), /^--gateway: missing; write for instance vpn\.example\.com/m);
    assert.match(
      problems.join('\n'),
      /^no way to authenticate; give one of: --psk-file; --cert with --key and --ca; --eap-user/m,
    );
    assert.match(refused('connect', '--psk-file', 'f').join('\n'), /^--id: missing; /m);
  });

  for (const [flags, words] of [
    [['--count', 'many', '--ping', '10.8.0.1'], /^--count: not a number: "many"; write a whole number from 1 on$/m],
    [['--ping', '10.8.0'], /^--ping: not an address: "10\.8\.0"; write an IPv4 or IPv6 address/m],
    [['--ping'], /^--ping: needs an address; /m],
    [['--count', '3'], /^--count: there are no pings; add --ping ADDRESS$/m],
    [['--dead-peer', '10'], /^--dead-peer: not a span of time: "10"; write a whole number with its unit/m],
    [['--dead-peer', '1ms'], /^--dead-peer: not a span of time: "1ms"; .* from 200ms/m],
    [['--json=yes'], /^--json: takes no value; write it alone$/m],
    [['--crypto', 'rot13'], /^--crypto: not a provider: "rot13"; write auto, noble or openssl$/m],
    [['--proposal', 'aes256gcm16-rot13'], /^--proposal: not a proposal for IKE: .* join keywords by -: aes256gcm16/m],
    [['--esp-proposal', 'prfsha256'], /^--esp-proposal: not a proposal for ESP/m],
    [['--source', 'eth0'], /^--source: not an address/m],
    [['--nat-port', '500'], /^--nat-port: the port 500 is in --gateway already/m],
    [['--tun', 'a/b'], /^--tun: not the name of an interface/m],
    [['--ticket-file', 't', '--no-ticket'], /^--ticket-file: of no use with --no-ticket; leave one of the two out$/m],
    [['--id', 'bob@example.com'], /^--id: given 2 times; give it once$/m],
    [['--verbose'], /^--verbose: not a flag; see --help$/m],
  ] as const) {
    it(`refuses ${flags.join(' ')} with its remedy`, () => assert.match(refused(...ESSENTIAL, ...flags).join('\n'), words));
  }

  const FILES = ['--cert', 'a.crt', '--key', 'a.key', '--ca', 'root.pem'];
  const start = ['connect', '--gateway', 'vpn.example.com'];
  const own = { certificate: 'a.crt', key: 'a.key', authorities: ['root.pem'], revocation: 'ifKnown' };
  for (const [flags, credentials] of [
    [FILES, { method: 'certificate', ...own }],
    [
      [...FILES, '--ca', 'more', '--revocation', 'required'],
      { method: 'certificate', ...own, authorities: ['root.pem', 'more'], revocation: 'required' },
    ],
    [
      ['--eap-user', 'alice', '--eap-password-file', 'a.pw', '--ca', 'root.pem'],
      { method: 'eap-mschapv2', user: 'alice', passwordFile: 'a.pw', authorities: ['root.pem'], revocation: 'ifKnown' },
    ],
    [['--eap-tls', ...FILES], { method: 'eap-tls', ...own, user: undefined, eapServer: undefined, eapOnly: false }],
    [
      ['--eap-tls', '--eap-only', '--eap-user', 'alice', '--eap-server-id', 'radius.example.com', ...FILES],
      { method: 'eap-tls', ...own, user: 'alice', eapServer: fqdn('radius.example.com'), eapOnly: true },
    ],
  ] as const) {
    it(`takes ${flags.join(' ')}, and no --id`, () => {
      const line = parseArguments([...start, ...flags]);
      assert.ok(line.command === 'connect', JSON.stringify(line));
      assert.deepEqual([line.connect.credentials, line.connect.identity], [credentials, undefined]);
    });
  }

  for (const [flags, words] of [
    [
      ['--psk-file', 'f', '--id', 'a@b.c', ...FILES],
      /^--psk-file and --cert: more than one way to authenticate; give one of: --psk-file; --cert/m,
    ],
    [['--eap-tls', '--eap-password-file', 'f', ...FILES], /^--eap-user and --eap-tls: more than one way/m],
    [['--cert', 'a.crt'], /^--key: missing; .*\n--ca: missing; /m],
    [['--eap-user', 'alice'], /^--eap-password-file: missing; .*\n--ca: missing; /m],
    [['--eap-tls'], /^--cert: missing; .*\n--key: missing; .*\n--ca: missing; /m],
    [['--psk-file', 'f', '--id', 'a@b.c', '--ca', 'f'], /^--ca: of no use with --psk-file; leave it out$/m],
    [[...FILES, '--eap-only'], /^--eap-only: of no use with --cert .*; use --eap-tls, which proves both sides$/m],
    [[...FILES, '--revocation', 'maybe'], /^--revocation: not a demand: "maybe"; write ifKnown or required$/m],
    [[...FILES, '--ca'], /^--ca: needs a file or a folder; /m],
    [[...FILES, '--cert', 'b.crt'], /^--cert: given 2 times; give it once$/m],
  ] as const) {
    it(`refuses ${flags.join(' ')} with its remedy`, () => assert.match(refused(...start, ...flags).join('\n'), words));
  }

  it('takes every command that its documentation shows', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../docs/client.md'), 'utf8').replaceAll('\\\n', ' ');
    const commands = text.match(/^node sidecar\/client\/main\.ts .+$/gm) ?? [];
    assert.equal(commands.length, 5);
    for (const command of commands) {
      const line = parseArguments(command.trim().split(/ +/).slice(2));
      assert.equal(line.command, 'connect', `${command}: ${JSON.stringify(line)}`);
    }
  });

  it('takes no secret, and does not repeat one', () => {
    const problems = refused(...ESSENTIAL, '--psk', 'hunter2').join('\n');
    assert.match(
      problems,
      /^--psk: not a flag; a secret never stands on the command line: .* --psk-file or --eap-password-file$/m,
    );
    assert.doesNotMatch(problems, /hunter2/);
  });

  it('refuses what is no command', () => assert.match(refused('disconnect').join('\n'), /begin with: connect/));

  it('answers --help, --version and silence', () => {
    assert.equal(parseArguments([]).command, 'help');
    assert.equal(parseArguments(['help']).command, 'help');
    assert.equal(parseArguments(['connect', '--help']).command, 'help');
    assert.equal(parseArguments(['--version']).command, 'version');
    for (const { name } of Object.values(FLAGS)) assert.match(usage(), new RegExp(`^  --${name}\\b`, 'm'));
  });

  for (const [text, expected] of [
    ['vpn.example.com', { host: 'vpn.example.com', ikePort: 500 }],
    ['vpn.example.com:1500', { host: 'vpn.example.com', ikePort: 1500 }],
    ['192.0.2.1:500', { host: '192.0.2.1', ikePort: 500 }],
    ['2001:db8::1', { host: '2001:db8::1', ikePort: 500 }],
    ['[2001:db8::1]:1500', { host: '2001:db8::1', ikePort: 1500 }],
    ['192.0.2', undefined],
    ['vpn.example.com:0', undefined],
    ['vpn.example.com:66000', undefined],
    ['[vpn]:500', undefined],
    ['', undefined],
  ] as const) {
    it(`reads the gateway ${JSON.stringify(text)}`, () => assert.deepEqual(parseGateway(text), expected));
  }
});
