/** Negotiation of algorithms (RFC 7296 §2.7, §3.3): what we offer, which offer we choose, which answer we accept. */
import type { Algorithms } from '../contract/gateway-config.ts';
import type { EspSuite, IkeSuite } from './crypto/suite.ts';
import { ProtocolError } from './error.ts';
import { accepted, inconsistent } from './proposal-answer.ts';
import { ADDITIONAL, AEADS, type Cipher, choose } from './proposal-choice.ts';
import { type Bytes, EMPTY, hex, Reader, Writer } from './wire/bytes.ts';
import type { PayloadOf, Proposal, Transform } from './wire/payload.ts';
import { Esn, Ke, Notify, Protocol, TransformType } from './wire/registry.ts';

interface IkeOffering {
  /** Of the new IKE SA when this rekeys one; none in IKE_SA_INIT. */
  readonly spi?: Bytes;
  /** Proposals with a further key exchange first: a peer that knows none must pass over them (RFC 7296 §3.3.6); `only`: and nothing else. */
  readonly additional?: Additional;
}
type Additional = boolean | 'only';

export const ikeProposals = (algorithms: Algorithms, { spi = EMPTY, additional = true }: IkeOffering = {}): Proposal[] =>
  proposals(Protocol.IKE, spi, algorithms, additionalOffers(algorithms, additional), [
    ...transforms(TransformType.PRF, algorithms.prf),
    ...transforms(TransformType.KE, ikeGroups(algorithms)),
  ]);

interface EspOffering {
  /** In CREATE_CHILD_SA; RFC 7296 §1.2: in IKE_AUTH no key exchange is offered. */
  readonly pfs: boolean;
  readonly additional?: boolean;
}

/** `spi`: ours for inbound packets, 4 bytes. */
export const espProposals = (algorithms: Algorithms, spi: Bytes, { pfs, additional = true }: EspOffering): Proposal[] =>
  proposals(Protocol.ESP, spi, algorithms, pfs ? additionalOffers(algorithms, additional) : [[]], [
    ...transforms(TransformType.KE, pfs ? algorithms.keyExchange : []),
    ...transforms(TransformType.ESN, ESN_CHOICES),
  ]);

/** One further key exchange, and none at all for peers who do not know RFC 9370. */
const additionalOffers = (
  { additionalKeyExchange: methods }: Algorithms,
  wanted: Additional,
): readonly (readonly Transform[])[] =>
  wanted && methods.length > 0 ? [transforms(TransformType.ADDKE1, methods), ...(wanted === 'only' ? [] : [[]])] : [[]];

/** An IKE_SA_INIT with these proposals may need IKE_INTERMEDIATE. */
export const offersAdditional = (offered: readonly Proposal[]): boolean =>
  offered.some((one) => one.transforms.some(({ type }) => ADDITIONAL.includes(type)));

export interface ChosenIke {
  /** The answer: one transform per type, and the SPI still the peer's; the caller puts its own. */
  readonly proposal: Proposal;
  readonly suite: IkeSuite;
  /** Further key exchanges, in their order. */
  readonly additional: readonly number[];
  /** The peer's SPI for the new SA when it rekeys one (hex); empty in IKE_SA_INIT. */
  readonly peerSpi: string;
}

/**
 * By our order of preference, encryption first. `preferredKe` is the group of the peer's KE payload: it goes first among the
 * groups that both sides accept, which saves a round trip (RFC 7296 §1.2), and decides nothing else.
 */
export function chooseIke(
  offered: readonly Proposal[],
  algorithms: Algorithms,
  preferredKe?: number,
  additional: Algorithms['additionalKeyExchange'] = algorithms.additionalKeyExchange,
): ChosenIke | undefined {
  const groups = preferred(ikeGroups(algorithms), preferredKe);
  const rest = [
    { type: TransformType.PRF, ids: algorithms.prf },
    { type: TransformType.KE, ids: groups },
  ];
  const best = choose(offered, Protocol.IKE, algorithms, rest, additional);
  return (
    best && { ...best, suite: ikeSuite(best.proposal), additional: additionalOf(best.proposal), peerSpi: hex(best.proposal.spi) }
  );
}

export interface ChosenEsp {
  readonly proposal: Proposal;
  readonly suite: EspSuite;
  /** Further key exchanges, in their order; none without a first one. */
  readonly additional: readonly number[];
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
  const best = choose(
    usable,
    Protocol.ESP,
    algorithms,
    rest,
    pfs && algorithms.keyExchange.some((id) => id !== Ke.NONE) ? algorithms.additionalKeyExchange : [],
  );
  return (
    best && {
      ...best,
      suite: espSuite(best.proposal),
      additional: additionalOf(best.proposal),
      peerSpi: espSpi(best.proposal.spi),
    }
  );
}

/** RFC 7296 §1.2, §1.3: the KE payload must be of the group that was chosen. @throws ProtocolError (refuse, INVALID_KE_PAYLOAD) */
export function demandKe(chosen: number, sent: PayloadOf<'KE'> | undefined): PayloadOf<'KE'> {
  if (chosen === sent?.group) return sent;
  throw new ProtocolError('refuse', Notify.INVALID_KE_PAYLOAD, `wants group ${chosen}`, new Writer(2).u16(chosen).finish());
}

/** RFC 7296 §3.3.6: the answer must be "consistent with one of [our] proposals, and if not MUST terminate the exchange". */
export function acceptedIke(answer: readonly Proposal[], offered: readonly Proposal[]): Pick<ChosenIke, 'suite' | 'additional'> {
  const proposal = accepted(answer, offered);
  return { suite: ikeSuite(proposal), additional: distinct(additionalOf(proposal)) };
}

/** The same for a rekey, with the peer's SPI of the new SA (hex). */
export function acceptedIkeRekey(answer: readonly Proposal[], offered: readonly Proposal[]): Omit<ChosenIke, 'proposal'> {
  const proposal = accepted(answer, offered);
  return { peerSpi: hex(proposal.spi), suite: ikeSuite(proposal), additional: distinct(additionalOf(proposal)) };
}

export function acceptedEsp(answer: readonly Proposal[], offered: readonly Proposal[]): Omit<ChosenEsp, 'proposal'> {
  const proposal = accepted(answer, offered);
  if (!isEspSpi(proposal.spi)) throw inconsistent('a reserved SPI');
  return { peerSpi: espSpi(proposal.spi), suite: espSuite(proposal), additional: distinct(additionalOf(proposal)) };
}

/** Both are offered, and extended ones preferred: they last (RFC 4303 §2.2.1). */
const ESN_CHOICES = [Esn.ESN, Esn.NO_ESN];

/** An IKE SA always has a key exchange of its own. */
const ikeGroups = ({ keyExchange }: Algorithms): number[] => keyExchange.filter((id) => id !== Ke.NONE);

/** RFC 7296 §3.3: AEADs and other ciphers cannot stand in one proposal, since only the others go with an integrity transform. */
function proposals(
  protocol: number,
  spi: Bytes,
  { encryption, integrity }: Algorithms,
  additional: readonly (readonly Transform[])[],
  rest: readonly Transform[],
): Proposal[] {
  const aeads = encryption.filter(({ id }) => AEADS.has(id)).map(encryptionTransform);
  const others = encryption.filter(({ id }) => !AEADS.has(id)).map(encryptionTransform);
  const sets = [
    ...(aeads.length > 0 ? [[...aeads, ...rest]] : []),
    ...(others.length > 0 && integrity.length > 0 ? [[...others, ...transforms(TransformType.INTEG, integrity), ...rest]] : []),
  ];
  const aeadFirst = encryption[0] === undefined || AEADS.has(encryption[0].id);
  const ordered = aeadFirst ? sets : sets.reverse();
  return additional
    .flatMap((further) => ordered.map((set) => [...set, ...further]))
    .map((set, at) => ({ number: at + 1, protocol, spi, transforms: set }));
}

const transforms = (type: number, ids: readonly number[]): Transform[] => ids.map((id) => ({ type, id }));

const encryptionTransform = ({ id, keyBits }: Cipher): Transform => ({
  type: TransformType.ENCR,
  id,
  ...(keyBits !== 0 && { keyBits }), // RFC 7634 §5: no Key Length for ChaCha20
});

const preferred = (groups: readonly number[], first: number | undefined): readonly number[] =>
  first !== undefined && groups.includes(first) ? [first, ...groups.filter((id) => id !== first)] : groups;

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

const additionalOf = ({ transforms: chosen }: Proposal): number[] =>
  ADDITIONAL.flatMap((wanted) => chosen.find(({ type, id }) => type === wanted && id !== Ke.NONE)?.id ?? []);

/** RFC 9370 §2.2.1: no method twice. */
function distinct(methods: readonly number[]): readonly number[] {
  if (new Set(methods).size !== methods.length) throw inconsistent('a key exchange twice');
  return methods;
}

const idOf = ({ transforms: chosen }: Proposal, wanted: number): number => chosen.find(({ type }) => type === wanted)?.id ?? 0;

const espSpi = (spi: Bytes): number => new Reader(spi).u32();

/** RFC 4303 §2.1: 0 to 255 are reserved. */
const isEspSpi = (spi: Bytes): boolean => spi.length === 4 && espSpi(spi) > 255;
