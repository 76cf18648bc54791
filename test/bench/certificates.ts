/** An authority with an intermediate, the gateway's certificate, and one for each client: ECDSA with P-256 throughout. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { cryptography } from '../../sidecar/ike/crypto/cryptographies.ts';
import type { PrivateKey } from '../../sidecar/ike/crypto/signature.ts';
import { type Bytes, concat, u32Bytes, utf8 } from '../../sidecar/ike/wire/bytes.ts';
import { encodeDer, soleElement, Tag } from '../../sidecar/ike/wire/der.ts';
import { Authority, type Issued, keyId, pem, purposes } from '../harness/certificate-authority.ts';
import type { GatewayCertificates } from './gateway-process.ts';
import type { Certified } from './initiator.ts';
import { userName } from './user.ts';

const DAY_MS = 86_400_000;
export const GATEWAY_NAME = 'vpn.example.com';

export interface Certificates {
  readonly gateway: GatewayCertificates & { readonly own: string; readonly intermediate: string };
  readonly clients: Certified & {
    /** Makes those of these clients, so that it is not done while something is measured. */
    prepare(first: number, count: number): void;
  };
}

export function makeCertificates(): Certificates {
  const times = { notBefore: Date.now() - DAY_MS, notAfter: Date.now() + 30 * DAY_MS };
  const root = Authority.root({ subject: 'CN=Bench Root,O=Bench', ...times });
  const between = root.intermediate({ subject: 'CN=Bench Intermediate,O=Bench', ...times });
  const own = between.issue({
    ...{ subject: `CN=${GATEWAY_NAME},O=Bench`, names: [`dns:${GATEWAY_NAME}`], purposes: [purposes.serverAuth], ...times },
  });
  const [leaf, intermediate] = [pem('CERTIFICATE', own.der), pem('CERTIFICATE', between.issued.der)];
  return {
    gateway: {
      ...{ own: leaf, intermediate, chain: leaf + intermediate },
      key: pem('PRIVATE KEY', own.pkcs8),
      authority: pem('CERTIFICATE', root.issued.der),
    },
    clients: clientsOf(between, times),
  };
}

interface Client {
  readonly key: PrivateKey;
  /** DER. */
  readonly certificate: Bytes;
}

function clientsOf(authority: Authority, times: { notBefore: number; notAfter: number }): Certificates['clients'] {
  const pattern = authority.issue({
    ...{ subject: `CN=${PATTERN},O=Bench`, names: [`email:${PATTERN}`], purposes: [purposes.clientAuth], ...times },
    serial: PATTERN_SERIAL,
  });
  const made = new Map<number, Client>();
  const clientOf = (user: number): Client => {
    const client = made.get(user) ?? makeClient(pattern, user, authority.issued);
    made.set(user, client);
    return client;
  };
  return {
    keyOf: (user) => clientOf(user).key,
    chainOf: (user) => [clientOf(user).certificate, authority.issued.der],
    prepare(first, count) {
      for (let user = first; user < first + count; user++) clientOf(user);
    },
  };
}

const PATTERN = userName(0);
const PATTERN_SERIAL = Uint8Array.of(0x5a, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77);

function makeClient(pattern: Issued, user: number, issuer: Issued): Client {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = cryptography('auto').signatures.privateKey(plain(privateKey.export({ format: 'der', type: 'pkcs8' })));
  if (!key) throw new Error('no key for a client');
  return { key, certificate: resigned(pattern, user, plain(publicKey.export({ format: 'der', type: 'spki' })), issuer) };
}

/** The pattern with another key, name and serial number, all as long as before, signed again: ten times as fast as making one anew. */
function resigned({ der, spki: patternSpki }: Issued, user: number, spki: Bytes, issuer: Issued): Bytes {
  const outer = soleElement(der, Tag.SEQUENCE);
  const [signed, algorithm] = [outer.element(Tag.SEQUENCE).whole.slice(), outer.element(Tag.SEQUENCE).whole];
  replaceAll(signed, utf8(PATTERN), utf8(userName(user)));
  replaceAll(signed, PATTERN_SERIAL, concat(PATTERN_SERIAL.subarray(0, 4), u32Bytes(user)));
  replaceAll(signed, patternSpki, spki);
  replaceAll(signed, keyId(patternSpki), keyId(spki));
  const signature = encodeDer(Tag.BIT_STRING, concat(Uint8Array.of(0), sign('sha256', signed, issuer.privateKey)));
  return encodeDer(Tag.SEQUENCE, concat(signed, algorithm, signature));
}

const plain = (bytes: Uint8Array): Bytes => new Uint8Array(bytes);

function replaceAll(bytes: Bytes, from: Bytes, to: Bytes): void {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = text.indexOf(from); at >= 0; at = text.indexOf(from, at + 1)) bytes.set(to, at);
}
