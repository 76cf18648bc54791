/** What AUTH payloads prove (RFC 7296 §2.15): what is signed, the proof by a pre-shared key, and after a resumption (RFC 5723 §4.3.3). */
import { prfOf } from './algorithms.ts';
import type { Context } from './context.ts';
import type { FirstMessages } from './handshake-phase.ts';
import { intAuth } from './intermediate-auth.ts';
import type { Identity, Secured } from './sa.ts';
import { encodeIdentity } from './wire/auth-payload.ts';
import { type Bytes, concat, equalBytes, utf8, Writer } from './wire/bytes.ts';

export type Side = 'initiator' | 'responder';
type Cryptographic = Pick<Context, 'crypto'>;
/** What both proofs need; `first` are the IKE_SA_INIT or IKE_SESSION_RESUME messages. */
interface Proof extends Pick<Secured, 'suite' | 'keys'> {
  readonly first: FirstMessages;
}

/** AUTH = prf( prf(Shared Secret, "Key Pad for IKEv2"), <SignedOctets>). */
export function sharedKeyAuth(proof: Proof, side: Side, identity: Identity, secret: Bytes, ctx: Cryptographic): Bytes {
  const prf = prfOf(ctx.crypto, proof.suite);
  return prf.mac(prf.mac(secret, KEY_PAD), signedOctets(proof, side, identity, ctx));
}

/** AUTH = prf(SK_px, <SignedOctets>), with SK_px of the new SA. */
export function resumptionAuth(proof: Proof, side: Side, identity: Identity, ctx: Cryptographic): Bytes {
  const prf = prfOf(ctx.crypto, proof.suite);
  return prf.mac(ownProofKey(proof, side), signedOctets(proof, side, identity, ctx));
}

/** libreswan's form: prf(SK_px, first message) alone. As safe, for SK_px depends on both nonces and SPIs and the identity must equal the ticket's. */
export function libreswanResumptionAuth(proof: Proof, side: Side, ctx: Cryptographic): Bytes {
  return prfOf(ctx.crypto, proof.suite).mac(ownProofKey(proof, side), proof.first[side]);
}

export const proves = (expected: Bytes, given: Bytes): boolean => equalBytes(expected, given);

/** InitiatorSignedOctets = RealMessage1 | NonceRData | MACedIDForI [| IntAuth], and the mirror of it; RFC 9242 §3.3.2. */
export function signedOctets(proof: Proof, side: Side, identity: Identity, ctx: Cryptographic): Bytes {
  const { first } = proof;
  const prf = prfOf(ctx.crypto, proof.suite);
  const nonce = side === 'initiator' ? first.nr : first.ni;
  return concat(first[side], nonce, prf.mac(ownProofKey(proof, side), identityBody(identity)), intAuth(first));
}

const ownProofKey = (proof: Proof, side: Side): Bytes => (side === 'initiator' ? proof.keys.pi : proof.keys.pr);

/** RestOfInitIDPayload = IDType | RESERVED | InitIDData. */
/** An identity out of a message, with all that AUTH covers. */
export const asSent = ({ idType, data, reserved }: Identity): Identity => ({
  ...{ idType, data: data.slice() },
  ...(reserved && { reserved: reserved.slice() }),
});

function identityBody(identity: Identity): Bytes {
  const writer = new Writer(identity.data.length + 4);
  encodeIdentity(writer, identity);
  return writer.finish();
}

const KEY_PAD = utf8('Key Pad for IKEv2');
