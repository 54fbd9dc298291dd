// `npx tsx test/demo/dashboard.ts`: draws k8s/monitoring/dashboard.svg. Two sidecars have two minutes of mixed requests, good
// and failed, with rotations of their certificate in it, one of them of a broken file; a real Prometheus scrapes them, and
// answers the queries of the dashboard as it does to Grafana.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { newTally, sendCounted, startCountedApp } from '../support/counted-load.ts';
import { dashboardPanels, monitoringFolder, type Prometheus, startPrometheus } from '../support/prometheus.ts';
import { openStage, type Stage } from '../support/stage.ts';
import { type DrawnPanel, dashboardSvg } from './dashboard-svg.ts';

const SECONDS = 120;
const ROTATION_SECONDS = 20;
/** Before the first point, so that each rate has what it is of. */
const LEAD_SECONDS = 12;

async function main(): Promise<void> {
  const ends: (() => unknown)[] = [];
  const t = { after: (end: () => unknown) => void ends.unshift(end) };
  try {
    const stage = await openStage();
    const [first, second] = [await startCountedApp(t), await startCountedApp(t)];
    t.after(() => stage.close());
    // A limit that is on the same scale as the connections.
    const args = ['--max-connections', '64'];
    const replicas = [
      { app: first, sidecar: await stage.start({ upstream: first.port, args }) },
      { app: second, sidecar: await stage.start({ upstream: second.port, args }) },
    ];
    const pods = Object.fromEntries(replicas.map(({ sidecar }, at) => [`web-${at}`, sidecar.adminPort]));
    const prometheus = await startPrometheus(t, { dir: stage.dir, pods });

    const began = Date.now();
    const to = Math.floor(began / 1000) + LEAD_SECONDS + SECONDS;
    const over = (): boolean => Date.now() / 1000 > to + 1;
    const load = replicas.map(async ({ app, sidecar }) => {
      while (!over()) {
        await sendCounted({ port: sidecar.port, ca: stage.authority.pem, app }, 100, newTally());
        // More and less of it, as by day.
        await delay(150 + 100 * Math.sin((Date.now() - began) / 9000));
      }
    });
    await Promise.all([...load, rotate(stage, over)]);
    const from = to - SECONDS;
    const caption = `Two sidecars on a busy machine, under a mixed load with failures and rotations; ${SECONDS} s of it, scraped each second by a real Prometheus.`;
    const picture = dashboardSvg(await answers(prometheus, from, to), from, to, caption);
    writeFileSync(join(monitoringFolder, 'dashboard.svg'), picture);
  } finally {
    for (const end of ends) await end();
  }
}

async function rotate(stage: Stage, over: () => boolean): Promise<void> {
  for (let rotation = 1; !over(); rotation++) {
    await delay(ROTATION_SECONDS * 1000);
    const files = stage.files(await stage.issue());
    if (rotation % 3 === 2) await stage.volume.write({ ...files, 'tls.key': 'not a key' });
    else await stage.volume.write(files);
  }
}

async function answers(prometheus: Prometheus, from: number, to: number): Promise<DrawnPanel[]> {
  const panels: DrawnPanel[] = [];
  for (const panel of dashboardPanels()) {
    const queries = [];
    for (const { expr, legendFormat } of panel.targets)
      queries.push({ legend: legendFormat, series: await prometheus.range(expr, from, to) });
    panels.push({ panel, queries });
  }
  return panels;
}

await main();
