/** Certificates of the laws: the same in every run, and good since the clock of the world began. */
import { createPrivateKey } from 'node:crypto';
import type { Credentials } from '../../../sidecar/ike/context.ts';
import { parseTrust } from '../../../sidecar/ike/pki/trust-files.ts';
import type { Instant } from '../../../sidecar/ike/sa.ts';
import { concat, unhex } from '../../../sidecar/ike/wire/bytes.ts';
import { Authority, type Issued, pem, purposes, YEAR_2030 } from '../certificate-authority.ts';
import { crypto } from '../peer.ts';

/** RFC 8410 §7: PKCS #8 around the 32 bytes of a key. */
const ed25519 = (byte: number) =>
  createPrivateKey({
    key: Buffer.from(concat(unhex('302e020100300506032b657004220420'), new Uint8Array(32).fill(byte))),
    format: 'der',
    type: 'pkcs8',
  });
const always = { notBefore: 0, notAfter: YEAR_2030 };

export const root = Authority.root({ ...always, key: ed25519(1), serial: Uint8Array.of(1) });
export const alice: Issued = root.issue({
  ...{ ...always, key: ed25519(2), serial: Uint8Array.of(2), names: ['email:alice@example.com'] },
});
const server = root.issue({
  ...{ ...always, key: ed25519(3), serial: Uint8Array.of(3), names: ['dns:vpn.example.com'] },
  purposes: [purposes.serverAuth],
});

/** Of the gateway; made once, since the laws make a gateway for each run. */
export const credentials: Pick<Credentials, 'certificate' | 'trust'> = made();

function made(): typeof credentials {
  const files = [{ file: 'ca.pem', content: pem('CERTIFICATE', root.issued.der) }];
  const parsed = parseTrust(files, { crypto, revocation: 'ifKnown', now: 0 as Instant });
  const key = crypto.signatures.privateKey(server.pkcs8);
  if (!parsed.ok || !key) throw new Error('no trust, or no key');
  return { certificate: { chain: [server.der], key }, trust: parsed.value.trust };
}
