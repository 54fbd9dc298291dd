// The metrics by their names and labels, and what the exchanges leave in them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { REJECTIONS } from '../../../src/errors.ts';
import type { Protocol } from '../../../src/exchange.ts';
import { describeMetrics } from '../../../src/observe/metric-table.ts';
import { createMetrics, type Metrics } from '../../../src/observe/metrics.ts';
import { FakeExchange } from '../pipeline/fake-exchange.ts';

/** All of them, with their labels: dashboards and alerts rely on these. */
const METRICS: Readonly<Record<string, readonly string[]>> = {
  requests_total: ['method', 'code', 'protocol'],
  request_duration_seconds: ['protocol'],
  requests_in_flight: [],
  upstream_duration_seconds: [],
  failures_total: ['reason', 'side'],
  internal_errors_total: [],
  connections_active: ['protocol'],
  connections_max: [],
  connections_total: ['protocol'],
  connections_rejected_total: ['reason'],
  buffered_bytes: [],
  client_share_refused_total: [],
  handshakes_total: ['version', 'resumed'],
  handshake_failures_total: ['reason'],
  handshake_duration_seconds: [],
  received_bytes_total: [],
  sent_bytes_total: [],
  plaintext_requests_total: ['action'],
  rate_limited_total: [],
  client_certificates_rejected_total: ['reason'],
  certificate_not_before_timestamp_seconds: ['name'],
  certificate_not_after_timestamp_seconds: ['name'],
  certificate_reloads_total: ['result', 'reason'],
  certificate_last_reload_success_timestamp_seconds: [],
  certificate_disk_differs: ['name'],
  certificate_watch_rearmed_total: ['reason'],
  reviews_total: ['result'],
  log_lines_dropped_total: [],
  spans_dropped_total: ['reason'],
  app_up: [],
  ready: [],
  draining: [],
  build_info: ['version', 'node', 'openssl'],
};

const BUILD = { version: '1.2.3', node: 'v24.0.0', openssl: '3.5.0' };

/** Samples of the text by `name{labels}`, the prefix left out. */
async function samples(metrics: Metrics): Promise<Map<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at).replace(/^tls_sidecar_/, ''), Number(line.slice(at + 1))];
    }),
  );
}

type Ended = { method?: string; status?: number; protocol?: Protocol; upstreamMs?: number; bytes?: [number, number] };

function end(metrics: Metrics, ended: Ended, durationMs = 10): FakeExchange {
  const { method = 'GET', status = 200, protocol = 'http/1.1', upstreamMs = -1, bytes = [0, 0] } = ended;
  const exchange = new FakeExchange({ method, protocol });
  exchange.status = status;
  exchange.upstreamMs = upstreamMs;
  [exchange.bytesIn, exchange.bytesOut] = bytes;
  metrics.exchangeStarted();
  metrics.exchangeFinished(exchange, durationMs);
  return exchange;
}

describe('the metrics', () => {
  const described = describeMetrics();

  test('are these, and no others', () => {
    const names = described.map(({ name }) => name.replace(/^tls_sidecar_/, ''));
    assert.deepEqual(names.sort(), Object.keys(METRICS).sort());
  });

  for (const { name, labels, help, type } of described) {
    test(`${name} has these labels and a sentence of help`, () => {
      const expected = METRICS[name.replace(/^tls_sidecar_/, '')];
      assert.ok(expected !== undefined, 'not in the list');
      assert.deepEqual(labels, expected);
      assert.match(help, /^[A-Z1].*\.$/);
      assert.ok(['counter', 'gauge', 'histogram'].includes(type));
      if (type === 'counter') assert.match(name, /_total$/);
      else assert.doesNotMatch(name, /_total$/);
      if (type === 'histogram') assert.match(name, /_seconds$/);
    });
  }

  test('are each there once', () => {
    assert.equal(new Set(described.map(({ name }) => name)).size, described.length);
    assert.ok(described.length >= 20);
  });

  test('are rendered as the table says, and no other under the prefix', async () => {
    const text = await createMetrics(BUILD).text();
    const rendered = [...text.matchAll(/^# TYPE (tls_sidecar_\S+) (\S+)$/gm)].map(
      ([, name, type]) => `${name} ${type}`,
    );
    assert.deepEqual(rendered.sort(), described.map(({ name, type }) => `${name} ${type}`).sort());
    for (const { name, help } of described) assert.ok(text.includes(`# HELP ${name} ${help}\n`), name);
  });

  test('come with those of the process and of Node, but not with the misnamed ones', async () => {
    const text = await createMetrics(BUILD).text();
    assert.match(text, /^process_cpu_seconds_total /m);
    assert.match(text, /^nodejs_eventloop_lag_seconds /m);
    assert.doesNotMatch(text, /nodejs_active_(?:handles|requests|resources)_total/);
  });

  test('are well-formed text, every name with its help and type before it', async () => {
    const metrics = createMetrics(BUILD);
    end(metrics, {});
    const typed = new Set<string>();
    for (const line of (await metrics.text()).split('\n')) {
      if (line === '' || line.startsWith('# HELP ')) continue;
      const type = /^# TYPE (\S+) (?:counter|gauge|histogram|summary)$/.exec(line)?.[1];
      if (type !== undefined) typed.add(type);
      else {
        const name = /^([a-z0-9_]+)(?:\{[^{}]*\})? (?:[0-9.e+-]+|Nan|[+-]Inf)$/.exec(line)?.[1] ?? '';
        assert.ok(typed.has(name.replace(/_(?:bucket|sum|count)$/, '')) || typed.has(name), line);
      }
    }
  });

  test('say what runs', async () => {
    const found = await samples(createMetrics(BUILD));
    assert.equal(found.get('build_info{version="1.2.3",node="v24.0.0",openssl="3.5.0"}'), 1);
  });

  test('of two instances know nothing of each other', async () => {
    const [one, two] = [createMetrics(BUILD), createMetrics(BUILD)];
    end(one, {});
    assert.equal((await samples(two)).get('requests_total{method="GET",code="200",protocol="http/1.1"}'), undefined);
  });
});

describe('exchanges', () => {
  test('are counted by method, status and protocol', async () => {
    const metrics = createMetrics(BUILD);
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) end(metrics, { method });
    for (const protocol of ['http/1.0', 'http/1.1', 'h2'] as const) end(metrics, { protocol, status: 599 });
    end(metrics, {});
    const found = await samples(metrics);
    assert.equal(found.get('requests_total{method="GET",code="200",protocol="http/1.1"}'), 2);
    assert.equal(found.get('requests_total{method="PATCH",code="200",protocol="http/1.1"}'), 1);
    for (const protocol of ['http/1.0', 'http/1.1', 'h2']) {
      assert.equal(found.get(`requests_total{method="GET",code="599",protocol="${protocol}"}`), 1, protocol);
    }
    const total = [...found].filter(([name]) => name.startsWith('requests_total')).reduce((sum, [, n]) => sum + n, 0);
    assert.equal(total, 11);
  });

  test('of a method that nobody knows are all `other`', async () => {
    const metrics = createMetrics(BUILD);
    for (const method of ['BREW', 'get', 'other', '', '__proto__', 'constructor', 'x"} 1\nevil 1', 'M'.repeat(999)])
      end(metrics, { method });
    const found = await samples(metrics);
    assert.equal(found.get('requests_total{method="other",code="200",protocol="http/1.1"}'), 8);
    assert.equal([...found.keys()].filter((name) => name.startsWith('requests_total')).length, 1);
  });

  test('are told the same at every scrape', async () => {
    const metrics = createMetrics(BUILD);
    end(metrics, { bytes: [3, 4] });
    const own = async () =>
      [...(await samples(metrics))].filter(([name]) => /^(?:requests|sent|received|request_)/.test(name));
    const first = await own();
    assert.deepEqual(await own(), first);
    assert.ok(first.length > 10);
  });

  test('in flight are those that have started and not ended', async () => {
    const metrics = createMetrics(BUILD);
    metrics.exchangeStarted();
    metrics.exchangeStarted();
    end(metrics, {});
    assert.equal((await samples(metrics)).get('requests_in_flight'), 2);
  });

  test('leave their bytes and times', async () => {
    const metrics = createMetrics(BUILD);
    end(metrics, { bytes: [10, 100], upstreamMs: 3 }, 20);
    end(metrics, { bytes: [1, 2], protocol: 'h2' }, 2000);
    const found = await samples(metrics);
    assert.deepEqual([found.get('received_bytes_total'), found.get('sent_bytes_total')], [11, 102]);
    assert.equal(found.get('request_duration_seconds_sum{protocol="http/1.1"}'), 0.02);
    assert.equal(found.get('request_duration_seconds_count{protocol="h2"}'), 1);
    // The second never reached the app.
    assert.deepEqual(
      [found.get('upstream_duration_seconds_count'), found.get('upstream_duration_seconds_sum')],
      [1, 0.003],
    );
  });

  test('that failed are counted by reason and side', async () => {
    const metrics = createMetrics(BUILD);
    for (const rejection of Object.values(REJECTIONS)) {
      const exchange = new FakeExchange({});
      exchange.rejection = rejection;
      exchange.status = rejection.status;
      metrics.exchangeStarted();
      metrics.exchangeFinished(exchange, 1);
    }
    end(metrics, { status: 500 });
    const found = await samples(metrics);
    for (const { reason, side } of Object.values(REJECTIONS)) {
      assert.equal(found.get(`failures_total{reason="${reason}",side="${side}"}`), 1, reason);
    }
    const failures = [...found.keys()].filter((name) => name.startsWith('failures_total'));
    assert.equal(failures.length, Object.keys(REJECTIONS).length);
  });
});

test('open connections are asked for at every scrape', async () => {
  const metrics = createMetrics(BUILD);
  let open = 3;
  metrics.countConnectionsWith((protocol) => (protocol === 'h2' ? open : 0));
  const active = async () => (await samples(metrics)).get('connections_active{protocol="h2"}');
  assert.equal(await active(), 3);
  open = 5;
  assert.equal(await active(), 5);
  assert.equal((await samples(metrics)).get('connections_active{protocol="http/1.1"}'), 0);
});
