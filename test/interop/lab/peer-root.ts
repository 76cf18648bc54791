/** A daemon's own view of a Debian root: read-only but for the folders that it writes to, which are gone with it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { PATH } from './tools.ts';

export interface PeerRoot {
  /** A folder of the root that was unpacked. */
  readonly root: string;
  /** Where the view appears. */
  readonly at: string;
  /** Configurations, seen as /peer. */
  readonly peer: string;
  /** Folders of the root that are empty and writable. */
  readonly scratch: readonly string[];
}

const MOUNTS = `
  mount --bind "$ROOT" "$AT"
  mount -o remount,bind,ro "$AT"
  for folder in proc dev sys; do mount --rbind "/$folder" "$AT/$folder"; done
  for folder in $SCRATCH; do mount -t tmpfs -o mode=755 scratch "$AT/$folder"; done
  mount --bind "$PEER" "$AT/peer"
`;

/** Mounts live in the mount namespace of the tests and end with it. */
export function mountRoot({ root, at, peer, scratch }: PeerRoot): void {
  mkdirSync(at, { recursive: true });
  const env = { PATH, ROOT: root, AT: at, PEER: peer, SCRATCH: ['run', 'tmp', ...scratch].join(' ') };
  execFileSync('sh', ['-ec', MOUNTS], { env, stdio: 'pipe' });
}

export function unmountRoot(at: string): void {
  execFileSync('umount', ['--recursive', '--lazy', at], { env: { PATH }, stdio: 'pipe' });
}
