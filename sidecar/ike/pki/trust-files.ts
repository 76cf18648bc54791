/** Trust anchors as users give them: files of certificates, whose names are what authentication rules call their authorities. */
import type { Parsed, Problem } from '../../contract/problem.ts';
import type { Instant } from '../sa.ts';
import { readCertificate } from './certificate.ts';
import { Link, type TrustCryptography } from './link.ts';
import { formatName } from './name.ts';
import type { Anchor } from './path.ts';
import { attempt, type Item, itemsOf, type PkiFile } from './pem-file.ts';
import type { Trust } from './trust.ts';
import { TrustStore } from './trust-store.ts';

export interface TrustOptions {
  readonly crypto: TrustCryptography;
  /** `required`: a certificate counts only when a list or an OCSP response that is not out of date says that it is good. */
  readonly revocation: 'ifKnown' | 'required';
  /** For warnings alone. */
  readonly now: Instant;
}

export interface TrustFiles {
  readonly trust: Trust;
  /** Not wrong, but worth knowing: an anchor that has expired. */
  readonly warnings: readonly Problem[];
}

/** All files together; no file: nobody is trusted. */
export function parseTrust(files: readonly PkiFile[], options: TrustOptions): Parsed<TrustFiles> {
  const problems: Problem[] = [];
  const items = files.flatMap((file) => itemsOf(file, problems));
  const anchors = items.flatMap((item) => anchor(item, options.crypto, problems));
  if (problems.length > 0) return { ok: false, problems };
  const warnings = anchors.flatMap(({ link, item }) => ageing(link, item, options.now));
  return { ok: true, value: { trust: new TrustStore(anchors.map(asAnchor), options.crypto), warnings } };
}

interface Read {
  readonly item: Item;
  readonly link: Link;
}

const asAnchor = ({ item, link }: Read): Anchor => ({ name: item.file, link });

function anchor(item: Item, crypto: TrustCryptography, problems: Problem[]): readonly Read[] {
  const { file, path, label } = item;
  if (label !== undefined && label !== 'CERTIFICATE') {
    problems.push({ file, path, message: `a ${label}`, remedy: 'write certificates of authorities here' });
    return [];
  }
  const certificate = attempt(item, 'certificate', problems, () => readCertificate(item.der));
  if (!certificate) return [];
  const link = new Link(certificate, crypto.sealing.sha256(item.der), crypto);
  if (link.key) return [{ item, link }];
  const message = `the key of "${formatName(certificate.subject)}" is too weak or of an unknown kind`;
  problems.push({ file, path, message, remedy: 'use RSA of 2048 bits or more, ECDSA P-256, P-384 or P-521, Ed25519 or Ed448' });
  return [];
}

function ageing({ certificate }: Link, { file, path }: Item, now: Instant): readonly Problem[] {
  if (now <= certificate.notAfter) return [];
  const message = `"${formatName(certificate.subject)}" expired on ${new Date(certificate.notAfter).toISOString()}`;
  return [{ file, path, message, remedy: 'replace it; nobody who depends on it comes in' }];
}
