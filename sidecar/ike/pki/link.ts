/** One certificate of a chain with what was found out about it, and the memory of such ones: the second handshake of a client costs less. */
import type { Cryptography } from '../crypto/cryptography.ts';
import type { PublicKey } from '../crypto/signature.ts';
import { type Instant, NEVER } from '../sa.ts';
import { ShortMemory } from '../short-memory.ts';
import { type Bytes, hex, utf8 } from '../wire/bytes.ts';
import { type Certificate, readCertificate } from './certificate.ts';
import { formatName } from './name.ts';
import type { CertificateReference } from './trust.ts';

export type TrustCryptography = Pick<Cryptography, 'signatures' | 'sealing'>;

/** What is remembered here is so for good. */
const START = 0 as Instant;

export class Link {
  readonly certificate: Certificate;
  /** SHA-256 over the DER. */
  readonly fingerprint: Bytes;
  readonly id: string;
  /** Ids of certificates whose key has signed this one, in chains that were good. */
  readonly provenBy = new Set<string>();
  readonly #crypto: TrustCryptography;
  #subject: string | undefined;
  #reference: CertificateReference | undefined;
  #key: { readonly known: PublicKey | undefined } | undefined;

  constructor(certificate: Certificate, fingerprint: Bytes, crypto: TrustCryptography) {
    this.certificate = certificate;
    this.fingerprint = fingerprint;
    this.id = hex(fingerprint);
    this.#crypto = crypto;
  }

  /** Undefined: too weak, or of a kind that we do not have. */
  get key(): PublicKey | undefined {
    this.#key ??= { known: this.#crypto.signatures.publicKey(this.certificate.publicKey) };
    return this.#key.known;
  }

  /** As text. */
  get subject(): string {
    this.#subject ??= formatName(this.certificate.subject);
    return this.#subject;
  }

  get reference(): CertificateReference {
    const { issuerKey, serial } = this.certificate;
    this.#reference ??= { issuer: issuerReference(issuerKey, this.#crypto), serial: serial.slice() };
    return this.#reference;
  }
}

export const issuerReference = (issuerKey: string, { sealing }: TrustCryptography): Bytes =>
  sealing.sha256(utf8(issuerKey)).slice(0, 20);

/** Holds certificates of good chains alone, so that no stranger fills it. */
export class LinkMemory {
  readonly #crypto: TrustCryptography;
  readonly #known: ShortMemory<Link>;

  constructor(crypto: TrustCryptography, most = 1000, mostBytes = 4 * 1024 * 1024) {
    this.#crypto = crypto;
    this.#known = new ShortMemory(most, mostBytes);
  }

  get size(): number {
    return this.#known.size;
  }

  /** @throws ProtocolError (malformed). */
  read(der: Bytes): Link {
    const fingerprint = this.#crypto.sealing.sha256(der);
    return this.#known.get(hex(fingerprint), START) ?? new Link(readCertificate(der.slice()), fingerprint, this.#crypto);
  }

  /** Costs what an unknown certificate costs, when this one is known. */
  readAnew(der: Bytes): void {
    if (this.#known.get(hex(this.#crypto.sealing.sha256(der)), START))
      this.#crypto.signatures.publicKey(readCertificate(der).publicKey);
  }

  /** A chain that was good: the peer's certificate, intermediates, anchor. */
  remember(chain: readonly Link[]): void {
    for (const [index, link] of chain.slice(0, -1).entries()) {
      const issuer = chain[index + 1];
      if (issuer) link.provenBy.add(issuer.id);
      this.#known.set(link.id, link, NEVER, link.certificate.der.length);
    }
  }
}
