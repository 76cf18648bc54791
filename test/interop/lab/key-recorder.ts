/** Loaded before a gateway or client of the lab (`node --import`): what keys each IKE SA gets goes into the file that REKINDLE_KEYS names. For captures; no key of theirs protects anything. */
import { registerHooks } from 'node:module';

const KEYMAT = '/sidecar/ike/crypto/keymat.ts';
const AROUND = `
import { appendFileSync } from 'node:fs';
import { ikeKeys as original } from './keymat.ts?recorded';
export * from './keymat.ts?recorded';
const hex = (bytes) => Buffer.from(bytes).toString('hex');
export function ikeKeys(crypto, suite, seed) {
  const keys = original(crypto, suite, seed);
  const { spiI, spiR } = seed;
  const inHex = Object.fromEntries(Object.entries(keys).map(([name, bytes]) => [name, hex(bytes)]));
  appendFileSync(process.env['REKINDLE_KEYS'], JSON.stringify({ spiI, spiR, suite, keys: inHex }) + '\\n', { mode: 0o600 });
  return keys;
}
`;

registerHooks({
  load: (url, context, next) =>
    url.endsWith(KEYMAT) ? { format: 'module', source: AROUND, shortCircuit: true } : next(url, context),
});
