/** Certificate authorities of the lab, made with the openssl command line: whoever verifies what they issue shares no code with them. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PATH } from './tools.ts';

const run = promisify(execFile);

/** Arguments of `openssl genpkey`. */
const KEYS = {
  'rsa-2048': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  'rsa-3072': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:3072'],
  'ecdsa-p256': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  'ecdsa-p384': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  ed25519: ['-algorithm', 'ED25519'],
} as const;
export type KeyKind = keyof typeof KEYS;
export const KEY_KINDS = Object.keys(KEYS) as readonly KeyKind[];

/** PEM, with the private key as PKCS #8. */
export interface Credential {
  /** Its name as a file, without ending. */
  readonly name: string;
  readonly certificate: string;
  readonly key: string;
}

export interface Subject {
  readonly name: string;
  readonly kind: KeyKind;
  /** As in subjectAltName: `DNS:gw.example`, `email:user@example.com`. */
  readonly names: readonly string[];
  readonly usage: 'client' | 'server';
  /** Undefined: from yesterday on, for a month. */
  readonly valid?: readonly [from: Date, until: Date];
}

const DAY_MS = 86_400_000;
const day = (number: number): Date => new Date(Date.now() + number * DAY_MS);
export const PAST = [day(-30), day(-1)] as const;
export const FUTURE = [day(1), day(30)] as const;
const PRESENT = [day(-1), day(30)] as const;

export class Authority {
  readonly #folder: string;
  readonly #credential: Credential;
  readonly #kind: KeyKind;

  private constructor(folder: string, credential: Credential, kind: KeyKind) {
    this.#folder = folder;
    this.#credential = credential;
    this.#kind = kind;
  }

  /** A trust anchor. */
  static async root(home: string, name: string, kind: KeyKind): Promise<Authority> {
    const folder = prepare(home, name);
    const key = await makeKey(folder, name, kind);
    const cert = join(folder, `${name}.pem`);
    const subject = ['-subj', subjectOf(name), '-days', '30', '-extensions', 'authority', '-config', config(folder)];
    await openssl('req', '-x509', '-new', '-key', key, ...subject, `-${digestOf(kind)}`, '-out', cert);
    return new Authority(folder, read(folder, name), kind);
  }

  get name(): string {
    return this.#credential.name;
  }

  /** Its own certificate, PEM. */
  get certificate(): string {
    return this.#credential.certificate;
  }

  /** An intermediate under this one. */
  async intermediate(name: string, kind: KeyKind = this.#kind): Promise<Authority> {
    const folder = prepare(join(this.#folder, '..'), name);
    await this.#sign(folder, name, kind, { extensions: 'authority', valid: PRESENT });
    return new Authority(folder, read(folder, name), kind);
  }

  async issue({ name, kind, names, usage, valid = PRESENT }: Subject): Promise<Credential> {
    const file = join(this.#folder, `${name}.cnf`);
    const alternatives = names.length === 0 ? '' : `subjectAltName = ${names.join(', ')}\n`;
    writeFileSync(file, `[${usage}]\n${LEAF}extendedKeyUsage = ${usage}Auth\n${alternatives}`);
    await this.#sign(this.#folder, name, kind, { extensions: usage, file, valid });
    return read(this.#folder, name);
  }

  async revoke({ name }: Credential): Promise<void> {
    await openssl('ca', '-config', config(this.#folder), '-revoke', join(this.#folder, `${name}.pem`));
  }

  /** Its revocation list of now, PEM. */
  async list(): Promise<string> {
    const file = join(this.#folder, 'list.pem');
    await openssl('ca', '-config', config(this.#folder), '-gencrl', '-crldays', '7', '-md', digestOf(this.#kind), '-out', file);
    return readFileSync(file, 'utf8');
  }

  async #sign(
    folder: string,
    name: string,
    kind: KeyKind,
    { extensions, file, valid }: { extensions: string; file?: string; valid: readonly [Date, Date] },
  ): Promise<void> {
    const key = await makeKey(folder, name, kind);
    const request = join(folder, `${name}.req`);
    await openssl('req', '-new', '-key', key, '-subj', subjectOf(name), '-config', config(folder), '-out', request);
    const [from, until] = valid.map(asn1Time);
    await openssl(
      ...['ca', '-batch', '-notext', '-config', config(this.#folder), '-in', request, '-out', join(folder, `${name}.pem`)],
      ...['-startdate', from ?? '', '-enddate', until ?? '', '-extensions', extensions, '-md', digestOf(this.#kind)],
      ...(file === undefined ? [] : ['-extfile', file]),
    );
  }
}

/** A file that holds all three, as NSS takes them; its password is PKCS12_PASSWORD. `chain`: further certificates, PEM. */
export async function pkcs12(folder: string, { name, certificate, key }: Credential, chain: string): Promise<string> {
  const at = (ending: string): string => join(folder, `${name}.${ending}`);
  for (const [ending, text] of Object.entries({ crt: certificate, key, chain })) writeFileSync(at(ending), text, { mode: 0o600 });
  const files = ['-in', at('crt'), '-inkey', at('key'), '-certfile', at('chain'), '-out', at('p12')];
  await openssl('pkcs12', '-export', ...files, '-name', name, '-passout', `pass:${PKCS12_PASSWORD}`);
  return at('p12');
}

export const PKCS12_PASSWORD = 'interop';

const LEAF = `basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
`;

const config = (folder: string): string => join(folder, 'openssl.cnf');

const subjectOf = (name: string): string => `/C=XX/O=Interop/CN=${name}`;

/** `YYYYMMDDHHMMSSZ`. */
const asn1Time = (date: Date): string => `${date.toISOString().replaceAll(/[-:T]|\..*/g, '')}Z`;

/** Must be named for EdDSA too, which takes no notice of it. */
const digestOf = (kind: KeyKind): string => (kind === 'ecdsa-p384' ? 'sha384' : 'sha256');

function prepare(home: string, name: string): string {
  const folder = join(home, name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, 'index.txt'), '');
  writeFileSync(join(folder, 'crlnumber'), '01\n');
  writeFileSync(
    config(folder),
    `[ca]
default_ca = this
[this]
new_certs_dir = ${folder}
database = ${folder}/index.txt
rand_serial = yes
default_md = sha256
crlnumber = ${folder}/crlnumber
certificate = ${folder}/${name}.pem
private_key = ${folder}/${name}.key
policy = any
unique_subject = no
[any]
countryName = optional
organizationName = optional
commonName = supplied
[req]
distinguished_name = nothing
[nothing]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
`,
  );
  return folder;
}

async function makeKey(folder: string, name: string, kind: KeyKind): Promise<string> {
  const file = join(folder, `${name}.key`);
  await openssl('genpkey', ...KEYS[kind], '-out', file);
  return file;
}

const read = (folder: string, name: string): Credential => ({
  name,
  certificate: readFileSync(join(folder, `${name}.pem`), 'utf8'),
  key: readFileSync(join(folder, `${name}.key`), 'utf8'),
});

async function openssl(...args: readonly string[]): Promise<void> {
  try {
    await run('openssl', args, { env: { ...process.env, PATH }, timeout: 20_000 });
  } catch (error) {
    throw new Error(`openssl ${args.join(' ')}: ${error instanceof Error ? error.message : error}`);
  }
}
