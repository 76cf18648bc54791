/** Revocation of the certificates of a chain (RFC 5280 §6.3): by lists in files, and by lists and OCSP responses that the peer sends. */
import { ProtocolError } from '../error.ts';
import type { Instant } from '../sa.ts';
import { type Bytes, equalBytes, hex } from '../wire/bytes.ts';
import { KeyUsage } from './extension.ts';
import type { Link, TrustCryptography } from './link.ts';
import { ocspStanding } from './ocsp-status.ts';
import { type Chain, verifies } from './path.ts';
import { type Fault, fault } from './requirements.ts';
import { type RevocationList, readRevocationList } from './revocation-list.ts';
import { isFresh, type Standing } from './standing.ts';
import type { Presented } from './trust.ts';

export type RevocationDemand = 'ifKnown' | 'required';

/** A peer needs one word for each certificate of its chain. */
const MOST_STAPLED = 4;

export class Revocation {
  readonly #crypto: TrustCryptography;
  readonly #demand: RevocationDemand;
  readonly #lists: ReadonlyMap<string, readonly KnownList[]>;

  constructor(lists: readonly RevocationList[], demand: RevocationDemand, crypto: TrustCryptography) {
    this.#crypto = crypto;
    this.#demand = demand;
    this.#lists = Map.groupBy(
      newest(lists).map((list) => new KnownList(list)),
      ({ list }) => list.issuerKey,
    );
  }

  /** Whether a list has this serial number in hex, whoever signed it: the peer can show its chain again, and be judged by that. */
  lists(issuerKey: string, serial: string): boolean {
    return (this.#lists.get(issuerKey) ?? []).some(({ list }) => list.serials.has(serial));
  }

  /** The issuer names for which there are lists. */
  get issuers(): readonly string[] {
    return [...this.#lists.keys()];
  }

  /** All signatures of the chain are good already, so that nobody else's key is asked. */
  faultOf({ links, anchor }: Chain, presented: Presented, now: Instant): Fault | undefined {
    for (const [index, link] of links.entries()) {
      const issuer = links[index + 1] ?? anchor.link;
      if (link.id === anchor.link.id) continue;
      const standing = this.#standing(link, issuer, presented, now);
      if (standing === 'revoked') return fault('revoked', `"${link.subject}"`);
      // Only when the policy wants it: neither RFC 7296 nor the field demands that lists can be had.
      if (!standing && this.#demand === 'required') return fault('revocation-unknown', `"${link.subject}"`);
    }
    return undefined;
  }

  #standing(link: Link, issuer: Link, { lists, ocsp }: Presented, now: Instant): Standing | undefined {
    const known = this.#lists.get(link.certificate.issuerKey) ?? [];
    const stapled = lists.slice(0, MOST_STAPLED).flatMap((der) => readStapled(der));
    const words = [
      ...[...known, ...stapled].map((list) => list.standing(link, issuer, now)),
      ...ocsp.slice(0, MOST_STAPLED).map((der) => ocspStanding(der, link, issuer, now, this.#crypto)),
    ];
    return words.find((word) => word === 'revoked') ?? words.find((word) => word === 'good');
  }
}

class KnownList {
  readonly list: RevocationList;
  /** By key of an issuer whose chain was good: whether it signed this. */
  readonly #signers = new Map<string, boolean>();

  constructor(list: RevocationList) {
    this.list = list;
  }

  standing({ certificate }: Link, issuer: Link, now: Instant): Standing | undefined {
    if (this.list.issuerKey !== certificate.issuerKey || !this.#isSignedBy(issuer)) return undefined;
    // What is out of date has not become less revoked.
    if (this.list.serials.has(hex(certificate.serial))) return 'revoked';
    return isFresh(this.list, now) ? 'good' : undefined;
  }

  #isSignedBy(issuer: Link): boolean {
    const signer = hex(issuer.certificate.publicKey);
    const verdict = this.#signers.get(signer) ?? signs(issuer, this.list);
    if (this.#signers.size < MOST_SIGNERS) this.#signers.set(signer, verdict);
    return verdict;
  }
}

const MOST_SIGNERS = 16;

/** RFC 5280 §6.3.3 f, g: by the key of the issuer, when that is for signing lists. */
export function signs({ certificate, key }: Link, list: RevocationList): boolean {
  const { keyUsage, subjectKeyId } = certificate.extensions;
  const { authorityKeyId, algorithm, signed, signature, issuerKey } = list;
  if (certificate.subjectKey !== issuerKey || (keyUsage && !keyUsage.has(KeyUsage.CRL_SIGN))) return false;
  if (authorityKeyId && subjectKeyId && !equalBytes(authorityKeyId, subjectKeyId)) return false;
  return key !== undefined && verifies(key, algorithm, signed, signature) === true;
}

/** Of several lists of one key, the last counts. */
function newest(lists: readonly RevocationList[]): readonly RevocationList[] {
  const byKey = Map.groupBy(lists, ({ issuerKey, authorityKeyId }) => `${hex(authorityKeyId ?? new Uint8Array())} ${issuerKey}`);
  return [...byKey.values()].map((all) => all.reduce((last, one) => (one.thisUpdate > last.thisUpdate ? one : last)));
}

function readStapled(der: Bytes): readonly KnownList[] {
  try {
    return [new KnownList(readRevocationList(der))];
  } catch (error) {
    if (error instanceof ProtocolError) return [];
    throw error;
  }
}
