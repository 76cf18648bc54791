/** What TLS inside EAP runs with: our certificate, versions 1.2 and 1.3, nothing resumed, nothing negotiated again, and nobody trusted by TLS itself. */
import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Secret } from '../contract/secret.ts';
import type { Bytes } from '../ike/wire/bytes.ts';

export interface TlsCertificate {
  /** DER: our own first, then intermediates. */
  readonly chain: readonly Bytes[];
  /** DER of PKCS #8. */
  readonly key: Secret;
}

const contexts = new WeakMap<TlsCertificate, SecureContext>();

/** Made once for each certificate. @throws Error when key and certificate do not fit. */
export function contextFor(certificate: TlsCertificate): SecureContext {
  const context = contexts.get(certificate) ?? createContext(certificate);
  contexts.set(certificate, context);
  return context;
}

const createContext = ({ chain, key }: TlsCertificate): SecureContext =>
  createSecureContext({
    cert: chain.map((one) => pem('CERTIFICATE', one)).join(''),
    key: pem('PRIVATE KEY', key.expose()),
    // Whom to trust we decide ourselves (sidecar/ike/pki); an empty list keeps the platform's own authorities out.
    ca: [],
    // RFC 9190 §1: "implementations MUST limit the maximum TLS version they use to 1.3".
    ...{ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' },
    // Small enough to be named in one fragment; the tunnel around it may be post-quantum itself.
    ecdhCurve: 'X25519:P-256:P-384:P-521',
    secureOptions:
      constants.SSL_OP_NO_TICKET |
      constants.SSL_OP_NO_RENEGOTIATION |
      constants.SSL_OP_NO_COMPRESSION |
      // strongSwan's server does not say that it renegotiates securely (RFC 5746); we never renegotiate, and say nothing inside.
      constants.SSL_OP_LEGACY_SERVER_CONNECT,
  });

const pem = (label: string, der: Bytes): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString('base64')}\n-----END ${label}-----\n`;
