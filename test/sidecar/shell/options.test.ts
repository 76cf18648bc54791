/** The command line: understood, or refused with everything that is wrong. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CommandLine } from '../../../sidecar/process/command.ts';
import { parseCommandLine, type SidecarOptions } from '../../../sidecar/shell/options.ts';

const parse = (line: string, env = {}, hostname = 'office-2.peers'): CommandLine<SidecarOptions> =>
  parseCommandLine(line.split(' ').filter(Boolean), { env, hostname, version: '0.1.0' });
const NEEDED = '--config gateway.yaml --key-ring=key-ring.yaml';
const options = (line: string, env = {}) => {
  const parsed = parse(line, env);
  assert.equal(parsed.do, 'run');
  return parsed.options;
};
const problems = (line: string): readonly string[] => {
  const parsed = parse(line);
  return parsed.do === 'refuse' ? parsed.problems : [];
};

describe('the command line', () => {
  it('takes a folder for each kind of credential, and any number of authorities by name', () => {
    const flags = '--certificate-dir c --authority staff=/a/staff --authority guests=g=1 --eap-dir e --radius-dir r --ppk-dir p';
    const { paths: given } = options(`${NEEDED} ${flags}`);
    const { psk, certificate, authorities, eap, radius, ppk } = given.credentials;
    const paths = [psk, certificate, eap, radius, ppk].map((folders) => folders?.map(({ path }) => path));
    assert.deepEqual(paths, [undefined, ['c'], ['e'], ['r'], ['p']]);
    assert.deepEqual(authorities, [
      { name: 'staff', path: '/a/staff' },
      { name: 'guests', path: 'g=1' },
    ]);
    assert.deepEqual(problems(`${NEEDED} --authority staff --authority a=b --authority a=c`), [
      '--authority: not a name and a directory: "staff"; write for instance staff=/etc/rekindle/staff',
      '--authority: named twice: a; give each directory a name of its own',
    ]);
  });

  it('needs no more than the two files', () => {
    assert.deepEqual(options(NEEDED), {
      paths: {
        config: 'gateway.yaml',
        keyRing: 'key-ring.yaml',
        credentials: {
          psk: undefined,
          certificate: undefined,
          authorities: [],
          eap: undefined,
          radius: undefined,
          ppk: undefined,
        },
      },
      addresses: ['0.0.0.0', '::'],
      ordinal: 0,
      podUid: undefined,
      http: { host: undefined, port: undefined },
      tun: undefined,
      agent: undefined,
      logLevel: 'info',
      version: '0.1.0',
    });
  });

  it('takes all the rest', () => {
    const line = `${NEEDED} --psk-dir psk --address 192.0.2.1 --address ::1 --ordinal-from-hostname --http-address [::1]:8080 --tun rk0 --log-level debug`;
    const { paths, addresses, ordinal, http, tun, logLevel, podUid } = options(line, { POD_UID: 'uid' });
    assert.deepEqual(paths.credentials.psk, [{ path: 'psk', name: undefined }]);
    assert.deepEqual(addresses, ['192.0.2.1', '::1']);
    assert.deepEqual({ ordinal, tun, logLevel, podUid }, { ordinal: 2, tun: 'rk0', logLevel: 'debug', podUid: 'uid' });
    assert.deepEqual(http, { host: '::1', port: 8080 });
    assert.deepEqual(options(`${NEEDED} --http-address 127.0.0.1`).http, { host: '127.0.0.1', port: undefined });
    assert.equal(options(`${NEEDED} --agent /run/rekindle/agent.sock`).agent, '/run/rekindle/agent.sock');
    assert.equal(options(`${NEEDED} --pod-uid other`, { POD_UID: 'uid' }).podUid, 'other');
  });

  it('is refused with every problem', () => {
    assert.deepEqual(problems('--config a --address 1.2.3 --ordinal 255 --http-address localhost:80 --log-level loud'), [
      '--key-ring is missing; name the file',
      '--address: not an IP address: "1.2.3"; write for instance 192.0.2.1 or ::',
      '--ordinal: not a number from 0 to 254: "255"; it is the number of the pod among its siblings',
      '--http-address: not an IP address with or without a port: "localhost:80"; write for instance 127.0.0.1:8080 or [::1]:8080',
      '--log-level: unknown: "loud"; write one of trace, debug, info, warn, error, fatal, silent',
    ]);
    assert.deepEqual(problems(`${NEEDED} --ordinal 1 --ordinal-from-hostname`), [
      '--ordinal and --ordinal-from-hostname exclude each other; give one of them',
    ]);
    assert.deepEqual(problems(`${NEEDED} --tun rk0 --agent a.sock`), [
      '--agent and --tun exclude each other; the agent makes the device that it needs',
    ]);
    assert.match(problems(`${NEEDED} --colour`)[0] ?? '', /^Unknown option '--colour'/);
    assert.match(problems(`${NEEDED} file`)[0] ?? '', /^Unexpected argument 'file'/);
    const nameless = parseCommandLine([...NEEDED.split(' '), '--ordinal-from-hostname'], {
      env: {},
      hostname: 'laptop',
      version: '',
    });
    assert.deepEqual(nameless, {
      do: 'refuse',
      problems: ['--ordinal-from-hostname: no number at the end of "laptop"; give --ordinal'],
    });
  });

  it('prints help or the version without needing anything else', () => {
    assert.equal(parse('--help').do, 'help');
    assert.equal(parse('--version').do, 'version');
  });
});
