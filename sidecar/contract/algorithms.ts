/** Keywords for the transforms of IANA's registry (RFC 7296 §3.3.2), as strongSwan spells them; one list for both directions. */
import type { Algorithms } from './gateway-config.ts';
import type { Place } from './problem.ts';
import { checked, type Field, list, optional, record, type Shape, spelled } from './schema.ts';

export const ENCRYPTION = {
  aes256gcm16: { id: 20, keyBits: 256 },
  aes128gcm16: { id: 20, keyBits: 128 },
  // RFC 7634 §5: no Key Length attribute.
  chacha20poly1305: { id: 28, keyBits: 0 },
  aes256: { id: 12, keyBits: 256 },
  aes128: { id: 12, keyBits: 128 },
} as const;
export const INTEGRITY = { sha256: 12, sha384: 13, sha512: 14, sha1: 2 } as const;
export const PRF = { prfsha256: 5, prfsha384: 6, prfsha512: 7, prfsha1: 2 } as const;
export const KEY_EXCHANGE = {
  ...{ x25519: 31, ecp256: 19, ecp384: 20, ecp521: 21, modp4096: 16, modp3072: 15, modp2048: 14 },
  modp1024: 2,
} as const;
/** RFC 9370, ML-KEM by draft-ietf-ipsecme-ikev2-mlkem: in one exchange after the first. */
export const ADDITIONAL_KEY_EXCHANGE = { mlkem768: 36, mlkem1024: 37, mlkem512: 35 } as const;

/** RFC 8247 §2.2–§2.4: for clients that have nothing better, and for gateways that name them; in no default. */
const LEGACY: readonly number[] = [INTEGRITY.sha1, PRF.prfsha1, KEY_EXCHANGE.modp1024];
const modern = (ids: readonly number[]): readonly number[] => ids.filter((id) => !LEGACY.includes(id));

/** RFC 7296 §3.3.2: transform 0 of type 4, a child without perfect forward secrecy. */
const NONE = { none: 0 } as const;

/** A list of keywords, most wanted first. */
function keywords<T>(what: string, table: Readonly<Record<string, T>>): Shape<readonly T[]> {
  const key = (value: T): string => JSON.stringify(value);
  const names = new Map(Object.entries(table).map(([name, value]) => [key(value), name]));
  const item = spelled<T>({
    what: `${what} that we have`,
    remedy: `write one of ${Object.keys(table).join(', ')}`,
    parse: (text) => (Object.hasOwn(table, text) ? table[text] : undefined),
    format: (value) => names.get(key(value)) ?? `unknown ${key(value)}`,
  });
  return checked(list(item, { max: 16 }), (values, place) => {
    values.forEach((value, index) => {
      if (values.findIndex((other) => key(other) === key(value)) < index) {
        place.at(index).refuse(`named twice: ${names.get(key(value))}`, 'name each once');
      }
    });
  });
}

const encryption = keywords('an encryption', ENCRYPTION);
const integrity = keywords('an integrity algorithm', INTEGRITY);
const prf = keywords('a pseudorandom function', PRF);
const additionalKeyExchange = keywords('an additional key exchange', ADDITIONAL_KEY_EXCHANGE);

const EVERY = {
  encryption: Object.values(ENCRYPTION),
  integrity: modern(Object.values(INTEGRITY)),
  prf: modern(Object.values(PRF)),
  keyExchange: modern(Object.values(KEY_EXCHANGE)),
};

export const DEFAULT_IKE_ALGORITHMS: Algorithms = {
  ...EVERY,
  additionalKeyExchange: Object.values(ADDITIONAL_KEY_EXCHANGE),
};
/** The keys of children come of those of the IKE SA, so that they keep what an additional key exchange gave it. */
export const DEFAULT_ESP_ALGORITHMS: Algorithms = {
  ...EVERY,
  prf: [],
  keyExchange: [...EVERY.keyExchange, NONE.none],
  additionalKeyExchange: [],
};

export const ikeAlgorithms: Shape<Algorithms> = checked(
  record<Algorithms>({
    encryption: optional(encryption, EVERY.encryption),
    integrity: optional(integrity, EVERY.integrity),
    prf: optional(prf, DEFAULT_IKE_ALGORITHMS.prf),
    keyExchange: optional(keywords('a key exchange', KEY_EXCHANGE), DEFAULT_IKE_ALGORITHMS.keyExchange),
    additionalKeyExchange: optional(additionalKeyExchange, DEFAULT_IKE_ALGORITHMS.additionalKeyExchange),
  }),
  (algorithms, place) => {
    complete(algorithms, place);
    if (algorithms.prf.length === 0) place.at('prf').refuse('empty', 'name at least one, for instance prfsha256');
  },
);

/** ESP negotiates no pseudorandom function: the field is neither read nor written. */
const noPrf: Field<Algorithms['prf']> = {
  shape: { read: (_, place) => place.refuse('not a field of ESP', 'remove it'), write: () => undefined },
  name: undefined,
  missing: { value: [] },
};

export const espAlgorithms: Shape<Algorithms> = checked(
  record<Algorithms>({
    encryption: optional(encryption, EVERY.encryption),
    integrity: optional(integrity, EVERY.integrity),
    prf: noPrf,
    keyExchange: optional(keywords('a key exchange', { ...KEY_EXCHANGE, ...NONE }), DEFAULT_ESP_ALGORITHMS.keyExchange),
    additionalKeyExchange: optional(additionalKeyExchange, DEFAULT_ESP_ALGORITHMS.additionalKeyExchange),
  }),
  complete,
);

/** Every encryption can be negotiated: CBC needs an integrity algorithm beside it (RFC 7296 §3.3.3). */
function complete(algorithms: Algorithms, place: Place): void {
  if (algorithms.encryption.length === 0) place.at('encryption').refuse('empty', 'name at least one, for instance aes256gcm16');
  if (algorithms.keyExchange.length === 0) place.at('keyExchange').refuse('empty', 'name at least one, for instance x25519');
  const needsIntegrity = algorithms.encryption.some(({ id }) => id === ENCRYPTION.aes256.id);
  if (needsIntegrity && algorithms.integrity.length === 0) {
    place.at('integrity').refuse('empty, but aes128 and aes256 are no AEADs', 'name at least one, for instance sha256');
  }
}
