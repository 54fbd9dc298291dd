// However many connections stand on the admin port and are slow, probes are answered; however many scrape, the metrics are
// made a few times a second.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { askAdmin, readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { connectPlain, type RawClient } from '../support/raw-client.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { setStage } from '../support/stage.ts';

const SLOW = 256;
const METRICS = 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n';

async function startSidecar(t: TestContext): Promise<Sidecar> {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  return stage.start({ upstream: app.port });
}

/** Answered by 200, each of them, on a connection of its own. */
async function probe(sidecar: Sidecar, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    for (const path of ['/livez', '/readyz']) assert.equal((await askAdmin(sidecar, path)).status, 200, path);
  }
}

async function connectMany(sidecar: Sidecar, each: (client: RawClient<Socket>) => void): Promise<RawClient<Socket>[]> {
  const clients = await Promise.all(Array.from({ length: SLOW }, () => connectPlain({ port: sidecar.adminPort })));
  for (const client of clients) each(client);
  return clients;
}

test('connections that send a byte now and then cost no probe', async (t) => {
  const sidecar = await startSidecar(t);
  const clients = await connectMany(sidecar, (client) => client.send('GET /livez HTTP/1.1\r\nX: '));
  const dribble = setInterval(() => {
    for (const client of clients) if (!client.ended) client.send('x');
  }, 100);
  t.after(() => clearInterval(dribble));
  await probe(sidecar, 20);
  clearInterval(dribble);
  for (const client of clients) client.destroy();
  await probe(sidecar, 1);
  await endsWell(sidecar);
});

test('connections that never say a word cost no probe', async (t) => {
  const sidecar = await startSidecar(t);
  const clients = await connectMany(sidecar, () => {});
  await probe(sidecar, 20);
  for (const client of clients) client.destroy();
  await endsWell(sidecar);
});

test('connections that never read their answers cost no probe', async (t) => {
  const sidecar = await startSidecar(t);
  const clients = await connectMany(sidecar, (client) => {
    client.socket.pause();
    client.send(METRICS.repeat(200));
  });
  await probe(sidecar, 20);
  for (const client of clients) client.destroy();
  await endsWell(sidecar);
});

test('many scrapers at once share a few renderings of the metrics', async (t) => {
  const sidecar = await startSidecar(t);
  const began = performance.now();
  const bodies = new Set<string>();
  for (let round = 0; round < 4; round++) {
    const answers = await Promise.all(Array.from({ length: 40 }, () => askAdmin(sidecar, '/metrics')));
    for (const { body } of answers) bodies.add(body);
  }
  // each rendering has the CPU time of its moment
  assert.ok([...bodies].every((body) => /^process_cpu_seconds_total \d/m.test(body)));
  const most = 1 + Math.ceil((performance.now() - began) / 250);
  assert.ok(bodies.size <= most, `${bodies.size} renderings where ${most} were due at most`);
  assert.equal((await readMetrics(sidecar)).sum('requests_total'), 0);
  await endsWell(sidecar);
});
