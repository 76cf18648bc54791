/** The gateway's certificate and the authorities that it trusts, from files to what the core and EAP-TLS use. */
import type { Parsed, Problem } from '../contract/problem.ts';
import { Secret } from '../contract/secret.ts';
import { cryptography } from '../ike/crypto/cryptographies.ts';
import { parseOwnCertificate } from '../ike/pki/own-certificate.ts';
import type { Trust } from '../ike/pki/trust.ts';
import { parseTrust } from '../ike/pki/trust-files.ts';
import type { SnapshotFile } from '../process/snapshot.ts';
import { systemClock } from './clock.ts';
import type { CertificateOfGateway, Loaded, Making } from './credential-kinds.ts';

/** `tls.crt` and `tls.key`, as a Secret of the type kubernetes.io/tls holds them. */
export function parseCertificate(files: readonly SnapshotFile[]): Parsed<Loaded<CertificateOfGateway>> {
  const [chain, key] = ['tls.crt', 'tls.key'].map((name) => files.find(({ file }) => file === name));
  if (!chain || !key) return { ok: false, problems: [absent(chain ? 'tls.key' : 'tls.crt')] };
  return remembered(({ crypto }) => {
    const parsed = parseOwnCertificate(pkiFile(chain), pkiFile(key), { crypto, now: systemClock()() });
    if (!parsed.ok) return parsed;
    const { certificate, privateKey, warnings } = parsed.value;
    const tls = { chain: certificate.chain, key: new Secret(privateKey) };
    return { ok: true, value: { value: { own: certificate, tls }, size: 1, warnings } };
  });
}

/** Certificates and revocation lists of all authorities together; an authority is called as the folder that its files stand in. */
export const parseAuthorities = (files: readonly SnapshotFile[]): Parsed<Loaded<Trust>> =>
  remembered(({ crypto, revocation }) => {
    const parsed = parseTrust(files.map(pkiFile), { crypto, revocation, now: systemClock()() });
    if (!parsed.ok) return parsed;
    const { trust, warnings } = parsed.value;
    return { ok: true, value: { value: trust, size: trust.size, warnings } };
  });

interface Made<T> {
  readonly value: T;
  readonly size: number;
  readonly warnings: readonly Problem[];
}

/** Made at once, so that every problem is known, and again only when it is asked for with something else. */
function remembered<T>(make: (making: Making) => Parsed<Made<T>>): Parsed<Loaded<T>> {
  let last: Making = { crypto: cryptography('auto'), revocation: 'ifKnown' };
  const first = make(last);
  if (!first.ok) return first;
  let { value } = first.value;
  const { size, warnings } = first.value;
  const again = (making: Making): T => {
    if (making.crypto.name === last.crypto.name && making.revocation === last.revocation) return value;
    const made = make(making);
    // Whether files are good does not hang on who reads them; if it did, what was read before would be as good.
    if (made.ok) [last, value] = [making, made.value.value];
    return value;
  };
  return { ok: true, value: { size, warnings, make: again } };
}

const pkiFile = ({ file, bytes }: SnapshotFile) => ({ file, content: bytes });

const absent = (file: string): Problem => ({
  ...{ file, path: '', message: 'not there' },
  remedy: 'the directory needs tls.crt and tls.key, as a Secret of the type kubernetes.io/tls has them',
});
