/** Text from outside, as part of a sentence: of one line, without its full stop, not too long. */
export function sentence(text: string, longest: number = LONGEST): string {
  const printable = text
    .replaceAll(/[^\P{C}]+/gu, ' ')
    .trim()
    .replace(/\.$/, '');
  return printable.length > longest ? `${printable.slice(0, longest)}…` : printable;
}

const LONGEST = 300;
