/** Spans of time in files: `500ms`, `30s`, `15m`, `8h`; days are hours, so that nobody asks about daylight saving. */
import { type Shape, spelled } from './schema.ts';

const UNITS = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const;
const LONGEST = 10 * 365 * 24 * 3_600_000;

/** Milliseconds. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,12})(ms|s|m|h)$/.exec(text) ?? [];
  const factor = UNITS.find(([name]) => name === unit)?.[1];
  if (digits === undefined || factor === undefined) return undefined;
  const ms = Number(digits) * factor;
  return ms <= LONGEST ? ms : undefined;
}

export function formatDuration(ms: number): string {
  const [unit, factor] = (ms === 0 ? UNITS[2] : UNITS.find(([, size]) => ms % size === 0)) ?? ['ms', 1];
  return `${ms / factor}${unit}`;
}

/** Both bounds included, in milliseconds. */
export const duration = (min = 0, max = LONGEST): Shape<number> =>
  spelled({
    what: `a span of time from ${formatDuration(min)} to ${formatDuration(max)}`,
    remedy: 'write a whole number with its unit, for instance 500ms, 30s, 15m or 8h',
    parse(text) {
      const ms = parseDuration(text);
      return ms !== undefined && ms >= min && ms <= max ? ms : undefined;
    },
    format: formatDuration,
  });
