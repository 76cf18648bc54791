/** Keys as DER: which kind a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) or a PrivateKeyInfo (RFC 5208, RFC 5958) holds, and its bare value. */
import { ProtocolError } from '../error.ts';
import { type Bytes, concat, hex, unhex } from '../wire/bytes.ts';
import { bitString, constructed, DerReader, encodeDer, soleElement, Tag } from '../wire/der.ts';
import type { KeyKind } from './signature.ts';

export interface KeyForm {
  readonly kind: KeyKind;
  /** Public: point, or RSAPublicKey. Private: scalar or seed, or RSAPrivateKey. */
  readonly value: Bytes;
}

/** @throws ProtocolError (malformed), also for kinds that we do not have. */
export function publicKeyForm(spki: Bytes): KeyForm {
  const outer = soleElement(spki, Tag.SEQUENCE);
  const kind = kindOf(outer.element(Tag.SEQUENCE).whole);
  const value = bitString(outer.element(Tag.BIT_STRING));
  outer.end();
  return { kind, value };
}

/** @throws likewise. */
export function privateKeyForm(pkcs8: Bytes): KeyForm {
  const outer = soleElement(pkcs8, Tag.SEQUENCE);
  outer.element(Tag.INTEGER);
  const kind = kindOf(outer.element(Tag.SEQUENCE).whole);
  const inner = outer.element(Tag.OCTET_STRING).body;
  return { kind, value: privateValue(kind, inner) };
}

function privateValue(kind: KeyKind, inner: Bytes): Bytes {
  if (kind === 'rsa') return inner;
  // RFC 8410 §7: an OCTET STRING within the OCTET STRING.
  if (kind === 'ed25519' || kind === 'ed448') return new DerReader(inner).element(Tag.OCTET_STRING).body;
  // RFC 5915 §3: version, then the scalar.
  const key = soleElement(inner, Tag.SEQUENCE);
  key.element(Tag.INTEGER);
  return key.element(Tag.OCTET_STRING).body;
}

function kindOf(algorithm: Bytes): KeyKind {
  const kind = kinds.get(hex(algorithm));
  if (!kind) throw ProtocolError.malformed('a kind of key that we do not have');
  return kind;
}

/** By AlgorithmIdentifier: RFC 3279 §2.3.1, RFC 5480 §2.1.1, RFC 8410 §3. */
const kinds: ReadonlyMap<string, KeyKind> = new Map([
  ['300d06092a864886f70d0101010500', 'rsa'],
  ['301306072a8648ce3d020106082a8648ce3d030107', 'ec-p256'],
  ['301006072a8648ce3d020106052b81040022', 'ec-p384'],
  ['301006072a8648ce3d020106052b81040023', 'ec-p521'],
  ['300506032b6570', 'ed25519'],
  ['300506032b6571', 'ed448'],
]);

/** PKCS #8 of what a PEM block with this label holds; undefined when that is no private key. */
export function pkcs8Of(label: string | undefined, der: Bytes): Bytes | undefined {
  if (label === undefined || label === 'PRIVATE KEY') return der;
  if (label === 'RSA PRIVATE KEY') return wrapped(unhex('300d06092a864886f70d0101010500'), der);
  return label === 'EC PRIVATE KEY' ? ofSec1(der) : undefined;
}

/** RFC 5915 §3: the curve stands in the key itself. */
function ofSec1(der: Bytes): Bytes | undefined {
  try {
    const key = soleElement(der, Tag.SEQUENCE);
    key.element(Tag.INTEGER);
    key.element(Tag.OCTET_STRING);
    const curve = key.element(constructed(0)).body;
    return wrapped(encodeDer(Tag.SEQUENCE, concat(unhex('06072a8648ce3d0201'), curve)), der);
  } catch {
    return undefined;
  }
}

/** RFC 5208 §5: version, algorithm, key. */
const wrapped = (algorithm: Bytes, key: Bytes): Bytes =>
  encodeDer(Tag.SEQUENCE, concat(encodeDer(Tag.INTEGER, Uint8Array.of(0)), algorithm, encodeDer(Tag.OCTET_STRING, key)));
