/** Text from outside, as part of a sentence: of one line, without its full stop, not too long. */
export function sentence(text: string): string {
  const printable = text
    .replaceAll(/[^\P{C}]+/gu, ' ')
    .trim()
    .replace(/\.$/, '');
  return printable.length > LONGEST ? `${printable.slice(0, LONGEST)}…` : printable;
}

const LONGEST = 300;
