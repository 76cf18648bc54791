/** Algorithms as one word on the command line, joined by `-` as strongSwan writes them (RFC 7296 §3.3.2). */
import {
  ADDITIONAL_KEY_EXCHANGE,
  DEFAULT_ESP_ALGORITHMS,
  DEFAULT_IKE_ALGORITHMS,
  ENCRYPTION,
  INTEGRITY,
  KEY_EXCHANGE,
  PRF,
} from '../contract/algorithms.ts';
import type { Algorithms } from '../contract/gateway-config.ts';

const keywordsOf = (...tables: readonly object[]): string => tables.flatMap((table) => Object.keys(table)).join(', ');

export const IKE_KEYWORDS = keywordsOf(ENCRYPTION, INTEGRITY, PRF, KEY_EXCHANGE, ADDITIONAL_KEY_EXCHANGE);
export const ESP_KEYWORDS = keywordsOf(ENCRYPTION, INTEGRITY, KEY_EXCHANGE, ADDITIONAL_KEY_EXCHANGE);

/** Undefined: not a proposal. */
export function parseIkeProposal(text: string): Algorithms | undefined {
  return parseProposal(
    text,
    {
      ...{ encryption: ENCRYPTION, integrity: INTEGRITY, prf: PRF, keyExchange: KEY_EXCHANGE },
      additionalKeyExchange: ADDITIONAL_KEY_EXCHANGE,
    },
    DEFAULT_IKE_ALGORITHMS,
  );
}

/** RFC 7296 §3.3.2: transform 0 of type 4 is a child without perfect forward secrecy. */
export function parseEspProposal(text: string): Algorithms | undefined {
  return parseProposal(
    text,
    {
      ...{ encryption: ENCRYPTION, integrity: INTEGRITY, prf: {}, keyExchange: { ...KEY_EXCHANGE, none: 0 } },
      additionalKeyExchange: ADDITIONAL_KEY_EXCHANGE,
    },
    DEFAULT_ESP_ALGORITHMS,
  );
}

type Tables = { readonly [K in keyof Algorithms]: Readonly<Record<string, Algorithms[K][number]>> };

/** A kind of algorithm of which none is named is left as it is by default, but for an additional key exchange, which is there when it is named. */
function parseProposal(text: string, tables: Tables, defaults: Algorithms): Algorithms | undefined {
  const words = text.split('-');
  const known = Object.values(tables).flatMap((table) => Object.keys(table));
  if (new Set(words).size !== words.length || !words.every((word) => known.includes(word))) return undefined;
  const or = <T>(chosen: readonly T[], otherwise: readonly T[]): readonly T[] => (chosen.length > 0 ? chosen : otherwise);
  return {
    encryption: or(named(words, tables.encryption), defaults.encryption),
    integrity: or(named(words, tables.integrity), defaults.integrity),
    prf: or(named(words, tables.prf), defaults.prf),
    keyExchange: or(named(words, tables.keyExchange), defaults.keyExchange),
    additionalKeyExchange: named(words, tables.additionalKeyExchange),
  };
}

const named = <T>(words: readonly string[], table: Readonly<Record<string, T>>): readonly T[] =>
  words.flatMap((word) => (Object.hasOwn(table, word) && table[word] !== undefined ? [table[word]] : []));
