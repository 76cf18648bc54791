/** Chains from a certificate to an anchor (RFC 5280 §6.1, RFC 4158): found by names and key identifiers, proven by signatures, bounded in work. */
import { Hash, type PublicKey } from '../crypto/signature.ts';
import { schemeOf } from '../crypto/signature-algorithm.ts';
import { type Bytes, equalBytes } from '../wire/bytes.ts';
import type { Link } from './link.ts';
import { type Fault, fault } from './requirements.ts';

/** A hostile chain has many certificates of one name: this many signatures are looked at. */
const MOST_SIGNATURES = 16;
/** The peer's certificate, intermediates and anchor. */
const LONGEST_CHAIN = 6;

export interface Anchor {
  /** Of its file. */
  readonly name: string;
  readonly link: Link;
}

export interface Chain {
  /** The peer's certificate, then intermediates; without the anchor, unless that is the peer's certificate itself. */
  readonly links: readonly Link[];
  readonly anchor: Anchor;
}

export interface Search {
  readonly intermediates: readonly Link[];
  /** By the key of their subject. */
  readonly anchors: (name: string) => readonly Anchor[];
  /** What is wrong with a chain that leads to an anchor. */
  readonly judge: (chain: Chain) => Fault | undefined;
}

export type Found = { readonly chain: Chain; readonly fault?: undefined } | { readonly chain?: undefined; readonly fault: Fault };

/** The first chain that is good, or what is wrong with the first that comes to an anchor. */
export function findChain(peer: Link, search: Search): Found {
  const walk: Walk = { search, signatures: MOST_SIGNATURES, found: undefined, fault: undefined };
  // Whoever names a peer's own certificate an anchor trusts just that one.
  const pinned = search.anchors(peer.certificate.subjectKey).find(({ link }) => link.id === peer.id);
  if (pinned) conclude(walk, { links: [peer], anchor: pinned });
  else extend(walk, [peer]);
  if (walk.found) return { chain: walk.found };
  return { fault: walk.fault ?? fault('unknown-authority', 'no authority that counts is at the end of the chain') };
}

interface Walk {
  readonly search: Search;
  signatures: number;
  found: Chain | undefined;
  fault: Fault | undefined;
}

function extend(walk: Walk, links: readonly Link[]): void {
  const last = links.at(-1);
  if (!last || links.length >= LONGEST_CHAIN) return;
  for (const anchor of walk.search.anchors(last.certificate.issuerKey)) {
    if (walk.found) return;
    if (signed(walk, last, anchor.link)) conclude(walk, { links, anchor });
  }
  for (const issuer of walk.search.intermediates) {
    if (walk.found) return;
    const fresh = !links.some(({ id }) => id === issuer.id);
    if (fresh && issuer.certificate.subjectKey === last.certificate.issuerKey && signed(walk, last, issuer))
      extend(walk, [...links, issuer]);
  }
}

function conclude(walk: Walk, chain: Chain): void {
  const wrong = walk.search.judge(chain);
  if (wrong) walk.fault ??= wrong;
  else walk.found = chain;
}

function signed(walk: Walk, link: Link, issuer: Link): boolean {
  if (!mayIssue(issuer, link)) return false;
  if (link.provenBy.has(issuer.id)) return true;
  if (!issuer.key) {
    walk.fault ??= fault('weak', 'an issuer has a key that is too weak or of an unknown kind');
    return false;
  }
  if (walk.signatures === 0) return false;
  walk.signatures -= 1;
  const { algorithm, signed, signature } = link.certificate;
  const verdict = verifies(issuer.key, algorithm, signed, signature);
  if (verdict === 'weak') walk.fault ??= fault('weak', 'a certificate is signed with an algorithm that does not count');
  return verdict === true;
}

/** RFC 5280 §4.2.1.1: the key identifier tells several keys of one name apart. */
function mayIssue(issuer: Link, link: Link): boolean {
  const [own, wanted] = [issuer.certificate.extensions.subjectKeyId, link.certificate.extensions.authorityKeyId];
  return own === undefined || wanted === undefined || equalBytes(own, wanted);
}

/** Of certificates, revocation lists and OCSP responses alike. RFC 8247 §4.2: SHA-1 and what came before it do not count. */
export function verifies(key: PublicKey, algorithm: Bytes, signedBytes: Bytes, signature: Bytes): boolean | 'weak' {
  const scheme = schemeOf(algorithm);
  if (!scheme || scheme.hash === Hash.SHA1) return 'weak';
  return key.verify(scheme, signedBytes, signature);
}
