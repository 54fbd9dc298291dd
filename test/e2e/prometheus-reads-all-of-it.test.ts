// A real Prometheus: promtool judges the metrics and tests the alerts, and the server scrapes a sidecar under load. No query
// of the dashboard is empty then, no alert cannot be evaluated, and none fires where nothing is wrong.

import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { askAdmin } from '../support/admin.ts';
import { unusedPort } from '../support/app.ts';
import { type CountedApp, newTally, sendCounted, startCountedApp } from '../support/counted-load.ts';
import { endsWell } from '../support/ended-well.ts';
import { needs } from '../support/needs.ts';
import { eventually } from '../support/poll.ts';
import { repositoryRoot } from '../support/program.ts';
import { setStage } from '../support/stage.ts';

const run = promisify(execFile);
const folder = join(repositoryRoot, 'k8s/monitoring');
const dir = mkdtempSync(join(tmpdir(), 'tls-sidecar-prometheus-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const rulesFile = join(dir, 'rules.yaml');
const { spec } = parse(readFileSync(join(folder, 'prometheus-rule.yaml'), 'utf8')) as {
  spec: { groups: { rules: { alert: string; expr: string }[] }[] };
};
writeFileSync(rulesFile, stringify(spec, { lineWidth: 0 }));

const RATE_INTERVAL = '10s';

test('promtool finds nothing in the metrics of a sidecar that has served', async (t) => {
  if (!needs(t, 'promtool')) return;
  const stage = await setStage(t);
  const app = await startCountedApp(t);
  const sidecar = await stage.start({ upstream: app.port });
  await sendCounted({ port: sidecar.port, ca: stage.authority.pem, app }, 200, newTally());
  const { body } = await askAdmin(sidecar, '/metrics');
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' });
  await endsWell(sidecar);
});

test('promtool accepts the rules, and each alert fires where it should and nowhere else', async (t) => {
  if (!needs(t, 'promtool')) return;
  await run('promtool', ['check', 'rules', rulesFile]);
  copyFileSync(join(repositoryRoot, 'test/e2e/alerts.promtool.yaml'), join(dir, 'tests.yaml'));
  const { stdout } = await run('promtool', ['test', 'rules', 'tests.yaml'], { cwd: dir });
  assert.match(stdout, /SUCCESS/);
  const tested = readFileSync(join(dir, 'tests.yaml'), 'utf8');
  for (const { alert } of spec.groups.flatMap(({ rules }) => rules))
    assert.ok(tested.includes(`alertname: ${alert}\n`), `${alert} has a test`);
});

test('no panel of the dashboard is empty under load, and no alert fires', async (t) => {
  if (!needs(t, 'prometheus')) return;
  const stage = await setStage(t);
  const app = await startCountedApp(t);
  const sidecar = await stage.start({ upstream: app.port });
  const load = startLoad(t, { port: sidecar.port, ca: stage.authority.pem, app });
  const prometheus = await startPrometheus(t, sidecar.adminPort);

  const { panels } = JSON.parse(readFileSync(join(folder, 'grafana-dashboard.json'), 'utf8')) as {
    panels: { title: string; targets: { expr: string }[] }[];
  };
  for (const { title, targets } of panels) {
    for (const { expr } of targets) {
      const query = expr
        .replaceAll('$__rate_interval', RATE_INTERVAL)
        .replaceAll('"$namespace"', '"shop"')
        .replaceAll('"$pod"', '"web-.*"');
      assert.doesNotMatch(query, /\$/, 'every variable is known');
      await eventually(async () => (await prometheus.query(query)).some(Number.isFinite), {
        what: `a number in "${title}": ${query}`,
        deadlineMs: 60_000,
        everyMs: 500,
      });
    }
  }

  const groups = await eventually(
    async () => {
      const found = await prometheus.rules();
      return found.length > 0 && found.every(({ lastEvaluation }) => Date.parse(lastEvaluation) > 0) && found;
    },
    { what: 'an evaluation of all rules', everyMs: 500 },
  );
  for (const { name, health, state } of groups) {
    assert.equal(health, 'ok', name);
    // Of the mixed load, some requests fail on purpose.
    if (!/RequestsFail|ServerErrors/.test(name)) assert.equal(state, 'inactive', name);
  }
  assert.equal(groups.length, spec.groups.flatMap(({ rules }) => rules).length);
  await load.stop();
  await endsWell(sidecar);
});

/** Mixed requests, good and failed, until it is stopped. */
function startLoad(t: TestContext, target: { port: number; ca: string; app: CountedApp }) {
  let over = false;
  const ended = (async () => {
    while (!over) await sendCounted(target, 200, newTally());
  })();
  const stop = (): Promise<void> => {
    over = true;
    return ended;
  };
  t.after(() => {
    over = true;
  });
  return { stop };
}

type Rule = {
  readonly name: string;
  readonly health: string;
  readonly state: string;
  readonly lastEvaluation: string;
};

/** It scrapes this port each second, as a Pod with the labels that an operator's scrape gives. */
async function startPrometheus(t: TestContext, adminPort: number) {
  const port = await unusedPort();
  const config = join(dir, 'prometheus.yaml');
  const labels = { namespace: 'shop', pod: 'web-0' };
  writeFileSync(
    config,
    stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [rulesFile],
      scrape_configs: [{ job_name: 'pods', static_configs: [{ targets: [`127.0.0.1:${adminPort}`], labels }] }],
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
  const ask = async (path: string): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    const { status, data: found, error } = (await response.json()) as { status: string; data: unknown; error?: string };
    assert.equal(status, 'success', error);
    return found;
  };
  const query = async (expr: string): Promise<number[]> => {
    const { result } = (await ask(`/api/v1/query?query=${encodeURIComponent(expr)}`)) as {
      result: { value: [number, string] }[];
    };
    return result.map(({ value }) => Number(value[1]));
  };
  await eventually(async () => (await query('up == 1')).length === 1, { what: 'the first scrape', everyMs: 200 });
  return {
    query,
    async rules(): Promise<Rule[]> {
      const { groups } = (await ask('/api/v1/rules')) as { groups: { rules: Rule[] }[] };
      return groups.flatMap(({ rules }) => rules);
    },
  };
}
