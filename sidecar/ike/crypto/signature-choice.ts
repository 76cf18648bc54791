/** What to sign with, by our key and by the hashes that the peer names in SIGNATURE_HASH_ALGORITHMS (RFC 7427 §4). */
import { Hash, type KeyKind, type SignatureScheme } from './signature.ts';

/**
 * Best first; empty: the peer cannot verify what this key signs. RSA of PKCS #1 v1.5 comes before PSS: nothing tells us whether
 * the peer knows PSS, and Android and others in the field do not.
 */
export function schemesFor(key: KeyKind, peerHashes: readonly number[]): readonly SignatureScheme[] {
  // RFC 8420 §2: a peer that takes EdDSA says so with the identity hash.
  if (key === 'ed25519' || key === 'ed448') return peerHashes.includes(Hash.IDENTITY) ? [{ kind: key, hash: Hash.IDENTITY }] : [];
  const hashes = preference[key].filter((hash) => peerHashes.includes(hash));
  const kinds = key === 'rsa' ? (['rsa', 'rsa-pss'] as const) : (['ecdsa'] as const);
  return kinds.flatMap((kind) => hashes.map((hash) => ({ kind, hash })));
}

/** As strong as the key, then stronger, then weaker. RFC 8247 §4.2: SHA-1 is not signed with. */
const preference: Readonly<Record<Exclude<KeyKind, 'ed25519' | 'ed448'>, readonly Hash[]>> = {
  rsa: [Hash.SHA2_256, Hash.SHA2_384, Hash.SHA2_512],
  'ec-p256': [Hash.SHA2_256, Hash.SHA2_384, Hash.SHA2_512],
  'ec-p384': [Hash.SHA2_384, Hash.SHA2_512, Hash.SHA2_256],
  'ec-p521': [Hash.SHA2_512, Hash.SHA2_384, Hash.SHA2_256],
};
