// WHEN to look at the files again. Events are only hints (editors, kubelets and cp cause different ones, network and
// FUSE mounts none), so a slow poll stands behind them. It never reads or parses the files.

import { dirname } from 'node:path';
import { watch as watchPaths } from 'chokidar';

export type WatchOptions = {
  readonly paths: readonly string[];
  readonly onHint: () => void;
  readonly onError: (error: unknown) => void;
};

export interface Watch {
  close(): Promise<void>;
}

/** A swap is a burst of events; one look after it is enough. */
const SETTLE_MS = 100;
/** Where events fail, a change is still seen within twice this. */
const POLL_MS = 5000;

/** Watches the directories, not the files: a file's own inode is replaced by every swap. */
export function watchFiles({ paths, onHint, onError }: WatchOptions): Watch {
  let settling: NodeJS.Timeout | undefined;
  const hint = (): void => {
    clearTimeout(settling);
    settling = setTimeout(onHint, SETTLE_MS);
  };
  const directories = [...new Set(paths.map((path) => dirname(path)))];
  const watcher = watchPaths(directories, {
    depth: 0,
    ignoreInitial: true,
    followSymlinks: false,
    ignorePermissionErrors: true,
  });
  watcher.on('all', hint);
  watcher.on('error', onError);
  const poll = setInterval(onHint, POLL_MS);
  return {
    async close() {
      clearTimeout(settling);
      clearInterval(poll);
      await watcher.close();
    },
  };
}
