/** What EAP proves to a gateway (RFC 7296 §2.16, RFC 5998): which rule a peer may try it under, and what the name that came out is granted. */
import type { AuthenticationRule } from '../contract/authentication.ts';
import { asSent, proves, sharedKeyAuth } from './auth.ts';
import { anew, earlier, failed, proveByCertificate, SHARED_KEY, type Who } from './authentication.ts';
import { eapRules, rulesFor } from './authentication-rule.ts';
import type { Context } from './context.ts';
import type { EapMethod } from './eap.ts';
import { eapIdentity } from './eap-identity.ts';
import type { Opening } from './eap-relay.ts';
import type { Accounting } from './established.ts';
import { findNotify, type Notifies } from './first-exchange.ts';
import type { EapProven, HalfOpen } from './handshake-phase.ts';
import { type Identity, type Instant, later, NEVER } from './sa.ts';
import { inForce } from './terms.ts';
import { sameIdentity } from './ticket-request.ts';
import { EMPTY } from './wire/bytes.ts';
import type { PayloadOf } from './wire/payload.ts';
import { AuthMethod, Notify } from './wire/registry.ts';

/** A peer that sends no AUTH wants EAP. @throws ProtocolError (abort, AUTHENTICATION_FAILED) */
export function openEap(
  phase: HalfOpen,
  { idI, notifies }: { readonly idI: Identity; readonly notifies: Notifies },
  ctx: Context,
): Opening {
  const { config, credentials } = inForce(ctx);
  // IDi is a hint: Windows names its address there.
  const rule = rulesFor(config, 'eap', idI)[0] ?? eapRules(config)[0];
  const method = rule && methodOf(rule);
  if (!method) throw failed('no rule for EAP');
  const claimed = asSent(idI);
  const opening = { claimed, local: config.identity, rule: rule.name, method };
  const named = { kind: 'IDr', ...config.identity } as const;
  if (rule.eapOnly && findNotify(notifies, Notify.EAP_ONLY_AUTHENTICATION))
    return { ...opening, eapOnly: true, opening: [named] };
  // RFC 7296 §2.16: "MUST be used in conjunction with a public-key-signature-based authentication of the responder".
  if (!credentials.certificate) throw failed('we have no certificate');
  return { ...opening, eapOnly: false, opening: [named, ...proveByCertificate(phase, credentials.certificate, ctx)] };
}

const methodOf = ({ method }: AuthenticationRule): EapMethod | undefined =>
  method === 'psk' || method === 'certificate' ? undefined : method;

/** RFC 7296 §2.16: "policy lookups and access control decisions use the actual authenticated identity". @throws ProtocolError (abort) */
export function grantingRule({ rule, method, eapOnly, outcome }: EapProven, ctx: Context): AuthenticationRule {
  const { config } = inForce(ctx);
  // RFC 5998 §4: mutual, and key-generating.
  if (eapOnly && !(outcome.mutual && outcome.msk)) throw failed('a method of EAP that does not prove us');
  const tried = eapRules(config).find(({ name }) => name === rule);
  const granting = rulesFor(config, 'eap', eapIdentity(outcome.identity)).find(
    (one) => one.method === method && (!eapOnly || one.eapOnly) && isProvenFor(one, tried),
  );
  if (!granting) throw failed('no rule for this EAP identity');
  return granting;
}

/** Certificates were judged by the authorities of the rule that was tried; they prove nothing to another that wants others. */
const isProvenFor = (one: AuthenticationRule, tried: AuthenticationRule | undefined): boolean =>
  one.name === tried?.name || one.authorities.length === 0 || one.authorities.join('\n') === tried?.authorities.join('\n');

/** The AUTH after EAP-Success. @throws ProtocolError (abort, AUTHENTICATION_FAILED) */
export function authenticateEap(phase: EapProven, auth: PayloadOf<'AUTH'>, ctx: Context): Who {
  const { outcome, claimed, local, keys } = phase;
  // RFC 7296 §2.16: the key of the method, else "the AUTH payloads ... MUST be generated using SK_pi and SK_pr".
  const expected = sharedKeyAuth(phase, 'initiator', claimed, outcome.msk ?? keys.pi, ctx);
  if (auth.method !== AuthMethod.SHARED_KEY || !proves(expected, auth.data)) throw failed('a wrong AUTH after EAP');
  const rule = grantingRule(phase, ctx);
  const full = anew(phase, eapIdentity(outcome.identity), rule, ctx);
  const { certificate, granted, type: eapType } = outcome;
  const other = sameIdentity(claimed, full.remote) ? undefined : claimed;
  const data = sharedKeyAuth(phase, 'responder', local, outcome.msk ?? keys.pr, ctx);
  return {
    ...{ ...full, local, granted: granted.addresses, accounting: accountingOf(phase) },
    credential: { ...SHARED_KEY, eapType, certificate, claimed: other, rule: rule.name },
    reauthenticateBy: earlier(full.reauthenticateBy, endOf(phase, ctx)),
    proof: [{ kind: 'AUTH', method: AuthMethod.SHARED_KEY, data }],
  };
}

/** The server's time (RFC 2865 §5.27), and that of the certificate. */
function endOf({ outcome: { certificate, granted } }: EapProven, ctx: Context): Instant {
  const told = granted.sessionTimeoutMs === undefined ? NEVER : later(ctx.now, granted.sessionTimeoutMs);
  return certificate ? earlier(told, certificate.notAfter) : told;
}

/** Whoever RADIUS has admitted, its server wants to hear of. */
const accountingOf = ({ method, outcome: { granted } }: EapProven): Accounting | undefined =>
  method === 'eap-radius' ? { class: granted.class ?? EMPTY, interimMs: granted.interimMs } : undefined;
