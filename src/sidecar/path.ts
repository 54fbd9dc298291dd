// The path of an exchange, made from the configuration: the listener hands it to the pipeline of the address that it came in
// at, that to the forwarder of the app behind it. Everything else is shared. It decides nothing itself.

import type { Config } from '../config/config.ts';
import { upstreamPerListener, upstreamsOf } from '../config/upstreams.ts';
import type { Clock, Handler } from '../exchange.ts';
import type { Forwarder } from '../forward/forward.ts';
import { upstreamName } from '../forward/upstream.ts';
import type { Listener } from '../listener/listener.ts';
import { AddressList, type UpstreamAddress } from '../net/addresses.ts';
import { type Account, Budget } from '../net/budget.ts';
import type { Capacity } from '../net/capacity.ts';
import { ClientRates } from '../net/client-rates.ts';
import { Deadlines } from '../net/deadlines.ts';
import { type Bound, openAllOrExplain } from '../net/ports.ts';
import { observeConnections } from '../observe/connections.ts';
import { observeDefects, observeExchanges } from '../observe/exchanges.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Traces } from '../observe/traces/traces.ts';
import { createPipeline } from '../pipeline/pipeline.ts';
import { createPolicies } from '../pipeline/policies.ts';
import type { Apps } from './apps.ts';
import type { BuiltIn } from './built-in.ts';
import { planCapacity } from './capacity.ts';
import type { Certificates } from './certificates.ts';
import { makeListener } from './downstream.ts';
import type { Settings } from './settings.ts';
import { openForwarder } from './upstream.ts';

export interface Path {
  readonly listener: Listener;
  readonly capacity: Capacity;
  /** Begins to accept, on all addresses or on none: then it throws a ConfigError. */
  open(): Promise<readonly Bound[]>;
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
  readonly apps: Apps;
  readonly traces: Traces | undefined;
  /** Answers instead of an app. */
  readonly builtIn: BuiltIn | undefined;
};

/** The listener does not listen yet. */
export async function makePath(config: Config, options: PathOptions): Promise<Path> {
  const { log, metrics, certificates, clock } = options;
  const capacity = planCapacity(config);
  const deadlines = new Deadlines(clock);
  const budget = new Budget({ bytes: capacity.heldBytes, percent: config.maxClientShare });
  const forwarders = await openForwarders(config, options, deadlines, capacity.upstreamConnections, budget.shared);
  const rates = new ClientRates(clock);
  deadlines.add(rates);
  let bound: readonly Bound[] = [];
  const handlers = makeHandlers(config, options, { forwarders, rates, portOf: (at) => bound[at]?.port });
  const listener = makeListener(config, {
    tls: certificates.identity.tls,
    handlers,
    clientCertificates: certificates.clients.certificates,
    clock,
    deadlines,
    maxConnections: capacity.connections,
    budget,
    observer: observeConnections(log, metrics, clock),
  });
  metrics.countHeldWith(() => budget.held);
  metrics.connections_max.set(capacity.connections);
  metrics.countConnectionsWith((protocol) => listener.connections.countOf(protocol));
  certificates.identity.onChange(listener.setTls);
  certificates.onClientCaChanged(listener.revokeVerified);
  const stop = (): number => {
    const cut = listener.stop();
    for (const forwarder of forwarders.values()) forwarder.close();
    deadlines.close();
    return cut;
  };
  return {
    listener,
    capacity,
    async open() {
      try {
        bound = await openAllOrExplain('--listen', config.listen, listener.open);
        return bound;
      } catch (error) {
        stop();
        throw error;
      }
    },
    stop,
  };
}

type Forwarders = ReadonlyMap<UpstreamAddress, Forwarder>;

/** One for each app, however many listeners lead to it. */
async function openForwarders(
  config: Config,
  { log, metrics, clock, now, builtIn }: PathOptions,
  deadlines: Deadlines,
  maxConnections: number,
  account: Account,
): Promise<Forwarders> {
  if (builtIn !== undefined) {
    const forwarder = builtIn.create({ log, metrics, clock, now, deadlines });
    return new Map(upstreamsOf(config).map((upstream) => [upstream, forwarder]));
  }
  const defect = observeDefects(log, metrics);
  const crashed = (error: unknown): void => defect(undefined, error);
  const shareRefused = (): void => metrics.client_share_refused_total.inc();
  const opening = upstreamsOf(config).map(async (upstream) => {
    const given = { upstream, clock, deadlines, crashed, maxConnections, shareRefused, account };
    return [upstream, await openForwarder(config, given)] as const;
  });
  return new Map(await Promise.all(opening));
}

/** What the handlers have together. */
type Shared = {
  readonly forwarders: Forwarders;
  readonly rates: ClientRates;
  /** Where the listener at this place listens. */
  readonly portOf: (at: number) => number | undefined;
};

/** In the order of --listen. */
function makeHandlers(
  config: Config,
  { log, metrics, settings, certificates, clock, now, apps, traces }: PathOptions,
  { forwarders, rates, portOf }: Shared,
): readonly Handler[] {
  const { plaintext, trustForwarded } = config;
  const { admission } = certificates.clients;
  const trusted = new AddressList(trustForwarded);
  const several = config.listen.length > 1;
  return upstreamPerListener(config).map((upstream, at) => {
    const appAuthority = upstream.kind === 'tcp' ? upstreamName(upstream) : 'localhost';
    const appRefused = (): void => apps.refused(upstream);
    const port = several ? { port: () => portOf(at) } : {};
    return createPipeline({
      policies: createPolicies({
        appAuthority,
        plaintext,
        trusted,
        admission,
        limits: settings,
        rates,
        traced: traces !== undefined,
      }),
      forwarder: forwarders.get(upstream) as Forwarder,
      observer: observeExchanges({ log, metrics, settings, clock, plaintext, appRefused, traces, ...port }),
      now,
    });
  });
}
