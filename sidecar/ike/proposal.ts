/** Negotiation of algorithms (RFC 7296 §2.7, §3.3): what we offer, which offer we choose, which answer we accept. */
import type { Algorithms } from '../contract/gateway-config.ts';
import type { EspSuite, IkeSuite } from './crypto/suite.ts';
import { ProtocolError } from './error.ts';
import { type Bytes, EMPTY, hex, Reader, Writer } from './wire/bytes.ts';
import type { Proposal, Transform } from './wire/payload.ts';
import { Encr, Esn, Integ, Ke, Notify, Protocol, TransformType } from './wire/registry.ts';

/** `spi`: of the new IKE SA when this rekeys one; none in IKE_SA_INIT. */
export const ikeProposals = (algorithms: Algorithms, spi: Bytes = EMPTY): Proposal[] =>
  proposals(Protocol.IKE, spi, algorithms, [
    ...transforms(TransformType.PRF, algorithms.prf),
    ...transforms(TransformType.KE, ikeGroups(algorithms)),
  ]);

/** `spi`: ours for inbound packets, 4 bytes. `pfs`: in CREATE_CHILD_SA; RFC 7296 §1.2: in IKE_AUTH no key exchange is offered. */
export const espProposals = (algorithms: Algorithms, spi: Bytes, { pfs }: { readonly pfs: boolean }): Proposal[] =>
  proposals(Protocol.ESP, spi, algorithms, [
    ...transforms(TransformType.KE, pfs ? algorithms.keyExchange : []),
    ...transforms(TransformType.ESN, ESN_CHOICES),
  ]);

export interface ChosenIke {
  /** The answer: one transform per type, and the SPI still the peer's; the caller puts its own. */
  readonly proposal: Proposal;
  readonly suite: IkeSuite;
  /** The peer's SPI for the new SA when it rekeys one (hex); empty in IKE_SA_INIT. */
  readonly peerSpi: string;
}

/**
 * By our order of preference, encryption first. `preferredKe` is the group of the peer's KE payload: it goes first among the
 * groups that both sides accept, which saves a round trip (RFC 7296 §1.2), and decides nothing else.
 */
export function chooseIke(offered: readonly Proposal[], algorithms: Algorithms, preferredKe?: number): ChosenIke | undefined {
  const groups = preferred(ikeGroups(algorithms), preferredKe);
  const rest = [
    { type: TransformType.PRF, ids: algorithms.prf },
    { type: TransformType.KE, ids: groups },
  ];
  const best = choose(offered, Protocol.IKE, algorithms, rest);
  return best && { ...best, suite: ikeSuite(best.proposal), peerSpi: hex(best.proposal.spi) };
}

export interface ChosenEsp {
  readonly proposal: Proposal;
  readonly suite: EspSuite;
  /** The peer's SPI for packets to it. */
  readonly peerSpi: number;
}

export function chooseEsp(
  offered: readonly Proposal[],
  algorithms: Algorithms,
  { pfs, preferredKe }: { readonly pfs: boolean; readonly preferredKe?: number | undefined },
): ChosenEsp | undefined {
  const groups = pfs && algorithms.keyExchange.length > 0 ? preferred(algorithms.keyExchange, preferredKe) : [Ke.NONE];
  const rest = [
    { type: TransformType.KE, ids: groups },
    { type: TransformType.ESN, ids: ESN_CHOICES },
  ];
  const usable = offered.filter(({ spi }) => isEspSpi(spi));
  const best = choose(usable, Protocol.ESP, algorithms, rest);
  return best && { ...best, suite: espSuite(best.proposal), peerSpi: espSpi(best.proposal.spi) };
}

/** RFC 7296 §1.2, §1.3: the KE payload must be of the group that was chosen. @throws ProtocolError (refuse, INVALID_KE_PAYLOAD) */
export function demandKe(chosen: number, sent: number | undefined): void {
  // RFC 7296 §3.3.6: with NONE the KE payload is ignored.
  if (chosen === Ke.NONE || chosen === sent) return;
  throw new ProtocolError('refuse', Notify.INVALID_KE_PAYLOAD, `wants group ${chosen}`, new Writer(2).u16(chosen).finish());
}

/** RFC 7296 §3.3.6: the answer must be "consistent with one of [our] proposals, and if not MUST terminate the exchange". */
export const acceptedIke = (answer: readonly Proposal[], offered: readonly Proposal[]): IkeSuite =>
  ikeSuite(accepted(answer, offered));

/** The same for a rekey, with the peer's SPI of the new SA (hex). */
export function acceptedIkeRekey(
  answer: readonly Proposal[],
  offered: readonly Proposal[],
): { peerSpi: string; suite: IkeSuite } {
  const proposal = accepted(answer, offered);
  return { peerSpi: hex(proposal.spi), suite: ikeSuite(proposal) };
}

export function acceptedEsp(answer: readonly Proposal[], offered: readonly Proposal[]): { peerSpi: number; suite: EspSuite } {
  const proposal = accepted(answer, offered);
  if (!isEspSpi(proposal.spi)) throw inconsistent('a reserved SPI');
  return { peerSpi: espSpi(proposal.spi), suite: espSuite(proposal) };
}

/** Both are offered, and extended ones preferred: they last (RFC 4303 §2.2.1). */
const ESN_CHOICES = [Esn.ESN, Esn.NO_ESN];

const AEADS: ReadonlySet<number> = new Set([Encr.AES_GCM_8, Encr.AES_GCM_12, Encr.AES_GCM_16, Encr.CHACHA20_POLY1305]);

/** An IKE SA always has a key exchange of its own. */
const ikeGroups = ({ keyExchange }: Algorithms): number[] => keyExchange.filter((id) => id !== Ke.NONE);

/** RFC 7296 §3.3: AEADs and other ciphers cannot stand in one proposal, since only the others go with an integrity transform. */
function proposals(protocol: number, spi: Bytes, { encryption, integrity }: Algorithms, rest: readonly Transform[]): Proposal[] {
  const aeads = encryption.filter(({ id }) => AEADS.has(id)).map(encryptionTransform);
  const others = encryption.filter(({ id }) => !AEADS.has(id)).map(encryptionTransform);
  const sets = [
    ...(aeads.length > 0 ? [[...aeads, ...rest]] : []),
    ...(others.length > 0 && integrity.length > 0 ? [[...others, ...transforms(TransformType.INTEG, integrity), ...rest]] : []),
  ];
  const aeadFirst = encryption[0] === undefined || AEADS.has(encryption[0].id);
  return (aeadFirst ? sets : sets.reverse()).map((set, at) => ({ number: at + 1, protocol, spi, transforms: set }));
}

const transforms = (type: number, ids: readonly number[]): Transform[] => ids.map((id) => ({ type, id }));

const encryptionTransform = ({ id, keyBits }: Cipher): Transform => ({
  type: TransformType.ENCR,
  id,
  ...(keyBits !== 0 && { keyBits }), // RFC 7634 §5: no Key Length for ChaCha20
});

interface Cipher {
  readonly id: number;
  readonly keyBits: number;
}

/** What may be chosen of a transform type, most wanted first; 0 where "none" will do. */
interface Demand {
  readonly type: number;
  readonly ids: readonly number[];
}

interface Match {
  readonly proposal: Proposal;
  /** Position in our preferences per demand: the lower, the better, earlier demands first. */
  readonly rank: readonly number[];
}

function choose(
  offered: readonly Proposal[],
  protocol: number,
  { encryption, integrity }: Algorithms,
  rest: readonly Demand[],
): { proposal: Proposal } | undefined {
  const types = new Set<number>([TransformType.ENCR, TransformType.INTEG, ...rest.map(({ type }) => type)]);
  // RFC 7296 §3.3.6: a proposal with a transform type that we do not understand is unacceptable.
  const usable = offered.filter((one) => one.protocol === protocol && one.transforms.every(({ type }) => types.has(type)));
  for (const cipher of encryption) {
    const demands = [{ type: TransformType.INTEG, ids: AEADS.has(cipher.id) ? [Integ.NONE] : integrity.filter(isReal) }, ...rest];
    const [best] = usable.flatMap((one) => match(one, cipher, demands) ?? []).sort(byRank);
    if (best) return { proposal: best.proposal };
  }
  return undefined;
}

const isReal = (id: number): boolean => id !== Integ.NONE;

function match(proposal: Proposal, cipher: Cipher, demands: readonly Demand[]): Match | undefined {
  const encr = proposal.transforms.find((transform) => isCipher(transform, cipher));
  if (encr === undefined) return undefined;
  const picks = demands.map((demand) => pick(proposal, demand));
  if (!picks.every((one) => one !== undefined)) return undefined;
  const chosen = picks.flatMap(({ transform }) => transform ?? []);
  const { number, protocol, spi } = proposal;
  return { proposal: { number, protocol, spi, transforms: [encr, ...chosen] }, rank: picks.map(({ rank }) => rank) };
}

function pick(
  { transforms: given }: Proposal,
  { type, ids }: Demand,
): { transform: Transform | undefined; rank: number } | undefined {
  const ofType = given.filter((transform) => transform.type === type);
  // Leaving an optional type out is offering NONE.
  if (ofType.length === 0)
    return OPTIONAL.has(type) && ids.includes(0) ? { transform: undefined, rank: ids.indexOf(0) } : undefined;
  for (const [rank, id] of ids.entries()) {
    const transform = ofType.find((one) => one.id === id && isUnderstood(one) && one.keyBits === undefined);
    if (transform) return { transform, rank };
  }
  return undefined;
}

/** RFC 7296 §3.3.3; ESN is mandatory for ESP. */
const OPTIONAL: ReadonlySet<number> = new Set([TransformType.INTEG, TransformType.KE]);

/** RFC 7296 §3.3.6: a transform with an attribute that we do not understand is unacceptable. */
const isUnderstood = ({ unknownAttributes }: Transform): boolean => unknownAttributes === undefined;

/** RFC 7296 §3.3.5: a cipher of several key lengths must name one, a cipher of a fixed length must not. */
const isCipher = (transform: Transform, { id, keyBits }: Cipher): boolean =>
  transform.type === TransformType.ENCR && transform.id === id && (transform.keyBits ?? 0) === keyBits && isUnderstood(transform);

function byRank(left: Match, right: Match): number {
  for (const [at, rank] of left.rank.entries()) {
    const difference = rank - (right.rank[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const preferred = (groups: readonly number[], first: number | undefined): readonly number[] =>
  first !== undefined && groups.includes(first) ? [first, ...groups.filter((id) => id !== first)] : groups;

function accepted(answer: readonly Proposal[], offered: readonly Proposal[]): Proposal {
  const [only, ...others] = answer;
  // RFC 7296 §2.7, §3.3.1: one proposal, with the number that it had in the offer.
  if (only === undefined || others.length > 0) throw inconsistent(`${answer.length} proposals`);
  const offer = offered.find(({ number }) => number === only.number);
  if (offer?.protocol !== only.protocol || offer.spi.length !== only.spi.length) throw inconsistent('another proposal');
  const types = only.transforms.map(({ type }) => type);
  if (new Set(types).size !== types.length) throw inconsistent('two transforms of a type');
  if (!only.transforms.every((one) => offer.transforms.some((ours) => sameTransform(ours, one))))
    throw inconsistent('another transform');
  if (!offer.transforms.every(({ type }) => types.includes(type) || offersNone(offer, type)))
    throw inconsistent('no transform of a type');
  return only;
}

const offersNone = ({ transforms: ours }: Proposal, type: number): boolean =>
  OPTIONAL.has(type) && ours.some((transform) => transform.type === type && transform.id === 0);

const sameTransform = (ours: Transform, theirs: Transform): boolean =>
  ours.type === theirs.type && ours.id === theirs.id && ours.keyBits === theirs.keyBits && isUnderstood(theirs);

const inconsistent = (what: string): ProtocolError =>
  new ProtocolError('abort', Notify.NO_PROPOSAL_CHOSEN, `the answer is not what was offered: ${what}`);

function ikeSuite(proposal: Proposal): IkeSuite {
  const { encr, keyBits, integ, ke } = baseSuite(proposal);
  return { encr, keyBits, integ, prf: idOf(proposal, TransformType.PRF), ke };
}

const espSuite = (proposal: Proposal): EspSuite => ({
  ...baseSuite(proposal),
  esn: idOf(proposal, TransformType.ESN) === Esn.ESN,
});

const baseSuite = (proposal: Proposal): Omit<EspSuite, 'esn'> => ({
  encr: idOf(proposal, TransformType.ENCR),
  keyBits: proposal.transforms.find(({ type }) => type === TransformType.ENCR)?.keyBits ?? 0,
  integ: idOf(proposal, TransformType.INTEG),
  ke: idOf(proposal, TransformType.KE),
});

const idOf = ({ transforms: chosen }: Proposal, wanted: number): number => chosen.find(({ type }) => type === wanted)?.id ?? 0;

const espSpi = (spi: Bytes): number => new Reader(spi).u32();

/** RFC 4303 §2.1: 0 to 255 are reserved. */
const isEspSpi = (spi: Bytes): boolean => spi.length === 4 && espSpi(spi) > 255;
