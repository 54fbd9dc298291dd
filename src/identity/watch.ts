// WHEN to look at the files again. Events are only hints (editors, kubelets and cp cause different ones, network and
// FUSE mounts none), so a slow poll stands behind them. A watch that failed, or whose directory was replaced, is set up
// anew. It never reads or parses the files.

import { type FSWatcher, watch as watchPaths } from 'chokidar';
import { errorCode } from '../errors.ts';
import { directoriesOnTheWay, fingerprintOf } from './disk/directories.ts';

export type WatchObserver = {
  /** The system does not tell of changes (any more); called once for each kind of error. The poll goes on. */
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

/** A swap is a burst of events; one look after it is enough, but it does not wait for ever. */
const SETTLE_MS = 100;
const MAX_SETTLE_MS = 500;
const FIRST_RETRY_MS = 250;
/** Where events fail, a change is still seen within twice this. */
const POLL_MS = 5000;

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
    eyes.keepOpen();
  };
  const hint = (): void => {
    retryMs = FIRST_RETRY_MS;
    const nowMs = performance.now();
    if (settling === undefined) settleByMs = nowMs + MAX_SETTLE_MS;
    clearTimeout(settling);
    settling = setTimeout(look, Math.max(0, Math.min(SETTLE_MS, settleByMs - nowMs)));
  };
  const eyes = openEyes(paths, hint, observer);
  const poll = setInterval(look, POLL_MS);
  return {
    async close() {
      clearInterval(poll);
      clearTimeout(settling);
      clearTimeout(retry);
      await eyes.close();
    },
  };
}

/** The watch of the system, on the directories that decide at the moment. */
function openEyes(paths: readonly string[], onEvent: () => void, observer: WatchObserver) {
  let told = '';
  let failed = false;
  let armed = '';
  let watcher: FSWatcher | undefined;
  const arm = (directories: readonly string[]): void => {
    armed = directories.map(fingerprintOf).join('\n');
    failed = false;
    // Everything in them is ignored, which leaves one handle a directory; its raw events tell of its entries.
    const opened = watchPaths([...directories], {
      depth: 0,
      ignoreInitial: true,
      followSymlinks: false,
      ignored: (path) => !directories.includes(path),
    });
    opened.on('raw', () => {
      told = '';
      if (watcher === opened) onEvent();
    });
    opened.on('error', (error) => {
      if (watcher !== opened) return;
      failed = true;
      if (told !== errorCode(error)) observer.failed(error);
      told = errorCode(error);
    });
    watcher = opened;
  };
  arm(directoriesOnTheWay(paths));
  return {
    keepOpen(): void {
      const directories = directoriesOnTheWay(paths);
      const moved = directories.map(fingerprintOf).join('\n') !== armed;
      if (!failed && !moved) return;
      const why = failed ? 'failed' : 'moved';
      void watcher?.close();
      arm(directories);
      observer.rearmed(why);
      // What changed before the new watch stood is found by a look.
      if (why === 'moved') onEvent();
    },
    close: async () => watcher?.close(),
  };
}
