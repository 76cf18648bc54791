/** Before its first Ready a pod asks its siblings which key ring they have, and waits while one is ahead: else a client could come with a ticket that only we cannot open. */
import { get } from 'node:http';
import type { KeyRing } from '../contract/key-ring.ts';
import { type GatewayStatus, parseStatus } from '../contract/status.ts';

/** A sibling that answers late counts as dead. */
const ANSWER_MS = 500;
const LONGEST_STATUS = 64 * 1024;

export interface SiblingAddress {
  readonly ordinal: number;
  readonly address: string;
  readonly httpPort: number;
}

/** Ordinals of the siblings that have a later generation of the same ring; those that do not answer are not counted. */
export async function siblingsAhead(ring: KeyRing, siblings: readonly SiblingAddress[]): Promise<readonly number[]> {
  const asked = await Promise.all(siblings.map(async (sibling) => ({ sibling, status: await statusOf(sibling) })));
  return asked
    .filter(({ status }) => status?.keyRing?.ringId === ring.ringId && status.keyRing.generation > ring.generation)
    .map(({ sibling }) => sibling.ordinal);
}

async function statusOf({ ordinal, address, httpPort }: SiblingAddress): Promise<GatewayStatus | undefined> {
  const text = await fetchText(address, httpPort).catch(() => undefined);
  const parsed = text === undefined ? undefined : parseStatus(`pod ${ordinal}`, text);
  return parsed?.ok ? parsed.value : undefined;
}

function fetchText(host: string, port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  get({ host, port, path: '/status', agent: false, signal: AbortSignal.timeout(ANSWER_MS) }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (text.length > LONGEST_STATUS) response.destroy(new Error('too long'));
    });
    response.on('end', () => resolve(text)).on('error', reject);
  }).on('error', reject);
  return promise;
}
