/** The client's half of IKE_AUTH (RFC 7296 §2.15): how it proves itself, and whether the gateway is the one that it wants. */
import { formatIdentity } from '../contract/identity.ts';
import { asSent, libreswanResumptionAuth, proves, resumptionAuth, type Side, sharedKeyAuth, signedOctets } from './auth.ts';
import { certificateOf, earlier, failed, type Proven, SHARED_KEY } from './authentication.ts';
import { certificatePayloads, certificateRequest, presented } from './certificate-payloads.ts';
import type { Connection } from './connection.ts';
import type { Context } from './context.ts';
import { ProtocolError } from './error.ts';
import type { AuthSent, EapAuthSent, EapTaken, Keyed } from './handshake-phase.ts';
import type { Trust } from './pki/trust.ts';
import { trustOfConnection } from './pki/trust-of-connection.ts';
import { type Identity, later } from './sa.ts';
import { isSignature, provesBySignature, signAuth } from './signature-auth.ts';
import { sameIdentity } from './ticket-request.ts';
import type { Bytes } from './wire/bytes.ts';
import { notify, type Payload, type PayloadOf } from './wire/payload.ts';
import { AuthMethod, Notify } from './wire/registry.ts';

/** What follows IDi. Without AUTH it is EAP that we want (RFC 7296 §2.16). */
export function proveOurselves(phase: Keyed, ctx: Context): readonly Payload[] {
  const { connection, resumed } = phase;
  const { authentication, local } = connection;
  if (resumed) return [sharedKey(provenByTicket(phase, 'initiator', local, ctx))];
  if (authentication.method === 'psk') return [sharedKey(sharedKeyAuth(phase, 'initiator', local, authentication.secret, ctx))];
  const asked = certificateRequest(trustOf(connection, ctx).keyHashes);
  if (authentication.method === 'eap')
    return [...asked, ...(authentication.eapOnly ? [notify(Notify.EAP_ONLY_AUTHENTICATION)] : [])];
  const key = ctx.crypto.signatures.privateKey(authentication.privateKey);
  const auth = key && signAuth(signedOctets(phase, 'initiator', local, ctx), key, phase.peerHashes);
  if (!auth) throw failed('our own key is not usable');
  return [...certificatePayloads(authentication.chain), ...asked, auth];
}

/** In the one form that the gateway of the ticket has: whoever is not known to be libreswan must prove itself as RFC 5723 §4.3.3 says. */
const provenByTicket = (phase: Keyed | AuthSent, side: Side, identity: Identity, ctx: Context): Bytes =>
  phase.resumptionForm === 'libreswan' ? libreswanResumptionAuth(phase, side, ctx) : resumptionAuth(phase, side, identity, ctx);

const sharedKey = (data: PayloadOf<'AUTH'>['data']): PayloadOf<'AUTH'> => ({ kind: 'AUTH', method: AuthMethod.SHARED_KEY, data });

/** What the gateway says of itself before EAP. @throws ProtocolError (abort, AUTHENTICATION_FAILED) */
export function introduce(
  phase: AuthSent,
  { idR, auth, cert }: Omit<Claim, 'auth'> & { readonly auth: Claim['auth'] | undefined },
  ctx: Context,
): Pick<EapTaken, 'remote' | 'shown'> {
  const { authentication, reauthenticationMs } = phase.connection;
  if (phase.resumed || authentication.method !== 'eap') throw failed('the gateway proves itself in another way than we want');
  const remote = namedAs(phase, idR);
  // RFC 7296 §2.16: "MUST be used in conjunction with a public-key-signature-based authentication of the responder".
  if (!auth && !authentication.eapOnly) throw failed('the gateway proves itself in another way than we want');
  const full = { reauthenticateBy: later(ctx.now, reauthenticationMs) };
  return { remote, shown: auth && certified(phase, { idR: remote, auth, cert }, full, ctx) };
}

/** The gateway's AUTH by the key that EAP has made. @throws ProtocolError (abort, AUTHENTICATION_FAILED) */
export function authenticateByEap(phase: EapAuthSent, auth: PayloadOf<'AUTH'>, ctx: Context): Proven {
  const { connection, remote, msk, keys, shown, postQuantum } = phase;
  const expected = sharedKeyAuth(phase, 'responder', remote, msk ?? keys.pr, ctx);
  if (auth.method !== AuthMethod.SHARED_KEY || !proves(expected, auth.data)) throw failed('the gateway does not know the key');
  const by = shown ?? { credential: SHARED_KEY, reauthenticateBy: later(ctx.now, connection.reauthenticationMs) };
  return { kind: 'full', local: connection.local, remote, accounting: undefined, authenticatedAt: ctx.now, postQuantum, ...by };
}

/** What the gateway says of itself. */
interface Claim {
  readonly idR: Identity;
  readonly cert: readonly PayloadOf<'CERT'>[];
  readonly auth: PayloadOf<'AUTH'>;
}

/** @throws ProtocolError (abort, AUTHENTICATION_FAILED) */
export function authenticateGateway(phase: AuthSent, claim: Claim, ctx: Context): Proven {
  const { connection, resumed } = phase;
  const remote = namedAs(phase, claim.idR);
  const full = {
    ...({ kind: 'full', local: connection.local, remote, credential: SHARED_KEY, accounting: undefined } as const),
    ...{ authenticatedAt: ctx.now, reauthenticateBy: later(ctx.now, connection.reauthenticationMs) },
    postQuantum: phase.postQuantum,
  };
  if (resumed) {
    const { authenticatedAt, reauthenticateBy } = resumed;
    if (!proves(provenByTicket(phase, 'responder', remote, ctx), claim.auth.data))
      throw failed('the gateway does not know the key');
    return { ...full, kind: 'resumed', authenticatedAt, reauthenticateBy };
  }
  if (connection.authentication.method !== 'psk') return { ...full, ...certified(phase, { ...claim, idR: remote }, full, ctx) };
  const proof = sharedKeyAuth(phase, 'responder', remote, connection.authentication.secret, ctx);
  if (claim.auth.method !== AuthMethod.SHARED_KEY) throw failed('the gateway proves itself in another way than we want');
  if (!proves(proof, claim.auth.data)) throw failed('the gateway does not know the key');
  return full;
}

function namedAs({ connection, resumed }: AuthSent, idR: Identity): Identity {
  const remote = asSent(idR);
  const expected = resumed?.remote ?? connection.remote;
  if (expected && !sameIdentity(remote, expected)) throw strange(`the gateway calls itself ${called(remote)}`, expected);
  return remote;
}

/** By its certificate, which must be one for servers and for the name that the gateway goes by. */
export function certified(
  phase: Pick<AuthSent, 'connection' | 'suite' | 'keys' | 'first'>,
  { idR, cert, auth }: Claim,
  { reauthenticateBy }: Pick<Proven, 'reauthenticateBy'>,
  ctx: Context,
): Pick<Proven, 'credential' | 'reauthenticateBy'> {
  if (!isSignature(auth.method)) throw failed('the gateway proves itself in another way than we want');
  const demand = { now: ctx.now, identity: idR, usage: 'server', authorities: [] } as const;
  const verdict = trustOf(phase.connection, ctx).verify(presented(cert), demand);
  if (!verdict.trusted && verdict.reason === 'wrong-identity')
    throw strange(`the gateway's certificate is for other names (${(verdict.identities ?? []).map(called).join(', ')})`, idR);
  if (!verdict.trusted) throw failed(`the gateway has a certificate that is not trusted: ${verdict.reason}`);
  if (!provesBySignature(auth, signedOctets(phase, 'responder', idR, ctx), verdict.key))
    throw failed('the gateway made a wrong signature');
  const credential = { ...SHARED_KEY, method: auth.method, certificate: certificateOf(verdict) };
  return { credential, reauthenticateBy: earlier(reauthenticateBy, verdict.notAfter) };
}

/** For whoever runs the client; nobody has proven these names. */
const strange = (what: string, expected: Identity): ProtocolError =>
  new ProtocolError('abort', Notify.AUTHENTICATION_FAILED, `${what}, not ${called(expected)}`);

const called = (identity: Identity): string => formatIdentity({ ...identity, data: identity.data.subarray(0, 128) });

const trustOf = ({ trust }: Connection, ctx: Context): Trust => trustOfConnection(trust, ctx.crypto);
