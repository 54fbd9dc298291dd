// The path of an exchange, made from the configuration: the listener hands it to the pipeline, that to the forwarder. It
// decides nothing itself.

import type { WatchedApp } from '../admin/health.ts';
import type { Config } from '../config/config.ts';
import type { Clock } from '../exchange.ts';
import { upstreamName } from '../forward/upstream.ts';
import type { Listener } from '../listener/listener.ts';
import { AddressList } from '../net/addresses.ts';
import { Budget } from '../net/budget.ts';
import type { Capacity } from '../net/capacity.ts';
import { Deadlines } from '../net/deadlines.ts';
import { observeConnections } from '../observe/connections.ts';
import { observeExchanges } from '../observe/exchanges.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { createPipeline } from '../pipeline/pipeline.ts';
import { createPolicies } from '../pipeline/policies.ts';
import { planCapacity } from './capacity.ts';
import type { Certificates } from './certificates.ts';
import { makeListener } from './downstream.ts';
import type { Settings } from './settings.ts';
import { openForwarder } from './upstream.ts';

export interface Path {
  readonly listener: Listener;
  readonly capacity: Capacity;
  /** Cuts what is left and says how many connections that were. */
  stop(): number;
}

export type PathOptions = {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings: Settings;
  readonly certificates: Certificates;
  readonly clock: Clock;
  readonly now: () => Date;
  readonly health: WatchedApp;
};

/** The listener does not listen yet. */
export async function makePath(config: Config, options: PathOptions): Promise<Path> {
  const { log, metrics, settings, certificates, clock, now, health } = options;
  const { identity, clients } = certificates;
  const { upstream, plaintext } = config;
  const capacity = planCapacity(config);
  const deadlines = new Deadlines(clock);
  const budget = new Budget({ bytes: capacity.heldBytes, percent: config.maxClientShare });
  const observer = observeExchanges({ log, metrics, settings, clock, plaintext, appRefused: health.refused });
  const crashed = (error: unknown): void => observer.internalError(undefined, error);
  const maxConnections = capacity.upstreamConnections;
  const shareRefused = (): void => metrics.client_share_refused_total.inc();
  const forwarder = await openForwarder(config, {
    clock,
    deadlines,
    crashed,
    maxConnections,
    shareRefused,
    account: budget.shared,
  });
  const appAuthority = upstream.kind === 'tcp' ? upstreamName(upstream) : 'localhost';
  const trusted = new AddressList(config.trustForwarded);
  const pipeline = createPipeline({
    policies: createPolicies({ appAuthority, plaintext, trusted, admission: clients.admission }),
    forwarder,
    observer,
    now,
  });
  const listener = makeListener(config, {
    tls: identity.tls,
    handler: pipeline,
    clientCertificates: clients.certificates,
    clock,
    deadlines,
    maxConnections: capacity.connections,
    budget,
    observer: observeConnections(log, metrics, clock),
  });
  metrics.countHeldWith(() => budget.held);
  metrics.connections_max.set(capacity.connections);
  metrics.countConnectionsWith((protocol) => listener.connections.countOf(protocol));
  identity.onChange(listener.setTls);
  certificates.onClientCaChanged(listener.revokeVerified);
  return {
    listener,
    capacity,
    stop() {
      const cut = listener.stop();
      forwarder.close();
      deadlines.close();
      return cut;
    },
  };
}
