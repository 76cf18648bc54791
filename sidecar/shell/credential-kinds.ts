/** Which credentials there are: where their files stand, which of these count, and what they become. One line of the table for each. */
import { type EapUsers, parseEapUsers } from '../contract/eap-users.ts';
import { type PostQuantumKeys, parsePostQuantumKeys } from '../contract/post-quantum-keys.ts';
import { type PreSharedKeys, parsePreSharedKeys } from '../contract/pre-shared-keys.ts';
import type { Parsed, Problem } from '../contract/problem.ts';
import { parseRadiusSecrets, type RadiusSecrets } from '../contract/radius-secrets.ts';
import type { TlsCertificate } from '../eap/tls-context.ts';
import type { OwnCertificate } from '../ike/context.ts';
import type { Cryptography } from '../ike/crypto/cryptography.ts';
import type { Trust } from '../ike/pki/trust.ts';
import type { SnapshotFile } from '../process/snapshot.ts';
import { parseAuthorities, parseCertificate } from './certificate-files.ts';

/** What a credential is made with; it may change with gateway.yaml. */
export interface Making {
  readonly crypto: Cryptography;
  readonly revocation: 'ifKnown' | 'required';
}

/** The files, once they were found good; what becomes of them is made when it is asked for. */
export interface Loaded<T> {
  readonly size: number;
  /** Not wrong, but weak. */
  readonly warnings: readonly Problem[];
  make(making: Making): T;
}

export interface CredentialKind<T> {
  /** In problems, logs, `/status` and the operator's conditions. */
  readonly title: string;
  /** What is counted in the log. */
  readonly unit: string;
  readonly counts: (file: string) => boolean;
  readonly parse: (files: readonly SnapshotFile[]) => Parsed<Loaded<T>>;
}

export interface CertificateOfGateway {
  readonly own: OwnCertificate;
  readonly tls: TlsCertificate;
}

export interface CredentialValues {
  readonly psk: PreSharedKeys;
  readonly certificate: CertificateOfGateway;
  readonly authorities: Trust;
  readonly eap: EapUsers;
  readonly radius: RadiusSecrets;
  readonly ppk: PostQuantumKeys;
}

export type CredentialRole = keyof CredentialValues;

const endsIn =
  (...ends: readonly string[]) =>
  (file: string): boolean =>
    ends.some((end) => file === end || file.endsWith(end));

export const CREDENTIALS: { readonly [R in CredentialRole]: CredentialKind<CredentialValues[R]> } = {
  psk: { title: 'pre-shared keys', unit: 'identities', counts: endsIn('.yaml'), parse: asItIs(parsePreSharedKeys) },
  certificate: {
    ...{ title: 'certificate', unit: 'certificates' },
    counts: (file) => file === 'tls.crt' || file === 'tls.key',
    parse: parseCertificate,
  },
  authorities: {
    ...{ title: 'authorities', unit: 'authorities' },
    counts: endsIn('ca.crt', '.pem', '.crl'),
    parse: parseAuthorities,
  },
  eap: { title: 'EAP users', unit: 'users', counts: endsIn('.yaml'), parse: asItIs(parseEapUsers) },
  radius: { title: 'RADIUS secrets', unit: 'secrets', counts: () => true, parse: asItIs(parseRadiusSecrets) },
  ppk: {
    ...{ title: 'post-quantum pre-shared keys', unit: 'keys' },
    ...{ counts: endsIn('.yaml'), parse: asItIs(parsePostQuantumKeys) },
  },
};

/** For what depends on nothing else. */
function asItIs<T extends { readonly size: number; readonly warnings: readonly Problem[] }>(
  parse: (files: readonly SnapshotFile[]) => Parsed<T>,
): CredentialKind<T>['parse'] {
  return (files) => {
    const parsed = parse(files);
    if (!parsed.ok) return parsed;
    const { value } = parsed;
    return { ok: true, value: { size: value.size, warnings: value.warnings, make: () => value } };
  };
}
