/** What a signature is made with, as DER AlgorithmIdentifier (RFC 7427 §3 and appendix A, RFC 8420 §3): in AUTH payloads and in certificates. */
import { type Bytes, concat, hex, unhex } from '../wire/bytes.ts';
import { encodeDer, Tag } from '../wire/der.ts';
import { Hash, type SignatureScheme } from './signature.ts';

type Digest = Exclude<Hash, typeof Hash.IDENTITY>;
const digests: readonly Digest[] = [Hash.SHA2_256, Hash.SHA2_384, Hash.SHA2_512, Hash.SHA1];

/** As RFC 7427 appendix A writes it. @throws RangeError for a scheme that does not exist. */
export function algorithmIdentifier(scheme: SignatureScheme): Bytes {
  const known = identifiers.find(({ scheme: { kind, hash } }) => kind === scheme.kind && hash === scheme.hash);
  if (!known) throw new RangeError(`there is no ${scheme.kind} with hash ${scheme.hash}`);
  return known.der;
}

/** Also in the other spellings that peers and certificates use; undefined for what we do not have. SHA-1 is told, whether it counts is for the caller. */
export const schemeOf = (der: Bytes): SignatureScheme | undefined => (der.length > LONGEST ? undefined : schemes.get(hex(der)));

interface Identifier {
  readonly scheme: SignatureScheme;
  readonly der: Bytes;
}

const sequence = (...parts: readonly Bytes[]): Bytes => encodeDer(Tag.SEQUENCE, concat(...parts));
const oid = (digits: string): Bytes => encodeDer(Tag.OBJECT_IDENTIFIER, unhex(digits));
const tagged = (number: number, part: Bytes): Bytes => encodeDer(0xa0 | number, part);
const integer = (value: number): Bytes => encodeDer(Tag.INTEGER, Uint8Array.of(value));
const NULL = encodeDer(Tag.NULL, new Uint8Array());
const ABSENT = new Uint8Array();

/** SHA-1 and SHA-2 (RFC 4055 §2.1): identifier, length of the digest, and of RSA and ECDSA with it. */
const known: Readonly<Record<Digest, { hash: Bytes; length: number; rsa: Bytes; ecdsa: Bytes }>> = {
  [Hash.SHA1]: { hash: oid('2b0e03021a'), length: 20, rsa: oid('2a864886f70d010105'), ecdsa: oid('2a8648ce3d0401') },
  [Hash.SHA2_256]: {
    hash: oid('608648016503040201'),
    length: 32,
    rsa: oid('2a864886f70d01010b'),
    ecdsa: oid('2a8648ce3d040302'),
  },
  [Hash.SHA2_384]: {
    hash: oid('608648016503040202'),
    length: 48,
    rsa: oid('2a864886f70d01010c'),
    ecdsa: oid('2a8648ce3d040303'),
  },
  [Hash.SHA2_512]: {
    hash: oid('608648016503040203'),
    length: 64,
    rsa: oid('2a864886f70d01010d'),
    ecdsa: oid('2a8648ce3d040304'),
  },
};

/** RFC 4055 §5: NULL is to be there, and not to be missed when it is not. */
const rsa = (hash: Digest): readonly Bytes[] => [sequence(known[hash].rsa, NULL), sequence(known[hash].rsa)];
const ecdsa = (hash: Digest): readonly Bytes[] => [sequence(known[hash].ecdsa)];

const PSS = oid('2a864886f70d01010a');
const MGF1 = oid('2a864886f70d010108');
const TRAILER = tagged(3, integer(1));

/** RFC 4055 §2.1 and §3.1: hashes with and without NULL; the trailer, which RFC 7427 writes though it is the default, and strongSwan does not. MGF1 of another hash and other salts are none of ours. */
function pss(hash: Digest): readonly Bytes[] {
  const { hash: digest, length } = known[hash];
  const spelled = [TRAILER, ABSENT].flatMap((trailer) =>
    [NULL, ABSENT].flatMap((first) =>
      [NULL, ABSENT].map((second) => {
        const mask = sequence(MGF1, sequence(digest, second));
        const parameters = [tagged(0, sequence(digest, first)), tagged(1, mask), tagged(2, integer(length)), trailer];
        return sequence(PSS, sequence(...parameters));
      }),
    ),
  );
  // RFC 7427 §A.4.1: all parameters left out are those of SHA-1.
  return hash === Hash.SHA1 ? [...spelled, sequence(PSS, sequence())] : spelled;
}

const eddsa = (kind: 'ed25519' | 'ed448', digits: string): Identifier => ({
  scheme: { kind, hash: Hash.IDENTITY },
  der: sequence(oid(digits)),
});

/** The first of each scheme is what we write. */
const identifiers: readonly Identifier[] = [
  ...digests.flatMap((hash) => [
    ...rsa(hash).map((der) => ({ scheme: { kind: 'rsa', hash } as const, der })),
    ...pss(hash).map((der) => ({ scheme: { kind: 'rsa-pss', hash } as const, der })),
    ...ecdsa(hash).map((der) => ({ scheme: { kind: 'ecdsa', hash } as const, der })),
  ]),
  eddsa('ed25519', '2b6570'),
  eddsa('ed448', '2b6571'),
];

const schemes: ReadonlyMap<string, SignatureScheme> = new Map(identifiers.map(({ der, scheme }) => [hex(der), scheme]));
const LONGEST = Math.max(...identifiers.map(({ der }) => der.length));
