// The access line: exactly the fields that the contract names, with the right values; never a query string, never
// another header's value, never a line for what is no request.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startApp, unusedPort } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import type { LogLine } from '../support/log-lines.ts';
import { eventually } from '../support/poll.ts';
import { launch } from '../support/program.ts';
import { connect, connectPlain } from '../support/raw-client.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { forwarders, setStage } from '../support/stage.ts';

const fields = [
  ...['time', 'level', 'msg', 'method', 'path', 'status', 'protocol', 'host', 'client', 'bytesIn', 'bytesOut'],
  ...['durationMs', 'upstreamMs', 'requestId', 'traceparent', 'tls', 'reason', 'side'],
];
const tlsFields = ['version', 'cipher', 'sni', 'resumed', 'client'];

function requestLines(sidecar: Sidecar): LogLine[] {
  return sidecar.logs.filter(({ msg }) => msg === 'request');
}

function assertNoMore(line: LogLine): void {
  for (const field of Object.keys(line)) assert.ok(fields.includes(field), `the line has ${field}`);
  for (const field of Object.keys((line.tls as object | undefined) ?? {})) {
    assert.ok(tlsFields.includes(field), `tls has ${field}`);
  }
}

describe('the access line', { concurrency: 3 }, () => {
  for (const forwarder of forwarders) {
    test(`of a request that was served (${forwarder})`, async (t) => {
      const stage = await setStage(t);
      let idAtTheApp: unknown;
      let traceAtTheApp: unknown;
      const app = await startApp(t, (request, response) => {
        idAtTheApp = request.headers['x-request-id'];
        traceAtTheApp = request.headers.traceparent;
        request.resume();
        response.setHeader('Set-Cookie', 'answer-secret');
        request.on('end', () => response.end('twelve bytes'));
      });
      const sidecar = await stage.start({ upstream: app.port, args: ['--forwarder', forwarder] });
      const client = await connect({ port: sidecar.port });
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      client.send(
        [
          'POST /a/path?token=query-secret&b HTTP/1.1',
          'Host: localhost:8443',
          'Authorization: Bearer header-secret',
          'Cookie: cookie-secret',
          `traceparent: ${traceparent}`,
          'Content-Length: 5',
          '',
          'hello',
        ].join('\r\n'),
      );
      assert.equal((await client.readResponse()).status, 200);
      client.end();
      await client.closed;
      const line = await sidecar.waitForLog('request');
      assertNoMore(line);
      const { time, durationMs, upstreamMs, tls, ...facts } = line;
      assert.deepEqual(facts, {
        level: 'info',
        msg: 'request',
        method: 'POST',
        path: '/a/path',
        status: 200,
        protocol: 'http/1.1',
        host: 'localhost:8443',
        client: '127.0.0.1',
        bytesIn: 5,
        bytesOut: 12,
        requestId: idAtTheApp,
        traceparent,
      });
      assert.equal(traceAtTheApp, traceparent);
      assert.deepEqual(tls, { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', sni: 'localhost', resumed: false });
      assert.ok(Math.abs(Date.parse(String(time)) - Date.now()) < 60_000);
      assert.ok(Number(upstreamMs) > 0 && Number(upstreamMs) <= Number(durationMs) && Number(durationMs) < 5000);
      assert.match(String(line.requestId), /^[0-9a-f-]{36}$/);
      await endsWell(sidecar);
      const everything = JSON.stringify(sidecar.logs);
      assert.doesNotMatch(everything, /secret/);
      assert.ok(!everything.includes(stage.pair.key.split('\n')[1] ?? ''), 'the key is in the log');
      assert.equal(requestLines(sidecar).length, 1);
    });
  }

  test('of requests that failed says why and on which side', async (t) => {
    const stage = await setStage(t);
    const sidecar = await stage.start({ upstream: await unusedPort() });
    const client = await connect({ port: sidecar.port });
    client.send('GET /?secret HTTP/1.1\r\nHost: localhost\r\n\r\n');
    assert.equal((await client.readResponse()).status, 502);
    client.send('GET /secret?secret HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
    assert.equal((await client.readResponse()).status, 400);
    await client.closed;
    const [refused, bad] = await eventually(() => requestLines(sidecar).length === 2 && requestLines(sidecar), {
      what: 'two access lines',
    });
    assertNoMore(refused as LogLine);
    assertNoMore(bad as LogLine);
    const { status, path, reason, side } = refused as LogLine;
    assert.deepEqual(
      { status, path, reason, side },
      { status: 502, path: '/', reason: 'upstream_refused', side: 'upstream' },
    );
    assert.deepEqual([bad?.status, bad?.path, bad?.reason, bad?.side], [400, '/secret', 'bad_host', 'client']);
    await endsWell(sidecar);
  });

  test('of an absolute target, of nonsense, and of bytes that would break a line', async (t) => {
    const stage = await setStage(t);
    const app = await startApp(t, (_, response) => response.end('ok'));
    const sidecar = await stage.start({ upstream: app.port });
    for (const bytes of [
      'GET https://localhost/x?secret=1 HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'nonsense?secret\r\n\r\n',
      'GET /\x01\x1b[31m?secret HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'GET http://user:secret@localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n',
    ]) {
      const client = await connect({ port: sidecar.port });
      client.send(Buffer.from(bytes, 'latin1'));
      await client.readResponse();
      client.end();
      await client.closed;
    }
    await eventually(() => requestLines(sidecar).length === 4, { what: 'four access lines' });
    for (const line of requestLines(sidecar)) assertNoMore(line);
    await endsWell(sidecar);
    assert.doesNotMatch(JSON.stringify(requestLines(sidecar)), /secret/);
  });

  test('is bounded, whatever the client wrote', async (t) => {
    const stage = await setStage(t);
    const app = await startApp(t, (_, response) => response.end('ok'));
    const sidecar = await stage.start({ upstream: app.port });
    const long = 'x'.repeat(7000);
    const client = await connect({ port: sidecar.port });
    client.send(`GET /${long} HTTP/1.1\r\nHost: ${'h'.repeat(1000)}\r\ntraceparent: ${long}\r\n\r\n`);
    assert.equal((await client.readResponse()).status, 200);
    client.end();
    await client.closed;
    const line = await sidecar.waitForLog('request');
    assertNoMore(line);
    assert.equal(line.traceparent, undefined);
    assert.match(String(line.path), /^\/x{1023}…$/);
    assert.ok(JSON.stringify(line).length < 2000);
    await endsWell(sidecar);
  });

  test('--access-log errors writes failures only, off writes none', async (t) => {
    const stage = await setStage(t);
    const app = await startApp(t, (request, response) => {
      response.statusCode = Number(request.url?.slice(1));
      response.end();
    });
    for (const [mode, wanted] of [
      ['all', [200, 404, 500, 400]],
      ['errors', [500, 400]],
      ['off', []],
    ] as const) {
      const sidecar = await stage.start({ upstream: app.port, args: ['--access-log', mode] });
      const client = await connect({ port: sidecar.port });
      for (const status of [200, 404, 500]) {
        client.send(`GET /${status} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        assert.equal((await client.readResponse()).status, status);
      }
      client.send('GET / HTTP/1.1\r\n\r\n');
      assert.equal((await client.readResponse()).status, 400);
      await client.closed;
      await endsWell(sidecar);
      assert.deepEqual(
        requestLines(sidecar).map(({ status }) => status),
        wanted,
      );
    }
  });

  test('of a client that leaves is a 499', async (t) => {
    const stage = await setStage(t);
    let asked = false;
    const app = await startApp(t, () => {
      asked = true;
    });
    const sidecar = await stage.start({ upstream: app.port });
    const client = await connect({ port: sidecar.port });
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await eventually(() => asked, { what: 'the request at the app' });
    client.destroy();
    const line = await sidecar.waitForLog('request');
    assert.deepEqual([line.status, line.reason, line.side], [499, 'client_gone', 'client']);
    await endsWell(sidecar);
  });
});

test('a TCP probe and a handshake without a request are not logged, a handshake that fails is, once', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('ok'));
  const sidecar = await stage.start({ upstream: app.port, args: ['--log-level', 'trace'] });
  const before = sidecar.logs.length;
  for (let count = 0; count < 5; count += 1) {
    const probe = await connectPlain({ port: sidecar.port });
    if (count % 2 === 0) probe.end();
    else probe.socket.resetAndDestroy();
    await probe.closed;
  }
  const idle = await connect({ port: sidecar.port });
  idle.end();
  await idle.closed;
  await assert.rejects(connect({ port: sidecar.port, alpn: ['nothing-we-know'] }));
  await endsWell(sidecar);
  const said = sidecar.logs.slice(before).map(({ msg }) => msg);
  assert.deepEqual(
    said.filter(
      (msg) =>
        !['state', 'stopping', 'stopped', 'this Node lacks security fixes for HTTP servers'].includes(String(msg)),
    ),
    ['TLS handshake failed'],
  );
});

test('the first line that counts says what is served, from where, and until when', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('ok'));
  const sidecar = await stage.start({ upstream: app.port });
  const line = await sidecar.waitForLog('serving');
  assert.equal(line.upstream, `127.0.0.1:${app.port}`);
  assert.deepEqual(line.listen, { address: '127.0.0.1', port: sidecar.port });
  const { subject, names, notAfter } = (line.certificates as Record<string, string>[])[0] ?? {};
  assert.equal(subject, 'CN=localhost');
  assert.match(names ?? '', /DNS:localhost/);
  assert.ok(Date.parse(notAfter ?? '') > Date.now());
  await endsWell(sidecar);
});

test('--log-level silent writes nothing at all', async (t) => {
  const stage = await setStage(t);
  const args = ['--cert', stage.volume.path('tls.crt'), '--key', stage.volume.path('tls.key'), '--log-level', 'silent'];
  const port = await unusedPort();
  const run = launch([...args, '--listen', `127.0.0.1:${port}`, '--admin', 'off']);
  t.after(() => run.child.kill('SIGKILL'));
  const client = await eventually(() => connect({ port }), { what: 'a sidecar that serves' });
  client.destroy();
  run.child.kill('SIGTERM');
  assert.deepEqual(await run.exited, { code: 0, signal: null });
  assert.deepEqual([run.stdout(), run.stderr()], ['', '']);
});
