/** Packets that the kernel dropped on the way through XFRM, from /proc/net/xfrm_stat, under the names that the user-space data plane has for them. */
import { readFile } from 'node:fs/promises';
import type { DropReason } from '../dataplane.ts';

const REASONS: Readonly<Record<string, DropReason>> = {
  XfrmInNoStates: 'unknown-spi',
  XfrmInHdrError: 'malformed',
  XfrmInStateSeqError: 'replay',
  XfrmInStateProtoError: 'authentication',
  XfrmInStateMismatch: 'selector',
  XfrmInTmplMismatch: 'selector',
  XfrmInNoPols: 'selector',
  XfrmOutNoStates: 'no-child',
  XfrmOutStateSeqError: 'exhausted',
  XfrmOutStateExpired: 'exhausted',
};

/** Since this network came to be; empty where the kernel does not count. */
export async function readDrops(): Promise<Readonly<Record<string, number>>> {
  return parseDrops(await readFile('/proc/net/xfrm_stat', 'utf8').catch(() => ''));
}

export function parseDrops(text: string): Readonly<Record<string, number>> {
  const drops: Record<string, number> = {};
  for (const [, name = '', count] of text.matchAll(/^(\w+)\s+(\d+)$/gm)) {
    const reason = REASONS[name];
    if (reason) drops[reason] = (drops[reason] ?? 0) + Number(count);
  }
  return drops;
}
