/** Proposals as clients of the field write them (RFC 7296 §3.3): suites in short words, one proposal each. */
import { u32Bytes } from '../../../sidecar/ike/wire/bytes.ts';
import type { Proposal, Transform } from '../../../sidecar/ike/wire/payload.ts';
import { Encr, Integ, Ke, Prf, Protocol, TransformType } from '../../../sidecar/ike/wire/registry.ts';

/** Among them what we do not have, as clients send it (IANA's numbers). */
const WORDS: Readonly<Record<string, readonly Transform[]>> = {
  des: [{ type: TransformType.ENCR, id: 2 }],
  '3des': [{ type: TransformType.ENCR, id: 3 }],
  null: [{ type: TransformType.ENCR, id: Encr.NULL }],
  ...ciphers('cbc', Encr.AES_CBC),
  ...ciphers('ctr', Encr.AES_CTR),
  ...ciphers('gcm8-', Encr.AES_GCM_8),
  ...ciphers('gcm12-', Encr.AES_GCM_12),
  ...ciphers('gcm16-', Encr.AES_GCM_16),
  chacha: [{ type: TransformType.ENCR, id: Encr.CHACHA20_POLY1305 }],
  sha1: [{ type: TransformType.INTEG, id: Integ.HMAC_SHA1_96 }],
  sha256: [{ type: TransformType.INTEG, id: Integ.HMAC_SHA2_256_128 }],
  sha384: [{ type: TransformType.INTEG, id: Integ.HMAC_SHA2_384_192 }],
  sha512: [{ type: TransformType.INTEG, id: Integ.HMAC_SHA2_512_256 }],
  xcbc: [{ type: TransformType.INTEG, id: 5 }],
  cmac: [{ type: TransformType.INTEG, id: 8 }],
  prfsha1: [{ type: TransformType.PRF, id: Prf.HMAC_SHA1 }],
  prfsha256: [{ type: TransformType.PRF, id: Prf.HMAC_SHA2_256 }],
  prfsha384: [{ type: TransformType.PRF, id: Prf.HMAC_SHA2_384 }],
  prfsha512: [{ type: TransformType.PRF, id: Prf.HMAC_SHA2_512 }],
  prfxcbc: [{ type: TransformType.PRF, id: 4 }],
  prfcmac: [{ type: TransformType.PRF, id: 8 }],
  modp1024: [{ type: TransformType.KE, id: Ke.MODP_1024 }],
  modp2048: [{ type: TransformType.KE, id: Ke.MODP_2048 }],
  modp3072: [{ type: TransformType.KE, id: Ke.MODP_3072 }],
  modp4096: [{ type: TransformType.KE, id: Ke.MODP_4096 }],
  modp8192: [{ type: TransformType.KE, id: 18 }],
  ecp256: [{ type: TransformType.KE, id: Ke.ECP_256 }],
  ecp384: [{ type: TransformType.KE, id: Ke.ECP_384 }],
  ecp521: [{ type: TransformType.KE, id: Ke.ECP_521 }],
  x25519: [{ type: TransformType.KE, id: Ke.CURVE25519 }],
  x448: [{ type: TransformType.KE, id: 32 }],
  noesn: [{ type: TransformType.ESN, id: 0 }],
  esn: [{ type: TransformType.ESN, id: 1 }],
};

function ciphers(name: string, id: number): Record<string, readonly Transform[]> {
  return Object.fromEntries([128, 192, 256].map((keyBits) => [`${name}${keyBits}`, [{ type: TransformType.ENCR, id, keyBits }]]));
}

function transforms(words: string): Transform[] {
  return words.split(' ').flatMap((word) => WORDS[word] ?? [{ type: 0, id: Number.NaN }]);
}

/** `cbc256 sha256 prfsha256 modp2048` is one proposal. */
export const ikeOffer = (...suites: readonly string[]): Proposal[] =>
  suites.map((words, at) => ({ number: at + 1, protocol: Protocol.IKE, spi: new Uint8Array(), transforms: transforms(words) }));

export const espOffer =
  (...suites: readonly string[]) =>
  (spi: number): Proposal[] =>
    suites.map((words, at) => ({
      number: at + 1,
      protocol: Protocol.ESP,
      spi: u32Bytes(spi),
      transforms: transforms(words),
    }));
