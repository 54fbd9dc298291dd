// How this sidecar drains, whoever asks for it: its parts, in the order of lifecycle/drain.ts. It decides one thing: a signal
// skips the delay where the app is gone, as it is when Kubernetes ends a native sidecar last.

import type { Clock } from '../exchange.ts';
import { createDrain } from '../lifecycle/drain.ts';
import type { Lifecycle } from '../lifecycle/lifecycle.ts';
import type { Apps } from './apps.ts';
import type { Path } from './path.ts';
import type { Settings } from './settings.ts';

export interface Draining {
  /** Begins, or joins what has begun; resolves when all has ended. */
  begin(): Promise<void>;
  /** The same, for a process that is told to end; resolves with how many connections were cut. */
  end(): Promise<number>;
}

export type DrainingOptions = {
  readonly path: Path;
  readonly lifecycle: Lifecycle;
  readonly settings: Settings;
  readonly apps: Pick<Apps, 'someAcceptsNow'>;
  readonly clock: Clock;
};

export function createDraining({ path, lifecycle, settings, apps, clock }: DrainingOptions): Draining {
  const { listener } = path;
  let cut = 0;
  const drain = createDrain({
    lifecycle,
    times() {
      const { drainDelay: delayMs, drainTimeout: timeoutMs } = settings.inForce.config;
      return { delayMs, timeoutMs };
    },
    clock,
    announce: listener.announce,
    finish: listener.drain,
    cut() {
      cut = path.stop();
    },
  });
  return {
    begin: drain.begin,
    async end() {
      const drained = drain.begin();
      if (settings.inForce.config.drainDelay > 0)
        void apps.someAcceptsNow().then((accepts) => accepts || drain.skipDelay());
      await drained;
      return cut;
    },
  };
}
