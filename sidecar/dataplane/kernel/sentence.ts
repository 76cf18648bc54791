/** Text from kernel, tools and errors as one line that a message between sidecar and agent takes. */
const LONGEST = 1_000;

export function sentence(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim();
  if (line === '') return 'no reason is known';
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}
