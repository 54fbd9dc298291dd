// A real Prometheus beside sidecars, and the dashboard's panels as Grafana would ask for them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { stringify } from 'yaml';
import { unusedPort } from './app.ts';
import { eventually } from './poll.ts';
import { repositoryRoot } from './program.ts';

export const monitoringFolder = join(repositoryRoot, 'k8s/monitoring');

export type Rule = {
  readonly name: string;
  readonly health: string;
  readonly state: string;
  readonly lastEvaluation: string;
};
export type Series = {
  readonly labels: Readonly<Record<string, string>>;
  /** Time in seconds, and value. */
  readonly points: readonly (readonly [seconds: number, value: number])[];
};

export interface Prometheus {
  /** The values of a query now. */
  query(expr: string): Promise<number[]>;
  /** A query over time, a point each second; times in seconds since 1970. */
  range(expr: string, from: number, to: number): Promise<Series[]>;
  rules(): Promise<Rule[]>;
}

export type PrometheusOptions = {
  /** For its files. */
  readonly dir: string;
  /** Admin ports, by the names of their Pods. */
  readonly pods: Readonly<Record<string, number>>;
  readonly rulesFile?: string;
};

/** It scrapes each second, as Pods of the namespace `shop` with the labels that an operator's scrape gives. */
export async function startPrometheus(t: Pick<TestContext, 'after'>, options: PrometheusOptions): Promise<Prometheus> {
  const { dir, pods, rulesFile } = options;
  const port = await unusedPort();
  const config = join(dir, 'prometheus.yaml');
  const targets = Object.entries(pods).map(([pod, admin]) => ({
    targets: [`127.0.0.1:${admin}`],
    labels: { namespace: 'shop', pod },
  }));
  writeFileSync(
    config,
    stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: rulesFile === undefined ? [] : [rulesFile],
      scrape_configs: [{ job_name: 'pods', static_configs: targets }],
    }),
  );
  const data = join(dir, 'data');
  mkdirSync(data, { recursive: true });
  const child = spawn(
    'prometheus',
    [`--config.file=${config}`, `--storage.tsdb.path=${data}`, `--web.listen-address=127.0.0.1:${port}`],
    { stdio: 'ignore' },
  );
  const exited = new Promise((resolve) => child.once('exit', resolve));
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const prometheus = asking(`http://127.0.0.1:${port}`);
  const up = async (): Promise<boolean> => (await prometheus.query('up == 1')).length === targets.length;
  await eventually(up, { what: 'the first scrape', everyMs: 200 });
  return prometheus;
}

function asking(url: string): Prometheus {
  const ask = async (path: string): Promise<unknown> => {
    const response = await fetch(`${url}${path}`);
    const { status, data, error } = (await response.json()) as { status: string; data: unknown; error?: string };
    assert.equal(status, 'success', error);
    return data;
  };
  return {
    async query(expr) {
      const { result } = (await ask(`/api/v1/query?query=${encodeURIComponent(expr)}`)) as {
        result: { value: [number, string] }[];
      };
      return result.map(({ value }) => Number(value[1]));
    },
    async range(expr, from, to) {
      const query = new URLSearchParams({ query: expr, start: String(from), end: String(to), step: '1' });
      const { result } = (await ask(`/api/v1/query_range?${query}`)) as {
        result: { metric: Record<string, string>; values: [number, string][] }[];
      };
      return result.map(({ metric, values }) => ({
        labels: metric,
        points: values.map(([seconds, value]) => [seconds, Number(value)] as const),
      }));
    },
    async rules() {
      const { groups } = (await ask('/api/v1/rules')) as { groups: { rules: Rule[] }[] };
      return groups.flatMap(({ rules }) => rules);
    },
  };
}

export type DashboardPanel = {
  readonly title: string;
  readonly type: 'stat' | 'timeseries';
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig: { readonly defaults: { readonly unit: string } };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
};

/** The panels as they are in the file for Grafana's import; in queries, the variables have the values that they have here. */
export function dashboardPanels(): DashboardPanel[] {
  const text = readFileSync(join(monitoringFolder, 'grafana-dashboard.json'), 'utf8');
  const { panels } = JSON.parse(text) as { panels: DashboardPanel[] };
  return panels.map((panel) => ({
    ...panel,
    targets: panel.targets.map((target) => ({ ...target, expr: withVariables(target.expr) })),
  }));
}

function withVariables(expr: string): string {
  const query = expr
    .replaceAll('$__rate_interval', '10s')
    .replaceAll('"$namespace"', '"shop"')
    .replaceAll('"$pod"', '"web-.*"');
  assert.doesNotMatch(query, /\$/, 'every variable is known');
  return query;
}
