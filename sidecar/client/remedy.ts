/** What whoever runs the client can do about it. */
import type { ClientEvent } from './event.ts';

type Refused = Pick<Extract<ClientEvent, { name: 'refused' }>, 'by' | 'notify' | 'reason'>;

/** Undefined: nothing that is known. */
export function remedyFor({ by, notify, reason }: Refused): string | undefined {
  return by === 'us' && notify === 'AUTHENTICATION_FAILED' ? ofOurs(reason) : OF_NOTIFIES[notify];
}

const ofOurs = (reason: string): string | undefined => OF_REASONS.find(([pattern]) => pattern.test(reason))?.[1];

/** Reasons for which we refuse a gateway. */
const OF_REASONS: readonly (readonly [RegExp, string])[] = [
  [/^the gateway calls itself|is for other names/, 'if it is the right gateway, give its name with --remote-id'],
  [/not trusted: unknown-authority/, 'give the authority that issued its certificate with --ca'],
  [/not trusted: no-certificate/, 'have a certificate given to the gateway'],
  [/not trusted: (expired|not-yet-valid)/, 'compare the clock here with the one of the gateway; have its certificate renewed'],
  [/not trusted: revoked$/, 'have a new certificate issued for the gateway'],
  [/not trusted: revocation-unknown/, 'give present revocation lists with --ca, or leave out --revocation required'],
  [/not trusted: wrong-usage/, 'have its certificate issued with extended key usage serverAuth'],
  [/not trusted: weak/, 'have its certificate issued with a stronger key and SHA-2'],
  [
    /proves itself in another way/,
    'compare with the way that the gateway authenticates: --psk-file, --cert, --eap-user or --eap-tls',
  ],
  [/does not know the key/, 'compare the file of --psk-file with what the gateway has'],
  [/our own key is not usable/, 'use a key of another kind with --key: the gateway takes no signature of this one'],
  [
    /wrong user or password|account|password has expired/,
    'compare --eap-user and the file of --eap-password-file with what the gateway has',
  ],
  [/server's certificate: wrong-identity/, 'if it is the right EAP server, give its name with --eap-server-id'],
  [/server's certificate: unknown-authority/, "give the authority that issued the EAP server's certificate with --ca"],
  [
    /EAP-Failure|^EAP: TLS/,
    'the EAP server does not accept us: compare --eap-user, and password or certificate, with what it has',
  ],
];

const OF_NOTIFIES: Readonly<Record<string, string>> = {
  AUTHENTICATION_FAILED:
    'compare --id, --remote-id and the credentials (--psk-file, --cert, --eap-user) with what the gateway has',
  NO_PROPOSAL_CHOSEN: 'compare --proposal, --esp-proposal and --post-quantum with what the gateway takes',
  INTERNAL_ADDRESS_FAILURE: 'the address pool of the gateway is used up',
  TS_UNACCEPTABLE: 'the gateway has no route for us',
};

/** Why a session ended, for those who can do something about it. */
export const remedyForEnd = (why: string): string | undefined => OF_ENDS[why];

const OF_ENDS: Readonly<Record<string, string>> = {
  'authentication too old': 'we authenticate anew, as the gateway demands',
  'replaced by another session':
    'somebody else connected as the same identity; each device needs its own, or the gateway another rule of uniqueness',
  'certificate revoked': 'have a new certificate issued',
  'no child SA': 'the gateway refused the tunnel itself; see the refusal before',
};
