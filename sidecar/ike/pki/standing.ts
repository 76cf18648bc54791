/** What is known of a certificate's revocation, and for how long a word about it counts. */
import { type Instant, later } from '../sa.ts';

export type Standing = 'good' | 'revoked';

/** Clocks of issuers may be ahead of ours by this much. */
const SKEW_MS = 300_000;

/** Without a next update nothing says how old it may be. */
export const isFresh = (
  word: { readonly thisUpdate: Instant; readonly nextUpdate: Instant | undefined },
  now: Instant,
): boolean => word.thisUpdate <= later(now, SKEW_MS) && word.nextUpdate !== undefined && now <= word.nextUpdate;
