// The composition root: makes the parts in the order of the picture, starts them and stops them. It decides nothing itself.

import type { Loaded } from '../config/config.ts';
import { openOrExplain } from '../net/ports.ts';
import { certificateFacts } from '../observe/certificates.ts';
import type { LogOutput } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { openTraces } from '../observe/traces/traces.ts';
import type { BuiltIn } from './built-in.ts';
import { openCertificates } from './certificates.ts';
import { watchConfiguration } from './configuration.ts';
import { createDraining, type Draining } from './draining.ts';
import { createOperation } from './operation.ts';
import { makePath } from './path.ts';
import { servedFacts } from './served.ts';
import { createSettings } from './settings.ts';

export interface Sidecar {
  /** Resolves when what was open has ended, or the drain time-out has cut it. */
  stop(): Promise<void>;
  reload(): void;
}

/** What the process gives to the sidecar. */
export type Runtime = {
  readonly output: LogOutput;
  readonly metrics: Metrics;
  readonly version: string;
  /** Reads the configuration again; throws a ConfigError. */
  readonly reread: () => Loaded;
  /** Answers instead of an app. */
  readonly builtIn?: BuiltIn;
};

/**
 * Throws a ConfigError when the certificate cannot be served or a port cannot be had. Undefined when `stopping` came
 * while it waited for a certificate.
 */
export async function startSidecar(
  loaded: Loaded,
  { output: { log }, metrics, version, reread, builtIn }: Runtime,
  stopping: AbortSignal,
): Promise<Sidecar | undefined> {
  const { config } = loaded;
  const clock = (): number => performance.now();
  const now = (): Date => new Date();
  const certificates = openCertificates(config, { log, metrics, now });
  const { identity, clients } = certificates;
  const settings = createSettings({ loaded, reread, clients, log });
  let draining: Draining | undefined;
  const { lifecycle, apps, admin } = createOperation(config, {
    ...{ log, metrics, version, clock, now, certificates, settings, builtIn },
    drain: () => draining?.begin(),
  });
  const stopped = (cut: number): void => {
    admin.close();
    apps.close();
    lifecycle.advance('stopped');
    log.info({ cut }, 'stopped');
  };

  const adminAddress = config.admin === 'off' ? 'off' : await openOrExplain('--admin', config.admin, admin.open);
  if (!(await identity.whenServed(stopping))) {
    await certificates.close();
    stopped(0);
    return undefined;
  }
  const traces = await openTraces(config.traceOtlp, { log, metrics, version, clock });
  const path = await makePath(config, { log, metrics, settings, certificates, clock, now, apps, traces, builtIn });
  const { capacity } = path;
  const listen = await path.open();
  draining = createDraining({ path, lifecycle, settings, apps, clock });
  lifecycle.advance('ready');
  const served = servedFacts(config, { listen, capacity, certificates: identity.pairs.map(certificateFacts), builtIn });
  log.info({ admin: adminAddress, ...served, version, node: process.version }, 'serving');
  const watch = watchConfiguration(settings, log);

  return {
    reload() {
      if (lifecycle.state !== 'ready') return;
      const certificatesChanged = certificates.reload();
      const settingsChanged = settings.reload();
      if (!certificatesChanged && !settingsChanged) log.info('nothing to reload: nothing has changed');
    },
    async stop() {
      const cut = await draining?.end();
      await Promise.all([certificates.close(), watch.close(), traces?.close()]);
      stopped(cut ?? 0);
    },
  };
}
