// Everything that waits for a client has a limit. The one that a test is about is short here and all others are far away,
// so that what ends the connection can only be that one: never before its time, and told with a 408 where that can be.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, type TestContext, test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { endsWell } from '../support/ended-well.ts';
import { startHeldApp } from '../support/held-app.ts';
import { eventually } from '../support/poll.ts';
import { connect, connectPlain } from '../support/raw-client.ts';
import { valuesOf } from '../support/response.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { type Forwarder, forwarders, setStage } from '../support/stage.ts';

const limitMs = 1200;
const limits = ['--header-timeout', '--idle-timeout', '--handshake-timeout', '--client-timeout', '--upstream-timeout'];
const getNow = 'GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n';

type Beginning = { short: string; ms?: number; forwarder?: Forwarder; rate?: string };

/** With this one limit short, and the others so long that none of them ends anything here. */
async function begin(t: TestContext, { short, ms = limitMs, rate = '0', ...options }: Beginning) {
  const stage = await setStage(t);
  const app = await startHeldApp(t);
  const times = limits.flatMap((name) => [name, name === short ? `${ms}ms` : '30m']);
  const args = [...times, '--min-body-rate', rate];
  return { app, sidecar: await stage.start({ upstream: app.port, args, ...options }) };
}

/** Asserts that what is waited for comes, and not before the limit: `started` lies before the wait began. */
async function assertAtLimit(what: string, started: number, end: Promise<unknown>): Promise<void> {
  await end;
  const tookMs = performance.now() - started;
  assert.ok(tookMs >= limitMs - 5, `${what} came after ${Math.round(tookMs)} ms`);
}

async function assertTimeout(sidecar: Sidecar, reason: string): Promise<void> {
  const line = await sidecar.waitForLog((candidate) => candidate.reason === reason);
  assert.deepEqual([line.status, line.side], [408, 'client']);
  assert.equal((await readMetrics(sidecar)).sum('failures_total', { reason, side: 'client' }), 1);
}

describe('--header-timeout', { concurrency: 3 }, () => {
  test('half a head gets a 408', async (t) => {
    const { sidecar } = await begin(t, { short: '--header-timeout' });
    const client = await connect({ port: sidecar.port });
    const started = performance.now();
    client.send('GET / HTTP/1.1\r\nHost: local');
    await assertAtLimit('the 408', started, client.waitFor('HTTP/1.1 408'));
    const answer = await client.readResponse();
    assert.match(valuesOf(answer.headers, 'proxy-status')[0] ?? '', /^tls-sidecar; .*details="header_timeout"/);
    assert.deepEqual(valuesOf(answer.headers, 'connection'), ['close']);
    assert.match(answer.body.toString(), /--header-timeout/);
    await client.closed;
    await assertTimeout(sidecar, 'header_timeout');
    await endsWell(sidecar);
  });

  test('a head that comes byte by byte gets it, too', async (t) => {
    const { sidecar } = await begin(t, { short: '--header-timeout' });
    const client = await connect({ port: sidecar.port });
    const started = performance.now();
    client.send('GET / HTTP/1.1\r\nX: ');
    const drip = setInterval(() => client.send('x'), 100);
    t.after(() => clearInterval(drip));
    await assertAtLimit('the 408', started, client.waitFor('HTTP/1.1 408'));
    await client.closed;
    clearInterval(drip);
    await endsWell(sidecar);
  });

  test('so does the second request of a connection, counted from its own first byte', async (t) => {
    const { sidecar } = await begin(t, { short: '--header-timeout' });
    const client = await connect({ port: sidecar.port });
    client.send(getNow);
    assert.equal((await client.readResponse()).status, 200);
    // Silence of any length counts for nothing.
    const answered = performance.now();
    await eventually(() => performance.now() - answered > limitMs / 2, { what: 'a silence' });
    const started = performance.now();
    client.send('G');
    await assertAtLimit('the 408', started, client.waitFor('HTTP/1.1 408'));
    await client.closed;
    await endsWell(sidecar);
  });
});

describe('--idle-timeout', { concurrency: 3 }, () => {
  test('a connection without a request is closed, in silence', async (t) => {
    const { sidecar } = await begin(t, { short: '--idle-timeout' });
    const started = performance.now();
    const client = await connect({ port: sidecar.port });
    await assertAtLimit('the end', started, client.closed);
    assert.equal(client.received.length, 0);
    await endsWell(sidecar);
    assert.ok(!sidecar.logs.some(({ msg }) => msg === 'request'));
  });

  test('a connection is closed when nothing follows an answer, counted from there', async (t) => {
    const { sidecar, app } = await begin(t, { short: '--idle-timeout' });
    const client = await connect({ port: sidecar.port });
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const { response } = await app.waitFor(1);
    // Longer in flight than the limit: an exchange is no idleness.
    const answered = performance.now();
    await eventually(() => performance.now() - answered > limitMs + 600, { what: 'a slow answer' });
    const started = performance.now();
    response.end('late');
    assert.equal((await client.readResponse()).body.toString(), 'late');
    await assertAtLimit('the end', started, client.closed);
    await endsWell(sidecar);
  });
});

describe('--handshake-timeout', { concurrency: 3 }, () => {
  for (const [what, bytes] of [
    ['a silent client', ''],
    ['half a ClientHello', '16030100c8010000c40303'],
    ['a record header', '160301'],
  ] as const) {
    test(`${what} is closed`, async (t) => {
      const { sidecar } = await begin(t, { short: '--handshake-timeout' });
      const started = performance.now();
      const client = await connectPlain({ port: sidecar.port });
      if (bytes !== '') client.send(Buffer.from(bytes, 'hex'));
      await assertAtLimit('the end', started, client.closed);
      if (bytes !== '') {
        await eventually(async () => (await readMetrics(sidecar)).sum('handshake_failures_total') === 1, {
          what: 'the failed handshake to be counted',
        });
        assert.equal((await readMetrics(sidecar)).sum('handshake_failures_total', { reason: 'timeout' }), 1);
      }
      await endsWell(sidecar);
      assert.ok(!sidecar.logs.some(({ msg }) => msg === 'request'));
    });
  }
});

for (const forwarder of forwarders) {
  describe(`--client-timeout (${forwarder})`, { concurrency: 3 }, () => {
    const options = { short: '--client-timeout', forwarder };

    test('a body that stops gets a 408, and the app is let go', async (t) => {
      const { sidecar, app } = await begin(t, options);
      const client = await connect({ port: sidecar.port });
      const started = performance.now();
      client.send('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc');
      const { request } = await app.waitFor(1);
      let left = false;
      request.on('close', () => {
        left = true;
      });
      await assertAtLimit('the 408', started, client.waitFor('HTTP/1.1 408'));
      const answer = await client.readResponse();
      assert.match(valuesOf(answer.headers, 'proxy-status')[0] ?? '', /details="client_timeout"/);
      await client.closed;
      await eventually(() => left, { what: "the end of the app's request" });
      await assertTimeout(sidecar, 'client_timeout');
      await endsWell(sidecar);
    });

    test('a body that keeps coming is not cut, however slowly', async (t) => {
      // Far longer than what a busy machine may hold one byte up.
      const ms = 4000;
      const { sidecar, app } = await begin(t, { ...options, ms });
      const client = await connect({ port: sidecar.port });
      const started = performance.now();
      client.send('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nx');
      const { response, body } = await app.waitFor(1);
      const drip = setInterval(() => client.send('x'), 100);
      t.after(() => clearInterval(drip));
      await eventually(() => performance.now() - started > 1.5 * ms, { what: 'more than the limit' });
      clearInterval(drip);
      assert.equal(client.received.length, 0);
      client.send('x'.repeat(100_000));
      await eventually(() => body().length === 100_000, { what: 'the whole body at the app' });
      response.end('taken');
      assert.equal((await client.readResponse()).body.toString(), 'taken');
      client.destroy();
      await endsWell(sidecar);
    });

    test('a body that keeps coming, and more slowly than --min-body-rate, is a 408', async (t) => {
      const ms = 4000;
      const { sidecar, app } = await begin(t, { ...options, ms, rate: '240B' });
      const client = await connect({ port: sidecar.port });
      const started = performance.now();
      client.send('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nx');
      await app.waitFor(1);
      const drip = setInterval(() => client.send('x'), 100);
      t.after(() => clearInterval(drip));
      await assertAtLimit('the answer', started + ms - limitMs, client.readResponse());
      clearInterval(drip);
      assert.match(client.received.toString(), /^HTTP\/1\.1 408 .*details="client_timeout"/s);
      client.destroy();
      await endsWell(sidecar);
    });

    test('a client that does not read its answer is cut, and the app is let go', async (t) => {
      const { sidecar, app } = await begin(t, options);
      const client = await connect({ port: sidecar.port });
      client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      const { response } = await app.waitFor(1);
      client.socket.pause();
      response.setHeader('Content-Length', 256 << 20);
      let left = false;
      const gone = once(response, 'close').then(() => {
        left = true;
      });
      const pour = (): void => {
        while (!left && response.write(Buffer.alloc(1 << 20)));
      };
      response.on('drain', pour);
      const started = performance.now();
      pour();
      await assertAtLimit('the end of the app', started, gone);
      client.socket.resume();
      assert.equal((await client.readResponse()).complete, false);
      await sidecar.waitForLog(({ reason }) => reason === 'client_timeout');
      await endsWell(sidecar);
    });
  });
}
