// --drain-delay: from SIGTERM on not ready, but serving and accepting for this long, so that load balancers can turn away
// first, and clients are told to go. It is skipped when the app is gone, because then there is nobody to serve for.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { askAdmin, readMetrics } from '../support/admin.ts';
import { startHeldApp } from '../support/held-app.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import { valuesOf } from '../support/response.ts';
import { setStage } from '../support/stage.ts';

const getNow = 'GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('the drain delay', { concurrency: 4 }, () => {
  test('new and old connections are served, /readyz says no, and the exit comes after it', async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: ['--drain-delay', '8s', '--drain-timeout', '30m'] });
    const idle = await connect({ port: sidecar.port });
    const olds = await Promise.all(Array.from({ length: 5 }, () => connect({ port: sidecar.port })));
    assert.equal((await askAdmin(sidecar, '/readyz')).status, 200);
    const started = performance.now();
    sidecar.kill('SIGTERM');
    await eventually(async () => (await askAdmin(sidecar, '/readyz')).status === 503, { what: 'a 503 of /readyz' });
    assert.match((await askAdmin(sidecar, '/readyz')).body, /draining/);
    assert.equal((await askAdmin(sidecar, '/livez')).status, 200);
    assert.equal((await readMetrics(sidecar)).sum('draining'), 1);
    for (const old of olds) {
      for (const client of [old, await connect({ port: sidecar.port })]) {
        client.send(getNow);
        const answer = await client.readResponse();
        assert.equal(answer.body.toString(), 'now');
        assert.deepEqual(valuesOf(answer.headers, 'connection'), ['close']);
        assert.deepEqual(await client.closed, { hadError: false });
      }
      assert.equal(idle.ended, false);
    }
    assert.deepEqual(await sidecar.exited, { code: 0, signal: null });
    const tookMs = performance.now() - started;
    assert.ok(tookMs >= 7990, `it took ${tookMs} ms`);
    assert.deepEqual(await idle.closed, { hadError: false });
  });

  test('it is skipped when the app is gone', async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: ['--drain-delay', '10m', '--drain-timeout', '20m'] });
    app.close();
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
  });

  test('it is skipped when the app is gone since a moment ago, whatever a probe was told before', async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: ['--drain-delay', '10m', '--drain-timeout', '20m'] });
    assert.equal((await askAdmin(sidecar, '/readyz')).status, 200);
    app.close();
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
  });

  test('it counts into the drain time-out', async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const begin = async (...args: string[]) => {
      const sidecar = await stage.start({ upstream: app.port, args });
      const client = await connect({ port: sidecar.port });
      client.send('GET /hangs HTTP/1.1\r\nHost: localhost\r\n\r\n');
      return sidecar;
    };
    // Were it added to the time-out, the first would end long after the second.
    const both = await Promise.all([
      begin('--drain-delay', '4s', '--drain-timeout', '5s'),
      begin('--drain-timeout', '7s'),
    ]);
    await app.waitFor(2);
    const started = performance.now();
    const ends: string[] = [];
    const [first, second] = both.map((sidecar, at) =>
      sidecar.stop().then((exit) => {
        ends.push(['with a delay', 'without'][at] as string);
        return { exit, tookMs: performance.now() - started };
      }),
    );
    assert.deepEqual((await first)?.exit, { code: 0, signal: null });
    assert.deepEqual((await second)?.exit, { code: 0, signal: null });
    assert.deepEqual(ends, ['with a delay', 'without']);
    assert.ok(Number((await first)?.tookMs) >= 4990);
  });

  test('a second signal ends it', async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({
      upstream: app.port,
      args: ['--drain-delay', '10m', '--drain-timeout', '20m'],
      expect: { exit: { code: 1, signal: null } },
    });
    sidecar.kill('SIGTERM');
    await sidecar.waitForLog(({ state }) => state === 'draining');
    assert.deepEqual(await sidecar.stop(), { code: 1, signal: null });
  });
});
