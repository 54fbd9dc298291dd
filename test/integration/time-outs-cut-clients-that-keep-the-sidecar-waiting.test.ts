// Everything that waits for a client has a limit: each is set to a second or so here, and the end must come then, neither
// much earlier nor much later. What can still be told is told, with a 408.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { startGatedApp } from '../support/gated-app.ts';
import { eventually } from '../support/poll.ts';
import { connect, connectPlain } from '../support/raw-client.ts';
import { valuesOf } from '../support/response.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { endsWell, forwarders, readMetrics, setStage } from '../support/stage.ts';

const limitMs = 1200;
const limit = `${limitMs}ms`;
const getNow = 'GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n';

async function begin(t: TestContext, args: string[]) {
  const stage = await setStage(t);
  const app = await startGatedApp(t);
  return { app, sidecar: await stage.start({ upstream: app.port, args }) };
}

/** Asserts that what is waited for came within a second of the limit. */
async function assertAtLimit(what: string, started: number, end: Promise<unknown>): Promise<void> {
  await end;
  const tookMs = performance.now() - started;
  assert.ok(tookMs > limitMs - 200 && tookMs < limitMs + 1000, `${what} came after ${Math.round(tookMs)} ms`);
}

async function assertTimeout(sidecar: Sidecar, reason: string): Promise<void> {
  const line = await sidecar.waitForLog((candidate) => candidate.reason === reason);
  assert.deepEqual([line.status, line.side], [408, 'client']);
  assert.equal((await readMetrics(sidecar)).sum('failures_total', { reason, side: 'client' }), 1);
}

describe('--header-timeout', { concurrency: 3 }, () => {
  test('half a head gets a 408', async (t) => {
    const { sidecar } = await begin(t, ['--header-timeout', limit]);
    const client = await connect({ port: sidecar.port });
    const started = performance.now();
    client.send('GET / HTTP/1.1\r\nHost: local');
    await assertAtLimit('the 408', started, client.waitFor('HTTP/1.1 408'));
    const answer = await client.readResponse();
    assert.match(valuesOf(answer.headers, 'proxy-status')[0] ?? '', /^tls-sidecar; .*details=header_timeout/);
    assert.deepEqual(valuesOf(answer.headers, 'connection'), ['close']);
    assert.match(answer.body.toString(), /--header-timeout/);
    await client.closed;
    await assertTimeout(sidecar, 'header_timeout');
    await endsWell(sidecar);
  });

  test('a head that comes byte by byte gets it, too', async (t) => {
    const { sidecar } = await begin(t, ['--header-timeout', limit]);
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
    const { sidecar } = await begin(t, ['--header-timeout', limit]);
    const client = await connect({ port: sidecar.port });
    client.send(getNow);
    assert.equal((await client.readResponse()).status, 200);
    const started = performance.now();
    client.send('G');
    await assertAtLimit('the 408', started, client.waitFor('HTTP/1.1 408'));
    await client.closed;
    await endsWell(sidecar);
  });
});

describe('--idle-timeout', { concurrency: 3 }, () => {
  test('a connection without a request is closed, in silence', async (t) => {
    const { sidecar } = await begin(t, ['--idle-timeout', limit]);
    const started = performance.now();
    const client = await connect({ port: sidecar.port });
    await assertAtLimit('the end', started, client.closed);
    assert.equal(client.received.length, 0);
    await endsWell(sidecar);
    assert.ok(!sidecar.logs.some(({ msg }) => msg === 'request'));
  });

  test('a connection is closed when nothing follows an answer, counted from there', async (t) => {
    const { sidecar, app } = await begin(t, ['--idle-timeout', limit]);
    const client = await connect({ port: sidecar.port });
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const { response } = await app.waitFor(1);
    // Longer in flight than the limit: an exchange is no idleness.
    const answered = performance.now();
    await eventually(() => performance.now() - answered > limitMs + 600, { what: 'a slow answer' });
    response.end('late');
    assert.equal((await client.readResponse()).body.toString(), 'late');
    const started = performance.now();
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
      const { sidecar } = await begin(t, ['--handshake-timeout', limit]);
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
    const args = ['--client-timeout', limit, '--forwarder', forwarder];

    test('a body that stops gets a 408, and the app is let go', async (t) => {
      const { sidecar, app } = await begin(t, args);
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
      assert.match(valuesOf(answer.headers, 'proxy-status')[0] ?? '', /details=client_timeout/);
      await client.closed;
      await eventually(() => left, { what: "the end of the app's request" });
      await assertTimeout(sidecar, 'client_timeout');
      await endsWell(sidecar);
    });

    test('a body that keeps coming is not cut, however slowly', async (t) => {
      const { sidecar, app } = await begin(t, args);
      const client = await connect({ port: sidecar.port });
      const started = performance.now();
      client.send('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nx');
      const { response, body } = await app.waitFor(1);
      const drip = setInterval(() => client.send('x'), 100);
      t.after(() => clearInterval(drip));
      await eventually(() => performance.now() - started > 2 * limitMs, { what: 'twice the limit' });
      clearInterval(drip);
      assert.equal(client.received.length, 0);
      client.send('x'.repeat(100_000));
      await eventually(() => body().length === 100_000, { what: 'the whole body at the app' });
      response.end('taken');
      assert.equal((await client.readResponse()).body.toString(), 'taken');
      client.destroy();
      await endsWell(sidecar);
    });

    test('a client that does not read its answer is cut, and the app is let go', async (t) => {
      const { sidecar, app } = await begin(t, args);
      const client = await connect({ port: sidecar.port });
      client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      const { response } = await app.waitFor(1);
      client.socket.pause();
      response.setHeader('Content-Length', 256 << 20);
      let left = 0;
      response.on('close', () => {
        left = performance.now();
      });
      const pour = (): void => {
        while (left === 0 && response.write(Buffer.alloc(1 << 20)));
      };
      response.on('drain', pour);
      const started = performance.now();
      pour();
      await eventually(() => left > 0, { what: 'the end of the app', deadlineMs: 10_000 });
      // The buffers of two sockets are filled first.
      const tookMs = left - started;
      assert.ok(tookMs > limitMs - 200 && tookMs < limitMs + 2500, `the end came after ${Math.round(tookMs)} ms`);
      client.socket.resume();
      assert.equal((await client.readResponse({ deadlineMs: 20_000 })).complete, false);
      await sidecar.waitForLog(({ reason }) => reason === 'client_timeout');
      await endsWell(sidecar);
    });
  });
}
