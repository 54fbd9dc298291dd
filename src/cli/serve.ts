// The command `serve`: starts the sidecar, and stops it on a signal.

import type { Loaded } from '../config/config.ts';
import { collectWhenIdle } from '../lifecycle/idle-collection.ts';
import { onSignals } from '../lifecycle/signals.ts';
import { createLog } from '../observe/log.ts';
import { createMetrics } from '../observe/metrics.ts';
import type { BuiltIn } from '../sidecar/built-in.ts';
import { startSidecar } from '../sidecar/sidecar.ts';
import { isPatched, PATCHED } from './node-release.ts';
import { readVersion } from './version.ts';

const STOPPED = 0;
const FAILED = 1;

/**
 * `reread` reads the configuration again, or throws a ConfigError; `builtIn` answers instead of an app. Resolves with the exit
 * code of the process.
 */
export async function serve(loaded: Loaded, reread: () => Loaded, builtIn?: BuiltIn): Promise<number> {
  const version = readVersion();
  const build = { version, node: process.version, openssl: process.versions.openssl ?? '' };
  const metrics = createMetrics(build, loaded.config.admin !== 'off');
  const { logLevel: level, logFormat: format } = loaded.config;
  const output = createLog({ level, format, onDropped: () => metrics.log_lines_dropped_total.inc() });
  const { log } = output;
  try {
    return await new Promise<number>((resolve, reject) => {
      process.on('uncaughtException', (error) => {
        log.fatal({ err: error }, 'uncaught exception');
        resolve(FAILED);
      });
      const stopping = new AbortController();
      const starting = startSidecar(
        loaded,
        { output, metrics, version, reread, ...(builtIn && { builtIn }) },
        stopping.signal,
      );
      collectWhenIdle();
      starting.then((sidecar) => {
        if (sidecar !== undefined && !isPatched(process.version))
          log.warn({ node: process.version, wanted: PATCHED }, 'this Node lacks security fixes for HTTP servers');
      }, reject);
      // From the start: a signal to PID 1 of a container is lost if nobody handles it.
      onSignals({
        stop: (signal) => {
          log.info({ signal }, 'stopping');
          stopping.abort();
          starting.then((sidecar) => sidecar?.stop()).then(() => resolve(STOPPED), reject);
        },
        stopNow: () => resolve(FAILED),
        reload: () => starting.then((sidecar) => sidecar?.reload(), reject),
      });
    });
  } finally {
    await output.end();
  }
}
