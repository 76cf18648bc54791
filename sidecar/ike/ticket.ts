/**
 * Tickets by value (RFC 5723 §6.1 and appendix A.1): the state of an IKE SA, sealed for whichever pod the client comes back to.
 *
 *     version(1) = 1 | reserved(3) = 0 | key id(8) | nonce(24) | sealed state | tag(16)
 *
 * XChaCha20-Poly1305 under the ring's subkey for tickets; the first twelve bytes are additional data.
 */

import type { GatewayConfig } from '../contract/gateway-config.ts';
import type { KeyRing } from '../contract/key-ring.ts';
import { ruleAnew } from './authentication-rule.ts';
import { isSameName } from './canonical-identity.ts';
import type { Context, Policy } from './context.ts';
import type { Cryptography } from './crypto/cryptography.ts';
import type { IkeSuite } from './crypto/suite.ts';
import type { Accounting, ProvenCertificate } from './established.ts';
import { subkeys } from './ring-subkeys.ts';
import type { Identity, Instant } from './sa.ts';
import type { TicketRefusal } from './step.ts';
import { decodeTicketState, encodeTicketState } from './ticket-state.ts';
import { type Bytes, concat, equalBytes, hex, utf8 } from './wire/bytes.ts';
import { AuthMethod } from './wire/registry.ts';

/** What RFC 5723 §5 marks "from the ticket", and what our own policy needs when it comes back. */
export interface TicketState {
  /** 16 random bytes: one-time use (§4.3.1). */
  readonly ticketId: Bytes;
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
  readonly idI: Identity;
  readonly idR: Identity;
  /** The authenticated identity (EAP) when it is not IDi (§5 note 1). */
  readonly authenticated: Identity | undefined;
  /** IANA authentication method of the last full exchange. */
  readonly authMethod: number;
  readonly eapType: number | undefined;
  readonly authenticatedAt: Instant;
  /** No chain of resumptions outlives this (§6.2). */
  readonly reauthenticateBy: Instant;
  readonly certificate: ProvenCertificate | undefined;
  /** `pskDigest` of the key that was proven. */
  readonly psk: Bytes | undefined;
  readonly suite: IkeSuite;
  readonly skD: Bytes;
  /** Of the SA that the ticket was given for, which goes silently when it is still there (§4.3.4). */
  readonly spiI: string;
  readonly spiR: string;
  /** Ordinal of the pod where that SA lived; a hand-off makes it another one than `spiR` names. */
  readonly pod: number | undefined;
  /** Inner addresses; given back if they are free (§5 note 5). */
  readonly inner: readonly Bytes[];
  readonly accounting: Accounting | undefined;
  readonly postQuantum: boolean;
}

export interface TicketSealing {
  readonly ring: KeyRing;
  readonly crypto: Cryptography;
  readonly audience: string;
  readonly random: (length: number) => Bytes;
}

export interface TicketOpening {
  readonly ring: KeyRing;
  readonly crypto: Cryptography;
  readonly audience: string;
  readonly now: Instant;
}

const VERSION_BY_VALUE = Uint8Array.of(1, 0, 0, 0);
const KEY_ID_AT = 4;
const NONCE_AT = 12;
const SEALED_AT = 36;
const TAG_LENGTH = 16;

/** Undefined when the ring's key will be gone before the ticket expires. */
export function sealTicket(sealing: TicketSealing, state: TicketState): { ticket: Bytes; keyId: string } | undefined {
  const { active } = subkeys(sealing.ring, sealing.audience, sealing.crypto);
  // A ticket must not outlive its key: whoever presents it then would be refused for no reason.
  if (state.expiresAt > (active.key.openUntil ?? Number.POSITIVE_INFINITY)) return undefined;
  const header = concat(VERSION_BY_VALUE, active.key.id);
  const nonce = sealing.random(SEALED_AT - NONCE_AT);
  const sealed = sealing.crypto.sealing.seal(active.subkey('ticket'), nonce, encodeTicketState(state), header);
  return { ticket: concat(header, nonce, sealed), keyId: active.id };
}

export type OpenedTicket =
  | { readonly state: TicketState; readonly keyId: string; readonly refused?: undefined }
  | { readonly refused: TicketRefusal; readonly keyId: string | undefined };

/** Whose it is and whether it is still good in itself; what the gateway's policy says of it is `refusalByPolicy`. */
export function openTicket(opening: TicketOpening, ticket: Bytes): OpenedTicket {
  if (ticket.length < SEALED_AT + TAG_LENGTH || !equalBytes(ticket.subarray(0, KEY_ID_AT), VERSION_BY_VALUE)) {
    return { refused: 'malformed', keyId: undefined };
  }
  const id = ticket.subarray(KEY_ID_AT, NONCE_AT);
  const keyId = hex(id);
  // A tombstone counts more than the key, so that a restored backup of the ring does not un-revoke.
  if (opening.ring.revoked.some((tombstone) => equalBytes(tombstone.id, id))) return { refused: 'revoked-key', keyId };
  const found = subkeys(opening.ring, opening.audience, opening.crypto).byId(id);
  if (found === undefined) return { refused: 'unknown-key', keyId };
  if (opening.now >= (found.key.openUntil ?? Number.POSITIVE_INFINITY)) return { refused: 'expired', keyId };
  const nonce = ticket.subarray(NONCE_AT, SEALED_AT);
  const plain = opening.crypto.sealing.open(
    found.subkey('ticket'),
    nonce,
    ticket.subarray(SEALED_AT),
    ticket.subarray(0, NONCE_AT),
  );
  if (plain === undefined) return { refused: 'not-authentic', keyId };
  const state = decodeTicketState(plain);
  if (state === undefined) return { refused: 'malformed', keyId };
  // RFC 5723 §6.1: the expiry is protected and absolute.
  if (opening.now >= state.expiresAt || opening.now >= state.reauthenticateBy) return { refused: 'expired', keyId };
  if (state.issuedAt < opening.ring.revokedBefore) return { refused: 'revoked-time', keyId };
  return { state, keyId };
}

/** A resumption applies the receiving gateway's policy anew: it may have changed since the ticket was sealed. Undefined: welcome. */
export function refusalByPolicy(
  state: TicketState,
  policy: Policy,
  { spent, crypto, now }: Pick<Context, 'spent' | 'crypto' | 'now'>,
): TicketRefusal | undefined {
  const { config, credentials } = policy;
  if (!config.tickets.enabled) return 'disabled';
  if ((config.ike.postQuantum === 'required' || config.ike.ppk === 'required') && !state.postQuantum) return 'policy';
  // RFC 5723 §9.8: a list of identities whose tickets are void.
  const who = state.authenticated ?? state.idI;
  if (config.tickets.revokedIdentities.some((id) => isSameName(id, who) || isSameName(id, state.idI))) return 'revoked-identity';
  // RFC 5723 §6.2: tickets end when credentials are invalidated: a PSK that is gone, or another one now.
  if (isPsk(state) && !isStill(state.psk, credentials.psk(who), crypto)) return 'revoked-identity';
  if (state.certificate && credentials.trust.revokes(state.certificate.chain, now)) return 'revoked-certificate';
  // RFC 5723 §4.3.1: a reused ticket is rejected.
  if (spent.has(state.ticketId)) return 'spent';
  const rule = ruleAnew({ method: state.authMethod, eapType: state.eapType }, who, config);
  if (!rule) return 'policy';
  if (now >= state.authenticatedAt + (rule.reauthenticationMs ?? config.ike.reauthenticationMs)) return 'policy';
  if (!sameIdentity(config.identity, state.idR) || !allows(config, state.suite)) return 'policy';
  return undefined;
}

/** The AUTH after EAP is of that method too, by a key of the moment. */
const isPsk = ({ authMethod, eapType }: TicketState): boolean => authMethod === AuthMethod.SHARED_KEY && eapType === undefined;

/**
 * How long a ticket may live, in whole seconds but as milliseconds; 0: none can be given.
 * RFC 5723 §6.2: at most until the SA must be authenticated anew.
 */
export function ticketLifetime(
  config: GatewayConfig,
  ring: KeyRing,
  now: Instant,
  times: { readonly reauthenticateBy: Instant },
): number {
  const active = ring.keys.find((key) => key.state === 'active');
  if (active === undefined) return 0;
  const openFor = (active.openUntil ?? Number.POSITIVE_INFINITY) - now;
  const lifetime = Math.min(config.tickets.lifetimeMs, times.reauthenticateBy - now, openFor, MAX_LIFETIME_MS);
  return Math.max(0, Math.floor(lifetime / 1000) * 1000);
}

/** The field of TICKET_LT_OPAQUE has 32 bits of seconds. */
const MAX_LIFETIME_MS = 0xffff_ffff * 1000;

/** Tells keys apart; it stands only where SK_d stands too. */
export function pskDigest(psk: Bytes, crypto: Cryptography): Bytes {
  const known = digests.get(psk);
  if (known) return known;
  const digest = crypto.sealing.sha256(concat(PSK, psk)).slice(0, 16);
  digests.set(psk, digest);
  return digest;
}
/** A credential in force is one object for as long as it is. */
const digests = new WeakMap<Bytes, Bytes>();
const PSK = utf8('rekindle pre-shared key');

const isStill = (digest: Bytes | undefined, psk: Bytes | undefined, crypto: Cryptography): boolean =>
  digest !== undefined && psk !== undefined && equalBytes(digest, pskDigest(psk, crypto));

const sameIdentity = (a: Identity, b: Identity): boolean => a.idType === b.idType && equalBytes(a.data, b.data);

function allows(config: GatewayConfig, suite: IkeSuite): boolean {
  const { encryption, integrity, prf, keyExchange } = config.ike.algorithms;
  return (
    encryption.some(({ id, keyBits }) => id === suite.encr && keyBits === suite.keyBits) &&
    (suite.integ === 0 || integrity.includes(suite.integ)) &&
    prf.includes(suite.prf) &&
    keyExchange.includes(suite.ke)
  );
}
