/** Signatures of the protocol, made of what a library offers, the same way for both: what a key may be used for, and that nothing throws. */
import type { Bytes } from '../wire/bytes.ts';
import { privateKeyForm, publicKeyForm } from './key-form.ts';
import type { Signer, Signing, Verifier } from './provider.ts';
import { Hash, type KeyKind, type PrivateKey, type PublicKey, type SignatureScheme, type Signatures } from './signature.ts';

export function signaturesOf(signing: Signing): Signatures {
  return {
    publicKey(spki) {
      const form = whole(() => publicKeyForm(spki));
      const verifier = form && whole(() => signing.verifier(form, spki));
      return form && verifier && strong(form.kind, verifier.bits) ? publicKey(form.kind, verifier) : undefined;
    },
    privateKey(pkcs8) {
      const form = whole(() => privateKeyForm(pkcs8));
      const signer = form && whole(() => signing.signer(form, pkcs8));
      return form && signer && strong(form.kind, signer.bits) ? new SigningKey(form.kind, signer) : undefined;
    },
  };
}

const publicKey = (kind: KeyKind, { bits, verify }: Verifier): PublicKey => ({
  kind,
  bits,
  verify: (scheme, data, signature) => fits(kind, scheme) && whole(() => verify(scheme, data, signature)) === true,
});

class SigningKey implements PrivateKey {
  readonly kind: KeyKind;
  readonly #signer: Signer;

  constructor(kind: KeyKind, signer: Signer) {
    this.kind = kind;
    this.#signer = signer;
  }

  sign(scheme: SignatureScheme, data: Bytes): Bytes {
    if (!fits(this.kind, scheme)) throw new RangeError(`a key of kind ${this.kind} does not sign as ${scheme.kind}`);
    return this.#signer.sign(scheme, data);
  }

  publicKey(): Bytes {
    return this.#signer.publicKey();
  }

  toJSON(): string {
    return '[secret]';
  }

  toString(): string {
    return '[secret]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]';
  }
}

/** RFC 8247 §4.1.1: RSA of 2048 bits and more; the cap bounds what a stranger's key can cost us. */
const strong = (kind: KeyKind, bits: number): boolean => kind !== 'rsa' || (bits >= 2048 && bits <= 8192);

function fits(kind: KeyKind, { kind: scheme, hash }: SignatureScheme): boolean {
  // RFC 8420 §2: EdDSA takes the message whole.
  if (kind === 'ed25519' || kind === 'ed448') return scheme === kind && hash === Hash.IDENTITY;
  if (hash === Hash.IDENTITY) return false;
  return kind === 'rsa' ? scheme === 'rsa' || scheme === 'rsa-pss' : scheme === 'ecdsa';
}

/** Libraries throw anything for keys and signatures that are malformed. */
function whole<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}
