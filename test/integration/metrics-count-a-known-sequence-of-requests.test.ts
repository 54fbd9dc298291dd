// After a known sequence of requests every counter is exact, at the moment when the last answer is read; and what is
// written is Prometheus' text format.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { startApp, unusedPort } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { startHeldApp } from '../support/held-app.ts';
import { eventually } from '../support/poll.ts';
import { connect, connectPlain, type RawClient } from '../support/raw-client.ts';
import { forwarders, setStage } from '../support/stage.ts';

const request = (method: string, path: string, more = ''): string =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;

async function ask(client: RawClient, text: string, head = false): Promise<number> {
  client.send(text);
  return (await client.readResponse({ head })).status;
}

for (const forwarder of forwarders) {
  test(`every counter is exact (${forwarder})`, async (t) => {
    const stage = await setStage(t);
    const app = await startApp(t, (asked, response) => {
      asked.resume();
      asked.on('end', () => {
        response.statusCode = asked.url === '/missing' ? 404 : asked.method === 'POST' ? 201 : 200;
        response.end(asked.method === 'HEAD' ? undefined : 'twelve bytes');
      });
    });
    const sidecar = await stage.start({ upstream: app.port, args: ['--forwarder', forwarder] });
    const client = await connect({ port: sidecar.port, maxVersion: 'TLSv1.3' });
    const older = await connect({ port: sidecar.port, maxVersion: 'TLSv1.2' });
    const expected: [statuses: number[], number[]] = [[], []];
    for (const [text, status, head] of [
      [request('GET', '/'), 200],
      [request('GET', '/?a=1'), 200],
      [request('GET', '/missing'), 404],
      [request('HEAD', '/'), 200, true],
      [`${request('POST', '/', 'Content-Length: 5\r\n')}hello`, 201],
      [`${request('POST', '/', 'Transfer-Encoding: chunked\r\n')}3\r\nabc\r\n0\r\n\r\n`, 201],
      [request('PURGE', '/'), 200],
      [request('DELETE', '/'), 200],
    ] as const) {
      expected[0].push(status);
      expected[1].push(await ask(client, text, head));
    }
    assert.deepEqual(expected[1], expected[0]);
    assert.equal(await ask(older, 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'), 400);

    const metrics = await readMetrics(sidecar);
    const sums = (name: string, ...labels: Record<string, string>[]): number[] =>
      labels.map((wanted) => metrics.sum(name, wanted));
    const [protocol, h1] = ['http/1.1', { protocol: 'http/1.1' }];
    assert.deepEqual(
      sums(
        'requests_total',
        {},
        { method: 'GET', code: '200', protocol },
        { method: 'GET', code: '404', protocol },
        { method: 'GET', code: '400', protocol },
        { method: 'HEAD', code: '200', protocol },
        { method: 'POST', code: '201', protocol },
        { method: 'other', code: '200', protocol },
        { method: 'DELETE', code: '200', protocol },
      ),
      [9, 2, 1, 1, 1, 2, 1, 1],
    );
    assert.deepEqual(sums('request_duration_seconds_count', h1), [9]);
    assert.deepEqual(sums('request_duration_seconds_bucket', { ...h1, le: '+Inf' }), [9]);
    assert.deepEqual(sums('upstream_duration_seconds_count', {}), [8]);
    assert.deepEqual(sums('requests_in_flight', {}), [0]);
    assert.deepEqual(sums('failures_total', {}, { reason: 'bad_host', side: 'client' }), [1, 1]);
    assert.deepEqual(sums('connections_total', h1), [2]);
    assert.deepEqual(sums('received_bytes_total', {}), [8]);
    // Seven bodies of the app, and our own of the 400.
    const ours = metrics.sum('sent_bytes_total') - 7 * 12;
    assert.ok(ours > 50 && ours < 500, `${ours} bytes of our own`);
    assert.deepEqual(
      sums('handshakes_total', {}, { version: 'TLSv1.3', resumed: 'false' }, { version: 'TLSv1.2', resumed: 'false' }),
      [2, 1, 1],
    );
    assert.deepEqual(sums('handshake_failures_total', {}), [0]);
    assert.deepEqual(sums('log_lines_dropped_total', {}), [0]);
    client.end();
    older.end();
    await Promise.all([client.closed, older.closed]);
    await endsWell(sidecar);
  });
}

test('gauges: what is open, what is in flight, whom the certificate belongs to', async (t) => {
  const stage = await setStage(t);
  const app = await startHeldApp(t);
  const sidecar = await stage.start({ upstream: app.port });
  const clients = await Promise.all([1, 2, 3].map(() => connect({ port: sidecar.port })));
  clients[0]?.send(request('GET', '/'));
  const { response } = await app.waitFor(1);
  const silent = await connectPlain({ port: sidecar.port });
  const during = await eventually(
    async () => {
      const seen = await readMetrics(sidecar);
      return seen.sum('connections_active', { protocol: 'handshake' }) === 1 && seen;
    },
    { what: 'the silent one' },
  );
  silent.destroy();
  assert.equal(during.sum('connections_active', { protocol: 'http/1.1' }), 3);
  assert.equal(during.sum('requests_in_flight'), 1);
  response.end();
  await clients[0]?.readResponse();
  for (const client of clients) client.end();
  await Promise.all(clients.map(({ closed }) => closed));

  const after = await readMetrics(sidecar);
  assert.equal(after.sum('connections_active'), 0);
  assert.equal(after.sum('requests_in_flight'), 0);
  assert.equal(after.sum('draining'), 0);
  const leaf = new X509Certificate(stage.pair.cert);
  const name = stage.volume.path('tls.crt');
  assert.equal(after.sum('certificate_not_before_timestamp_seconds', { name }), Date.parse(leaf.validFrom) / 1000);
  assert.equal(after.sum('certificate_not_after_timestamp_seconds', { name }), Date.parse(leaf.validTo) / 1000);
  assert.equal(after.sum('certificate_disk_differs', { name }), 0);
  assert.equal(after.sum('build_info'), 1);
  assert.match(
    after.text,
    /^tls_sidecar_build_info\{version="\d+\.\d+\.\d+[^"]*",node="v\d+[^"]*",openssl="[^"]+"\} 1$/m,
  );
  assert.match(after.text, /^process_resident_memory_bytes \d+/m);
  assert.match(after.text, /^nodejs_eventloop_lag_seconds/m);
  assert.doesNotMatch(after.text, /nodejs_active_(?:handles|requests|resources)_total/);
  await endsWell(sidecar);
});

test('failures are counted by reason and side, handshakes and plain HTTP apart', async (t) => {
  const stage = await setStage(t);
  const sidecar = await stage.start({ upstream: await unusedPort() });
  const client = await connect({ port: sidecar.port });
  assert.equal(await ask(client, request('GET', '/')), 502);
  const plain = await connectPlain({ port: sidecar.port });
  plain.send(request('GET', '/'));
  await plain.closed;
  await assert.rejects(
    connect({
      port: sidecar.port,
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      tls: { ciphers: 'DEFAULT:@SECLEVEL=0' },
    }),
  );
  const metrics = await readMetrics(sidecar);
  assert.equal(metrics.sum('failures_total', { reason: 'upstream_refused', side: 'upstream' }), 1);
  assert.equal(metrics.sum('failures_total', { reason: 'plaintext', side: 'client' }), 1);
  assert.equal(metrics.sum('plaintext_requests_total', { action: 'reject' }), 1);
  assert.equal(metrics.sum('handshake_failures_total', { reason: 'version' }), 1);
  assert.equal(metrics.sum('handshake_failures_total'), 1);
  client.end();
  await client.closed;
  await endsWell(sidecar);
});

test('the text is in the format that Prometheus reads: each family once, typed, its samples together', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('the app'));
  const sidecar = await stage.start({ upstream: app.port });
  const client = await connect({ port: sidecar.port });
  assert.equal(await ask(client, request('GET', '/')), 200);
  client.end();
  await client.closed;
  const { text } = await readMetrics(sidecar);
  assert.ok(text.endsWith('\n'));
  const seen = new Set<string>();
  let family = { name: '', type: '' };
  for (const line of text.split('\n').filter((candidate) => candidate !== '')) {
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment?.[1] === 'TYPE') {
      family = { name: comment[2] ?? '', type: comment[3] ?? '' };
      assert.match(family.type, /^(?:counter|gauge|histogram|summary)$/);
      assert.ok(!seen.has(family.name), `${family.name} twice`);
      seen.add(family.name);
      if (family.type === 'counter') assert.match(family.name, /_total$/);
    }
    if (comment !== null) continue;
    const sample = /^([a-z_0-9]+)(?:\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)*\})? (?:[-+]?[0-9.e+-]+|NaN|[+-]Inf)$/.exec(line);
    assert.ok(sample !== null, `no sample: ${line}`);
    const suffixes = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['', '_sum', '_count'];
    assert.ok(
      suffixes.some((suffix) => sample[1] === family.name + suffix),
      `${line} under ${family.name}`,
    );
  }
  await endsWell(sidecar);
});
