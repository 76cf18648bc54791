/** Whether the answer to an offer of algorithms is one that was offered (RFC 7296 §2.7, §3.3.6). */
import { ProtocolError } from './error.ts';
import { isUnderstood, OPTIONAL } from './proposal-choice.ts';
import type { Proposal, Transform } from './wire/payload.ts';
import { Notify } from './wire/registry.ts';

/** The one proposal of the answer. @throws ProtocolError (refuse, NO_PROPOSAL_CHOSEN) */
export function accepted(answer: readonly Proposal[], offered: readonly Proposal[]): Proposal {
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

export const inconsistent = (what: string): ProtocolError =>
  new ProtocolError('refuse', Notify.NO_PROPOSAL_CHOSEN, `the answer is not what was offered: ${what}`);
