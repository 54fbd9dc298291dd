// The metrics, made of their table (metric-table.ts). The only import of prom-client. Each is a
// property of the metric's name; what every request counts goes through exchangeStarted() and exchangeFinished().

import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client';
import type { Exchange } from '../exchange.ts';
import { FastHistogram } from './fast-histogram.ts';
import {
  type CounterRow,
  type GaugeRow,
  METRICS,
  type MetricName,
  type MetricRow,
  PREFIX,
  SECONDS,
} from './metric-table.ts';
import { RequestCounts } from './request-counts.ts';
import { setZeros } from './zeros.ts';

/** Of open connections. */
const STATES = ['handshake', 'http/1.1', 'h2'];
/** Gauges by nature, named like counters: they would mislead every rate(). */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

export type BuildInfo = { readonly version: string; readonly node: string; readonly openssl: string };

type Made<R> = R extends CounterRow<infer L> ? Counter<L> : R extends GaugeRow<infer L> ? Gauge<L> : FastHistogram;
type Families = { readonly [N in MetricName]: Made<(typeof METRICS)[N]> };
/** Of metrics that are computed at every scrape. */
type Collectors = { readonly [N in MetricName]?: (metric: Families[N]) => void };

/** For the gauges `app_up` and `ready`. */
export type Readiness = { readonly appUp: boolean; readonly ready: boolean };

export type Metrics = ReturnType<typeof createMetrics>;

/** `ofProcess`: with those of the process, which sample the event loop 100 times a second; for who can be scraped. */
export function createMetrics(build: BuildInfo, ofProcess = true) {
  const registry = new Registry();
  if (ofProcess) collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);

  const requests = new RequestCounts();
  let countConnections: (protocol: string) => number = () => 0;
  let readiness = (): Readiness => ({ appUp: false, ready: false });
  let countHeld: () => number = () => 0;
  const families = makeFamilies(registry, {
    ...collectorsOf(requests),
    connections_active(metric) {
      for (const protocol of STATES) metric.set({ protocol }, countConnections(protocol));
    },
    app_up: (metric) => metric.set(readiness().appUp ? 1 : 0),
    ready: (metric) => metric.set(readiness().ready ? 1 : 0),
    buffered_bytes: (metric) => metric.set(countHeld()),
  });
  families.build_info.set({ ...build }, 1);
  setZeros(families);

  return {
    ...families,
    text: () => registry.metrics(),
    contentType: registry.contentType,
    /** `count` is asked at every scrape. */
    countConnectionsWith(count: (protocol: string) => number): void {
      countConnections = count;
    },
    /** `ask` is called at every scrape. */
    tellReadinessWith(ask: () => Readiness): void {
      readiness = ask;
    },
    /** `count` is asked at every scrape. */
    countHeldWith(count: () => number): void {
      countHeld = count;
    },
    /** For /status: what is going on now. */
    activity: () => ({
      connections: Object.fromEntries(STATES.map((protocol) => [protocol, countConnections(protocol)])),
      requestsInFlight: requests.inFlight,
      bufferedBytes: countHeld(),
    }),
    exchangeStarted: () => requests.started(),
    exchangeFinished(exchange: Exchange, durationMs: number): void {
      const series = requests.finished(exchange);
      const { upstreamMs, rejection } = exchange;
      families.request_duration_seconds.observe(series, durationMs / 1000);
      if (upstreamMs >= 0) families.upstream_duration_seconds.observe(0, upstreamMs / 1000);
      if (rejection !== undefined) families.failures_total.inc({ reason: rejection.reason, side: rejection.side });
    },
  };
}

function collectorsOf(requests: RequestCounts): Collectors {
  return {
    requests_total(metric) {
      metric.reset();
      for (const { labels, count } of requests.ended()) metric.inc(labels, count);
    },
    requests_in_flight: (metric) => metric.set(requests.inFlight),
    received_bytes_total(metric) {
      metric.reset();
      metric.inc(requests.bytesIn);
    },
    sent_bytes_total(metric) {
      metric.reset();
      metric.inc(requests.bytesOut);
    },
  };
}

function makeFamilies(registry: Registry, collectors: Collectors): Families {
  const made = Object.entries<MetricRow>(METRICS).map(([name, row]) => {
    const collect = collectors[name as MetricName] as ((metric: unknown) => void) | undefined;
    return [name, makeMetric(registry, name, row, collect)];
  });
  return Object.fromEntries(made) as Families;
}

function makeMetric(registry: Registry, name: string, row: MetricRow, collect?: (metric: unknown) => void) {
  const { type, help } = row;
  if (type === 'histogram') {
    const histogram = new FastHistogram(`${PREFIX}${name}`, help, SECONDS, row.series);
    registry.registerMetric(histogram as unknown as Metric);
    return histogram;
  }
  const settings = { name: `${PREFIX}${name}`, help, labelNames: [...row.labels], registers: [registry] };
  const computed = collect && {
    collect(this: Counter | Gauge): void {
      collect(this);
    },
  };
  return type === 'counter' ? new Counter({ ...settings, ...computed }) : new Gauge({ ...settings, ...computed });
}
