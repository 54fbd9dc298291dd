// --drain-delay: from SIGTERM on not ready, but serving and accepting for this long, so that load balancers can turn away
// first. It is skipped when the app is gone, because then there is nobody to serve for.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startGatedApp } from '../support/gated-app.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import { valuesOf } from '../support/response.ts';
import { askAdmin, readMetrics, setStage } from '../support/stage.ts';

const getNow = 'GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('the drain delay', { concurrency: 4 }, () => {
  test('new and old connections are served, /readyz says no, and the exit comes after it', async (t) => {
    const stage = await setStage(t);
    const app = await startGatedApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: ['--drain-delay', '2s', '--drain-timeout', '10s'] });
    const old = await connect({ port: sidecar.port });
    assert.equal((await askAdmin(sidecar, '/readyz')).status, 200);
    const started = performance.now();
    sidecar.kill('SIGTERM');
    await eventually(async () => (await askAdmin(sidecar, '/readyz')).status === 503, { what: 'a 503 of /readyz' });
    assert.ok(performance.now() - started < 1000, '/readyz took its time');
    assert.match((await askAdmin(sidecar, '/readyz')).body, /draining/);
    assert.equal((await askAdmin(sidecar, '/livez')).status, 200);
    assert.equal((await readMetrics(sidecar)).sum('draining'), 1);
    let served = 0;
    while (performance.now() - started < 1500) {
      old.send(getNow);
      const answer = await old.readResponse();
      assert.equal(answer.body.toString(), 'now');
      assert.deepEqual(valuesOf(answer.headers, 'connection'), []);
      const fresh = await connect({ port: sidecar.port });
      fresh.send(getNow);
      assert.equal((await fresh.readResponse()).body.toString(), 'now');
      fresh.end();
      await fresh.closed;
      served += 1;
    }
    assert.ok(served > 0);
    assert.deepEqual(await sidecar.exited, { code: 0, signal: null });
    const tookMs = performance.now() - started;
    assert.ok(tookMs >= 1900 && tookMs < 4000, `it took ${tookMs} ms`);
    assert.deepEqual(await old.closed, { hadError: false });
  });

  test('it is skipped when the app is gone', async (t) => {
    const stage = await setStage(t);
    const app = await startGatedApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: ['--drain-delay', '8s', '--drain-timeout', '10s'] });
    app.close();
    const started = performance.now();
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
    assert.ok(performance.now() - started < 1500);
  });

  test('it is skipped when the app is gone since a moment ago, whatever a probe was told before', async (t) => {
    const stage = await setStage(t);
    const app = await startGatedApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: ['--drain-delay', '8s', '--drain-timeout', '10s'] });
    assert.equal((await askAdmin(sidecar, '/readyz')).status, 200);
    app.close();
    const started = performance.now();
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
    assert.ok(performance.now() - started < 1500);
  });

  test('it counts into the drain time-out, and a second signal ends it', async (t) => {
    const stage = await setStage(t);
    const app = await startGatedApp(t);
    const args = ['--drain-delay', '1s', '--drain-timeout', '1500ms'];
    const sidecar = await stage.start({ upstream: app.port, args });
    const client = await connect({ port: sidecar.port });
    client.send('GET /hangs HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await app.waitFor(1);
    const started = performance.now();
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
    const tookMs = performance.now() - started;
    assert.ok(tookMs >= 1400 && tookMs < 4000, `it took ${tookMs} ms`);

    const other = await stage.start({ upstream: app.port, args: ['--drain-delay', '8s'] });
    other.kill('SIGTERM');
    await other.waitForLog(({ state }) => state === 'draining');
    assert.deepEqual(await other.stop('SIGTERM', 2000), { code: 1, signal: null });
  });
});
