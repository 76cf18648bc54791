/** What we prove ourselves with, as cert-manager and kubernetes.io/tls Secrets hold it: `tls.crt` (PEM, our own certificate first) and `tls.key`. */
import type { Parsed, Problem } from '../../contract/problem.ts';
import type { OwnCertificate } from '../context.ts';
import { pkcs8Of } from '../crypto/key-form.ts';
import type { PrivateKey, Signatures } from '../crypto/signature.ts';
import type { Identity, Instant } from '../sa.ts';
import { type Bytes, equalBytes } from '../wire/bytes.ts';
import { type Certificate, readCertificate } from './certificate.ts';
import { ID_DER_ASN1_DN, identitiesOf } from './identity-match.ts';
import { formatName } from './name.ts';
import { Purpose } from './object-identifier.ts';
import { attempt, type Item, itemsOf, type PkiFile } from './pem-file.ts';

export interface OwnCertificateFiles {
  readonly certificate: OwnCertificate;
  /** PKCS #8, for TLS. */
  readonly privateKey: Bytes;
  readonly notAfter: Instant;
  /** Subject, for logs. */
  readonly subject: string;
  /** What may stand in our ID payload: each subjectAltName, then the subject. */
  readonly identities: readonly Identity[];
  /** Not wrong, but peers may refuse it. */
  readonly warnings: readonly Problem[];
}

export interface OwnCertificateOptions {
  readonly crypto: { readonly signatures: Signatures };
  /** For warnings alone. */
  readonly now: Instant;
  /** Of whom; a gateway unless given. For warnings too. */
  readonly usage?: 'client' | 'server';
}

export function parseOwnCertificate(
  chainFile: PkiFile,
  keyFile: PkiFile,
  options: OwnCertificateOptions,
): Parsed<OwnCertificateFiles> {
  const problems: Problem[] = [];
  const chain = certificatesOf(chainFile, problems);
  const pkcs8 = keyOf(keyFile, problems);
  const key = pkcs8 && usable(pkcs8, keyFile, options.crypto.signatures, problems);
  const [first] = chain;
  if (first && key && !equalBytes(first.certificate.publicKey, key.publicKey()))
    problems.push({
      ...at(keyFile),
      message: `does not belong to the first certificate in ${chainFile.file}`,
      remedy: 'write the certificate of this key first, or the key of that certificate here',
    });
  if (problems.length > 0 || !first || !key || !pkcs8) return { ok: false, problems };
  const value = {
    certificate: { chain: chain.filter(isSent).map(({ certificate }) => certificate.der), key },
    privateKey: pkcs8,
    notAfter: first.certificate.notAfter,
    subject: formatName(first.certificate.subject),
    identities: [...identitiesOf(first.certificate), { idType: ID_DER_ASN1_DN, data: first.certificate.subject }],
    warnings: weaknesses(first, options),
  };
  return { ok: true, value };
}

interface Read {
  readonly item: Item;
  readonly certificate: Certificate;
}

const at = ({ file }: PkiFile): Pick<Problem, 'file' | 'path'> => ({ file, path: '' });

/** A root that is sent proves nothing to a peer: it knows it or does not. */
const isSent = ({ certificate }: Read, index: number): boolean => index === 0 || certificate.subjectKey !== certificate.issuerKey;

function certificatesOf(file: PkiFile, problems: Problem[]): readonly Read[] {
  const before = problems.length;
  const found = itemsOf(file, problems)
    .filter(({ label }) => label === undefined || label === 'CERTIFICATE')
    .flatMap((item) => {
      const certificate = attempt(item, 'certificate', problems, () => readCertificate(item.der));
      return certificate ? [{ item, certificate }] : [];
    });
  if (found.length === 0 && problems.length === before)
    problems.push({ ...at(file), message: 'no certificate', remedy: 'write the certificate, then its intermediates, as PEM' });
  return found;
}

/** Nothing of a key is ever told. */
function keyOf(file: PkiFile, problems: Problem[]): Bytes | undefined {
  const before = problems.length;
  const items = itemsOf(file, problems);
  if (problems.length > before) return undefined;
  const keys = items.flatMap(({ label, der }) => pkcs8Of(label, der) ?? []);
  const [key, another] = keys;
  if (key && !another) return key;
  const encrypted = items.some(({ label }) => label === 'ENCRYPTED PRIVATE KEY');
  const message = another ? 'several private keys' : encrypted ? 'the private key is encrypted' : 'no private key';
  problems.push({ ...at(file), message, remedy: 'write one private key as PEM, not encrypted: PKCS #8, PKCS #1 or SEC 1' });
  return undefined;
}

function usable(pkcs8: Bytes, file: PkiFile, signatures: Signatures, problems: Problem[]): PrivateKey | undefined {
  const key = signatures.privateKey(pkcs8);
  if (!key)
    problems.push({
      ...at(file),
      message: 'a private key that is malformed, too weak or of an unknown kind',
      remedy: 'use RSA of 2048 to 8192 bits, ECDSA P-256, P-384 or P-521, Ed25519 or Ed448',
    });
  return key;
}

const SOON_MS = 7 * 24 * 3_600_000;

function weaknesses(read: Read, { now, usage = 'server' }: OwnCertificateOptions): readonly Problem[] {
  const { notBefore, notAfter, extensions } = read.certificate;
  const ends = new Date(notAfter).toISOString();
  const purposes = extensions.purposes ?? [];
  const ofGateway = [
    ...warn(read, extensions.names.length === 0, 'no subjectAltName', 'add the domain name by which clients know this gateway'),
    ...warn(
      read,
      !purposes.includes(Purpose.SERVER_AUTH),
      'no extended key usage serverAuth',
      'add it; iOS, macOS and Windows refuse the gateway without',
    ),
  ];
  return [
    ...warn(read, now > notAfter, `expired on ${ends}`, `renew it; ${usage === 'server' ? 'clients' : 'gateways'} refuse it`),
    ...warn(read, now <= notAfter && now > notAfter - SOON_MS, `expires on ${ends}`, 'renew it'),
    ...warn(read, now < notBefore, `not valid before ${new Date(notBefore).toISOString()}`, 'check the clocks, or wait'),
    ...(usage === 'server' ? ofGateway : []),
  ];
}

const warn = ({ item: { file, path } }: Read, when: boolean, message: string, remedy: string): readonly Problem[] =>
  when ? [{ file, path, message, remedy }] : [];
