/** The text of --help. */
import { FLAGS, type Flag } from './flags.ts';

export function usage(): string {
  const lines = Object.values<Flag<unknown>>(FLAGS).map(line);
  return `An IKEv2 client that keeps its session when the gateway's pod dies (RFC 7296, RFC 5723).

usage: node sidecar/client/main.ts connect --gateway HOST[:PORT] CREDENTIALS [flags]

CREDENTIALS are one of:
  --psk-file FILE --id IDENTITY                               a pre-shared key
  --cert FILE --key FILE --ca FILE                            a certificate
  --eap-user NAME --eap-password-file FILE --ca FILE          a password (EAP-MSCHAPv2)
  --eap-tls --cert FILE --key FILE --ca FILE                  a certificate inside EAP

${lines.join('\n')}
  --help                     this text
  --version                  the version

Events go to stdout, diagnostics to stderr. SIGINT and SIGTERM delete the session and its ticket, with --suspend-on-exit neither.
Status: 0 after a signal, or when all pings of --count were answered; 1 when the session failed; 2 when a flag or file is wrong.
`;
}

const line = ({ name, shows, about }: Flag<unknown>): string => `  ${`--${name} ${shows}`.trimEnd().padEnd(25)}  ${about}`;
