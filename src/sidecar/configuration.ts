// The configuration of a running sidecar: what is to be said of it at the start, and the watch of the file of --config. It
// decides nothing itself.

import { frozenMount } from '../identity/disk/mounts.ts';
import { type Watch, watchFiles } from '../identity/watch.ts';
import type { Log } from '../observe/log.ts';
import type { Settings } from './settings.ts';

export function watchConfiguration(settings: Settings, log: Log): Watch {
  const { warnings, file } = settings.inForce;
  for (const detail of warnings) log.warn({ detail }, 'the configuration needs attention');
  if (file === undefined) return { close: async () => {} };
  const frozen = frozenMount(file);
  if (frozen !== undefined) log.warn({ detail: frozen }, 'the configuration needs attention');
  return watchFiles({
    paths: [file],
    onHint: settings.look,
    observer: {
      failed: (error) => log.warn({ err: error, file }, 'watching the configuration failed; polling goes on'),
      rearmed() {},
    },
  });
}
