/** The choice among offered proposals by our order of preference (RFC 7296 §3.3.3, §3.3.6); for IKE and ESP alike. */
import type { Algorithms } from '../contract/gateway-config.ts';
import type { Proposal, Transform } from './wire/payload.ts';
import { Encr, Integ, Ke, TransformType } from './wire/registry.ts';

/** RFC 9370: further key exchanges, in the order in which they take place. */
export const ADDITIONAL: readonly number[] = [
  TransformType.ADDKE1,
  TransformType.ADDKE2,
  TransformType.ADDKE3,
  TransformType.ADDKE4,
  TransformType.ADDKE5,
  TransformType.ADDKE6,
  TransformType.ADDKE7,
];

/** These need no integrity transform beside them. */
export const AEADS: ReadonlySet<number> = new Set([Encr.AES_GCM_8, Encr.AES_GCM_12, Encr.AES_GCM_16, Encr.CHACHA20_POLY1305]);

/** `keyBits` is 0 where the cipher has one key length only. */
export interface Cipher {
  readonly id: number;
  readonly keyBits: number;
}

/** What may be chosen of a transform type, most wanted first; 0 where "none" will do. */
export interface Demand {
  readonly type: number;
  readonly ids: readonly number[];
}

interface Match {
  readonly proposal: Proposal;
  /** Position in our preferences per demand: the lower, the better, earlier demands first. */
  readonly rank: readonly number[];
}

/** The best match: by cipher, then by the demands in their order, then as the peer wants it. */
export function choose(
  offered: readonly Proposal[],
  protocol: number,
  { encryption, integrity }: Algorithms,
  rest: readonly Demand[],
  additional: Algorithms['additionalKeyExchange'],
): { proposal: Proposal } | undefined {
  const types = new Set<number>([TransformType.ENCR, TransformType.INTEG, ...rest.map(({ type }) => type), ...ADDITIONAL]);
  // RFC 7296 §3.3.6: a proposal with a transform type that we do not understand is unacceptable.
  const usable = offered.filter((one) => one.protocol === protocol && one.transforms.every(({ type }) => types.has(type)));
  for (const cipher of encryption) {
    const demands = [{ type: TransformType.INTEG, ids: AEADS.has(cipher.id) ? [Integ.NONE] : integrity.filter(isReal) }, ...rest];
    const [best] = usable.flatMap((one) => match(one, cipher, demands, additional) ?? []).sort(byRank);
    if (best) return { proposal: best.proposal };
  }
  return undefined;
}

const isReal = (id: number): boolean => id !== Integ.NONE;

function match(
  proposal: Proposal,
  cipher: Cipher,
  demands: readonly Demand[],
  additional: Algorithms['additionalKeyExchange'],
): Match | undefined {
  const encr = proposal.transforms.find((transform) => isCipher(transform, cipher));
  if (encr === undefined) return undefined;
  const picks = demands.map((demand) => pick(proposal, demand));
  if (!picks.every((one) => one !== undefined)) return undefined;
  const further = pickAdditional(proposal, additional, 0, []);
  if (!further) return undefined;
  const all = [...picks, ...further];
  const chosen = all.flatMap(({ transform }) => transform ?? []);
  const { number, protocol, spi } = proposal;
  // A key exchange that a quantum computer does not break is worth more than a wish among the others.
  const rank = [...further, ...picks].map((one) => one.rank);
  return { proposal: { number, protocol, spi, transforms: [encr, ...chosen] }, rank };
}

interface Pick {
  readonly transform: Transform | undefined;
  readonly rank: number;
}

/** RFC 9370 §2.2.1: the choice "MUST NOT contain duplicated algorithms", but NONE; where the first wishes would, later ones do. */
function pickAdditional(
  proposal: Proposal,
  additional: Algorithms['additionalKeyExchange'],
  round: number,
  taken: readonly number[],
): readonly Pick[] | undefined {
  const type = ADDITIONAL[round];
  if (type === undefined) return [];
  for (const [rank, id] of [...additional, Ke.NONE].entries()) {
    const picked = id !== Ke.NONE && taken.includes(id) ? undefined : pick(proposal, { type, ids: [id] });
    const rest = picked && pickAdditional(proposal, additional, round + 1, [...taken, id]);
    if (picked && rest) return [{ ...picked, rank }, ...rest];
  }
  return undefined;
}

function pick({ transforms: given }: Proposal, { type, ids }: Demand): Pick | undefined {
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

/** RFC 7296 §3.3.3, RFC 9370 §2.2.1; ESN is mandatory for ESP. */
export const OPTIONAL: ReadonlySet<number> = new Set([TransformType.INTEG, TransformType.KE, ...ADDITIONAL]);

/** RFC 7296 §3.3.6: a transform with an attribute that we do not understand is unacceptable. */
export const isUnderstood = ({ unknownAttributes }: Transform): boolean => unknownAttributes === undefined;

/** RFC 7296 §3.3.5: a cipher of several key lengths must name one, a cipher of a fixed length must not. */
const isCipher = (transform: Transform, { id, keyBits }: Cipher): boolean =>
  transform.type === TransformType.ENCR &&
  transform.id === id &&
  transform.keyBits === (keyBits === 0 ? undefined : keyBits) &&
  isUnderstood(transform);

function byRank(left: Match, right: Match): number {
  for (const [at, rank] of left.rank.entries()) {
    const difference = rank - (right.rank[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
