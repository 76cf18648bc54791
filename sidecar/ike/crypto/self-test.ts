/** Known answers, asked once at start: an algorithm that a platform, a build or an update broke must not protect anybody's traffic. */
import { type Bytes, concat, hex, unhex, utf8 } from '../wire/bytes.ts';
import { Encr, Integ, Ke, Prf } from '../wire/registry.ts';
import type { Cryptography } from './cryptography.ts';
import { type KnownSignature, knownSignatures } from './known-signatures.ts';

/** Takes some 10 ms with OpenSSL, 150 with noble in a fresh process. @throws Error that names the first algorithm which answers wrong, or not at all. */
export function selfTest(crypto: Cryptography): void {
  for (const { name, ask, answer } of questions) {
    if (answerOf(name, ask, crypto) !== answer)
      throw new Error(`cryptographic self-test (${crypto.name}): ${name} answers wrong`);
  }
}

interface Question {
  readonly name: string;
  readonly ask: (crypto: Cryptography) => Bytes;
  readonly answer: string;
}

function answerOf(name: string, ask: Question['ask'], crypto: Cryptography): string {
  try {
    return hex(ask(crypto));
  } catch (cause) {
    throw new Error(`cryptographic self-test (${crypto.name}): ${name} does not work`, { cause });
  }
}

/** 0, 1, 2 … from `first` on. */
const count = (length: number, first = 0): Bytes => Uint8Array.from({ length }, (_, index) => first + index);
const text = utf8('what do ya want for nothing?');

/** mac as in RFC 4231 §4.3; what `derive` and `expand` give must be the same. */
function prf(name: string, id: number, answer: string): Question {
  const ask = (crypto: Cryptography): Bytes => {
    const algorithm = there(crypto.prf(id));
    const key = algorithm.mac(utf8('Jefe'), text);
    const [whole, steps] = [algorithm.derive(utf8('Jefe'), text, count(40), 200), algorithm.expand(key, count(40), 200)];
    if (hex(whole) !== hex(steps)) throw new Error('derive is not mac and expand');
    return key;
  };
  return { name, ask, answer };
}

function integrity(name: string, id: number, answer: string): Question {
  return { name, ask: (crypto) => there(crypto.integrity(id)).mac(utf8('Jefe'), text), answer };
}

/** 32 bytes sealed; they must open again, and with another byte in them must not. */
function encryption(name: string, id: number, keyBits: number, answer: string): Question {
  const ask = (crypto: Cryptography): Bytes => {
    const algorithm = there(crypto.encryption(id, keyBits));
    const [key, iv, plaintext, aad] = [count(algorithm.keyLength), count(algorithm.ivLength, 64), count(32, 96), count(20, 192)];
    const sealed = algorithm.seal(key, iv, plaintext, aad);
    const opened = algorithm.open(key, iv, sealed, aad);
    if (!opened || hex(opened) !== hex(plaintext)) throw new Error('what was sealed does not open');
    if (algorithm.aead && algorithm.open(key, iv, altered(sealed), aad)) throw new Error('what was altered opens');
    return sealed;
  };
  return { name, ask, answer };
}

/** g^(xx), its first 16 bytes. */
function keyExchange(name: string, id: number, answer: string): Question {
  const ask = (crypto: Cryptography): Bytes => {
    const algorithm = there(crypto.keyExchange(id));
    const { privateKey, publicValue } = algorithm.generate((length) => count(length, 1));
    return algorithm.conclude(privateKey, publicValue).slice(0, 16);
  };
  return { name, ask, answer };
}

/** The beginning of an encapsulation key, and the secret of a ciphertext that nobody made (FIPS 203 §6.3); one that somebody made opens. */
function encapsulation(name: string, id: number, answer: string): Question {
  const ask = (crypto: Cryptography): Bytes => {
    const algorithm = there(crypto.keyExchange(id));
    const { privateKey, publicValue } = algorithm.generate((length) => count(length, 1));
    const { publicValue: ciphertext, shared } = algorithm.respond(publicValue, count);
    if (hex(algorithm.conclude(privateKey, ciphertext)) !== hex(shared)) throw new Error('what was encapsulated does not open');
    return concat(publicValue.subarray(0, 16), algorithm.conclude(privateKey, count(algorithm.responseLength)).subarray(0, 16));
  };
  return { name, ask, answer };
}

function ticketSealing(answer: string): Question {
  const ask = ({ sealing }: Cryptography): Bytes => {
    const key = sealing.subkey(count(32), 'purpose', 'audience');
    const sealed = sealing.seal(key, count(24, 64), text, count(12));
    if (hex(sealing.open(key, count(24, 64), sealed, count(12)) ?? count(0)) !== hex(text)) throw new Error('does not open');
    if (sealing.open(key, count(24, 64), altered(sealed), count(12))) throw new Error('what was altered opens');
    return sealed;
  };
  return { name: 'XChaCha20-Poly1305 with HKDF-SHA256', ask, answer };
}

/** A good signature verifies, an altered one does not. */
function signature({ name, scheme, key, signature }: KnownSignature): Question {
  const ask = ({ signatures }: Cryptography): Bytes => {
    const [verifier, good] = [there(signatures.publicKey(unhex(key))), unhex(signature)];
    return Uint8Array.from([good, altered(good)], (one) => (verifier.verify(scheme, text, one) ? 1 : 0));
  };
  return { name, ask, answer: '0100' };
}

const altered = (sealed: Bytes): Bytes => concat(sealed.subarray(0, -1), Uint8Array.of(sealed[sealed.length - 1]! ^ 1));

function there<T>(algorithm: T | undefined): T {
  if (algorithm === undefined) throw new Error('missing');
  return algorithm;
}

const questions: readonly Question[] = [
  prf('PRF_HMAC_SHA2_256', Prf.HMAC_SHA2_256, '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'),
  prf(
    'PRF_HMAC_SHA2_384',
    Prf.HMAC_SHA2_384,
    'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649',
  ),
  prf(
    'PRF_HMAC_SHA2_512',
    Prf.HMAC_SHA2_512,
    '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
  ),
  prf('PRF_HMAC_SHA1', Prf.HMAC_SHA1, 'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79'),
  integrity('AUTH_HMAC_SHA1_96', Integ.HMAC_SHA1_96, 'effcdf6ae5eb2fa2d27416d5'),
  integrity('AUTH_HMAC_SHA2_256_128', Integ.HMAC_SHA2_256_128, '5bdcc146bf60754e6a042426089575c7'),
  integrity('AUTH_HMAC_SHA2_384_192', Integ.HMAC_SHA2_384_192, 'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47'),
  integrity(
    'AUTH_HMAC_SHA2_512_256',
    Integ.HMAC_SHA2_512_256,
    '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554',
  ),
  encryption(
    'ENCR_AES_GCM_16 (128)',
    Encr.AES_GCM_16,
    128,
    '5c4b96683311b1a58ed12d6065f1e4fa6f2574e87c1041bef9ca93eda613f68468f59201dd4f9fbfe59869e010fff392',
  ),
  encryption(
    'ENCR_AES_GCM_16 (256)',
    Encr.AES_GCM_16,
    256,
    '03032104abaffccd50ab0baa04195e7e26324ce204ef622760889e480bfd3bfd2e7b459effdfd7d4b195b3e4b152fea0',
  ),
  encryption(
    'ENCR_CHACHA20_POLY1305',
    Encr.CHACHA20_POLY1305,
    0,
    '8f51efabb6eb5ddadcd1543513615b3f63a315a60099a306e8e60944592572edbbdeba746b205c28bf8e59ac023430fb',
  ),
  encryption('ENCR_AES_CBC (128)', Encr.AES_CBC, 128, '9e3c311788a3dae7a3a6018da2c98cc657fe760cbdc064f264915e161986bc16'),
  encryption('ENCR_AES_CBC (256)', Encr.AES_CBC, 256, '72d75c294159fac28a43f67c6e07ee4b54e7eaf91f19807badff78d303590a26'),
  keyExchange('MODP 1024', Ke.MODP_1024, 'e76a1b3bb88e03d565770c5d2eb02aed'),
  keyExchange('MODP 2048', Ke.MODP_2048, '4bc307b0db6f7323ba48b13a93e00c72'),
  keyExchange('MODP 3072', Ke.MODP_3072, '0ca1c5b934b09f50175b41d1547a8a26'),
  keyExchange('MODP 4096', Ke.MODP_4096, 'b0c518fbf9a53ff0dbc3a17ad01e8328'),
  keyExchange('ECP 256', Ke.ECP_256, 'b4f1fcce40735f836af8d6312d248d1a'),
  keyExchange('ECP 384', Ke.ECP_384, '2e903bc4a5184d964016978a28781bf5'),
  keyExchange('ECP 521', Ke.ECP_521, '000d307b60c3727ead7d137f36c21faf'),
  keyExchange('Curve25519', Ke.CURVE25519, 'e1da0d42bded3149e1e30e6f2ada146b'),
  ...knownSignatures.map((known) => signature(known)),
  encapsulation('ML-KEM-512', Ke.ML_KEM_512, '91ab1051a3cb98e66d481b6a48603a92c9dc3be23878c911e5bfb51c697914e4'),
  encapsulation('ML-KEM-768', Ke.ML_KEM_768, '659717deb2b867fc2397dc212cf0ab358255938807603bc3e090c40025492b2d'),
  encapsulation('ML-KEM-1024', Ke.ML_KEM_1024, 'c9912627d3562433666d91500f003e1742581d39e7250780b4c0768664d0944f'),
  ticketSealing('3254641af34226c904df0031c99304eb9d7fa5d072cd111859aa47384916987cf7b3155994b5f90dffad459c'),
  { name: 'SHA-1', ask: ({ sealing }) => sealing.sha1(utf8('abc')), answer: 'a9993e364706816aba3e25717850c26c9cd0d89d' },
  {
    name: 'SHA-256',
    ask: ({ sealing }) => sealing.sha256(utf8('abc')),
    answer: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  },
];
