/** The version of this package, as package.json has it. */
import { readFileSync } from 'node:fs';

export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const [, found] = /"version":\s*"([^"]+)"/.exec(text) ?? [];
  return found ?? 'unknown';
}
