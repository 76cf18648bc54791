/** Any IKE SA in any phase, and the parts of which it consists; a phase that is missing here does not compile. */
import fc from 'fast-check';
import type { Algorithms } from '../../../sidecar/contract/gateway-config.ts';
import type { Child, ChildAgreement, ChildOffer } from '../../../sidecar/ike/child.ts';
import type { Connection, HeldTicket, ResumptionForm, TrustedAuthorities } from '../../../sidecar/ike/connection.ts';
import type { EspSuite, IkeSuite } from '../../../sidecar/ike/crypto/suite.ts';
import type { EapGrant, EapMethod, EapOutcome } from '../../../sidecar/ike/eap.ts';
import type {
  Accounting,
  Established,
  IkeAgreement,
  IkeOffer,
  Intent,
  Mobility,
  OwnExchange,
  ProvenCertificate,
  Rival,
} from '../../../sidecar/ike/established.ts';
import type { Awaited, Followup } from '../../../sidecar/ike/followup.ts';
import type { EapSaid, EapSent, FirstMessages, Handshake, Keyed, KeyPair } from '../../../sidecar/ike/handshake-phase.ts';
import type { CertificateReference } from '../../../sidecar/ike/pki/trust.ts';
import type {
  Fragments,
  Identity,
  IkeSa,
  Instant,
  Path,
  Phase,
  PhaseName,
  Secured,
  Sent,
  Window,
} from '../../../sidecar/ike/sa.ts';
import type { TicketState } from '../../../sidecar/ike/ticket.ts';
import { type Bytes, hex } from '../../../sidecar/ike/wire/bytes.ts';
import type { Proposal } from '../../../sidecar/ike/wire/payload.ts';
import { blob, payload, payloadOf, selector } from '../../harness/arbitrary-payload.ts';

type Fields<T> = { [K in keyof T]-?: fc.Arbitrary<T[K]> };
const record = <T>(fields: Fields<T>): fc.Arbitrary<T> => fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>;
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
const some = <T>(arbitrary: fc.Arbitrary<T>, maxLength = 3): fc.Arbitrary<T[]> => fc.array(arbitrary, { maxLength });

const instant = fc.oneof(fc.nat(2 ** 42), fc.constantFrom(0, Number.POSITIVE_INFINITY)) as fc.Arbitrary<Instant>;
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const spi: fc.Arbitrary<string> = blob(8, 8).map(hex);
const text = fc.constantFrom('', 'home', 'büro', '__proto__');
const path: fc.Arbitrary<Path> = fc.constantFrom(
  { local: '192.0.2.1:500', remote: '198.51.100.7:4500' },
  { local: '[2001:db8::1]:4500', remote: '[2001:db8::2]:61000' },
);
export const identity: fc.Arbitrary<Identity> = fc.record({ idType: fc.nat(255), data: blob() }, { noNullPrototype: true });
export const address: fc.Arbitrary<Bytes> = fc.constantFrom(4, 16).chain((length) => blob(length, length));

const ikeSuite: fc.Arbitrary<IkeSuite> = record<IkeSuite>({ encr: u16, keyBits: u16, integ: u16, prf: u16, ke: u16 });
const espSuite: fc.Arbitrary<EspSuite> = record<EspSuite>({ encr: u16, keyBits: u16, integ: u16, ke: u16, esn: fc.boolean() });
const keyPair: fc.Arbitrary<KeyPair> = record<KeyPair>({ id: u16, privateKey: blob(), publicValue: blob() });
const selectors = some(selector);
const proposals: fc.Arbitrary<readonly Proposal[]> = payloadOf.SA.map((payload) => payload.proposals);

const certificate = record<ProvenCertificate>({
  fingerprint: blob(),
  notAfter: instant,
  chain: some(record<CertificateReference>({ issuer: blob(), serial: blob() })),
});

export const ticketState: fc.Arbitrary<TicketState> = record<TicketState>({
  ticketId: blob(16, 16),
  issuedAt: instant,
  expiresAt: instant,
  idI: identity,
  idR: identity,
  authenticated: maybe(identity),
  authMethod: fc.nat(255),
  eapType: maybe(fc.nat(255)),
  authenticatedAt: instant,
  reauthenticateBy: instant,
  certificate: maybe(certificate),
  psk: maybe(blob(16, 16)),
  suite: ikeSuite,
  skD: blob(20, 64),
  spiI: spi,
  spiR: spi,
  pod: maybe(fc.nat(254)),
  inner: some(address),
  accounting: maybe(record<Accounting>({ class: blob(), interimMs: maybe(fc.nat()) })),
  postQuantum: fc.boolean(),
});

const resumptionForm = fc.constantFrom<ResumptionForm>('rfc', 'libreswan');
const heldTicket: fc.Arbitrary<HeldTicket> = record<HeldTicket>({
  ticket: blob(),
  expiresAt: instant,
  suite: ikeSuite,
  skD: blob(),
  local: identity,
  remote: identity,
  authenticatedAt: instant,
  reauthenticateBy: instant,
  inner: some(address),
  postQuantum: fc.boolean(),
  form: resumptionForm,
});

const algorithms: fc.Arbitrary<Algorithms> = record<Algorithms>({
  encryption: some(fc.record({ id: u16, keyBits: u16 }, { noNullPrototype: true })),
  integrity: some(u16),
  prf: some(u16),
  keyExchange: some(u16),
  additionalKeyExchange: some(u16),
});

const connection: fc.Arbitrary<Connection> = record<Connection>({
  name: text,
  path,
  natPath: path,
  local: identity,
  remote: maybe(identity),
  authentication: fc.oneof(
    fc.record({ method: fc.constant('psk' as const), secret: blob() }, { noNullPrototype: true }),
    fc.record(
      { method: fc.constant('certificate' as const), chain: some(blob()), privateKey: blob() },
      { noNullPrototype: true },
    ),
    fc.record({ method: fc.constant('eap' as const), eapOnly: fc.boolean() }, { noNullPrototype: true }),
  ),
  trust: record<TrustedAuthorities>({
    ...{ anchors: some(blob()), lists: some(blob()) },
    revocation: fc.constantFrom('ifKnown' as const, 'required' as const),
  }),
  ppk: maybe(fc.record({ id: blob(), secret: blob(), required: fc.boolean() }, { noNullPrototype: true })),
  postQuantum: fc.constantFrom('any', 'required'),
  ike: algorithms,
  esp: algorithms,
  addresses: fc.constant({ ipv4: true, ipv6: false }),
  localTraffic: selectors,
  remoteTraffic: selectors,
  tickets: fc.boolean(),
  redirects: maybe(fc.record({ from: maybe(address) }, { noNullPrototype: true })),
  mobike: fc.boolean(),
  childless: fc.boolean(),
  forceEncapsulation: fc.boolean(),
  rekeyMs: u32,
  childRekeyMs: u32,
  reauthenticationMs: u32,
  deadPeerMs: u32,
  retransmit: fc.constant({ firstMs: 500, factor: 1.8, attempts: 5 }),
  fragmentBytes: u16,
});

const sent: fc.Arbitrary<Sent> = record<Sent>({ messageId: u32, datagrams: some(blob()), attempt: u16, due: instant });
const fragments: fc.Arbitrary<Fragments> = record<Fragments>({
  messageId: u32,
  response: fc.boolean(),
  total: u16,
  first: fc.nat(255),
  head: blob(),
  until: instant,
  parts: fc.dictionary(fc.nat(20).map(String), blob(), { maxKeys: 4, noNullPrototype: true }),
});
const window: fc.Arbitrary<Window> = record<Window>({
  next: u32,
  expected: u32,
  sent: maybe(sent),
  answered: some(blob()),
  fragments: maybe(fragments),
});

const ikeKeys = fc.record(
  { d: blob(), ai: blob(), ar: blob(), ei: blob(), er: blob(), pi: blob(), pr: blob() },
  { noNullPrototype: true },
);
const secured: Fields<Secured> = {
  suite: ikeSuite,
  keys: ikeKeys,
  nat: fc.record({ local: fc.boolean(), remote: fc.boolean() }, { noNullPrototype: true }),
  fragmentation: fc.boolean(),
};
const messages = { initiator: blob(), responder: blob(), ni: blob(), nr: blob() };
const intermediate = fc.record({ initiator: blob(), responder: blob(), exchanges: u16 }, { noNullPrototype: true });
const first: fc.Arbitrary<FirstMessages> = fc.oneof(
  fc.record(messages, { noNullPrototype: true }),
  fc.record({ ...messages, intermediate }, { noNullPrototype: true }),
);
const agreeing = { first, peerHashes: some(u16), pending: some(u16), postQuantum: fc.boolean(), ppk: fc.boolean() };
const handshake = record<Handshake>({ began: instant, roundTrips: u16, keyExchanges: u16 });
const key = fc.record({ encr: blob(), integ: blob() }, { noNullPrototype: true });
const child: fc.Arbitrary<Child> = record<Child>({
  spiIn: u32,
  spiOut: u32,
  suite: espSuite,
  keyIn: key,
  keyOut: key,
  local: selectors,
  remote: selectors,
  rekeyAt: instant,
  replacedUntil: maybe(instant),
  sequences: fc.record({ sent: u32, received: u32 }, { noNullPrototype: true }),
});
const childOffer: fc.Arbitrary<ChildOffer> = record<ChildOffer>({
  spiIn: u32,
  nonce: blob(),
  ke: maybe(keyPair),
  proposals,
  local: selectors,
  remote: selectors,
});
const ikeOffer = record<IkeOffer>({ spi, nonce: blob(), ke: keyPair });
const rival = <Spi>(of: fc.Arbitrary<Spi>): fc.Arbitrary<Rival<Spi> | undefined> =>
  maybe(record<Rival<Spi>>({ spi: of, lowestNonce: blob() }));

const childAgreement = record<ChildAgreement>({
  ...{ spiIn: u32, spiOut: u32, suite: espSuite, local: selectors, remote: selectors, additional: some(u16) },
  ...{ side: fc.constantFrom('initiator', 'responder'), ni: blob(), nr: blob(), shared: maybe(blob()) },
});
const ikeAgreement = record<IkeAgreement>({
  ...{ role: fc.constantFrom('initiator', 'responder'), suite: ikeSuite, additional: some(u16), spiI: spi, spiR: spi },
  ...{ ni: blob(), nr: blob(), shared: blob() },
});
const followup: Fields<Followup> = {
  of: fc.oneof(
    fc.tuple(maybe(u32), childAgreement).map(([old, agreement]) => ({ kind: 'child', old, agreement }) as const),
    ikeAgreement.map((agreement) => ({ kind: 'ike', agreement }) as const),
  ),
  ...{ pending: some(u16), secrets: some(blob()), link: blob() },
};

const intent: fc.Arbitrary<Intent> = fc.oneof(
  fc.constantFrom<Intent>(
    { kind: 'newChild' },
    { kind: 'verifyPath' },
    { kind: 'rekeyIke' },
    { kind: 'liveness' },
    { kind: 'rekeyIke', group: 19 },
  ),
  u32.map((spiIn): Intent => ({ kind: 'rekeyChild', spiIn })),
);
const exchange: fc.Arbitrary<OwnExchange> = fc.oneof(
  childOffer.map((offer): OwnExchange => ({ kind: 'newChild', offer })),
  fc.tuple(u32, childOffer, rival(u32)).map(([old, offer, one]): OwnExchange => ({ kind: 'rekeyChild', old, offer, rival: one })),
  fc.tuple(ikeOffer, rival(spi)).map(([offer, one]): OwnExchange => ({ kind: 'rekeyIke', offer, rival: one })),
  fc.tuple(record<Followup>(followup), keyPair).map(([one, ke]): OwnExchange => ({ kind: 'followup', followup: one, ke })),
  u32.map((spiIn): OwnExchange => ({ kind: 'deleteChild', spiIn })),
  fc.constantFrom<OwnExchange>({ kind: 'liveness' }, { kind: 'requestTicket' }),
  fc
    .tuple(fc.constantFrom('updateAddresses' as const, 'verifyPath' as const), blob(), path)
    .map(([kind, cookie, way]): OwnExchange => ({ kind, cookie, path: way })),
);

const keyed: Fields<Omit<Keyed, 'name'>> = {
  ...secured,
  ...agreeing,
  childless: fc.boolean(),
  connection,
  handshake,
  resumed: maybe(heldTicket),
  resumptionForm,
};
const eapMethod = fc.constantFrom<EapMethod>('eap-mschapv2', 'eap-tls', 'eap-radius');
const served: Fields<Omit<EapSent, 'name'>> = {
  ...secured,
  ...agreeing,
  ...{
    redirectable: fc.boolean(),
    since: instant,
    until: instant,
    claimed: identity,
    local: identity,
    rule: text,
    method: eapMethod,
  },
  ...{ eapOnly: fc.boolean(), asked: some(payload), rounds: u16 },
};
const outcome: fc.Arbitrary<EapOutcome> = record<EapOutcome>({
  ...{ type: fc.nat(255), msk: maybe(blob(64, 64)), mutual: fc.boolean(), identity: text, certificate: maybe(certificate) },
  granted: record<EapGrant>({
    ...{ addresses: some(address), sessionTimeoutMs: maybe(u32), class: maybe(blob()), interimMs: maybe(u32) },
  }),
});

const established: Fields<Omit<Established, 'name'>> = {
  ...secured,
  kind: fc.constantFrom('full', 'resumed'),
  local: identity,
  remote: identity,
  since: instant,
  credential: fc.record(
    {
      method: u16,
      eapType: maybe(fc.nat(255)),
      claimed: maybe(identity),
      certificate: maybe(certificate),
      psk: maybe(blob()),
      rule: maybe(text),
    },
    { noNullPrototype: true },
  ),
  authenticatedAt: instant,
  reauthenticateBy: instant,
  rekeyAt: instant,
  heardAt: instant,
  children: some(child, 2),
  inner: some(address),
  redirectable: fc.boolean(),
  mobility: maybe(record<Mobility>({ additional: some(address), former: maybe(path), seen: maybe(blob()) })),
  replaces: maybe(fc.record({ spiR: spi, pod: maybe(fc.nat(254)) }, { noNullPrototype: true })),
  ticketId: maybe(blob(16, 16)),
  ...{ postQuantum: fc.boolean(), resumptionForm },
  accounting: maybe(record<Accounting>({ class: blob(), interimMs: maybe(fc.nat()) })),
  endsBy: maybe(record<NonNullable<Established['endsBy']>>({ at: instant, why: fc.constantFrom('rekeyed', 'redirected') })),
  childAgain: maybe(record<NonNullable<Established['childAgain']>>({ at: instant, tries: fc.nat(20) })),
  awaited: maybe(record<Awaited>({ ...followup, until: instant })),
  exchange: maybe(exchange),
  wanted: some(intent),
};

const taken: Fields<Omit<EapSaid, 'name'>> = {
  ...{ ...keyed, offer: childOffer, remote: identity, rounds: u16 },
  shown: maybe(record({ credential: established.credential, reauthenticateBy: instant })),
};

const phases: { readonly [N in PhaseName]: fc.Arbitrary<Omit<Extract<Phase, { name: N }>, 'name'>> } = {
  initSent: record({ connection, handshake, nonce: blob(), ke: keyPair, request: blob(), doubted: fc.boolean(), retries: u16 }),
  resumeSent: record({ connection, handshake, nonce: blob(), ticket: heldTicket, request: blob(), retries: u16 }),
  keyed: record(keyed),
  intermediateSent: record({ ...keyed, ke: keyPair, content: blob() }),
  authSent: record({ ...keyed, offer: maybe(childOffer) }),
  halfOpen: record({
    ...secured,
    ...agreeing,
    formerKeys: maybe(ikeKeys),
    resumed: maybe(ticketState),
    redirectable: fc.boolean(),
    since: instant,
    until: instant,
    moves: u16,
  }),
  eapHeard: record({ ...taken, until: instant }),
  eapSaid: record(taken),
  eapAuthSent: record({ ...taken, msk: maybe(blob(64, 64)) }),
  eapAsked: record({ ...served, opening: some(payload) }),
  eapSent: record(served),
  eapProven: record({ ...served, outcome }),
  established: record(established),
  replaced: record({ ...secured, until: instant }),
  closing: record({ ...secured, remote: identity, why: fc.constantFrom('deleted', 'rekeyed') }),
  gone: record({ ...secured, proven: fc.boolean(), until: instant }),
};

const inPhase = <N extends PhaseName>(name: N): fc.Arbitrary<Phase> =>
  phases[name].map((fields) => ({ name, ...fields }) as unknown as Phase);

/** In one of these phases. */
export const saIn = (...names: readonly PhaseName[]): fc.Arbitrary<IkeSa> =>
  record<IkeSa>({
    role: fc.constantFrom('initiator', 'responder'),
    spiI: spi,
    spiR: spi,
    path,
    window,
    connection: maybe(connection),
    phase: fc.oneof(...names.map(inPhase)),
  });

export const phaseNames = Object.keys(phases) as readonly PhaseName[];
