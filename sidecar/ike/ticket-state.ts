/**
 * The sealed part of a ticket as bytes: numbers and lengths without names, since every byte goes over the air in a message that cannot be fragmented
 * (RFC 7383 §2.5.1: IKE_SESSION_RESUME has no SK payload), and since it is written in every handshake.
 */
import type { IkeSuite } from './crypto/suite.ts';
import type { Accounting, ProvenCertificate } from './established.ts';
import type { CertificateReference } from './pki/trust.ts';
import { type Identity, type Instant, later, NEVER } from './sa.ts';
import type { TicketState } from './ticket.ts';
import { type Bytes, hex, Reader, unhex, Writer } from './wire/bytes.ts';

/** Stands before all else, so that a pod of another version can tell that it cannot read it. */
const LAYOUT = 3;

/** What is there, a bit each. */
const AUTHENTICATED = 1;
const CERTIFICATE = 2;
const PSK = 4;
const POD = 8;
const ACCOUNTING = 16;
const INTERIM = 32;
const POST_QUANTUM = 64;
const EAP_TYPE = 128;
/** 48 bits hold the milliseconds of 8 900 years; the last value stands for never. */
const LAST = 2 ** 48 - 1;
const TICKET_ID = 16;
const SPI = 8;

export function encodeTicketState(state: TicketState): Bytes {
  const w = new Writer(512).u8(LAYOUT).u8(contents(state)).bytes(state.ticketId);
  for (const time of [state.issuedAt, state.expiresAt, state.authenticatedAt, state.reauthenticateBy]) writeTime(w, time);
  writeIdentity(w, state.idI);
  writeIdentity(w, state.idR);
  if (state.authenticated) writeIdentity(w, state.authenticated);
  w.u16(state.authMethod);
  if (state.eapType !== undefined) w.u32(state.eapType);
  if (state.certificate) writeCertificate(w, state.certificate);
  if (state.psk) writeShort(w, state.psk);
  const { encr, keyBits, integ, prf, ke } = state.suite;
  w.u16(encr).u16(keyBits).u16(integ).u16(prf).u16(ke);
  writeShort(w, state.skD);
  w.bytes(unhex(state.spiI)).bytes(unhex(state.spiR));
  if (state.pod !== undefined) w.u16(state.pod);
  writeList(w, state.inner, writeShort);
  if (state.accounting) writeAccounting(w, state.accounting);
  return w.finish();
}

/** Undefined for another layout: a sibling of another version sealed it. @throws ProtocolError (malformed) */
export function decodeTicketState(bytes: Bytes): TicketState | undefined {
  const r = new Reader(bytes);
  if (r.u8() !== LAYOUT) return undefined;
  const bits = r.u8();
  const given = <T>(bit: number, read: (r: Reader) => T): T | undefined => ((bits & bit) !== 0 ? read(r) : undefined);
  const ticketId = taken(r, TICKET_ID);
  const [issuedAt, expiresAt, authenticatedAt, reauthenticateBy] = [readTime(r), readTime(r), readTime(r), readTime(r)];
  // Evaluated, and so read, in the order in which it was written.
  const state: TicketState = {
    ...{ ticketId, issuedAt, expiresAt, authenticatedAt, reauthenticateBy },
    idI: readIdentity(r),
    idR: readIdentity(r),
    authenticated: given(AUTHENTICATED, readIdentity),
    authMethod: r.u16(),
    eapType: given(EAP_TYPE, () => r.u32()),
    certificate: given(CERTIFICATE, readCertificate),
    psk: given(PSK, readShort),
    suite: readSuite(r),
    skD: readShort(r),
    spiI: hex(r.take(SPI)),
    spiR: hex(r.take(SPI)),
    pod: given(POD, () => r.u16()),
    inner: readList(r, readShort),
    accounting: given(ACCOUNTING, (reader) => readAccounting(reader, (bits & INTERIM) !== 0)),
    postQuantum: (bits & POST_QUANTUM) !== 0,
  };
  r.end();
  return state;
}

/** A copy: a session that keeps an address of this must not keep the whole. */
const taken = (r: Reader, length: number): Bytes => r.take(length).slice();

function contents({ authenticated, certificate, psk, pod, accounting, postQuantum, eapType }: TicketState): number {
  return (
    (authenticated ? AUTHENTICATED : 0) |
    (certificate ? CERTIFICATE : 0) |
    (psk ? PSK : 0) |
    (pod === undefined ? 0 : POD) |
    (accounting ? ACCOUNTING : 0) |
    (accounting?.interimMs === undefined ? 0 : INTERIM) |
    (postQuantum ? POST_QUANTUM : 0) |
    (eapType === undefined ? 0 : EAP_TYPE)
  );
}

function writeTime(w: Writer, time: number): void {
  const value = Math.min(Math.floor(time), LAST);
  w.u16(Math.floor(value / 2 ** 32)).u32(value % 2 ** 32);
}

function readTime(r: Reader): Instant {
  const value = r.u16() * 2 ** 32 + r.u32();
  return value === LAST ? NEVER : later(0 as Instant, value);
}

function writeIdentity(w: Writer, { idType, data }: Identity): void {
  w.u8(idType).u16(data.length).bytes(data);
}

const readIdentity = (r: Reader): Identity => ({ idType: r.u8(), data: taken(r, r.u16()) });

/** 255 bytes at most. */
function writeShort(w: Writer, bytes: Bytes): void {
  w.u8(bytes.length).bytes(bytes);
}

const readShort = (r: Reader): Bytes => taken(r, r.u8());

function writeList<T>(w: Writer, items: readonly T[], write: (w: Writer, item: T) => void): void {
  w.u8(items.length);
  for (const item of items) write(w, item);
}

const readList = <T>(r: Reader, read: (r: Reader) => T): T[] => Array.from({ length: r.u8() }, () => read(r));

function writeCertificate(w: Writer, { fingerprint, notAfter, chain }: ProvenCertificate): void {
  writeShort(w, fingerprint);
  writeTime(w, notAfter);
  writeList(w, chain, (_, { issuer, serial }) => {
    writeShort(w, issuer);
    writeShort(w, serial);
  });
}

const readCertificate = (r: Reader): ProvenCertificate => ({
  fingerprint: readShort(r),
  notAfter: readTime(r),
  chain: readList(r, (reader): CertificateReference => ({ issuer: readShort(reader), serial: readShort(reader) })),
});

const readSuite = (r: Reader): IkeSuite => ({ encr: r.u16(), keyBits: r.u16(), integ: r.u16(), prf: r.u16(), ke: r.u16() });

function writeAccounting(w: Writer, { class: attribute, interimMs }: Accounting): void {
  w.u16(attribute.length).bytes(attribute);
  if (interimMs !== undefined) writeTime(w, interimMs);
}

function readAccounting(r: Reader, interim: boolean): Accounting {
  return { class: taken(r, r.u16()), interimMs: interim ? readTime(r) : undefined };
}
