/** Cryptography that counts what it is asked to do, so that a test can tell what an attacker's message costs. */
import { cryptography } from '../../sidecar/ike/crypto/cryptographies.ts';
import type { Cryptography } from '../../sidecar/ike/crypto/cryptography.ts';
import type { PrivateKey } from '../../sidecar/ike/crypto/signature.ts';

export interface Counts {
  /** Calls of a pseudorandom function. */
  prf: number;
  /** Key pairs made, and secrets agreed on. */
  keyExchange: number;
  /** Openings of tickets and of words of siblings. */
  opened: number;
  /** Signatures looked at. */
  verified: number;
  /** Public keys read. */
  imported: number;
  /** Signatures of ours. */
  signed: number;
}

export function counted(): { crypto: Cryptography; counts: Counts } {
  const real = cryptography('auto');
  const counts: Counts = { prf: 0, keyExchange: 0, opened: 0, verified: 0, imported: 0, signed: 0 };
  const counting =
    <A extends readonly unknown[], R>(what: keyof Counts, run: (...args: A) => R) =>
    (...args: A): R => {
      counts[what] += 1;
      return run(...args);
    };
  const crypto: Cryptography = {
    ...real,
    prf: (id) => {
      const prf = real.prf(id);
      return (
        prf && { ...prf, mac: counting('prf', prf.mac), derive: counting('prf', prf.derive), expand: counting('prf', prf.expand) }
      );
    },
    keyExchange: (id) => {
      const group = real.keyExchange(id);
      return (
        group && {
          ...group,
          generate: counting('keyExchange', group.generate),
          respond: counting('keyExchange', counting('keyExchange', group.respond)),
          conclude: counting('keyExchange', group.conclude),
        }
      );
    },
    sealing: { ...real.sealing, open: counting('opened', real.sealing.open) },
    signatures: {
      publicKey: (spki) => {
        counts.imported += 1;
        const key = real.signatures.publicKey(spki);
        return key && { ...key, kind: key.kind, bits: key.bits, verify: counting('verified', (...all) => key.verify(...all)) };
      },
      privateKey: (pkcs8) => {
        const key = real.signatures.privateKey(pkcs8);
        const sign: PrivateKey['sign'] = (...all) => key?.sign(...all) ?? new Uint8Array();
        return key && { kind: key.kind, sign: counting('signed', sign), publicKey: () => key.publicKey() };
      },
    },
  };
  return { crypto, counts };
}
