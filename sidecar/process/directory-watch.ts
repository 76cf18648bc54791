/** Tells that something in a directory may have changed: at once where the system says so, and every few seconds in any case. */
import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';

/** Several events make one change: a kubelet or an editor takes more than one step. */
const SETTLE_MS = 100;
/** For file systems without events, and for directories that come later or are replaced. */
const POLL_MS = 5_000;

export interface DirectoryWatch {
  close(): void;
}

export function watchDirectory(directory: string, changed: () => void): DirectoryWatch {
  let watcher: FSWatcher | undefined;
  let inode: number | undefined;
  let settling: NodeJS.Timeout | undefined;
  let closed = false;

  const settle = (): void => {
    settling ??= setTimeout(() => {
      settling = undefined;
      changed();
    }, SETTLE_MS);
  };
  const forget = (): void => {
    watcher?.close();
    watcher = undefined;
    inode = undefined;
  };
  /** The same path may be another directory by now. */
  const renew = async (): Promise<void> => {
    const current = await stat(directory).then(
      ({ ino }) => ino,
      () => undefined,
    );
    if (closed || (watcher && current === inode)) return;
    forget();
    if (current === undefined) return;
    watcher = open(directory, settle, forget);
    inode = current;
  };

  void renew();
  const poll = setInterval(() => {
    void renew();
    changed();
  }, POLL_MS);
  return {
    close() {
      closed = true;
      clearInterval(poll);
      clearTimeout(settling);
      forget();
    },
  };
}

/** Undefined when the system has no watch left for us; polling goes on. */
function open(directory: string, changed: () => void, failed: () => void): FSWatcher | undefined {
  try {
    return watch(directory, { persistent: false }, changed).on('error', failed);
  } catch {
    return undefined;
  }
}
