/** Sequence numbers of ESP, 32 or 64 bits (RFC 4303 §2.2), held as exact JavaScript numbers. */

/** 2^32: what one step of the high half is worth. */
export const HALF = 0x1_0000_0000;

/** The last number that may be sent. 64 bits end here at 2^53 - 1, which no SA lives to see. */
export const LAST_SEQUENCE = { short: HALF - 1, esn: Number.MAX_SAFE_INTEGER } as const;

/** The high 32 bits, which are not sent. */
export const highHalf = (sequence: number): number => Math.floor(sequence / HALF);

/** The low 32 bits, which are. */
export const lowHalf = (sequence: number): number => sequence % HALF;
