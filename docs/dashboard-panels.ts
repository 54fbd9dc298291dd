// THE table of the dashboard's panels: what an operator looks at, in the order of the page, and the queries. A test asks a
// real Prometheus each of them, while a sidecar is under load: none may be empty.

import { PREFIX } from '../src/observe/metric-table.ts';

type Query = { readonly expr: string; readonly legend: string };
export type Panel = {
  readonly title: string;
  readonly help: string;
  /** A stat is one number, or one a certificate; a series is drawn over time. */
  readonly kind: 'stat' | 'series';
  readonly unit: string;
  /** Of the 24 columns. */
  readonly width: number;
  readonly queries: readonly Query[];
};

const WHERE = 'namespace=~"$namespace",pod=~"$pod"';

/** A metric of the chosen Pods; `labels` are further matchers. */
function of(name: string, labels = ''): string {
  const whole = /^(?:process|nodejs)_/.test(name) ? name : `${PREFIX}${name}`;
  return `${whole}{${[WHERE, labels].filter((one) => one !== '').join(',')}}`;
}

function rate(name: string, labels = ''): string {
  return `rate(${of(name, labels)}[$__rate_interval])`;
}

function quantiles(name: string, what: string, ...ranks: number[]): Query[] {
  return ranks.map((rank) => ({
    expr: `histogram_quantile(${rank}, sum by (le) (${rate(`${name}_bucket`)}))`,
    legend: `${what} p${rank * 100}`,
  }));
}

/** Of a sidecar only: other programs of the Pod may be scraped, too, and have the same metrics of their processes. */
function ours(metric: string): string {
  return `${metric} and on (namespace, pod, instance) ${of('build_info')}`;
}

const life = `${of('certificate_not_after_timestamp_seconds')} - ${of('certificate_not_before_timestamp_seconds')}`;

/** From left to right and from top to bottom. */
export const PANELS: readonly Panel[] = [
  {
    title: 'Ready',
    help: 'Pods that serve, do not drain, and whose app accepts connections; behind it, all of them.',
    kind: 'stat',
    unit: 'short',
    width: 4,
    queries: [
      { expr: `sum(${of('ready')})`, legend: 'ready' },
      { expr: `count(${of('ready')})`, legend: 'all' },
    ],
  },
  {
    title: 'Requests a second',
    help: 'Of all chosen Pods.',
    kind: 'stat',
    unit: 'reqps',
    width: 4,
    queries: [{ expr: `sum(${rate('requests_total')})`, legend: '' }],
  },
  {
    title: 'Failed',
    help: 'Part of the requests that the app did not answer, or not to the end, or that met a defect of the sidecar.',
    kind: 'stat',
    unit: 'percentunit',
    width: 4,
    queries: [
      {
        expr: `sum(${rate('failures_total', 'side=~"upstream|sidecar"')}) / sum(${rate('requests_total')})`,
        legend: '',
      },
    ],
  },
  {
    title: 'Certificate: time left',
    help: 'Of the certificate that ends first.',
    kind: 'stat',
    unit: 's',
    width: 4,
    queries: [{ expr: `min(${of('certificate_not_after_timestamp_seconds')} - time())`, legend: '' }],
  },
  {
    title: 'Certificate: life left',
    help: 'The same, as part of its whole life. Below a quarter its renewal is late.',
    kind: 'stat',
    unit: 'percentunit',
    width: 4,
    queries: [{ expr: `min((${of('certificate_not_after_timestamp_seconds')} - time()) / (${life}))`, legend: '' }],
  },
  {
    title: 'Disk differs',
    help: 'Certificates whose files hold something else than is served.',
    kind: 'stat',
    unit: 'short',
    width: 4,
    queries: [{ expr: `sum(${of('certificate_disk_differs')})`, legend: '' }],
  },
  {
    title: 'Requests by status',
    help: 'The status that the client saw; 499 is a client that left.',
    kind: 'series',
    unit: 'reqps',
    width: 8,
    queries: [{ expr: `sum by (code) (${rate('requests_total')})`, legend: '{{code}}' }],
  },
  {
    title: 'Failures by reason',
    help: 'The README has what each reason means. Only those that happened.',
    kind: 'series',
    unit: 'reqps',
    width: 8,
    queries: [
      { expr: `sum by (side, reason) (${rate('failures_total')}) > 0`, legend: '{{side}}: {{reason}}' },
      { expr: `sum(${rate('failures_total')})`, legend: 'all' },
    ],
  },
  {
    title: 'Time to answer',
    help: 'From the head of the request to the last byte of the answer; of the app, to its first byte.',
    kind: 'series',
    unit: 's',
    width: 8,
    queries: [
      ...quantiles('request_duration_seconds', 'request', 0.5, 0.95, 0.99),
      ...quantiles('upstream_duration_seconds', 'app', 0.5, 0.95),
    ],
  },
  {
    title: 'Connections',
    help: 'Open connections of clients, all that there may be, and requests that are being answered.',
    kind: 'series',
    unit: 'short',
    width: 8,
    queries: [
      { expr: `sum by (protocol) (${of('connections_active')})`, legend: '{{protocol}}' },
      { expr: `sum(${of('connections_max')})`, legend: 'limit' },
      { expr: `sum(${of('requests_in_flight')})`, legend: 'requests in flight' },
    ],
  },
  {
    title: 'TLS handshakes',
    help: 'Those that succeeded, by version and whether a session was resumed; those that failed.',
    kind: 'series',
    unit: 'ops',
    width: 8,
    queries: [
      {
        expr: `sum by (version, resumed) (${rate('handshakes_total')})`,
        legend: '{{version}} resumed: {{resumed}}',
      },
      { expr: `sum(${rate('handshake_failures_total')})`, legend: 'failed' },
      { expr: `sum(${rate('connections_rejected_total')})`, legend: 'connections refused or ended' },
    ],
  },
  {
    title: 'Time of a handshake',
    help: 'From the accepted connection to the end of its handshake.',
    kind: 'series',
    unit: 's',
    width: 8,
    queries: quantiles('handshake_duration_seconds', 'handshake', 0.5, 0.95, 0.99),
  },
  {
    title: 'Bytes of bodies',
    help: 'From clients, and to them.',
    kind: 'series',
    unit: 'Bps',
    width: 6,
    queries: [
      { expr: `sum(${rate('received_bytes_total')})`, legend: 'received' },
      { expr: `sum(${rate('sent_bytes_total')})`, legend: 'sent' },
    ],
  },
  {
    title: 'CPU',
    help: 'Cores that each sidecar uses.',
    kind: 'series',
    unit: 'short',
    width: 6,
    queries: [{ expr: ours(rate('process_cpu_seconds_total')), legend: '{{pod}}' }],
  },
  {
    title: 'Memory',
    help: 'Resident memory of each sidecar.',
    kind: 'series',
    unit: 'bytes',
    width: 6,
    queries: [{ expr: ours(of('process_resident_memory_bytes')), legend: '{{pod}}' }],
  },
  {
    title: 'Event loop lag',
    help: 'How long what is due waits for its turn, in the worst hundredth of cases.',
    kind: 'series',
    unit: 's',
    width: 6,
    queries: [{ expr: ours(of('nodejs_eventloop_lag_p99_seconds')), legend: '{{pod}}' }],
  },
  {
    title: 'Reloads of certificates',
    help: 'Changed files that were taken, and those that were not.',
    kind: 'series',
    unit: 'short',
    width: 12,
    queries: [
      {
        expr: `sum by (result) (increase(${of('certificate_reloads_total')}[$__rate_interval]))`,
        legend: '{{result}}',
      },
    ],
  },
  {
    title: 'What should stay at zero',
    help: 'Defects that the sidecar survived, log lines that nobody read, spans that nobody took, requests whose client had its share already.',
    kind: 'series',
    unit: 'short',
    width: 12,
    queries: [
      { expr: `sum(increase(${of('internal_errors_total')}[$__rate_interval]))`, legend: 'internal errors' },
      { expr: `sum(increase(${of('log_lines_dropped_total')}[$__rate_interval]))`, legend: 'log lines dropped' },
      { expr: `sum(increase(${of('spans_dropped_total')}[$__rate_interval]))`, legend: 'spans dropped' },
      { expr: `sum(increase(${of('client_share_refused_total')}[$__rate_interval]))`, legend: 'share refused' },
    ],
  },
];
