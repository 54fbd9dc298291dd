// THE table of the metrics: name (without the prefix), type, labels, help. The README's table is written from it. Labels
// come from fixed sets only; no path and no text of a client.

import type { Protocol } from '../exchange.ts';

export type CounterRow<L extends string> = {
  readonly type: 'counter';
  readonly help: string;
  readonly labels: readonly L[];
};
export type GaugeRow<L extends string> = {
  readonly type: 'gauge';
  readonly help: string;
  readonly labels: readonly L[];
};
/** Its label sets are known beforehand; each is a series that is observed by its index. */
export type HistogramRow = {
  readonly type: 'histogram';
  readonly help: string;
  readonly series: readonly Readonly<Record<string, string>>[];
};
export type MetricRow = CounterRow<string> | GaugeRow<string> | HistogramRow;

export const PREFIX = 'tls_sidecar_';
/** In the order of the series of `request_duration_seconds`. */
export const PROTOCOLS: readonly Protocol[] = ['http/1.1', 'http/1.0', 'h2'];
/** Upper bounds of every histogram. */
export const SECONDS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

function counter<const L extends string = never>(help: string, ...labels: L[]): CounterRow<L> {
  return { type: 'counter', help, labels };
}

function gauge<const L extends string = never>(help: string, ...labels: L[]): GaugeRow<L> {
  return { type: 'gauge', help, labels };
}

function histogram(help: string, series: HistogramRow['series'] = [{}]): HistogramRow {
  return { type: 'histogram', help, series };
}

export const METRICS = {
  requests_total: counter('Requests that ended, by method, status and protocol.', 'method', 'code', 'protocol'),
  request_duration_seconds: histogram(
    'Time from the complete request head to the last byte of the answer.',
    PROTOCOLS.map((protocol) => ({ protocol })),
  ),
  requests_in_flight: gauge('Requests that are being answered.'),
  upstream_duration_seconds: histogram("Time from the complete request head to the first byte of the app's answer."),
  failures_total: counter('Requests that failed, by reason and by the side that failed.', 'reason', 'side'),
  internal_errors_total: counter(
    'Defects of the sidecar that it survived; the log line `internal error` has each. Please report them.',
  ),
  connections_active: gauge('Open client connections, by protocol; handshake: not known yet.', 'protocol'),
  connections_max: gauge('The most client connections there may be, by --max-connections.'),
  connections_total: counter(
    'Client connections that were accepted, by protocol; none: it left before its first byte.',
    'protocol',
  ),
  connections_rejected_total: counter(
    'Client connections that were refused, or ended for what their clients did, by reason.',
    'reason',
  ),
  buffered_bytes: gauge('Bytes that are held for clients and the app because they are not taken yet.'),
  client_share_refused_total: counter(
    'Requests that found no connection to the app in time while their client had its --max-client-share of them.',
  ),
  handshakes_total: counter(
    'TLS handshakes that succeeded, by version and whether a session was resumed.',
    'version',
    'resumed',
  ),
  handshake_duration_seconds: histogram('Time from the accepted connection to the end of its TLS handshake.'),
  handshake_failures_total: counter('TLS handshakes that failed, by reason.', 'reason'),
  received_bytes_total: counter('Bytes of request bodies that came from clients.'),
  sent_bytes_total: counter('Bytes of answer bodies that went to clients.'),
  plaintext_requests_total: counter('Requests that came without TLS, by what was done with them.', 'action'),
  rate_limited_total: counter(
    'Requests that were answered with 429, because their clients made more than --rate-limit.',
  ),
  client_certificates_rejected_total: counter(
    'Client certificates that were refused, or missing: once a handshake; for the allow rules once a request.',
    'reason',
  ),
  certificate_not_before_timestamp_seconds: gauge('Start of validity of the certificate that is served.', 'name'),
  certificate_not_after_timestamp_seconds: gauge('End of validity of the certificate that is served.', 'name'),
  certificate_reloads_total: counter(
    'Attempts to take a changed certificate, by result and reason.',
    'result',
    'reason',
  ),
  certificate_last_reload_success_timestamp_seconds: gauge(
    'When a certificate was last taken: at the start, or by a reload.',
  ),
  certificate_disk_differs: gauge('1 while the files hold something else than is served.', 'name'),
  certificate_watch_rearmed_total: counter(
    'How often the watch of the certificate directories was set up anew, because it failed or they were replaced.',
    'reason',
  ),
  reviews_total: counter(
    'Admission reviews that the command webhook answered, by what became of the object: injected, skipped, refused.',
    'result',
  ),
  log_lines_dropped_total: counter('Log lines that were lost because stdout was not read.'),
  spans_dropped_total: counter(
    'Spans of --trace-otlp that were lost: the queue was full, or the collector did not take them.',
    'reason',
  ),
  app_up: gauge(
    '1 unless the last probe or request found that the app (with several --upstream: one of them) accepts no connections; then asked every second.',
  ),
  ready: gauge('1 while the sidecar serves, does not drain, and app_up is 1.'),
  draining: gauge('1 while the sidecar drains.'),
  build_info: gauge('Always 1; the labels say what runs.', 'version', 'node', 'openssl'),
};

export type MetricName = keyof typeof METRICS;

export type MetricDescription = {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
};

/** The table as a reader sees it, with whole names. */
export function describeMetrics(): MetricDescription[] {
  return Object.entries<MetricRow>(METRICS).map(([name, row]) => {
    const labels = row.type === 'histogram' ? Object.keys(row.series[0] ?? {}) : row.labels;
    return { name: `${PREFIX}${name}`, type: row.type, labels, help: row.help };
  });
}
