// Draining has an end: the drain time-out cuts what is left and the exit code is still 0; a second signal stops now, with
// exit code 1.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { startHeldApp } from '../support/held-app.ts';
import type { Exit } from '../support/program.ts';
import { connect, type RawClient } from '../support/raw-client.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { forwarders, setStage } from '../support/stage.ts';

type Scene = { sidecar: Sidecar; client: RawClient };

/** A client whose request the app has, and never answers. */
async function beginHanging(t: TestContext, args: string[], exit?: Exit): Promise<Scene> {
  const stage = await setStage(t);
  const app = await startHeldApp(t);
  const sidecar = await stage.start({ upstream: app.port, args, expect: { exit } });
  const client = await connect({ port: sidecar.port });
  client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await app.waitFor(1);
  return { sidecar, client };
}

describe('limits of draining', { concurrency: 4 }, () => {
  for (const forwarder of forwarders) {
    test(`the drain time-out cuts what is left (${forwarder})`, async (t) => {
      const args = ['--forwarder', forwarder, '--drain-timeout', '1500ms'];
      const { sidecar, client } = await beginHanging(t, args);
      const started = performance.now();
      sidecar.kill('SIGTERM');
      assert.deepEqual(await sidecar.exited, { code: 0, signal: null });
      const tookMs = performance.now() - started;
      assert.ok(tookMs >= 1490, `it took ${tookMs} ms`);
      assert.equal((await sidecar.waitForLog('stopped')).cut, 1);
      await client.closed;
      assert.equal(client.received.length, 0);
    });
  }

  test('an event stream of a known length, which could not end whole, is kept until the time-out', async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: ['--drain-timeout', '4s'] });
    const client = await connect({ port: sidecar.port });
    client.send('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const { response } = await app.waitFor(1);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'content-length': 1000 });
    response.write('data: before\n\n');
    await client.waitFor('data: before');
    const started = performance.now();
    sidecar.kill('SIGTERM');
    await sidecar.waitForLog(({ state }) => state === 'draining');
    response.write('data: while draining\n\n');
    await client.waitFor('data: while draining');
    assert.deepEqual(await sidecar.exited, { code: 0, signal: null });
    const tookMs = performance.now() - started;
    assert.ok(tookMs >= 3990, `it took ${tookMs} ms`);
    assert.equal((await client.readResponse()).complete, false);
  });

  for (const [first, second] of [
    ['SIGTERM', 'SIGTERM'],
    ['SIGINT', 'SIGINT'],
    ['SIGTERM', 'SIGINT'],
  ] as const) {
    test(`${second} after ${first} stops now`, async (t) => {
      const { sidecar, client } = await beginHanging(t, ['--drain-timeout', '20m'], { code: 1, signal: null });
      sidecar.kill(first);
      await sidecar.waitForLog(({ state }) => state === 'draining');
      assert.deepEqual(await sidecar.stop(second), { code: 1, signal: null });
      assert.equal(sidecar.stderr, '');
      await client.closed;
    });
  }

  test('a client that does not read its answer is cut at the time-out', async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: ['--drain-timeout', '1500ms'] });
    const client = await connect({ port: sidecar.port });
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const { response } = await app.waitFor(1);
    client.socket.pause();
    response.end(Buffer.alloc(64 << 20));
    sidecar.kill('SIGTERM');
    assert.deepEqual(await sidecar.exited, { code: 0, signal: null });
    client.socket.resume();
    assert.equal((await client.readResponse()).complete, false);
  });
});
