/** How a client proves who it is: what the core is told of that (RFC 7296 §2.15, §2.16), who speaks EAP for it, and which tickets came of it. */
import { createHash } from 'node:crypto';
import type { Secret } from '../contract/secret.ts';
import { EapPeer, type EapPeerCredentials } from '../eap/peer.ts';
import type { EapSpeaker } from '../eap/speaker.ts';
import type { TlsCertificate } from '../eap/tls-context.ts';
import type { OwnProof, TrustedAuthorities } from '../ike/connection.ts';
import { trustOfConnection } from '../ike/pki/trust-of-connection.ts';
import type { Identity } from '../ike/sa.ts';
import type { ClientPorts } from './ports.ts';

export type ClientAuthentication =
  | { readonly method: 'psk'; readonly secret: Secret }
  | { readonly method: 'certificate'; readonly certificate: TlsCertificate }
  | { readonly method: 'eap-mschapv2'; readonly user: string /** RFC 2759 §8.3. */; readonly ntHash: Secret }
  | ({ readonly method: 'eap-tls' } & EapTls);

interface EapTls {
  /** What we answer to EAP's question who we are. */
  readonly user: string;
  readonly certificate: TlsCertificate;
  /** Must be in the certificate of the EAP server; undefined: whoever the authorities vouch for. */
  readonly server: Identity | undefined;
  /** Do without a certificate of the gateway itself (RFC 5998). */
  readonly eapOnly: boolean;
}

export function ownProof(authentication: ClientAuthentication): OwnProof {
  switch (authentication.method) {
    case 'psk':
      return { method: 'psk', secret: authentication.secret.expose() };
    case 'certificate': {
      const { chain, key } = authentication.certificate;
      return { method: 'certificate', chain, privateKey: key.expose() };
    }
    case 'eap-mschapv2':
      return { method: 'eap', eapOnly: false };
    case 'eap-tls':
      return { method: 'eap', eapOnly: authentication.eapOnly };
  }
}

/** Undefined: no EAP. */
export function eapSpeaker(
  { authentication, trust }: { readonly authentication: ClientAuthentication; readonly trust: TrustedAuthorities },
  { crypto, random, clock: now }: Pick<ClientPorts, 'crypto' | 'random' | 'clock'>,
  failed: (error: unknown) => void,
): EapSpeaker | undefined {
  if (authentication.method === 'psk' || authentication.method === 'certificate') return undefined;
  const { user: identity } = authentication;
  const method: EapPeerCredentials['method'] =
    authentication.method === 'eap-mschapv2'
      ? { is: 'mschapv2', ntHash: authentication.ntHash }
      : {
          ...{ is: 'tls', certificate: authentication.certificate, server: authentication.server },
          ...{ trust: trustOfConnection(trust, crypto), authorities: [] },
        };
  return new EapPeer({ random, now, failed, credentials: () => ({ identity, method }) });
}

/** Names it without a secret: a ticket that came of other credentials is not ours to present. */
export function provenBy(authentication: ClientAuthentication): string {
  switch (authentication.method) {
    case 'psk':
      return 'psk';
    case 'certificate':
      return `certificate ${fingerprint(authentication.certificate)}`;
    case 'eap-mschapv2':
      return `eap-mschapv2 ${authentication.user}`;
    case 'eap-tls':
      return `eap-tls ${fingerprint(authentication.certificate)}`;
  }
}

const fingerprint = ({ chain: [own = new Uint8Array()] }: TlsCertificate): string =>
  createHash('sha256').update(own).digest('hex');
