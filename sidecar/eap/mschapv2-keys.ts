/** The arithmetic of MSCHAPv2 (RFC 2759 §8), and the keys that come of it (RFC 3079 §3). */
import { createCipheriv, createHash } from 'node:crypto';
import { md4 } from '../contract/md4.ts';
import { type Bytes, concat, utf8 } from '../ike/wire/bytes.ts';

export interface Exchange {
  /** 16 bytes each. */
  readonly authenticatorChallenge: Bytes;
  readonly peerChallenge: Bytes;
  /** As the peer spells it, with or without the name of a domain before a backslash. */
  readonly userName: Bytes;
}

/** RFC 2759 §8.1: 24 bytes. */
export const ntResponse = (hash: Bytes, exchange: Exchange): Bytes => challengeResponse(challengeHash(exchange), hash);

/** RFC 2759 §8.7: 20 bytes, what the server proves itself with. */
export function authenticatorResponse(hash: Bytes, response: Bytes, exchange: Exchange): Bytes {
  const digest = sha1(md4(hash), response, utf8('Magic server to client signing constant'));
  return sha1(digest, challengeHash(exchange), utf8('Pad to make it do more than one iteration'));
}

/** 64 bytes: the server's receiving and sending key and zeros, as IKEv2 stacks agree on it. */
export function masterSessionKey(hash: Bytes, response: Bytes): Bytes {
  const masterKey = sha1(md4(hash), response, utf8('This is the MPPE Master Key')).subarray(0, KEY_LENGTH);
  return concat(startKey(masterKey, FROM_CLIENT), startKey(masterKey, FROM_SERVER), new Uint8Array(MSK_LENGTH - 2 * KEY_LENGTH));
}

const MSK_LENGTH = 64;
const KEY_LENGTH = 16;
const FROM_CLIENT = utf8('On the client side, this is the send key; on the server side, it is the receive key.');
const FROM_SERVER = utf8('On the client side, this is the receive key; on the server side, it is the send key.');

/** RFC 3079 §3.4: GetAsymmetricStartKey. */
const startKey = (masterKey: Bytes, magic: Bytes): Bytes =>
  sha1(masterKey, new Uint8Array(40), magic, new Uint8Array(40).fill(0xf2)).subarray(0, KEY_LENGTH);

/** RFC 2759 §8.2: "Only the user name (as presented by the peer and excluding any prepended domain name) is used". */
const challengeHash = ({ peerChallenge, authenticatorChallenge, userName }: Exchange): Bytes =>
  sha1(peerChallenge, authenticatorChallenge, userName.subarray(userName.lastIndexOf(BACKSLASH) + 1)).subarray(0, 8);

const BACKSLASH = 0x5c;

/** RFC 2759 §8.5: three encryptions, their keys taken from the hash and zeros. */
function challengeResponse(challenge: Bytes, hash: Bytes): Bytes {
  const keys = concat(hash, new Uint8Array(5));
  return concat(...[0, 7, 14].map((at) => desEncrypt(challenge, keys.subarray(at, at + 7))));
}

/** RFC 2759 §8.6. Triple DES with one key three times is DES, which OpenSSL 3 does not offer by itself. */
function desEncrypt(clear: Bytes, key: Bytes): Bytes {
  const wide = spread(key);
  const cipher = createCipheriv('des-ede3-ecb', concat(wide, wide, wide), null);
  cipher.setAutoPadding(false);
  return concat(cipher.update(clear), cipher.final());
}

/** Seven bits in each byte; DES ignores the eighth, parity. */
function spread(key: Bytes): Bytes {
  const bits = key.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return Uint8Array.from({ length: 8 }, (_, index) => Number((bits >> BigInt(49 - 7 * index)) & 0x7fn) << 1);
}

function sha1(...parts: readonly Bytes[]): Bytes {
  const hash = createHash('sha1');
  for (const part of parts) hash.update(part);
  return Uint8Array.from(hash.digest());
}
