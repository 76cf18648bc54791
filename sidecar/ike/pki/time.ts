/** Times in certificates, revocation lists and OCSP responses (RFC 5280 §4.1.2.5): always with seconds and in UTC. */
import { ProtocolError } from '../error.ts';
import type { Instant } from '../sa.ts';
import { type Element, Tag } from '../wire/der.ts';

/** @throws ProtocolError (malformed). */
export function readTime({ tag, body }: Element): Instant {
  const digits = String.fromCharCode(...body.subarray(0, 32));
  const short = tag === Tag.UTC_TIME && /^\d{12}Z$/.test(digits);
  if (!short && !(tag === Tag.GENERALIZED_TIME && /^\d{14}Z$/.test(digits))) throw ProtocolError.malformed('not a time');
  // RFC 5280 §4.1.2.5.1: two digits from 50 on are of the last century.
  const whole = short ? `${digits < '50' ? '20' : '19'}${digits}` : digits;
  const field = (from: number, length = 2): number => Number(whole.slice(from, from + length));
  const [year, month, day, hour, minute, second] = [field(0, 4), field(4), field(6), field(8), field(10), field(12)];
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  if (!rollsOver(time, [month, day, hour, minute, second])) return time as Instant;
  throw ProtocolError.malformed('not a time of the calendar');
}

/** The 31st of February becomes the 3rd of March. */
function rollsOver(time: number, parts: readonly number[]): boolean {
  const date = new Date(time);
  const back = [date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()];
  return back.some((part, index) => part !== parts[index]);
}
