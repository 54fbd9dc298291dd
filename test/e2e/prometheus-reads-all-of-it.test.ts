// A real Prometheus: promtool judges the metrics and tests the alerts, and the server scrapes a sidecar under load. No query
// of the dashboard is empty then, no alert cannot be evaluated, and none fires where nothing is wrong.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { askAdmin } from '../support/admin.ts';
import { type CountedApp, newTally, sendCounted, startCountedApp } from '../support/counted-load.ts';
import { endsWell } from '../support/ended-well.ts';
import { needs } from '../support/needs.ts';
import { eventually } from '../support/poll.ts';
import { repositoryRoot } from '../support/program.ts';
import { dashboardPanels, monitoringFolder, startPrometheus } from '../support/prometheus.ts';
import { setStage } from '../support/stage.ts';

const run = promisify(execFile);
const dir = mkdtempSync(join(tmpdir(), 'tls-sidecar-prometheus-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const rulesFile = join(dir, 'rules.yaml');
const { spec } = parse(readFileSync(join(monitoringFolder, 'prometheus-rule.yaml'), 'utf8')) as {
  spec: { groups: { rules: { alert: string; expr: string }[] }[] };
};
writeFileSync(rulesFile, stringify(spec, { lineWidth: 0 }));

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
  const prometheus = await startPrometheus(t, { dir, pods: { 'web-0': sidecar.adminPort }, rulesFile });

  for (const { title, targets } of dashboardPanels()) {
    for (const { expr } of targets)
      await eventually(async () => (await prometheus.query(expr)).some(Number.isFinite), {
        what: `a number in "${title}": ${expr}`,
        everyMs: 500,
      });
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
