/** The files that a client authenticates with, read once at its start. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Identity } from '../contract/gateway-config.ts';
import { formatIdentity, ID_FQDN, ID_RFC822_ADDR, readIdentity } from '../contract/identity.ts';
import { ntHash } from '../contract/nt-hash.ts';
import { formatProblem, type Parsed, type Problem } from '../contract/problem.ts';
import { Secret } from '../contract/secret.ts';
import type { TlsCertificate } from '../eap/tls-context.ts';
import type { TrustedAuthorities } from '../ike/connection.ts';
import type { Cryptography } from '../ike/crypto/cryptography.ts';
import { ID_DER_ASN1_DN } from '../ike/pki/identity-match.ts';
import { type OwnCertificateFiles, parseOwnCertificate } from '../ike/pki/own-certificate.ts';
import type { PkiFile } from '../ike/pki/pem-file.ts';
import { parseTrust } from '../ike/pki/trust-files.ts';
import type { Instant } from '../ike/sa.ts';
import { hex } from '../ike/wire/bytes.ts';
import type { ClientAuthentication } from './authentication.ts';
import type { CredentialFlags } from './credential-flags.ts';
import type { PostQuantumKey } from './options.ts';
import { readPrivateFile, readSecretLine } from './private-file.ts';

export interface Credentials {
  readonly authentication: ClientAuthentication;
  readonly trust: TrustedAuthorities;
  readonly identity: Identity;
  /** Undefined: whoever proves the pre-shared key. */
  readonly remoteIdentity: Identity | undefined;
  readonly ppk: PostQuantumKey | undefined;
  /** Not wrong, but worth knowing. */
  readonly warnings: readonly string[];
}

export interface CredentialRequest {
  readonly credentials: CredentialFlags;
  /** Undefined: as the certificate or the user's name says. */
  readonly identity: Identity | undefined;
  readonly remoteIdentity: Identity | undefined;
  readonly ppk: { readonly id: string; readonly file: string; readonly required: boolean } | undefined;
  /** Name or address as dialled: a gateway with a certificate must be called so, unless it is told otherwise. */
  readonly host: string;
}

export interface ReadingParts {
  readonly crypto: Cryptography;
  readonly now: Instant;
}

const LONGEST_CHAIN = 256 * 1024;
const LONGEST_KEY = 64 * 1024;
const ID_KEY_ID = 11;

/** @throws Error that names flag, file and remedy of every problem, one a line. */
export function readCredentials(request: CredentialRequest, parts: ReadingParts): Credentials {
  const [read, quantum] = both(
    () => readProof(request, parts),
    () => ({ key: readPostQuantumKey(request.ppk) }),
  );
  const ppk = quantum.key;
  if (ppk === undefined || ppk.secret.length >= STRONG_PPK) return { ...read, ppk };
  const weak = `--ppk-file: fewer than ${STRONG_PPK} characters; use a longer, random one, for instance from: openssl rand -base64 32`;
  return { ...read, ppk, warnings: [...read.warnings, weak] };
}

/** RFC 8784 §5: "at least 256 bits" of entropy; a text of 32 characters can have so much. */
const STRONG_PPK = 32;

type Proof = Omit<Credentials, 'ppk'>;

function readPostQuantumKey(asked: CredentialRequest['ppk']): PostQuantumKey | undefined {
  if (!asked) return undefined;
  const { id, file, required } = asked;
  return { id, required, secret: readSecretLine('--ppk-file', file, 'post-quantum pre-shared key') };
}

function readProof(request: CredentialRequest, parts: ReadingParts): Proof {
  const { credentials } = request;
  switch (credentials.method) {
    case 'psk':
      return readPsk(request, credentials.pskFile);
    case 'eap-mschapv2':
      return readPassword(request, credentials, parts);
    default:
      return readCertificate(request, credentials, parts);
  }
}

function readPsk({ identity, remoteIdentity }: CredentialRequest, pskFile: string): Proof {
  if (!identity) throw new Error('--id: missing; with --psk-file nothing else says who we are');
  const secret = readSecretLine('--psk-file', pskFile, 'pre-shared key');
  return { authentication: { method: 'psk', secret }, trust: { anchors: [], lists: [] }, identity, remoteIdentity, warnings: [] };
}

type Of<M extends CredentialFlags['method']> = Extract<CredentialFlags, { method: M }>;

function readPassword(request: CredentialRequest, given: Of<'eap-mschapv2'>, parts: ReadingParts): Proof {
  const { user, passwordFile } = given;
  const [authorities, password] = both(
    () => readAuthorities(given, parts),
    () => readSecretLine('--eap-password-file', passwordFile, 'password'),
  );
  const hash = new Secret(ntHash(Buffer.from(password.expose()).toString('utf8')));
  const { identity = readIdentity(user) ?? keyId(user) } = request;
  const authentication = { method: 'eap-mschapv2', user, ntHash: hash } as const;
  return { authentication, identity, remoteIdentity: gatewayOf(request), ...authorities };
}

function readCertificate(request: CredentialRequest, given: Of<'certificate' | 'eap-tls'>, parts: ReadingParts): Proof {
  const [{ trust, warnings }, own] = both(
    () => readAuthorities(given, parts),
    () => readOwnCertificate(given, parts),
  );
  const { identity = nameOf(own.identities) } = request;
  const remoteIdentity = gatewayOf(request);
  const certificate: TlsCertificate = { chain: own.certificate.chain, key: new Secret(own.privateKey) };
  const all = { trust, identity, remoteIdentity, warnings: [...warnings, ...own.warnings.map(formatProblem)] };
  if (given.method === 'certificate') return { ...all, authentication: { method: 'certificate', certificate } };
  const { user = identity.idType === ID_DER_ASN1_DN ? own.subject : formatIdentity(identity), eapOnly } = given;
  const server = given.eapServer ?? remoteIdentity;
  return { ...all, authentication: { method: 'eap-tls', user, certificate, server, eapOnly } };
}

/** The name that was dialled: whoever vouches for the gateway's certificate vouches for others too. */
const gatewayOf = ({ host, remoteIdentity }: CredentialRequest): Identity | undefined => remoteIdentity ?? readIdentity(host);

/** What is wrong with either is said at once. */
function both<A, B>(one: () => A, other: () => B): readonly [A, B] {
  const problems: string[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  };
  const [a, b] = [attempt(one), attempt(other)];
  if (a === undefined || b === undefined) throw new Error(problems.join('\n'));
  return [a, b];
}

function readOwnCertificate(
  { certificate, key }: { readonly certificate: string; readonly key: string },
  { crypto, now }: ReadingParts,
): OwnCertificateFiles {
  const chainFile = pkiFile('--cert', certificate, LONGEST_CHAIN);
  const content = readPrivateFile({ flag: '--key', file: key, holds: 'the private key', longest: LONGEST_KEY });
  return good(parseOwnCertificate(chainFile, { file: `--key: ${key}`, content }, { crypto, now, usage: 'client' }));
}

/** Revocation lists of large authorities have megabytes. */
const LONGEST_AUTHORITY = 64 * 1024 * 1024;
const OF_AUTHORITIES = /\.(pem|crt|cer|der|crl)$/;

function readAuthorities(
  { authorities, revocation }: { readonly authorities: readonly string[]; readonly revocation: 'ifKnown' | 'required' },
  { crypto, now }: ReadingParts,
): { readonly trust: TrustedAuthorities; readonly warnings: readonly string[] } {
  const files = authorities.flatMap(authorityFiles).map((file) => pkiFile('--ca', file, LONGEST_AUTHORITY));
  const { anchors, lists, warnings } = good(parseTrust(files, { crypto, revocation, now }));
  if (anchors.length === 0)
    throw new Error(
      `--ca: ${authorities.join(', ')}: no certificate of an authority; add the one that the gateway's certificate leads to`,
    );
  const distinct = [...new Map(anchors.map((der) => [hex(der), der])).values()];
  return { trust: { anchors: distinct, lists, revocation }, warnings: warnings.map(formatProblem) };
}

/** A folder stands for the files in it that look like certificates or revocation lists. */
function authorityFiles(path: string): readonly string[] {
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status?.isDirectory()) return [path];
  const files = reading('--ca', path, () => readdirSync(path)).filter((name) => OF_AUTHORITIES.test(name));
  if (files.length === 0)
    throw new Error(`--ca: ${path}: no file *.pem, *.crt, *.cer, *.der or *.crl in it; name another folder, or a file`);
  return files.toSorted().map((name) => join(path, name));
}

/** What may be read by everybody. */
function pkiFile(flag: string, file: string, longest: number): PkiFile {
  const content = reading(flag, file, () => new Uint8Array(readFileSync(file)));
  if (content.length > longest)
    throw new Error(`${flag}: ${file}: longer than ${longest} bytes; write certificates into it and nothing else`);
  return { file: `${flag}: ${file}`, content };
}

function reading<T>(flag: string, file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const why = missing ? 'does not exist; check its name' : error instanceof Error ? error.message : String(error);
    throw new Error(`${flag}: ${file}: ${why}`, { cause: error });
  }
}

function good<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value;
  throw new Error(parsed.problems.map((problem: Problem) => formatProblem(problem)).join('\n'));
}

/** A mailbox before a domain name before an address before the subject. */
function nameOf(identities: readonly Identity[]): Identity {
  const [first] = [ID_RFC822_ADDR, ID_FQDN].flatMap((type) => identities.filter(({ idType }) => idType === type));
  const [otherwise] = identities;
  if (!otherwise) throw new Error('--cert: names nobody; give --id');
  return first ?? otherwise;
}

const keyId = (name: string): Identity => ({ idType: ID_KEY_ID, data: new TextEncoder().encode(name) });
