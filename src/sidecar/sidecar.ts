// The composition root: builds the parts in the order of the picture and joins them. It decides nothing itself.

import { createAdmin } from '../admin/admin.ts';
import { createAppHealth } from '../admin/health.ts';
import type { Config } from '../config/config.ts';
import { upstreamName } from '../forward/upstream.ts';
import { pairPaths } from '../identity/files.ts';
import { openIdentity } from '../identity/identity.ts';
import { watchFiles } from '../identity/watch.ts';
import { drain } from '../lifecycle/drain.ts';
import { createLifecycle } from '../lifecycle/lifecycle.ts';
import { AddressList } from '../net/addresses.ts';
import { Deadlines } from '../net/deadlines.ts';
import { openOrExplain } from '../net/ports.ts';
import type { LogOutput } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import {
  certificateFacts,
  observeConnections,
  observeExchanges,
  observeIdentity,
  observeTrust,
  observeWatch,
} from '../observe/observe.ts';
import { createPipeline } from '../pipeline/pipeline.ts';
import { createPolicies } from '../pipeline/policies.ts';
import { planCapacity } from './capacity.ts';
import { openClients } from './clients.ts';
import { makeListener } from './downstream.ts';
import { servedFacts } from './served.ts';
import { createSettings } from './settings.ts';
import { openForwarder } from './upstream.ts';

export interface Sidecar {
  /** Resolves when what was open has ended, or the drain time-out has cut it. */
  stop(): Promise<void>;
  reload(): void;
}

export type Surroundings = {
  readonly output: LogOutput;
  readonly metrics: Metrics;
  readonly version: string;
  /** Reads the configuration again; throws a ConfigError. */
  readonly reread: () => Config;
};

/**
 * Throws a ConfigError when the certificate cannot be served or a port cannot be had. Undefined when `stopping` came
 * while it waited for a certificate.
 */
export async function startSidecar(
  config: Config,
  { output, metrics, version, reread }: Surroundings,
  stopping: AbortSignal,
): Promise<Sidecar | undefined> {
  const { log } = output;
  const clock = (): number => performance.now();
  const now = (): Date => new Date();

  const clients = openClients(config, { log, now, observer: observeTrust(log, metrics, now) });
  const { shared } = clients;
  const settings = createSettings({ config, reread, clients, log });
  const identity = openIdentity({
    pairs: pairPaths(config),
    wait: config.waitForCert,
    shared: shared.current,
    now,
    observer: observeIdentity(log, metrics, now),
  });
  shared.publishTo(identity.rebuild);
  let revokeVerified = (): void => {};
  const reloadTrust = (): void => {
    if (shared.reload()) revokeVerified();
  };
  const watch = watchFiles({
    paths: [...config.cert, ...config.key, ...(config.clientCa === undefined ? [] : [config.clientCa])],
    onHint() {
      reloadTrust();
      return identity.catchUp();
    },
    observer: observeWatch(log, metrics),
  });

  const lifecycle = createLifecycle((state) => {
    metrics.draining.set(state === 'draining' ? 1 : 0);
    log.info({ state }, 'state');
  });
  const { upstream, plaintext } = config;
  const health = createAppHealth(upstream, config.upstreamConnectTimeout, clock);
  const about = { version, now, upstream: upstreamName(upstream), pairs: identity.pairs, trust: shared };
  const admin = createAdmin({ state: () => lifecycle.state, app: health, metrics, about });
  const adminAddress = config.admin === 'off' ? 'off' : await openOrExplain('--admin', config.admin, admin.open);
  const end = async (cut: number): Promise<void> => {
    await watch.close();
    clients.close();
    admin.close();
    lifecycle.advance('stopped');
    log.info({ cut }, 'stopped');
  };
  if (!(await identity.whenServed(stopping))) {
    await end(0);
    return undefined;
  }

  const capacity = planCapacity(config);
  const exchanges = observeExchanges({ log, metrics, settings, clock, plaintext });
  const deadlines = new Deadlines(clock);
  const crashed = (error: unknown): void => exchanges.internalError(undefined, error);
  const maxConnections = capacity.upstreamConnections;
  const forwarder = await openForwarder(config, { clock, deadlines, crashed, maxConnections });
  const appAuthority = upstream.kind === 'tcp' ? upstreamName(upstream) : 'localhost';
  const trusted = new AddressList(config.trustForwarded);
  const pipeline = createPipeline({
    policies: createPolicies({ appAuthority, plaintext, trusted, admission: clients.admission }),
    forwarder,
    observer: exchanges,
    now,
  });
  const listener = makeListener(config, {
    tls: identity.tls,
    handler: pipeline,
    clientCertificates: clients.certificates,
    clock,
    deadlines,
    maxConnections: capacity.connections,
    observer: observeConnections(log, metrics, clock),
  });
  metrics.countConnectionsWith((protocol) => listener.connections.countOf(protocol));
  identity.onChange(listener.setTls);
  revokeVerified = listener.revokeVerified;

  const listen = await openOrExplain('--listen', config.listen, listener.open);
  lifecycle.advance('ready');
  const served = servedFacts(config, capacity, identity.pairs.map(certificateFacts));
  log.info({ listen, admin: adminAddress, ...served, version, node: process.version }, 'serving');

  return {
    reload() {
      if (lifecycle.state !== 'ready') return;
      identity.reload();
      reloadTrust();
      settings.reload();
    },
    async stop() {
      const stopped = await drain({
        lifecycle,
        delayMs: config.drainDelay,
        timeoutMs: config.drainTimeout,
        clock,
        appAccepts: health.acceptsNow,
        finish: listener.drain,
      });
      if (!stopped) return;
      const cut = listener.stop();
      forwarder.close();
      deadlines.close();
      await end(cut);
    },
  };
}
