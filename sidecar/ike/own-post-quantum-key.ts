/** Post-quantum pre-shared keys at the client (RFC 8784): what it says of its own, whether the gateway has it too, and what it demands. */
import { keyExchangeOf } from './algorithms.ts';
import { failed } from './authentication.ts';
import type { Connection } from './connection.ts';
import type { Context } from './context.ts';
import { findNotify, type Notifies } from './first-exchange.ts';
import type { EapTaken, Keyed } from './handshake-phase.ts';
import { mix, PPK_ID_FIXED } from './post-quantum-key.ts';
import type { InPhase } from './sa.ts';
import { concat } from './wire/bytes.ts';
import { notify, type Payload, type PayloadOf } from './wire/payload.ts';
import { Notify } from './wire/registry.ts';

/** The gateway answers IKE_SA_INIT, and has keys of the kind as well. */
export const agreesOnPpk = ({ ppk }: Connection, notifies: Notifies): boolean =>
  ppk !== undefined && findNotify(notifies, Notify.USE_PPK) !== undefined;

/** What a connection demands and the gateway, by its answer to IKE_SA_INIT, cannot give: known before we say who we are. */
export function missing(
  { ppk: own, postQuantum }: Connection,
  { ppk, methods }: { readonly ppk: boolean; readonly methods: readonly number[] },
  ctx: Context,
): string | undefined {
  // RFC 8784 §3: "the initiator MUST abort the exchange" (see §6 for how).
  if (own?.required && !ppk) return 'the gateway has no post-quantum pre-shared key';
  const safe = ppk || methods.some((method) => keyExchangeOf(ctx.crypto, method).postQuantum);
  return postQuantum === 'required' && !safe ? 'the gateway offers nothing that is safe from quantum computers' : undefined;
}

/** What is demanded can come of nothing but further key exchanges (RFC 9370). */
export const needsAdditional = ({ postQuantum, ppk, ike }: Connection, ctx: Context): boolean =>
  postQuantum === 'required' && !ppk && !ike.keyExchange.some((method) => keyExchangeOf(ctx.crypto, method).postQuantum);

type Proving = Pick<Keyed, 'suite' | 'keys' | 'postQuantum' | 'ppk' | 'connection'>;

/** RFC 8784 §3: the proof with our key mixed in, its name, and the proof without where we can go on so. */
export function provenWithPpk<P extends Proving>(
  phase: P,
  prove: (phase: P) => readonly Payload[],
  ctx: Context,
): { readonly payloads: readonly Payload[]; readonly notifies: readonly Payload[] } {
  const { ppk } = phase.connection;
  if (!ppk || !phase.ppk) return { payloads: prove(phase), notifies: [] };
  const payloads = prove(mix(phase, ppk.secret, ctx));
  // RFC 8784 §3: with EAP it comes in "the request message containing the AUTH payload".
  if (!authIn(payloads)) return { payloads, notifies: [] };
  const named = notify(Notify.PPK_IDENTITY, concat(Uint8Array.of(PPK_ID_FIXED), ppk.id));
  // RFC 8784 §3: "if using PPKs ... is optional ... the initiator MUST include a NO_PPK_AUTH".
  const plain = insists(phase) ? undefined : authIn(prove(phase));
  return { payloads, notifies: [named, ...(plain ? [notify(Notify.NO_PPK_AUTH, plain.data)] : [])] };
}

const authIn = (payloads: readonly Payload[]): PayloadOf<'AUTH'> | undefined =>
  payloads.flatMap((one) => (one.kind === 'AUTH' ? [one] : []))[0];

/** The gateway has proven itself, by this answer, with the key or without. @throws ProtocolError (abort, AUTHENTICATION_FAILED) */
export function mixedByBoth<S extends InPhase<'authSent'> | InPhase<'eapAuthSent'>>(sa: S, notifies: Notifies, ctx: Context): S {
  const { ppk } = sa.phase.connection;
  if (!ppk || !sa.phase.ppk) return sa;
  // RFC 8784 §3: "the content of the received PPK_IDENTITY (if any) MUST be ignored".
  if (findNotify(notifies, Notify.PPK_IDENTITY)) return { ...sa, phase: mix(sa.phase, ppk.secret, ctx) };
  // RFC 8784 §3: it "MUST either fail ... or continue without using the PPK".
  if (insists(sa.phase)) throw failed('the gateway does not know the post-quantum key');
  return sa;
}

/** Nothing else makes the session what the connection demands. */
const insists = ({ connection, postQuantum }: Pick<EapTaken, 'connection' | 'postQuantum'>): boolean =>
  connection.ppk?.required === true || (connection.postQuantum === 'required' && !postQuantum);
