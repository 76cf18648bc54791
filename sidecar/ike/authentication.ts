/** Is the peer of an IKE_AUTH request who it says it is: by a pre-shared key or a certificate (RFC 7296 §2.15), or by a ticket (RFC 5723 §4.3.3). */
import type { AuthenticationRule } from '../contract/authentication.ts';
import { libreswanResumptionAuth, proves, resumptionAuth, sharedKeyAuth, signedOctets } from './auth.ts';
import { ruleAnew, rulesFor } from './authentication-rule.ts';
import { canonical } from './canonical-identity.ts';
import { certificatePayloads, presented } from './certificate-payloads.ts';
import type { Context, OwnCertificate } from './context.ts';
import type { PublicKey } from './crypto/signature.ts';
import { ProtocolError } from './error.ts';
import type { Established } from './established.ts';
import type { HalfOpen } from './handshake-phase.ts';
import type { Distrust, Verdict } from './pki/trust.ts';
import { type Identity, type Instant, later } from './sa.ts';
import { isSignature, provesBySignature, signAuth } from './signature-auth.ts';
import { inForce } from './terms.ts';
import { pskDigest, refusalByPolicy } from './ticket.ts';
import { sameIdentity } from './ticket-request.ts';
import type { Bytes } from './wire/bytes.ts';
import type { Payload, PayloadOf } from './wire/payload.ts';
import { AuthMethod, Notify } from './wire/registry.ts';

/** Who the peer is, by what it has proven. */
export interface Who extends Proven {
  readonly rule: AuthenticationRule;
  /** Inner addresses that whoever authenticated the peer gives it (RADIUS). */
  readonly granted?: readonly Bytes[];
  /** Our own: AUTH, after certificates where it is a signature. */
  readonly proof: readonly Payload[];
}

export type Proven = Pick<
  Established,
  'kind' | 'local' | 'remote' | 'credential' | 'authenticatedAt' | 'reauthenticateBy' | 'accounting' | 'postQuantum'
>;

/** What the peer says of itself in IKE_AUTH. */
export interface Claim {
  readonly idI: Identity;
  readonly idR: Identity | undefined;
  readonly cert: readonly PayloadOf<'CERT'>[];
  /** Undefined: the peer wants EAP. */
  readonly auth: PayloadOf<'AUTH'> | undefined;
}

/** @throws ProtocolError (abort, AUTHENTICATION_FAILED) */
export function authenticate(phase: HalfOpen, claim: Claim, ctx: Context): Who {
  const { auth } = claim;
  if (phase.resumed) return authenticateTicket(phase, phase.resumed, claim, ctx);
  if (!auth) throw failed('no proof');
  if (isSignature(auth.method)) return authenticateCertificate(phase, { ...claim, auth }, ctx);
  return authenticateSharedKey(phase, { ...claim, auth }, ctx);
}

type Proof = Claim & { readonly auth: PayloadOf<'AUTH'> };

function authenticateSharedKey(phase: HalfOpen, { idI: remote, auth }: Proof, ctx: Context): Who {
  const { config, credentials } = inForce(ctx);
  const [rule] = rulesFor(config, 'psk', remote);
  // An unknown identity costs the same as a wrong key: a random key that nobody can have proven.
  const secret = (rule && credentials.psk(remote)) ?? ctx.random(32);
  const expected = sharedKeyAuth(phase, 'initiator', remote, secret, ctx);
  if (auth.method !== AuthMethod.SHARED_KEY || !proves(expected, auth.data) || !rule) throw failed('a wrong or unknown key');
  const credential = { ...SHARED_KEY, psk: pskDigest(secret, ctx.crypto), rule: rule.name };
  const data = sharedKeyAuth(phase, 'responder', config.identity, secret, ctx);
  const proof = [{ kind: 'AUTH', method: AuthMethod.SHARED_KEY, data } as const];
  return { ...anew(phase, remote, rule, ctx), credential, proof };
}

/** The signature first: only who has the key of a certificate learns, by how long it takes, how it is judged. Where there is no such key, ours stands in. */
function authenticateCertificate(phase: HalfOpen, { idI: remote, cert, auth }: Proof, ctx: Context): Who {
  const { config, credentials } = inForce(ctx);
  const own = credentials.certificate;
  if (!own) throw failed('we have no certificate');
  const rules = rulesFor(config, 'certificate', remote);
  const octets = signedOctets(phase, 'initiator', remote, ctx);
  let proven: boolean | undefined;
  const proves = (key: PublicKey): boolean => {
    proven = provesBySignature(auth, octets, key);
    return proven;
  };
  const demand = { now: ctx.now, identity: remote, usage: 'client', authorities: authoritiesOf(rules), proves } as const;
  const verdict = credentials.trust.verify(presented(cert), demand);
  const standIn = proven === undefined ? ctx.crypto.signatures.publicKey(own.key.publicKey()) : undefined;
  if (standIn) provesBySignature(auth, octets, standIn);
  if (proven === false) throw failed('a wrong signature');
  if (!verdict.trusted) throw failed(`a certificate that is not trusted: ${verdict.reason}`);
  if (!proven) throw failed('a wrong signature');
  const rule = rules.find(({ authorities }) => authorities.length === 0 || authorities.includes(verdict.anchor));
  if (!rule) throw failed('no rule for this certificate');
  // The certificate is of the name in any spelling; policy and sessions go by one.
  const full = anew(phase, canonical(remote), rule, ctx);
  const claimed = sameIdentity(remote, full.remote) ? undefined : { idType: remote.idType, data: remote.data.slice() };
  return {
    ...full,
    credential: { ...SHARED_KEY, method: auth.method, certificate: certificateOf(verdict), claimed, rule: rule.name },
    // A session that outlived the certificate would be one of nobody.
    reauthenticateBy: earlier(full.reauthenticateBy, verdict.notAfter),
    proof: proveByCertificate(phase, own, ctx),
  };
}

/** One look at the certificates for all rules; an empty list stands for all authorities. */
const authoritiesOf = (rules: readonly AuthenticationRule[]): readonly string[] =>
  rules.some(({ authorities }) => authorities.length === 0) ? [] : rules.flatMap(({ authorities }) => authorities);

/** RFC 7296 §1.2, §2.16: the certificate goes along whether it was asked for or not, since clients of the field do not ask. */
export function proveByCertificate(
  phase: Pick<HalfOpen, 'suite' | 'keys' | 'first' | 'peerHashes'>,
  { chain, key }: OwnCertificate,
  ctx: Context,
): readonly Payload[] {
  const { identity } = inForce(ctx).config;
  const auth = signAuth(signedOctets(phase, 'responder', identity, ctx), key, phase.peerHashes);
  if (!auth) throw failed('the peer verifies no signature that our key makes');
  return [...certificatePayloads(chain), auth];
}

/** What a full exchange makes of a rule. */
export function anew(
  { postQuantum }: Pick<HalfOpen, 'postQuantum'>,
  identity: Identity,
  rule: AuthenticationRule,
  ctx: Context,
): Omit<Who, 'credential' | 'proof'> {
  const { config } = inForce(ctx);
  const remote = { idType: identity.idType, data: identity.data.slice() };
  const reauthenticateBy = later(ctx.now, rule.reauthenticationMs ?? config.ike.reauthenticationMs);
  const times = { authenticatedAt: ctx.now, reauthenticateBy };
  return { kind: 'full', local: config.identity, remote, rule, ...times, accounting: undefined, postQuantum };
}

function authenticateTicket(phase: HalfOpen, ticket: NonNullable<HalfOpen['resumed']>, claim: Claim, ctx: Context): Who {
  const policy = inForce(ctx);
  const { idI, idR, auth, cert } = claim;
  // RFC 5723 §4.3.3: the same identities as in the ticket, and no certificate.
  if (!sameIdentity(idI, ticket.idI) || (idR && !sameIdentity(idR, ticket.idR)) || cert.length > 0)
    throw failed('not the identities of the ticket');
  const form = auth && proofForm(phase, idI, auth.data, policy.config.tickets.acceptLibreswanAuth, ctx);
  if (!form) throw failed('a wrong proof of a resumption');
  // RFC 5723 §5 note 1: it is the authenticated identity that counts.
  const remote = ticket.authenticated ?? ticket.idI;
  const rule = ruleAnew({ method: ticket.authMethod, eapType: ticket.eapType }, remote, policy.config);
  // RFC 5723 §4.3.1: used once an SA is established with it; another attempt may have been faster than this one.
  if (!rule || refusalByPolicy(ticket, policy, ctx)) throw failed('a ticket that has been used meanwhile');
  ctx.spent.spend(ticket.ticketId, ticket.expiresAt);
  const { idR: local, authMethod: method, certificate, psk, eapType, authenticatedAt, reauthenticateBy } = ticket;
  const { accounting, postQuantum } = ticket;
  const data = form === 'rfc' ? resumptionAuth(phase, 'responder', local, ctx) : libreswanResumptionAuth(phase, 'responder', ctx);
  // A policy that has become stricter holds for this session too.
  const within = rule.reauthenticationMs ?? policy.config.ike.reauthenticationMs;
  const by = earlier(reauthenticateBy, later(authenticatedAt, within));
  const who = { local, remote, authenticatedAt, reauthenticateBy: by, accounting, postQuantum, rule };
  const claimed = ticket.authenticated && ticket.idI;
  const credential = { method, eapType, certificate, psk, claimed, rule: rule.name };
  return { kind: 'resumed', ...who, credential, proof: [{ kind: 'AUTH', method: AuthMethod.SHARED_KEY, data }] };
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
  ...{ method: AuthMethod.SHARED_KEY, eapType: undefined, claimed: undefined },
  ...{ certificate: undefined, psk: undefined, rule: undefined },
};

export const certificateOf = ({ fingerprint, chain, notAfter }: Extract<Verdict, { trusted: true }>) => ({
  fingerprint,
  chain,
  notAfter,
});

export const earlier = (one: Instant, other: Instant): Instant => (one < other ? one : other);

/** For logs. A peer learns nothing but AUTHENTICATION_FAILED. */
export type Failure =
  | 'a wrong or unknown key'
  | 'we have no certificate'
  | `a certificate that is not trusted: ${Distrust}`
  | 'a wrong signature'
  | 'no rule for this certificate'
  | 'no proof'
  | 'no rule for EAP'
  | 'no rule for this EAP identity'
  | 'a method of EAP that does not prove us'
  | 'a wrong AUTH after EAP'
  | 'an EAP packet of the wrong direction'
  | 'an EAP conversation without end'
  | 'a request with EAP that is too long'
  | 'the peer verifies no signature that our key makes'
  | 'not the identities of the ticket'
  | 'a wrong proof of a resumption'
  | 'a ticket that has been used meanwhile'
  | 'another session of this identity'
  | 'our own key is not usable'
  | 'the gateway does not know the key'
  | 'the gateway does not know the post-quantum key'
  | 'the gateway proves itself in another way than we want'
  | `the gateway has a certificate that is not trusted: ${Distrust}`
  | 'the gateway made a wrong signature'
  | 'a method of EAP that does not prove the gateway';

/** RFC 7296 §2.21.2: nothing but AUTHENTICATION_FAILED, whatever it was. */
export const failed = (why: Failure): ProtocolError => new ProtocolError('abort', Notify.AUTHENTICATION_FAILED, why);
