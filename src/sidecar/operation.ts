// What stands beside the path of an exchange: the state of the process, the health of the app, and the admin server that
// tells of both. It decides nothing itself.

import { type Admin, createAdmin } from '../admin/admin.ts';
import { createAppHealth, type WatchedApp } from '../admin/health.ts';
import { createProbes } from '../admin/probes/probes.ts';
import type { Config } from '../config/config.ts';
import { describeGiven } from '../config/given.ts';
import type { Clock } from '../exchange.ts';
import { upstreamName } from '../forward/upstream.ts';
import { createLifecycle, type Lifecycle } from '../lifecycle/lifecycle.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Certificates } from './certificates.ts';
import type { Settings } from './settings.ts';

export type Operation = { readonly lifecycle: Lifecycle; readonly health: WatchedApp; readonly admin: Admin };

export type OperationOptions = {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly version: string;
  readonly clock: Clock;
  readonly now: () => Date;
  readonly certificates: Certificates;
  readonly settings: Settings;
};

/** The admin server does not listen yet. */
export function createOperation(config: Config, options: OperationOptions): Operation {
  const { log, metrics, version, clock, now, certificates, settings } = options;
  const { identity, clients } = certificates;
  const lifecycle = createLifecycle((state) => {
    metrics.draining.set(state === 'draining' ? 1 : 0);
    log.info({ state }, 'state');
  });
  const upstream = upstreamName(config.upstream);
  const health = createAppHealth(config.upstream, config.upstreamConnectTimeout, clock, {
    down: () => log.warn({ upstream }, 'the app does not accept connections'),
    up: () => log.info({ upstream }, 'the app accepts connections again'),
  });
  metrics.tellReadinessWith(() => ({ appUp: health.isUp, ready: health.isUp && lifecycle.state === 'ready' }));
  const configuration = (): object => {
    const { config, given, file = null } = settings.inForce;
    return { file, options: describeGiven(config, given) };
  };
  const about = { version, now, upstream, pairs: identity.pairs, trust: clients.shared, configuration };
  const probes = createProbes(config.probe, clock);
  const admin = createAdmin({ state: () => lifecycle.state, app: health, metrics, about, probes, clock });
  return { lifecycle, health, admin };
}
