/** Times and spans of time as custom resources write them. */

const SPAN = /^(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

/** Milliseconds of `1h30m`; the schema has seen to its form. */
export function parseSpan(text: string): number {
  const [, hours = '0', minutes = '0', seconds = '0'] = SPAN.exec(text) ?? [];
  return (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1_000;
}

/** Milliseconds since the epoch of an RFC 3339 time, undefined for anything else. */
export function parseTime(text: string): number | undefined {
  const ms = TIME.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

/** RFC 3339 in UTC, to the second as Kubernetes writes it. */
export const formatTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
