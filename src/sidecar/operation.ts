// What stands beside the path of an exchange: the state of the process, the health of the apps, and the admin server that
// tells of both. It decides nothing itself.

import { type Admin, createAdmin } from '../admin/admin.ts';
import { createProbes } from '../admin/probes/probes.ts';
import type { Config } from '../config/config.ts';
import { describeGiven } from '../config/given.ts';
import type { Clock } from '../exchange.ts';
import { createLifecycle, type Lifecycle } from '../lifecycle/lifecycle.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { type Apps, watchApps } from './apps.ts';
import { type BuiltIn, NO_APPS } from './built-in.ts';
import type { Certificates } from './certificates.ts';
import type { Settings } from './settings.ts';

export type Operation = { readonly lifecycle: Lifecycle; readonly apps: Apps; readonly admin: Admin };

export type OperationOptions = {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly version: string;
  readonly clock: Clock;
  readonly now: () => Date;
  readonly certificates: Certificates;
  readonly settings: Settings;
  readonly builtIn: BuiltIn | undefined;
  /** As of AdminOptions. */
  readonly drain: () => Promise<void> | undefined;
};

/** The admin server does not listen yet. */
export function createOperation(config: Config, options: OperationOptions): Operation {
  const { log, metrics, version, clock, now, certificates, settings, builtIn, drain } = options;
  const { identity, clients } = certificates;
  const lifecycle = createLifecycle((state) => {
    metrics.draining.set(state === 'draining' ? 1 : 0);
    log.info({ state }, 'state');
  });
  const apps = builtIn === undefined ? watchApps(config, log, clock) : NO_APPS;
  metrics.tellReadinessWith(() => ({ appUp: apps.areUp, ready: apps.areUp && lifecycle.state === 'ready' }));
  const configuration = (): object => {
    const { config, given, file = null } = settings.inForce;
    return { file, options: describeGiven(config, given) };
  };
  const about = { version, now, pairs: identity.pairs, trust: clients.shared, configuration };
  const probes = createProbes(config.probe, clock);
  const admin = createAdmin({ state: () => lifecycle.state, apps: apps.named, metrics, about, probes, clock, drain });
  return { lifecycle, apps, admin };
}
