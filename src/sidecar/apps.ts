// The addresses of the app, each watched for itself: with several listeners there may be several. It decides nothing itself.

import { createAppHealth, type NamedApp, type WatchedApp } from '../admin/health.ts';
import type { Config } from '../config/config.ts';
import { upstreamsOf } from '../config/upstreams.ts';
import type { Clock } from '../exchange.ts';
import { upstreamName } from '../forward/upstream.ts';
import type { UpstreamAddress } from '../net/addresses.ts';
import type { Log } from '../observe/log.ts';

export interface Apps {
  readonly named: readonly NamedApp[];
  /** Whether all were up when they were asked last. */
  readonly areUp: boolean;
  /** An exchange found out that this one does not accept connections. */
  refused(upstream: UpstreamAddress): void;
  /** Connects now, whatever was found a moment ago: whether there is one left to serve. */
  someAcceptsNow(): Promise<boolean>;
  close(): void;
}

export function watchApps(config: Config, log: Log, clock: Clock): Apps {
  const watched = new Map(upstreamsOf(config).map((address) => [address, watch(address, config, log, clock)]));
  const all = [...watched.values()];
  return {
    named: [...watched].map(([address, health]) => ({ name: upstreamName(address), health })),
    get areUp() {
      return all.every(({ isUp }) => isUp);
    },
    refused: (upstream) => watched.get(upstream)?.refused(),
    someAcceptsNow: async () => (await Promise.all(all.map((app) => app.acceptsNow()))).includes(true),
    close() {
      for (const app of all) app.close();
    },
  };
}

function watch(address: UpstreamAddress, config: Config, log: Log, clock: Clock): WatchedApp {
  const upstream = upstreamName(address);
  return createAppHealth(address, config.upstreamConnectTimeout, clock, {
    down: () => log.warn({ upstream }, 'the app does not accept connections'),
    up: () => log.info({ upstream }, 'the app accepts connections again'),
  });
}
