/** Bytes and instants in files: hexadecimal, base64, and ISO 8601 in UTC. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { type Shape, spelled } from './schema.ts';
import { Secret } from './secret.ts';

/** Lower or upper case is read, lower case written. */
export const hexBytes = (length: number): Shape<Uint8Array> =>
  spelled({
    what: `${length} bytes in hexadecimal`,
    remedy: `write ${2 * length} hexadecimal digits`,
    parse: (text) => (text.length === 2 * length && /^[0-9a-f]*$/i.test(text) ? hexToBytes(text) : undefined),
    format: bytesToHex,
  });

/** Base64; never shown when it is wrong. */
export const secretBytes = (length: number): Shape<Secret> =>
  spelled({
    what: `${length} bytes in base64`,
    remedy: `write the base64 form of ${length} random bytes`,
    secret: true,
    parse(text) {
      const bytes = /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Uint8Array.from(Buffer.from(text, 'base64')) : undefined;
      return bytes?.length === length && Buffer.from(bytes).toString('base64') === text ? new Secret(bytes) : undefined;
    },
    format: (secret) => Buffer.from(secret.expose()).toString('base64'),
  });

/** Milliseconds since the epoch. */
export const instant: Shape<number> = spelled({
  what: 'an instant in UTC',
  remedy: 'write it as 2030-01-31T12:00:00.000Z',
  parse(text) {
    const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/.test(text) ? Date.parse(text) : Number.NaN;
    return Number.isNaN(ms) ? undefined : ms;
  },
  format: (ms) => new Date(ms).toISOString(),
});
