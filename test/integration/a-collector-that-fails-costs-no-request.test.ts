// The collector of --trace-otlp is down, silent, or talks nonsense: requests are answered as ever, what is lost is counted, the
// log says it once, and memory does not grow. At the end of a drain the last spans leave.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { type Collector, OK, startCollector } from '../support/collector.ts';
import { endsWell } from '../support/ended-well.ts';
import { startHeldApp } from '../support/held-app.ts';
import { eventually } from '../support/poll.ts';
import { runToExit } from '../support/program.ts';
import { connect, type RawClient } from '../support/raw-client.ts';
import { setStage } from '../support/stage.ts';

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const FAILS = 'spans cannot be exported, and are dropped';
const BACK = 'spans are exported again';
/** What the queue holds. */
const LIMIT = 2048;
/** Then an export is given up. */
const EXPORT_MS = 30_000;

/** One after the other on one connection. */
async function ask(client: RawClient, count: number): Promise<void> {
  client.send(GET.repeat(count));
  for (let i = 0; i < count; i++) assert.equal((await client.readResponse()).status, 200);
}

const failures: readonly (readonly [what: string, answer: Collector['answer'] | 'none'])[] = [
  ['is down', 'none'],
  ['is silent', () => {}],
  ['refuses', (response) => void response.writeHead(400).end('x'.repeat(1_000_000))],
  ['does not talk HTTP', ({ socket }) => void socket?.end('nonsense\r\n\r\n')],
];

for (const [what, answer] of failures)
  test(`a collector that ${what} is told of once, and once that it is back`, async (t) => {
    const stage = await setStage(t);
    const collector = await startCollector(t);
    const app = await startApp(t, (_, response) => response.end('ok'));
    const env = { OTEL_BSP_SCHEDULE_DELAY: '20', OTEL_EXPORTER_OTLP_TIMEOUT: '300' };
    const sidecar = await stage.start({ upstream: app.port, args: ['--trace-otlp', collector.url], env });
    const client = await connect({ port: sidecar.port });
    const lines = (msg: string) => sidecar.logs.filter((line) => line.msg === msg);
    const lost = async (): Promise<number> =>
      (await readMetrics(sidecar)).sum('spans_dropped_total', { reason: 'export_failed' });
    assert.equal(await lost(), 0);
    if (answer === 'none') await collector.stop();
    else collector.answer = answer;
    await ask(client, 10);
    const line = await sidecar.waitForLog(FAILS);
    assert.deepEqual([line.level, line.collector], ['warn', `${collector.url}/v1/traces`]);
    assert.ok(JSON.stringify(line).length < 6000);
    await eventually(async () => (await lost()) === 10, { what: 'ten lost spans' });
    await ask(client, 1);
    await eventually(async () => (await lost()) === 11, { what: 'another lost span' });
    assert.equal(lines(FAILS).length, 1);
    assert.equal(lines(BACK).length, 0);

    collector.answer = OK;
    if (answer === 'none') await collector.start();
    const before = collector.spans.length;
    await ask(client, 1);
    await sidecar.waitForLog(BACK);
    assert.equal(collector.spans.length, before + 1);
    await ask(client, 1);
    await collector.waitFor(before + 2);
    assert.deepEqual([lines(FAILS).length, lines(BACK).length, await lost()], [1, 1, 11]);
    client.end();
    await client.closed;
    await endsWell(sidecar);
  });

test('an answer of 200 counts, whatever its body is', async (t) => {
  const stage = await setStage(t);
  const collector = await startCollector(t);
  collector.answer = (response) => void response.end(Buffer.alloc(100_000, 0xff));
  const app = await startApp(t, (_, response) => response.end('ok'));
  const env = { OTEL_BSP_SCHEDULE_DELAY: '20' };
  const sidecar = await stage.start({ upstream: app.port, args: ['--trace-otlp', collector.url], env });
  const client = await connect({ port: sidecar.port });
  await ask(client, 3);
  await collector.waitFor(3);
  await ask(client, 1);
  await collector.waitFor(4);
  client.destroy();
  await endsWell(sidecar);
  assert.deepEqual(
    sidecar.logs.filter(({ level, msg }) => level !== 'info' && !String(msg).startsWith('this Node lacks')),
    [],
  );
});

test('however many requests come before a silent collector, no more spans are held than the queue has room for', async (t) => {
  const stage = await setStage(t);
  const collector = await startCollector(t);
  collector.answer = () => {};
  const app = await startApp(t, (_, response) => response.end('ok'));
  const env = { OTEL_EXPORTER_OTLP_TIMEOUT: '600000' };
  const args = ['--trace-otlp', collector.url, '--access-log', 'off'];
  const sidecar = await stage.start({ upstream: app.port, args, env });
  const client = await connect({ port: sidecar.port });
  const requests = 5000;
  const began = Date.now();
  for (let i = 0; i < 50; i++) await ask(client, 100);
  const metrics = await readMetrics(sidecar);
  assert.equal(metrics.sum('requests_total'), requests);
  // On a machine that takes longer for the requests than an export may, the first ones make room for others.
  const failed = metrics.sum('spans_dropped_total', { reason: 'export_failed' });
  const held = requests - failed - metrics.sum('spans_dropped_total', { reason: 'queue_full' });
  if (failed === 0) assert.equal(held, LIMIT);
  else assert.ok(held > 0 && held <= LIMIT, `${held} spans are held, and ${failed} were given up`);
  client.destroy();
  // The flush has its own limit: an end that waits for the collector would be killed.
  await endsWell(sidecar);
  const { spans } = await sidecar.waitForLog('the last spans were not exported in time');
  if (Date.now() - began < EXPORT_MS) assert.deepEqual([failed, spans], [0, LIMIT]);
  else assert.ok(Number(spans) > 0 && Number(spans) <= held, `${spans} of ${held}`);
});

test('at the end of a drain the last spans leave, those of requests that it waited for, too', async (t) => {
  const stage = await setStage(t);
  const collector = await startCollector(t);
  const app = await startHeldApp(t);
  // Nothing leaves by itself.
  const env = { OTEL_BSP_SCHEDULE_DELAY: '600000' };
  const sidecar = await stage.start({ upstream: app.port, args: ['--trace-otlp', collector.url], env });
  const early = await connect({ port: sidecar.port });
  early.send(GET.replace('/', '/now'));
  await early.readResponse();
  early.end();
  const late = await connect({ port: sidecar.port });
  late.send(GET.replace('/', '/late'));
  const { response } = await app.waitFor(1);
  sidecar.kill('SIGTERM');
  await sidecar.waitForLog(({ state }) => state === 'draining');
  assert.equal(collector.posts.length, 0);
  response.end();
  assert.equal((await late.readResponse()).status, 200);
  late.end();
  await endsWell(sidecar);
  assert.deepEqual(collector.spans.map(({ attributes }) => attributes['url.path']).sort(), ['/late', '/now']);
});

test('a collector that is no URL is one clear problem, and a variable that the SDK does not take a warning', async (t) => {
  const stage = await setStage(t);
  const certificate = ['--cert', stage.volume.path('tls.crt'), '--key', stage.volume.path('tls.key')];
  const run = await runToExit([...certificate, '--trace-otlp', 'collector:4318']);
  assert.equal(run.code, 2);
  assert.equal(
    run.stderr,
    'tls-sidecar: --trace-otlp takes http://HOST:PORT or https://HOST:PORT/PATH; credentials belong into OTEL_EXPORTER_OTLP_HEADERS; the flag says "collector:4318"\n',
  );
  const collector = await startCollector(t);
  const env = { OTEL_TRACES_SAMPLER: 'sometimes' };
  const sidecar = await stage.start({ upstream: 1, args: ['--trace-otlp', collector.url], env });
  const line = await sidecar.waitForLog('a setting of OpenTelemetry needs attention');
  assert.match(String(line.detail), /OTEL_TRACES_SAMPLER value "sometimes" invalid/);
  await endsWell(sidecar);
});
