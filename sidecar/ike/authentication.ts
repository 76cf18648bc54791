/** Is the peer of an IKE_AUTH request who it says it is: by its pre-shared key (RFC 7296 §2.15) or by a ticket (RFC 5723 §4.3.3). */
import { libreswanResumptionAuth, proves, resumptionAuth, sharedKeyAuth } from './auth.ts';
import type { Context } from './context.ts';
import { ProtocolError } from './error.ts';
import { type Established, type HalfOpen, type Identity, later } from './sa.ts';
import { inForce } from './terms.ts';
import { pskDigest, refusalByPolicy } from './ticket.ts';
import { sameIdentity } from './ticket-request.ts';
import type { Bytes } from './wire/bytes.ts';
import type { PayloadOf } from './wire/payload.ts';
import { AuthMethod, Notify } from './wire/registry.ts';

/** Who the peer is, by what it has proven. */
export interface Who
  extends Pick<
    Established,
    'kind' | 'local' | 'remote' | 'credential' | 'authenticatedAt' | 'reauthenticateBy' | 'accounting' | 'postQuantum'
  > {
  /** Our own AUTH. */
  readonly proof: Bytes;
}

/** What the peer says of itself in IKE_AUTH. */
interface Claim {
  readonly idI: Identity;
  readonly idR: Identity | undefined;
  readonly cert: readonly PayloadOf<'CERT'>[];
  /** Undefined: the peer wants EAP. */
  readonly auth: PayloadOf<'AUTH'> | undefined;
}

/** @throws ProtocolError (abort, AUTHENTICATION_FAILED) */
export const authenticate = (phase: HalfOpen, claim: Claim, ctx: Context): Who =>
  phase.resumed ? authenticateTicket(phase, phase.resumed, claim, ctx) : authenticateSharedKey(phase, claim, ctx);

function authenticateSharedKey(phase: HalfOpen, claim: Claim, ctx: Context): Who {
  const { config, credentials } = inForce(ctx);
  const { idI: remote, auth } = claim;
  // An unknown identity costs the same as a wrong key: a random key that nobody can have proven.
  const secret = credentials.psk(remote) ?? ctx.random(32);
  const expected = sharedKeyAuth(phase, 'initiator', remote, secret, ctx);
  if (auth?.method !== AuthMethod.SHARED_KEY || !proves(expected, auth.data)) throw failed('a wrong or unknown key');
  const local = config.identity;
  return {
    ...{ kind: 'full', local, remote: { idType: remote.idType, data: remote.data.slice() } },
    ...{
      credential: { ...SHARED_KEY, psk: pskDigest(secret, ctx.crypto), rule: undefined },
      accounting: undefined,
      postQuantum: phase.postQuantum,
      authenticatedAt: ctx.now,
      reauthenticateBy: later(ctx.now, config.ike.reauthenticationMs),
    },
    proof: sharedKeyAuth(phase, 'responder', local, secret, ctx),
  };
}

function authenticateTicket(phase: HalfOpen, ticket: NonNullable<HalfOpen['resumed']>, claim: Claim, ctx: Context): Who {
  const policy = inForce(ctx);
  const { idI, idR, auth, cert } = claim;
  // RFC 5723 §4.3.3: the same identities as in the ticket, and no certificate.
  if (!sameIdentity(idI, ticket.idI) || (idR && !sameIdentity(idR, ticket.idR)) || cert.length > 0)
    throw failed('not the identities of the ticket');
  const form = auth && proofForm(phase, ticket.idI, auth.data, policy.config.tickets.acceptLibreswanAuth, ctx);
  if (!form) throw failed('a wrong proof of a resumption');
  // RFC 5723 §4.3.1: used once an SA is established with it; another attempt may have been faster than this one.
  if (refusalByPolicy(ticket, policy, ctx)) throw failed('a ticket that has been used meanwhile');
  ctx.spent.spend(ticket.ticketId, ticket.expiresAt);
  const { idR: local, authenticated, authenticatedAt, reauthenticateBy, authMethod: method, certificate, psk } = ticket;
  const { accounting, postQuantum } = ticket;
  const proof =
    form === 'rfc' ? resumptionAuth(phase, 'responder', local, ctx) : libreswanResumptionAuth(phase, 'responder', ctx);
  // RFC 5723 §5 note 1: it is the authenticated identity that counts.
  const who = { local, remote: authenticated ?? ticket.idI, authenticatedAt, reauthenticateBy, accounting, postQuantum };
  const credential = { method, certificate, psk, claimed: authenticated && ticket.idI, rule: undefined };
  return { kind: 'resumed', ...who, credential, proof };
}

function proofForm(
  phase: HalfOpen,
  identity: Identity,
  given: Bytes,
  libreswan: boolean,
  ctx: Context,
): 'rfc' | 'libreswan' | undefined {
  if (proves(resumptionAuth(phase, 'initiator', identity, ctx), given)) return 'rfc';
  return libreswan && proves(libreswanResumptionAuth(phase, 'initiator', ctx), given) ? 'libreswan' : undefined;
}

/** A key that both know; the client keeps no digest of it. */
export const SHARED_KEY = {
  method: AuthMethod.SHARED_KEY,
  claimed: undefined,
  certificate: undefined,
  psk: undefined,
  rule: undefined,
};

/** RFC 7296 §2.21.2: nothing but AUTHENTICATION_FAILED, whatever it was. */
export const failed = (why: string): ProtocolError => new ProtocolError('abort', Notify.AUTHENTICATION_FAILED, why);
