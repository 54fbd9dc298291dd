// When to look at the files again. Events are only hints (editors, kubelets and cp cause different ones, network and
// FUSE mounts none), so there is a slow poll as well. A watch that failed, or whose directory was replaced, is set up
// anew. It never reads or parses the files.

import { type FSWatcher, watch as watchPaths } from 'chokidar';
import { errorCode } from '../errors.ts';
import { directoriesOnTheWay, fingerprintOf } from './disk/directories.ts';

export type WatchObserver = {
  /** The system no longer reports changes; called once for each kind of error. Polling goes on. */
  failed(error: unknown): void;
  /** The watch was set up anew. */
  rearmed(why: 'failed' | 'moved'): void;
};

export type WatchOptions = {
  readonly paths: readonly string[];
  /** Looks at the files. False: they hold something that is not served; it is asked again soon, then less often. */
  readonly onHint: () => boolean;
  readonly observer: WatchObserver;
};

export interface Watch {
  close(): Promise<void>;
}

/** A swap is a burst of events: one look after it is enough, but not later than this. */
const SETTLE_MS = 100;
const MAX_SETTLE_MS = 500;
const FIRST_RETRY_MS = 250;
/** Without events, a change is still seen within twice this. */
export const POLL_MS = 5000;

/** Watches directories, not the files: a file's own inode is replaced by every swap. */
export function watchFiles({ paths, onHint, observer }: WatchOptions): Watch {
  let settling: NodeJS.Timeout | undefined;
  let settleByMs = 0;
  let retry: NodeJS.Timeout | undefined;
  let retryMs = FIRST_RETRY_MS;
  const look = (): void => {
    clearTimeout(settling);
    clearTimeout(retry);
    settling = undefined;
    if (onHint()) {
      retryMs = FIRST_RETRY_MS;
    } else {
      retry = setTimeout(look, retryMs);
      retryMs = Math.min(2 * retryMs, POLL_MS);
    }
    watcher.renew();
  };
  const hint = (): void => {
    retryMs = FIRST_RETRY_MS;
    const nowMs = performance.now();
    if (settling === undefined) settleByMs = nowMs + MAX_SETTLE_MS;
    clearTimeout(settling);
    settling = setTimeout(look, Math.max(0, Math.min(SETTLE_MS, settleByMs - nowMs)));
  };
  const watcher = watchDirectories(paths, hint, observer);
  const poll = setInterval(look, POLL_MS);
  return {
    async close() {
      clearInterval(poll);
      clearTimeout(settling);
      clearTimeout(retry);
      await watcher.close();
    },
  };
}

/** Events of the directories that the paths lead through at the moment. */
function watchDirectories(paths: readonly string[], onEvent: () => void, observer: WatchObserver) {
  let reported = '';
  let failed = false;
  let armed = '';
  let watcher: FSWatcher | undefined;
  const arm = (directories: readonly string[]): void => {
    armed = directories.map(fingerprintOf).join('\n');
    failed = false;
    // Everything in them is ignored, which leaves one handle per directory; raw events still report its entries.
    const opened = watchPaths([...directories], {
      depth: 0,
      ignoreInitial: true,
      followSymlinks: false,
      ignored: (path) => !directories.includes(path),
    });
    opened.on('raw', () => {
      reported = '';
      if (watcher === opened) onEvent();
    });
    // What changed before the watch stood is found by looking.
    opened.on('ready', () => {
      if (watcher === opened) onEvent();
    });
    opened.on('error', (error) => {
      if (watcher !== opened) return;
      failed = true;
      if (reported !== errorCode(error)) observer.failed(error);
      reported = errorCode(error);
    });
    watcher = opened;
  };
  arm(directoriesOnTheWay(paths));
  return {
    /** Sets the watch up anew if the directories have changed, or it had failed. */
    renew(): void {
      const directories = directoriesOnTheWay(paths);
      const moved = directories.map(fingerprintOf).join('\n') !== armed;
      if (!failed && !moved) return;
      const why = failed ? 'failed' : 'moved';
      void watcher?.close();
      arm(directories);
      observer.rearmed(why);
    },
    close: async () => watcher?.close(),
  };
}
