// The composition root: builds the parts in the order of the picture and joins them. It decides nothing itself.

import { createAdmin } from './admin/admin.ts';
import { createAppHealth } from './admin/health.ts';
import { openClients } from './clients.ts';
import type { Config } from './config/config.ts';
import { upstreamName } from './forward/forward.ts';
import { openIdentity } from './identity/identity.ts';
import { watchFiles } from './identity/watch.ts';
import { drain } from './lifecycle/drain.ts';
import { createLifecycle } from './lifecycle/lifecycle.ts';
import { LINGER_MS, MAX_FIELDS } from './listener/limits.ts';
import { createListener } from './listener/listener.ts';
import type { LogOutput } from './log.ts';
import type { Metrics } from './metrics/metrics.ts';
import { observeConnections, observeExchanges, observeIdentity, observeTrust } from './observe.ts';
import { createPipeline } from './pipeline/pipeline.ts';
import { createPolicies } from './pipeline/policies.ts';
import { openOrExplain } from './ports.ts';
import { createSettings } from './reload.ts';
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

/** Throws a ConfigError when the certificate cannot be served or a port cannot be had. */
export async function startSidecar(
  config: Config,
  { output, metrics, version, reread }: Surroundings,
): Promise<Sidecar> {
  const { log } = output;
  const clock = (): number => performance.now();
  const now = (): Date => new Date();

  const clients = openClients(config, { log, now, observer: observeTrust(log, metrics, now) });
  const { shared } = clients;
  const settings = createSettings({ config, reread, clients, log });
  const identity = openIdentity({
    paths: config,
    shared: shared.current,
    now,
    observer: observeIdentity(log, metrics, config.cert, now),
  });

  const { upstream, upstreamProtocol } = config;
  const forwarder = await openForwarder(config, clock);
  const appAuthority = upstream.kind === 'tcp' ? upstreamName(upstream) : 'localhost';
  const pipeline = createPipeline({
    policies: createPolicies({ appAuthority, admission: clients.admission }),
    onward: forwarder,
    observer: observeExchanges({ log, metrics, settings, clock }),
    now,
  });
  const listener = createListener({
    tls: identity.current.tls,
    handler: pipeline,
    limits: {
      handshakeTimeoutMs: config.handshakeTimeout,
      headerTimeoutMs: config.headerTimeout,
      clientTimeoutMs: config.clientTimeout,
      idleTimeoutMs: config.idleTimeout,
      maxHeaderBytes: config.maxHeaderSize,
      maxFields: MAX_FIELDS,
      lingerMs: LINGER_MS,
    },
    clock,
    http2: config.http2,
    clientCertificates: clients.certificates,
    observer: observeConnections(log, metrics),
  });
  metrics.countConnectionsWith((protocol) => listener.connections.countOf(protocol));
  identity.onChange((served) => listener.setTls(served.tls));
  shared.publishTo(identity.rebuild);
  const reloadTrust = (): void => void (shared.reload() && listener.retireVerified());

  const lifecycle = createLifecycle((state) => {
    metrics.draining.set(state === 'draining' ? 1 : 0);
    log.info({ state }, 'state');
  });
  const health = createAppHealth(upstream, config.upstreamConnectTimeout, clock);
  const admin = createAdmin({ state: () => lifecycle.state, app: health, metrics });

  const listen = await openOrExplain('--listen', config.listen, listener.open);
  const adminAddress = config.admin === 'off' ? 'off' : await openOrExplain('--admin', config.admin, admin.open);
  const watch = watchFiles({
    paths: [config.cert, config.key, ...(config.clientCa === undefined ? [] : [config.clientCa])],
    onHint() {
      identity.reload();
      reloadTrust();
    },
    onError: (error) => log.warn({ err: error }, 'watching the certificate failed; polling goes on'),
  });
  lifecycle.advance('ready');
  const { subject, names, notAfter } = identity.current.bundle;
  const certificate = { subject, names, notAfter };
  const { forwarder: carries } = config;
  const served = {
    listen,
    admin: adminAddress,
    upstream: upstreamName(upstream),
    upstreamProtocol: upstream.kind === 'tcp' && upstream.h2c ? 'h2c' : upstreamProtocol,
    forwarder: carries,
    certificate,
  };
  log.info({ ...served, version, node: process.version }, 'serving');

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
      await watch.close();
      clients.close();
      admin.close();
      lifecycle.advance('stopped');
      log.info({ cut }, 'stopped');
    },
  };
}
