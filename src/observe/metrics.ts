// Every metric: its name, its labels, its help. The only import of prom-client. What each request touches is counted
// in plain arrays and maps of numbers and rendered when scraped: prom-client's own path hashes its labels every time
// (measured: 0.8 us a request). Labels come from fixed sets only; no path and no client text.

import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client';
import type { Exchange } from '../exchange.ts';
import { FastHistogram } from './fast-histogram.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'other'] as const;
const OTHER = METHODS.length - 1;
const PROTOCOLS = ['http/1.1', 'http/1.0', 'h2'] as const;
/** Of open connections. */
const STATES = ['handshake', 'http/1.1', 'h2'];
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Gauges by nature, named like counters: they would mislead every rate(). */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

export type BuildInfo = { readonly version: string; readonly node: string; readonly openssl: string };

export type Metrics = ReturnType<typeof createMetrics>;

/** `countConnections` is asked at every scrape. */
export function createMetrics(build: BuildInfo) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);

  const counter = <L extends string>(
    name: string,
    help: string,
    labelNames: L[],
    collect?: (this: Counter<L>) => void,
  ) =>
    new Counter({
      name: `tls_sidecar_${name}`,
      help,
      labelNames,
      registers,
      ...(collect === undefined ? {} : { collect }),
    });
  const gauge = <L extends string>(name: string, help: string, labelNames: L[], collect?: (this: Gauge<L>) => void) =>
    new Gauge({
      name: `tls_sidecar_${name}`,
      help,
      labelNames,
      registers,
      ...(collect === undefined ? {} : { collect }),
    });
  const histogram = (name: string, help: string, labels: readonly Record<string, string>[]) => {
    const made = new FastHistogram(`tls_sidecar_${name}`, help, SECONDS, labels);
    registry.registerMetric(made as unknown as Metric);
    return made;
  };

  /** Requests by (protocol, method, status), keyed by one small number. */
  const requests = new Map<number, number>();
  let inFlight = 0;
  let bytesIn = 0;
  let bytesOut = 0;
  let countConnections: (protocol: string) => number = () => 0;

  counter(
    'requests_total',
    'Requests that ended, by method, status and protocol.',
    ['method', 'code', 'protocol'],
    function () {
      this.reset();
      for (const [key, count] of requests) {
        const method = METHODS[Math.floor(key / 1000) % METHODS.length] as string;
        const protocol = PROTOCOLS[Math.floor(key / 1000 / METHODS.length)] as string;
        this.inc({ method, code: String(key % 1000), protocol }, count);
      }
    },
  );
  const duration = histogram(
    'request_duration_seconds',
    'Time from the complete request head to the last byte of the answer.',
    PROTOCOLS.map((protocol) => ({ protocol })),
  );
  gauge('requests_in_flight', 'Requests that are being answered.', [], function () {
    this.set(inFlight);
  });
  const upstreamDuration = histogram(
    'upstream_duration_seconds',
    "Time from the complete request head to the first byte of the app's answer.",
    [{}],
  );
  const failures = counter('failures_total', 'Requests that failed, by reason and by the side that failed.', [
    'reason',
    'side',
  ]);
  gauge(
    'connections_active',
    'Open client connections, by protocol; handshake: not known yet.',
    ['protocol'],
    function () {
      for (const protocol of STATES) this.set({ protocol }, countConnections(protocol));
    },
  );
  const connections = counter(
    'connections_total',
    'Client connections that were accepted, by protocol; none: it left before its first byte.',
    ['protocol'],
  );
  const rejected = counter(
    'connections_rejected_total',
    'Client connections that were refused, or ended for what their clients did, by reason.',
    ['reason'],
  );
  const handshakes = counter(
    'handshakes_total',
    'TLS handshakes that succeeded, by version and whether a session was resumed.',
    ['version', 'resumed'],
  );
  const handshakeFailures = counter('handshake_failures_total', 'TLS handshakes that failed, by reason.', ['reason']);
  counter('received_bytes_total', 'Bytes of request bodies that came from clients.', [], function () {
    this.reset();
    this.inc(bytesIn);
  });
  counter('sent_bytes_total', 'Bytes of answer bodies that went to clients.', [], function () {
    this.reset();
    this.inc(bytesOut);
  });
  const plaintext = counter('plaintext_requests_total', 'Requests that came without TLS, by what was done with them.', [
    'action',
  ]);
  const clientsRejected = counter(
    'client_certificates_rejected_total',
    'Client certificates that were refused, or missing: once a handshake; for the allow rules once a request.',
    ['reason'],
  );
  const notBefore = gauge(
    'certificate_not_before_timestamp_seconds',
    'Start of validity of the certificate that is served.',
    ['name'],
  );
  const notAfter = gauge(
    'certificate_not_after_timestamp_seconds',
    'End of validity of the certificate that is served.',
    ['name'],
  );
  const reloads = counter(
    'certificate_reloads_total',
    'Attempts to take a changed certificate, by result and reason.',
    ['result', 'reason'],
  );
  const lastReload = gauge(
    'certificate_last_reload_success_timestamp_seconds',
    'When a certificate was last taken.',
    [],
  );
  const differs = gauge('certificate_disk_differs', '1 while the files hold something else than is served.', ['name']);
  const rearmed = counter(
    'certificate_watch_rearmed_total',
    'How often the watch of the certificate directories was set up anew, because it failed or they were replaced.',
    ['reason'],
  );
  const dropped = counter('log_lines_dropped_total', 'Log lines that were lost because stdout was not read.', []);
  const draining = gauge('draining', '1 while the sidecar drains.', []);
  gauge('build_info', 'Always 1; the labels say what runs.', ['version', 'node', 'openssl']).set({ ...build }, 1);

  return {
    text: () => registry.metrics(),
    contentType: registry.contentType,
    describe: () =>
      registry
        .getMetricsAsArray()
        .map(describe)
        .filter(({ name }) => name.startsWith('tls_sidecar_')),
    connections,
    rejected,
    handshakes,
    handshakeFailures,
    plaintext,
    clientsRejected,
    notBefore,
    notAfter,
    reloads,
    lastReload,
    differs,
    rearmed,
    dropped,
    draining,
    countConnectionsWith(count: (protocol: string) => number): void {
      countConnections = count;
    },
    /** For /status: what is going on now. */
    activity: () => ({
      connections: Object.fromEntries(STATES.map((protocol) => [protocol, countConnections(protocol)])),
      requestsInFlight: inFlight,
    }),
    exchangeStarted(): void {
      inFlight++;
    },
    exchangeFinished(exchange: Exchange, durationMs: number): void {
      inFlight--;
      bytesIn += exchange.bytesIn;
      bytesOut += exchange.bytesOut;
      const protocol = Math.max(0, PROTOCOLS.indexOf(exchange.protocol));
      const known = METHODS.indexOf(exchange.method as (typeof METHODS)[number]);
      const method = known < 0 ? OTHER : known;
      const key = (protocol * METHODS.length + method) * 1000 + exchange.status;
      requests.set(key, (requests.get(key) ?? 0) + 1);
      duration.observe(protocol, durationMs / 1000);
      if (exchange.upstreamMs >= 0) upstreamDuration.observe(0, exchange.upstreamMs / 1000);
      if (exchange.rejection !== undefined)
        failures.inc({ reason: exchange.rejection.reason, side: exchange.rejection.side });
    },
  };
}

export type MetricRow = {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
};

function describe(metric: unknown): MetricRow {
  const { name, help, labelNames, type } = metric as {
    name: string;
    help: string;
    labelNames?: string[];
    type?: string;
  };
  const kind = type ?? (metric instanceof Counter ? 'counter' : 'gauge');
  return { name, help, labels: labelNames ?? [], type: kind };
}
