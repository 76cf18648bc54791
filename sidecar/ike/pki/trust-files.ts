/** Trust anchors and revocation lists as users give them; authentication rules call an authority as its folder, or its file where there is none. */
import type { Parsed, Problem } from '../../contract/problem.ts';
import type { Instant } from '../sa.ts';
import type { Bytes } from '../wire/bytes.ts';
import { readCertificate } from './certificate.ts';
import { Link, type TrustCryptography } from './link.ts';
import { formatName } from './name.ts';
import { attempt, type Item, itemsOf, type PkiFile } from './pem-file.ts';
import { type RevocationDemand, signs } from './revocation.ts';
import { type RevocationList, readRevocationList } from './revocation-list.ts';
import type { Trust } from './trust.ts';
import { TrustStore } from './trust-store.ts';

export interface TrustOptions {
  readonly crypto: TrustCryptography;
  /** `required`: a certificate counts only when a list or an OCSP response that is not out of date says that it is good. */
  readonly revocation: RevocationDemand;
  /** For warnings alone. */
  readonly now: Instant;
}

export interface TrustFiles {
  readonly trust: Trust;
  /** The same as DER. */
  readonly anchors: readonly Bytes[];
  readonly lists: readonly Bytes[];
  /** Not wrong, but worth knowing: an anchor that has expired, a list that is out of date. */
  readonly warnings: readonly Problem[];
}

/** All files together; no file: nobody is trusted. */
export function parseTrust(files: readonly PkiFile[], options: TrustOptions): Parsed<TrustFiles> {
  const problems: Problem[] = [];
  const { anchors, lists } = read(files, options.crypto, problems);
  for (const { item, list } of lists)
    if (isForeign(list, anchors)) problems.push(problemAt(item, 'not signed by the authority that it names', 'fetch it again'));
  if (problems.length > 0) return { ok: false, problems };
  const warnings = [
    ...anchors.flatMap(({ link, item }) => ageing(link, item, options.now)),
    ...lists.flatMap((one) => staleness(one, anchors, options.now)),
  ];
  const trusted = {
    anchors: anchors.map(({ item, link }) => ({ name: authorityOf(item), link })),
    lists: lists.map(({ list }) => list),
    revocation: options.revocation,
  };
  const der = ({ item }: ReadAnchor | ReadList): Bytes => item.der;
  const trust = new TrustStore(trusted, options.crypto);
  return { ok: true, value: { trust, anchors: anchors.map(der), lists: lists.map(der), warnings } };
}

interface ReadAnchor {
  readonly item: Item;
  readonly link: Link;
}

interface ReadList {
  readonly item: Item;
  readonly list: RevocationList;
}

/** Where files stand in folders, an authority is called as its folder. */
const authorityOf = ({ file }: Item): string => file.split('/')[0] ?? file;

function read(files: readonly PkiFile[], crypto: TrustCryptography, problems: Problem[]) {
  const [anchors, lists]: [ReadAnchor[], ReadList[]] = [[], []];
  for (const item of files.flatMap((file) => itemsOf(file, problems))) {
    if (isList(item)) lists.push(...revocationList(item, problems));
    else if (item.label === undefined || item.label === 'CERTIFICATE') anchors.push(...anchor(item, crypto, problems));
    else problems.push(problemAt(item, `a ${item.label}`, 'write certificates of authorities and revocation lists here'));
  }
  return { anchors, lists };
}

/** A file of DER does not say what it is, but for its name. */
const isList = ({ label, file }: Item): boolean => label === 'X509 CRL' || (label === undefined && file.endsWith('.crl'));

function anchor(item: Item, crypto: TrustCryptography, problems: Problem[]): readonly ReadAnchor[] {
  const certificate = attempt(item, 'certificate', problems, () => readCertificate(item.der));
  if (!certificate) return [];
  const link = new Link(certificate, crypto.sealing.sha256(item.der), crypto);
  if (link.key) return [{ item, link }];
  const message = `the key of "${formatName(certificate.subject)}" is too weak or of an unknown kind`;
  const remedy = 'use RSA of 2048 bits or more, ECDSA P-256, P-384 or P-521, Ed25519 or Ed448';
  problems.push(problemAt(item, message, remedy));
  return [];
}

function revocationList(item: Item, problems: Problem[]): readonly ReadList[] {
  const list = attempt(item, 'revocation list', problems, () => readRevocationList(item.der));
  return list ? [{ item, list }] : [];
}

/** RFC 5280 §6.3.3 g: there is an authority of this name, and it has not signed it. */
function isForeign(list: RevocationList, anchors: readonly ReadAnchor[]): boolean {
  const named = anchors.filter(({ link }) => link.certificate.subjectKey === list.issuerKey);
  return named.length > 0 && !named.some(({ link }) => signs(link, list));
}

function staleness({ item, list }: ReadList, anchors: readonly ReadAnchor[], now: Instant): readonly Problem[] {
  const { issuerKey, nextUpdate } = list;
  const unknown = !anchors.some(({ link }) => link.certificate.subjectKey === issuerKey);
  const stale = nextUpdate === undefined || nextUpdate < now;
  return [
    ...(stale ? [problemAt(item, 'out of date', 'fetch the present one; what this one revokes stays revoked')] : []),
    ...(unknown
      ? [problemAt(item, 'of an authority that is not here', 'nothing, if it is an intermediate one that peers present')]
      : []),
  ];
}

const problemAt = ({ file, path }: Item, message: string, remedy: string): Problem => ({ file, path, message, remedy });

function ageing({ certificate }: Link, { file, path }: Item, now: Instant): readonly Problem[] {
  if (now <= certificate.notAfter) return [];
  const message = `"${formatName(certificate.subject)}" expired on ${new Date(certificate.notAfter).toISOString()}`;
  return [{ file, path, message, remedy: 'replace it; nobody who depends on it comes in' }];
}
