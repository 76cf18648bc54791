/** The sealed part of a ticket as bytes: a CBOR array without keys, since every byte goes over the air in a message that cannot be fragmented (RFC 7383 §2.5.1: IKE_SESSION_RESUME has no SK payload). */
import type { IkeSuite } from './crypto/suite.ts';
import { ProtocolError } from './error.ts';
import type { CertificateReference } from './pki/trust.ts';
import { type Accounting, type Identity, type Instant, later, type ProvenCertificate } from './sa.ts';
import type { TicketState } from './ticket.ts';
import { type Bytes, concat, hex, unhex } from './wire/bytes.ts';
import { decodeSealedCbor, encodeCbor, type Plain } from './wire/cbor.ts';

/** Stands before the array, so that a pod of another version can tell that it cannot read it. */
const LAYOUT = 2;

export function encodeTicketState(state: TicketState): Bytes {
  const { suite, certificate } = state;
  const fields = encodeCbor([
    state.ticketId,
    state.issuedAt,
    state.expiresAt,
    identityFields(state.idI),
    identityFields(state.idR),
    state.authenticated ? identityFields(state.authenticated) : null,
    state.authMethod,
    state.authenticatedAt,
    state.reauthenticateBy,
    certificate ? certificateFields(certificate) : null,
    state.psk ?? null,
    [suite.encr, suite.keyBits, suite.integ, suite.prf, suite.ke],
    state.skD,
    unhex(state.spiI),
    unhex(state.spiR),
    state.pod ?? null,
    state.inner,
    state.accounting ? [state.accounting.class, state.accounting.interimMs ?? null] : null,
    state.postQuantum ? 1 : 0,
    state.eapType ?? null,
  ]);
  return concat(Uint8Array.of(LAYOUT), fields);
}

/** Undefined for another layout: a sibling of another version sealed it. @throws ProtocolError (malformed) */
export function decodeTicketState(bytes: Bytes): TicketState | undefined {
  return bytes[0] === LAYOUT ? ticketState(decodeSealedCbor(bytes.subarray(1))) : undefined;
}

function ticketState(plain: Plain): TicketState {
  const [id, issuedAt, expiresAt, idI, idR, authenticated, method, at, by, certificate, psk, suite, skD, spiI, ...rest] = list(
    plain,
    20,
  );
  const [spiR, pod, inner, accounting, postQuantum, eapType] = rest;
  return {
    ticketId: bytesOf(id),
    issuedAt: instant(issuedAt),
    expiresAt: instant(expiresAt),
    idI: identity(idI),
    idR: identity(idR),
    authenticated: authenticated === null ? undefined : identity(authenticated),
    authMethod: number(method),
    authenticatedAt: instant(at),
    reauthenticateBy: instant(by),
    certificate: certificate === null ? undefined : certificateOf(certificate),
    psk: psk === null ? undefined : bytesOf(psk),
    suite: suiteOf(suite),
    skD: bytesOf(skD),
    spiI: hex(bytesOf(spiI)),
    spiR: hex(bytesOf(spiR)),
    pod: pod === null ? undefined : number(pod),
    inner: list(inner).map(bytesOf),
    accounting: accounting === null ? undefined : accountingOf(accounting),
    postQuantum: number(postQuantum) === 1,
    eapType: eapType === null ? undefined : number(eapType),
  };
}

const identityFields = ({ idType, data }: Identity): [number, Bytes] => [idType, data];

function identity(value: Plain): Identity {
  const [idType, data] = list(value, 2);
  return { idType: number(idType), data: bytesOf(data) };
}

const certificateFields = ({ fingerprint, notAfter, chain }: ProvenCertificate): Plain => [
  fingerprint,
  notAfter,
  chain.map(({ issuer, serial }) => [issuer, serial]),
];

function certificateOf(value: Plain): ProvenCertificate {
  const [fingerprint, notAfter, chain] = list(value, 3);
  return { fingerprint: bytesOf(fingerprint), notAfter: instant(notAfter), chain: list(chain).map(reference) };
}

function reference(value: Plain): CertificateReference {
  const [issuer, serial] = list(value, 2);
  return { issuer: bytesOf(issuer), serial: bytesOf(serial) };
}

function suiteOf(value: Plain): IkeSuite {
  const [encr, keyBits, integ, prf, ke] = list(value, 5);
  return { encr: number(encr), keyBits: number(keyBits), integ: number(integ), prf: number(prf), ke: number(ke) };
}

function accountingOf(value: Plain): Accounting {
  const [attribute, interimMs] = list(value, 2);
  return { class: bytesOf(attribute), interimMs: interimMs === null ? undefined : number(interimMs) };
}

function list(value: Plain, length?: number): readonly Plain[] {
  if (!Array.isArray(value) || (length !== undefined && value.length !== length))
    throw ProtocolError.malformed('ticket: wrong list');
  return value;
}

function bytesOf(value: Plain): Bytes {
  if (!(value instanceof Uint8Array)) throw ProtocolError.malformed('ticket: bytes missing');
  return value;
}

function number(value: Plain): number {
  if (typeof value !== 'number') throw ProtocolError.malformed('ticket: number missing');
  return value;
}

const instant = (value: Plain): Instant => later(0 as Instant, number(value));
