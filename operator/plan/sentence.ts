/** Text from outside, as part of a sentence: of one line, without its full stop, not too long. */
export const sentence = (text: string): string => shortened(text, 300);

/** The same with what to do about it, which takes more words. */
export const sentenceWithRemedy = (text: string): string => shortened(text, 600);

function shortened(text: string, longest: number): string {
  const printable = text
    .replaceAll(/[^\P{C}]+/gu, ' ')
    .trim()
    .replace(/\.$/, '');
  return printable.length > longest ? `${printable.slice(0, longest)}…` : printable;
}
