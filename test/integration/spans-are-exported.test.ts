// --trace-otlp: one span a request, in the client's trace, with what the conventions for HTTP servers ask for; the app gets that
// span as its parent. Nothing of the query, of credentials or of other fields leaves the process.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer as createH2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { startApp, unusedPort } from '../support/app.ts';
import { startCollector } from '../support/collector.ts';
import { endsWell } from '../support/ended-well.ts';
import { openH2Client } from '../support/node-h2-client.ts';
import { connect } from '../support/raw-client.ts';
import { setStage } from '../support/stage.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const FAST = { OTEL_BSP_SCHEDULE_DELAY: '50' };
/** Three ways to the app, and both versions to the client. */
const WAYS = [
  { name: 'wire, HTTP/1.1', args: [], h2: false },
  { name: 'wire, HTTP/2', args: [], h2: true },
  { name: 'http-proxy, HTTP/1.1', args: ['--forwarder', 'http-proxy'], h2: false },
  { name: 'h2c, HTTP/2', args: ['--upstream-protocol', 'h2c'], h2: true },
] as const;

describe('a span', { concurrency: 2 }, () => {
  for (const { name, args, h2 } of WAYS) {
    test(`is the child of the client's, and the parent of the app's (${name})`, async (t) => {
      const stage = await setStage(t);
      const collector = await startCollector(t);
      const seen: IncomingHttpHeaders[] = [];
      const app = await startEitherApp(t, name.startsWith('h2c'), seen);
      const sidecar = await stage.start({ upstream: app, args: ['--trace-otlp', collector.url, ...args], env: FAST });
      const fields = { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'a=1,b=2', authorization: 'Bearer secret' };
      const before = Date.now();
      const status = await askOnce(sidecar.port, stage.authority.pem, h2, '/a/path?token=secret', fields);
      assert.equal(status, 200);
      const [span] = await collector.waitFor(1);
      assert.ok(span !== undefined);
      const { traceId, spanId, parentSpanId, traceState, startMs, endMs, attributes, resource, ...rest } = span;
      assert.deepEqual([traceId, parentSpanId, traceState], [TRACE, PARENT, 'a=1,b=2']);
      assert.deepEqual([seen[0]?.traceparent, seen[0]?.tracestate], [`00-${TRACE}-${spanId}-01`, 'a=1,b=2']);
      assert.deepEqual(rest, { name: 'GET', kind: 2, status: 0 });
      assert.ok(startMs >= before - 1 && endMs >= startMs && endMs <= Date.now() + 1, `${before} ${startMs} ${endMs}`);
      const { 'tls_sidecar.upstream_ms': upstreamMs, ...facts } = attributes;
      assert.ok(Number(upstreamMs) > 0 && Number(upstreamMs) <= endMs - startMs + 0.01);
      assert.deepEqual(facts, {
        'http.request.method': 'GET',
        'http.response.status_code': 200,
        'url.scheme': 'https',
        'url.path': '/a/path',
        'server.address': 'localhost',
        'server.port': sidecar.port,
        'client.address': '127.0.0.1',
        'network.protocol.version': h2 ? '2' : '1.1',
      });
      assert.equal(resource['service.name'], 'tls-sidecar');
      assert.equal(collector.posts[0]?.path, '/v1/traces');
      assert.ok(!JSON.stringify(collector.posts).includes('secret'));
      assert.equal((await sidecar.waitForLog('request')).traceparent, `00-${TRACE}-${spanId}-01`);
      await endsWell(sidecar);
    });
  }

  const strangers = [
    ['without one', {}],
    ['with one that cannot be read', { traceparent: `00-${TRACE}-${PARENT}-1`, tracestate: 'a=1' }],
    ['with a tracestate alone', { tracestate: 'a=1' }],
    ['with one of no trace', { traceparent: `00-${'0'.repeat(32)}-${PARENT}-01`, tracestate: 'a=1' }],
  ] as const;
  for (const [what, fields] of strangers) {
    test(`begins a trace ${what}`, async (t) => {
      const stage = await setStage(t);
      const collector = await startCollector(t);
      const seen: IncomingHttpHeaders[] = [];
      const upstream = await startEitherApp(t, false, seen);
      const sidecar = await stage.start({ upstream, args: ['--trace-otlp', collector.url], env: FAST });
      await askOnce(sidecar.port, stage.authority.pem, false, '/', fields);
      const [span] = await collector.waitFor(1);
      assert.ok(span !== undefined && span.traceId !== TRACE);
      assert.deepEqual([span.parentSpanId, span.traceState], ['', '']);
      assert.equal(seen[0]?.traceparent, `00-${span.traceId}-${span.spanId}-01`);
      assert.equal(seen[0]?.tracestate, undefined);
      await endsWell(sidecar);
    });
  }

  test('is not exported where the client does not sample, and the app is told so', async (t) => {
    const stage = await setStage(t);
    const collector = await startCollector(t);
    const seen: IncomingHttpHeaders[] = [];
    const upstream = await startEitherApp(t, false, seen);
    const sidecar = await stage.start({ upstream, args: ['--trace-otlp', collector.url], env: FAST });
    await askOnce(sidecar.port, stage.authority.pem, false, '/off', { traceparent: `00-${TRACE}-${PARENT}-02` });
    await askOnce(sidecar.port, stage.authority.pem, false, '/on', { traceparent: `01-${TRACE}-${PARENT}-01-later` });
    await endsWell(sidecar);
    assert.deepEqual(
      collector.spans.map(({ attributes }) => attributes['url.path']),
      ['/on'],
    );
    // The flag that says that the trace's id is random belongs to the trace.
    assert.match(String(seen[0]?.traceparent), new RegExp(`^00-${TRACE}-[0-9a-f]{16}-02$`));
    assert.notEqual(seen[0]?.traceparent, `00-${TRACE}-${PARENT}-02`);
    assert.equal(seen[1]?.traceparent, `00-${TRACE}-${collector.spans[0]?.spanId}-01`);
  });

  test('is made, named and sent as the standard variables say', async (t) => {
    const stage = await setStage(t);
    const collector = await startCollector(t);
    const upstream = await startEitherApp(t, false, []);
    const env = {
      ...FAST,
      OTEL_SERVICE_NAME: 'shop',
      OTEL_RESOURCE_ATTRIBUTES: 'k8s.pod.name=shop-1,deployment.environment.name=test',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=seven',
      OTEL_TRACES_SAMPLER: 'always_off',
    };
    const args = ['--trace-otlp', `${collector.url}/own/path`];
    const silent = await stage.start({ upstream, args, env });
    await askOnce(silent.port, stage.authority.pem, false, '/', { traceparent: `00-${TRACE}-${PARENT}-01` });
    await endsWell(silent);
    assert.equal(collector.posts.length, 0);
    const sidecar = await stage.start({ upstream, args, env: { ...env, OTEL_TRACES_SAMPLER: undefined } });
    await askOnce(sidecar.port, stage.authority.pem, false, '/', {});
    const [span] = await collector.waitFor(1);
    const { 'service.name': service, 'k8s.pod.name': pod } = span?.resource ?? {};
    assert.deepEqual([service, pod], ['shop', 'shop-1']);
    assert.deepEqual([collector.posts[0]?.path, collector.posts[0]?.headers['x-tenant']], ['/own/path', 'seven']);
    await endsWell(sidecar);
  });

  test('tells of requests that failed by our word, and of those that the client spoilt', async (t) => {
    const stage = await setStage(t);
    const collector = await startCollector(t);
    const sidecar = await stage.start({
      upstream: await unusedPort(),
      args: ['--trace-otlp', collector.url],
      env: FAST,
    });
    const client = await connect({ port: sidecar.port });
    for (const head of [
      'GET /refused HTTP/1.1\r\nHost: a.test:1\r\n\r\n',
      'BREW / HTTP/1.1\r\nHost: a.test\r\n\r\n',
      'GET /spoilt HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    ]) {
      client.send(head);
      await client.readResponse();
    }
    await client.closed;
    const spans = await collector.waitFor(3);
    const facts = spans.map(({ name, status, attributes }) => ({
      ...{ name, status, method: attributes['http.request.method'] },
      ...{ code: attributes['http.response.status_code'], error: attributes['error.type'] },
      original: attributes['http.request.method_original'],
    }));
    const refused = { status: 2, code: 502, error: 'upstream_refused' };
    assert.deepEqual(facts, [
      { name: 'GET', method: 'GET', original: undefined, ...refused },
      { name: 'HTTP', method: '_OTHER', original: 'BREW', ...refused },
      { name: 'GET', method: 'GET', original: undefined, status: 0, code: 400, error: 'bad_host' },
    ]);
    await endsWell(sidecar);
  });

  test('of a WebSocket ends with it', async (t) => {
    const stage = await setStage(t);
    const collector = await startCollector(t);
    const app = await startApp(t, (_, response) => response.end());
    const sockets = new WebSocketServer({ server: app });
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
    t.after(() => sockets.close());
    const sidecar = await stage.start({ upstream: app.port, args: ['--trace-otlp', collector.url], env: FAST });
    const socket = new WebSocket(`wss://localhost:${sidecar.port}/chat`, { ca: stage.authority.pem });
    await once(socket, 'open');
    // Whatever is exported while it is open is not of it.
    await askOnce(sidecar.port, stage.authority.pem, false, '/beside', {});
    assert.deepEqual(
      (await collector.waitFor(1)).map(({ attributes }) => attributes['url.path']),
      ['/beside'],
    );
    socket.close();
    await once(socket, 'close');
    const span = (await collector.waitFor(2))[1];
    assert.deepEqual(
      [span?.name, span?.attributes['url.path'], span?.attributes['http.response.status_code'], span?.status],
      ['GET', '/chat', 101, 0],
    );
    await endsWell(sidecar);
  });
});

test('without the option nothing is added for the app', async (t) => {
  const stage = await setStage(t);
  const seen: IncomingHttpHeaders[] = [];
  const upstream = await startEitherApp(t, false, seen);
  const sidecar = await stage.start({ upstream });
  await askOnce(sidecar.port, stage.authority.pem, false, '/', { tracestate: 'a=1' });
  assert.deepEqual([seen[0]?.traceparent, seen[0]?.tracestate], [undefined, 'a=1']);
  await endsWell(sidecar);
});

/** Notes the fields of each request; gives its port, of HTTP/2 alone if wanted. */
async function startEitherApp(t: TestContext, h2c: boolean, seen: IncomingHttpHeaders[]): Promise<number> {
  if (!h2c) {
    const app = await startApp(t, ({ headers }, response) => {
      seen.push(headers);
      response.end('ok');
    });
    return app.port;
  }
  const server = createH2Server(({ headers }, response) => {
    seen.push(headers);
    response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A GET on a connection of its own; gives the status. */
async function askOnce(
  port: number,
  ca: string,
  h2: boolean,
  path: string,
  fields: Record<string, string>,
): Promise<number> {
  if (h2) {
    const client = await openH2Client(port, ca);
    const { status } = await client.request({ ':path': path, ...fields });
    client.close();
    return status;
  }
  const client = await connect({ port });
  const lines = Object.entries({ Host: `localhost:${port}`, ...fields }).map(([name, value]) => `${name}: ${value}`);
  client.send(`GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  const { status } = await client.readResponse();
  client.end();
  await client.closed;
  return status;
}
