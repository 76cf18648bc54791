/** Reads `/metrics`. */

/** The sum over all series of `rekindle_${name}` that have these labels. */
export function sumOf(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  const lines = text.split('\n').filter((line) => new RegExp(`^rekindle_${name}[{ ]`).test(line));
  const fitting = lines.filter((line) => Object.entries(labels).every(([key, value]) => line.includes(`${key}="${value}"`)));
  return fitting.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
