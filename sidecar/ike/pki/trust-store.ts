/** Trust anchors in force: whether what a peer presents leads to one of them and is what is demanded (RFC 7296 §2.15, RFC 5280 §6). */
import type { PublicKey } from '../crypto/signature.ts';
import { ProtocolError } from '../error.ts';
import type { Instant } from '../sa.ts';
import { type Bytes, hex } from '../wire/bytes.ts';
import { identitiesOf, isNamed } from './identity-match.ts';
import { issuerReference, type Link, LinkMemory, type TrustCryptography } from './link.ts';
import { type Anchor, type Chain, findChain } from './path.ts';
import { type Fault, fault, faultOf } from './requirements.ts';
import { Revocation, type RevocationDemand } from './revocation.ts';
import type { RevocationList } from './revocation-list.ts';
import type { CertificateReference, Demand, Presented, Trust, Verdict } from './trust.ts';

/** The peer's certificate and what comes with it; nobody in the field sends more, and more are not looked at. */
const MOST_PRESENTED = 10;

export interface Trusted {
  readonly anchors: readonly Anchor[];
  /** Each of them known to be signed by an anchor, or to be of an authority that only peers present. */
  readonly lists: readonly RevocationList[];
  readonly revocation: RevocationDemand;
}

export class TrustStore implements Trust {
  readonly size: number;
  readonly keyHashes: readonly Bytes[];
  readonly #anchors: ReadonlyMap<string, readonly Anchor[]>;
  readonly #memory: LinkMemory;
  readonly #revocation: Revocation;
  /** Issuers in references, and what their names are compared by. */
  readonly #issuers: ReadonlyMap<string, string>;

  constructor({ anchors, lists, revocation }: Trusted, crypto: TrustCryptography) {
    this.size = anchors.length;
    // RFC 7296 §3.7: SHA-1 over the SubjectPublicKeyInfo.
    this.keyHashes = anchors.map(({ link }) => crypto.sealing.sha1(link.certificate.publicKey));
    this.#anchors = Map.groupBy(anchors, ({ link }) => link.certificate.subjectKey);
    this.#memory = new LinkMemory(crypto);
    this.#revocation = new Revocation(lists, revocation, crypto);
    this.#issuers = new Map(this.#revocation.issuers.map((name) => [hex(issuerReference(name, crypto)), name]));
  }

  verify(presented: Presented, demand: Demand): Verdict {
    const [first, ...others] = presented.certificates;
    if (!first) return { trusted: false, reason: 'no-certificate', detail: 'none was sent' };
    const peer = this.#read(first);
    if ('reason' in peer) return { trusted: false, ...peer };
    if (!peer.key) return { trusted: false, reason: 'weak', detail: 'the key is too weak or of an unknown kind' };
    if (demand.proves && !demand.proves(peer.key)) return this.#unproven(first);
    // What does not parse is as good as not sent.
    const intermediates = others.slice(0, MOST_PRESENTED - 1).flatMap((der) => {
      const link = this.#read(der);
      return 'reason' in link ? [] : [link];
    });
    const { chain, fault: wrong } = findChain(peer, {
      intermediates,
      anchors: (name) => (this.#anchors.get(name) ?? []).filter((anchor) => counts(anchor, demand)),
      judge: (chain) => this.#judge(chain, presented, demand),
    });
    if (!chain) return { trusted: false, ...wrong };
    if (!isCalled(peer, demand))
      return { trusted: false, reason: 'wrong-identity', detail: peer.subject, identities: identitiesOf(peer.certificate) };
    this.#memory.remember(whole(chain));
    return this.#trusted(peer, peer.key, chain);
  }

  revokes(chain: readonly CertificateReference[]): boolean {
    return chain.some(({ issuer, serial }) => {
      const name = this.#issuers.get(hex(issuer));
      return name !== undefined && this.#revocation.lists(name, hex(serial));
    });
  }

  /** A certificate that is remembered is read once more, so that nobody can tell it from one that is not. */
  #unproven(der: Bytes): Verdict {
    this.#memory.readAnew(der);
    return { trusted: false, reason: 'unproven', detail: 'the peer does not have its key' };
  }

  #judge(chain: Chain, presented: Presented, demand: Demand): Fault | undefined {
    const certificates = whole(chain).map(({ certificate }) => certificate);
    return faultOf(certificates, demand) ?? this.#revocation.faultOf(chain, presented, demand.now);
  }

  #read(der: Bytes): Link | Fault {
    try {
      return this.#memory.read(der);
    } catch (error) {
      if (error instanceof ProtocolError) return fault('malformed', error.message);
      throw error;
    }
  }

  #trusted(peer: Link, key: PublicKey, chain: Chain): Verdict {
    return {
      trusted: true,
      key,
      fingerprint: peer.fingerprint,
      chain: chain.links.map(({ reference }) => reference),
      notAfter: Math.min(...whole(chain).map(({ certificate }) => certificate.notAfter)) as Instant,
      anchor: chain.anchor.name,
      // For logs and tests: most handshakes want neither.
      get subject() {
        return peer.subject;
      },
      get identities() {
        return identitiesOf(peer.certificate);
      },
    };
  }
}

const counts = ({ name }: Anchor, { authorities }: Demand): boolean => authorities.length === 0 || authorities.includes(name);

/** RFC 7296 §3.5: the identity must be one that the certificate is for. */
const isCalled = ({ certificate }: Link, { identity, usage }: Demand): boolean =>
  !identity || isNamed(certificate, identity, usage);

/** With the anchor. */
const whole = ({ links, anchor }: Chain): readonly Link[] => (links[0]?.id === anchor.link.id ? links : [...links, anchor.link]);
