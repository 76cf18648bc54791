/** AUTH by signature: the method of RFC 7427, and the older ones (RFC 7296 §3.8, RFC 4754) for peers that know no other. */
import { derOfEcdsa, type EcdsaMethod, ecdsaMethods, rawOfEcdsa } from './crypto/ecdsa-form.ts';
import { Hash, type PrivateKey, type PublicKey, type SignatureScheme } from './crypto/signature.ts';
import { algorithmIdentifier, schemeOf } from './crypto/signature-algorithm.ts';
import { schemesFor } from './crypto/signature-choice.ts';
import { findNotify, type Notifies } from './first-exchange.ts';
import { type Bytes, concat, Reader, Writer } from './wire/bytes.ts';
import { notify, type PayloadOf } from './wire/payload.ts';
import { AuthMethod, Notify } from './wire/registry.ts';

/** RFC 8247 §4.2: SHA-1 is not among them. */
const OUR_HASHES: readonly number[] = [Hash.SHA2_256, Hash.SHA2_384, Hash.SHA2_512, Hash.IDENTITY];
/** There are five; who names more says nothing new. */
const MAX_HASHES = 16;

/** RFC 7427 §4: tells that we know method 14, and with which hashes. */
export const signatureHashes = (): PayloadOf<'N'> =>
  notify(Notify.SIGNATURE_HASH_ALGORITHMS, OUR_HASHES.reduce((w, hash) => w.u16(hash), new Writer()).finish());

/** What the peer told so; empty: it knows the older methods alone. */
export function hashesOf(notifies: Notifies): readonly number[] {
  const told = findNotify(notifies, Notify.SIGNATURE_HASH_ALGORITHMS);
  if (!told) return [];
  const reader = new Reader(told.data);
  const hashes: number[] = [];
  while (reader.left >= 2 && hashes.length < MAX_HASHES) hashes.push(reader.u16());
  return hashes;
}

/** AUTH over the signed octets, in the best form that the peer can verify; undefined when there is none. */
export function signAuth(octets: Bytes, key: PrivateKey, peerHashes: readonly number[]): PayloadOf<'AUTH'> | undefined {
  const [scheme] = schemesFor(key.kind, peerHashes);
  return scheme ? digitalSignature(octets, key, scheme) : olderSignature(octets, key);
}

/** RFC 7427 §3: length of the AlgorithmIdentifier, AlgorithmIdentifier, signature. */
function digitalSignature(octets: Bytes, key: PrivateKey, scheme: SignatureScheme): PayloadOf<'AUTH'> {
  const algorithm = algorithmIdentifier(scheme);
  const data = concat(Uint8Array.of(algorithm.length), algorithm, key.sign(scheme, octets));
  return { kind: 'AUTH', method: AuthMethod.DIGITAL_SIGNATURE, data };
}

function olderSignature(octets: Bytes, key: PrivateKey): PayloadOf<'AUTH'> | undefined {
  // RFC 7296 §3.8: "SHOULD use SHA-1 as the default hash function": a peer that says nothing of hashes expects it.
  if (key.kind === 'rsa') return { kind: 'AUTH', method: AuthMethod.RSA, data: key.sign(RSA_SHA1, octets) };
  const found = Object.entries(ecdsaMethods).find(([, method]) => method.key === key.kind);
  if (!found) return undefined;
  const [number, method] = found;
  return { kind: 'AUTH', method: Number(number), data: rawOfEcdsa(method, key.sign(method.scheme, octets)) };
}

/** Whether this AUTH is a good signature of that key over the octets. */
export function provesBySignature({ method, data }: PayloadOf<'AUTH'>, octets: Bytes, key: PublicKey): boolean {
  if (method === AuthMethod.DIGITAL_SIGNATURE) return provesDigital(data, octets, key);
  // RFC 7296 §3.8: SHA-1 by default; who does without it writes so into the signature itself.
  if (method === AuthMethod.RSA) return [RSA_SHA1, RSA_SHA256].some((scheme) => key.verify(scheme, octets, data));
  const ecdsa: EcdsaMethod | undefined = ecdsaMethods[method as keyof typeof ecdsaMethods];
  const der = ecdsa && ecdsa.key === key.kind ? derOfEcdsa(ecdsa, data) : undefined;
  return ecdsa !== undefined && der !== undefined && key.verify(ecdsa.scheme, octets, der);
}

function provesDigital(data: Bytes, octets: Bytes, key: PublicKey): boolean {
  const length = data[0] ?? 0;
  const scheme = schemeOf(data.subarray(1, 1 + length));
  // RFC 8247 §4.2: SHA-1 MUST NOT be used in this method; nor is it among the hashes that we name.
  if (!scheme || !OUR_HASHES.includes(scheme.hash)) return false;
  return key.verify(scheme, octets, data.subarray(1 + length));
}

const RSA_SHA1: SignatureScheme = { kind: 'rsa', hash: Hash.SHA1 };
const RSA_SHA256: SignatureScheme = { kind: 'rsa', hash: Hash.SHA2_256 };

/** Methods of AUTH that a certificate belongs to. */
export const isSignature = (method: number): boolean =>
  method === AuthMethod.DIGITAL_SIGNATURE || method === AuthMethod.RSA || method in ecdsaMethods;
