/** The client program as a process, and a gateway for it on loopback. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ClientEvent } from '../../../sidecar/client/event.ts';
import { createLog } from '../../../sidecar/process/log.ts';
import type { CredentialFolders } from '../../../sidecar/shell/credential-files.ts';
import { Sidecar } from '../../../sidecar/shell/sidecar.ts';
import { pem } from '../../harness/certificate-authority.ts';
import { scratch } from '../../harness/scratch.ts';
import { exampleConfig, exampleRing } from '../shell/example-files.ts';
import { household as householdOf } from './credential-files.ts';

const PROGRAM = join(import.meta.dirname, '../../../sidecar/client/main.ts');
const ADDRESS = '127.84.0.1';
const PORTS = '{ ikePort: 16500, natPort: 16501, httpPort: 16502, peerPort: 16503 }';
const PSK = 'a secret of sixteen';

export const files = scratch();
const config = files.write('gateway.yaml', exampleConfig(1).replace(/\{ ikePort.*\}/, PORTS));
const keyRing = files.write('key-ring.yaml', exampleRing(1));
mkdirSync(join(files.path, 'psk'));
files.write('psk/users.yaml', `"alice@example.com": "${PSK}"\n`);
export const pskFile = files.write('alice.psk', `${PSK}\n`);
export const wrongPskFile = files.write('wrong.psk', 'another secret of sixteen\n');
export const ticketFile = join(files.path, 'ticket.json');
for (const file of [pskFile, wrongPskFile]) chmodSync(file, 0o600);
const log = createLog({ level: 'silent', base: {} });

const folder = (path: string, name?: string) => [{ path: join(files.path, path), name }];

export const startGateway = (): Promise<Sidecar> => start(config, ADDRESS, { psk: folder('psk') });

const MAIN_ADDRESS = '127.84.0.2';
/** Its users of EAP and its authority, as files that the client reads. */
export const household = householdOf(Date.now());
const { chain, key, alice, gateway, root, issuing } = household;
for (const name of ['own', 'staff', 'users', 'ppk']) mkdirSync(join(files.path, name));
files.write('own/tls.crt', chain(gateway));
files.write('own/tls.key', key(gateway));
files.write('staff/ca.crt', pem('CERTIFICATE', root.issued.der));
files.write('users/users.yaml', '"alice": "open sesame"\n');
files.write('ppk/ppk.yaml', '"office": "thirty-two characters of secrecy"\n');
const written = (name: string, text: string): string => {
  const file = files.write(name, text);
  chmodSync(file, 0o600);
  return file;
};
export const own = ['--cert', written('alice.crt', chain(alice)), '--key', written('alice.key', key(alice))];
export const ca = ['--ca', written('root.pem', pem('CERTIFICATE', root.issued.der))];
export const otherCa = ['--ca', written('other.pem', pem('CERTIFICATE', issuing.issue(household.valid).der))];
export const passwordFile = written('alice.password', 'open sesame\n');
export const wrongPasswordFile = written('wrong.password', 'open barley\n');
export const ppkFile = written('office.ppk', 'thirty-two characters of secrecy\n');
const fullConfig = files.write(
  'full.yaml',
  `${exampleConfig(1)
    .replace(/\{ ikePort.*\}/, PORTS)
    .replace('...\n', '')}dns: [10.8.0.1]
domains: [corp.example.com]
authentication:
  - { name: machines, method: certificate }
  - { name: bare, method: eap-tls, identities: ["alice@example.com"], eapOnly: true }
  - { name: users, method: eap-mschapv2 }
...
`,
);

/** One with a certificate, which takes all who authenticate otherwise than by a pre-shared key. */
export const startFullGateway = (): Promise<Sidecar> =>
  start(fullConfig, MAIN_ADDRESS, {
    ...{ certificate: folder('own'), authorities: folder('staff', 'staff'), eap: folder('users'), ppk: folder('ppk') },
  });

export const toFullGateway = ['--gateway', `${MAIN_ADDRESS}:16500`, '--remote-id', 'vpn.example.com'];

async function start(config: string, address: string, credentials: CredentialFolders): Promise<Sidecar> {
  const sidecar = new Sidecar(
    {
      paths: { config, keyRing, credentials },
      ...{
        addresses: [address],
        ordinal: 0,
        podUid: undefined,
        http: { host: address, port: undefined },
        tun: undefined,
        agent: undefined,
      },
      ...{ logLevel: 'silent', version: 'test' },
    },
    log,
  );
  await sidecar.start();
  return sidecar;
}

export class Program {
  readonly events: ClientEvent[] = [];
  readonly #process: ChildProcess;
  readonly #status: Promise<unknown[]>;
  #stderr = '';
  #wake: (() => void) | undefined;

  /** With a pre-shared key unless it says to which gateway. */
  constructor(...flags: readonly string[]) {
    const byKey = flags.includes('--gateway') ? [] : ['--gateway', `${ADDRESS}:16500`, '--id', 'alice@example.com'];
    const argv = ['connect', ...byKey, '--nat-port', '16501', '--json', ...flags];
    this.#process = spawn(process.execPath, [PROGRAM, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#status = once(this.#process, 'close');
    const { stdout, stderr } = this.#process;
    assert.ok(stdout && stderr);
    createInterface(stdout).on('line', (line) => {
      this.events.push(JSON.parse(line));
      this.#wake?.();
    });
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
  }

  async next<N extends ClientEvent['name']>(name: N, since = 0): Promise<Extract<ClientEvent, { name: N }>> {
    for (;;) {
      const found = this.events.slice(since).find((event): event is Extract<ClientEvent, { name: N }> => event.name === name);
      if (found) return found;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async end(): Promise<{ readonly status: unknown; readonly stderr: string }> {
    const [status] = await this.#status;
    return { status, stderr: this.#stderr };
  }
}
