// What k8s/monitoring holds: a dashboard as the code says, alerts and queries of metrics that there are, and names that fit.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { dashboardText } from '../../../docs/dashboard.ts';
import { PANELS } from '../../../docs/dashboard-panels.ts';
import { METRICS, PREFIX } from '../../../src/observe/metric-table.ts';
import { createMetrics } from '../../../src/observe/metrics.ts';

const folder = new URL('../../../k8s/monitoring/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
type Rule = { alert: string; expr: string; labels: Record<string, string>; annotations: Record<string, string> };
const { spec } = parse(read('prometheus-rule.yaml')) as { spec: { groups: { rules: Rule[] }[] } };
const rules = spec.groups.flatMap((group) => group.rules);

/** The names of the metrics in a query, without the suffixes of a histogram's series. */
function metricsIn(expr: string): string[] {
  const names = expr.match(/\b(?:tls_sidecar|process|nodejs)_\w+/g) ?? [];
  return names.map((name) => name.replace(/_(?:bucket|count|sum)$/, ''));
}

const text = await createMetrics({ version: '1.2.3', node: 'v24.0.0', openssl: '3.5.0' }).text();
const known = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name));

test('the dashboard is up to date (npm run fix writes it)', () => {
  assert.equal(read('grafana-dashboard.json'), dashboardText());
});

describe('the dashboard', () => {
  const { panels } = JSON.parse(dashboardText()) as {
    panels: { gridPos: { x: number; y: number; w: number; h: number } }[];
  };

  test('asks only for metrics that there are', () => {
    for (const { queries } of PANELS)
      for (const { expr } of queries) for (const name of metricsIn(expr)) assert.ok(known.has(name), name);
  });

  test('fills its rows, and no panel lies on another', () => {
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`),
    );
    assert.equal(new Set(cells).size, cells.length);
    assert.equal(cells.length % 24, 0);
  });

  test('tells what each panel is about, in a sentence', () => {
    for (const { title, help, queries } of PANELS) {
      assert.match(help, /^[A-Z].*\.$/, title);
      assert.ok(queries.length > 0, title);
    }
  });
});

describe('the alerts', () => {
  for (const { alert, expr, labels, annotations } of rules) {
    test(`${alert} asks for metrics that there are, and says how bad it is and what to do`, () => {
      const names = metricsIn(expr);
      assert.ok(names.length > 0);
      for (const name of names) assert.ok(known.has(name), name);
      assert.match(labels.severity ?? '', /^(?:warning|critical)$/);
      assert.match(annotations.summary ?? '', /\$labels\.pod/);
      assert.match(annotations.description ?? '', /\.$/);
    });
  }

  test('that count something count what is there with 0 from the start', () => {
    const labelled = rules.flatMap(({ expr }) => [...expr.matchAll(/increase\((\w+)(?:\{(.*?)\})?\[/g)]);
    assert.ok(labelled.length >= 3);
    for (const [, name, matcher = ''] of labelled)
      assert.match(text, new RegExp(`^${name}(?:\\{.*${matcher}.*\\})? 0$`, 'm'), name);
  });
});

test('the monitor scrapes the port that every sidecar has', () => {
  const monitor = parse(read('pod-monitor.yaml')) as { kind: string; spec: { podMetricsEndpoints: unknown[] } };
  assert.equal(monitor.kind, 'PodMonitor');
  assert.deepEqual(monitor.spec.podMetricsEndpoints, [{ port: 'tls-metrics', path: '/metrics' }]);
});

test('the kustomization holds all of it but the picture, the dashboard with the label that Grafana looks for', () => {
  const { resources, configMapGenerator, generatorOptions } = parse(read('kustomization.yaml'));
  assert.deepEqual(configMapGenerator[0].files, ['tls-sidecar.json=grafana-dashboard.json']);
  assert.deepEqual(generatorOptions.labels, { grafana_dashboard: '1' });
  const besides = ['dashboard.svg', 'grafana-dashboard.json', 'kustomization.yaml'];
  assert.deepEqual([...resources, ...besides].sort(), readdirSync(folder).sort());
});

test('the limit of connections has a metric', () => {
  assert.equal(METRICS.connections_max.type, 'gauge');
  assert.ok(known.has(`${PREFIX}connections_max`));
});
