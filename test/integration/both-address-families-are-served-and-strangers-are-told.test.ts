// Who knocks on the TLS port: IPv4 and IPv6 clients alike, plain HTTP (which is told so), probes that only connect, and
// bytes that are no protocol at all.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { needs } from '../support/needs.ts';
import { eventually } from '../support/poll.ts';
import { connect, connectPlain } from '../support/raw-client.ts';
import { valuesOf } from '../support/response.ts';
import { setStage } from '../support/stage.ts';

const get = 'GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n';

async function begin(t: TestContext, listen = '127.0.0.1:0') {
  const stage = await setStage(t);
  const seen: (string | undefined)[] = [];
  const app = await startApp(t, (request, response) => {
    seen.push(request.headers['x-forwarded-for'] as string | undefined);
    response.end('the app');
  });
  return { sidecar: await stage.start({ upstream: app.port, listen }), seen };
}

async function ask(port: number, host: string): Promise<string> {
  const client = await connect({ port, host });
  client.send(get);
  const { body } = await client.readResponse();
  client.end();
  await client.closed;
  return body.toString();
}

test('without a host both families are served, and a v4 client is named as such', async (t) => {
  if (!needs(t, 'ipv6')) return;
  const { sidecar, seen } = await begin(t, ':0');
  for (const host of ['127.0.0.1', '::1']) assert.equal(await ask(sidecar.port, host), 'the app');
  assert.deepEqual(seen, ['127.0.0.1', '::1']);
  await endsWell(sidecar);
  const clients = sidecar.logs.filter(({ msg }) => msg === 'request').map(({ client }) => client);
  assert.deepEqual(clients, ['127.0.0.1', '::1']);
});

test('with a host of one family the other is refused', async (t) => {
  if (!needs(t, 'ipv6')) return;
  for (const [listen, own, other] of [
    ['127.0.0.1:0', '127.0.0.1', '::1'],
    ['[::1]:0', '::1', '127.0.0.1'],
  ] as const) {
    const { sidecar } = await begin(t, listen);
    assert.equal(await ask(sidecar.port, own), 'the app');
    await assert.rejects(ask(sidecar.port, other), /ECONNREFUSED/);
    await endsWell(sidecar);
  }
});

for (const [what, bytes] of [
  ['a request', get],
  ['a request after an empty line', `\r\n${get}`],
  ['a request that asks for h2c', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'],
] as const) {
  test(`plain HTTP gets a 400 that says so: ${what}`, async (t) => {
    const { sidecar, seen } = await begin(t);
    const client = await connectPlain({ port: sidecar.port });
    client.send(bytes);
    const answer = await client.readResponse();
    assert.equal(answer.status, 400);
    assert.match(answer.body.toString(), /HTTPS only/);
    assert.match(valuesOf(answer.headers, 'proxy-status')[0] ?? '', /details="plaintext"/);
    assert.deepEqual(valuesOf(answer.headers, 'connection'), ['close']);
    await client.closed;
    assert.deepEqual(seen, []);
    assert.equal((await readMetrics(sidecar)).sum('plaintext_requests_total', { action: 'reject' }), 1);
    const line = await sidecar.waitForLog('request');
    assert.deepEqual([line.status, line.reason, line.tls], [400, 'plaintext', undefined]);
    await endsWell(sidecar);
  });
}

test('a TCP probe that connects and leaves costs nothing and is not logged', async (t) => {
  const { sidecar } = await begin(t);
  for (let count = 0; count < 20; count += 1) {
    const probe = await connectPlain({ port: sidecar.port });
    if (count % 2 === 0) probe.end();
    else probe.socket.resetAndDestroy();
    await probe.closed;
  }
  const metrics = await readMetrics(sidecar);
  assert.equal(metrics.sum('handshake_failures_total'), 0);
  assert.equal(metrics.sum('requests_total'), 0);
  assert.equal(await ask(sidecar.port, '127.0.0.1'), 'the app');
  await endsWell(sidecar);
  assert.equal(sidecar.logs.filter(({ msg }) => msg === 'request').length, 1);
});

for (const [what, bytes] of [
  ['a zero', '\0\0\0\0'],
  ['an SSH client', '\x00SSH'],
  ['a TLS alert', '\x15\x03\x01\x00\x02\x01\x00'],
  ['a PROXY v2 header', '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c'],
  ['high bytes', '\xff\xfe\xfd'],
] as const) {
  test(`garbage is closed at once and without a line: ${what}`, async (t) => {
    const { sidecar } = await begin(t);
    const client = await connectPlain({ port: sidecar.port });
    client.send(Buffer.from(bytes, 'latin1'));
    await client.closed;
    assert.equal(await ask(sidecar.port, '127.0.0.1'), 'the app');
    await endsWell(sidecar);
    const lines = sidecar.logs.filter(({ msg, status }) => msg === 'request' && status === 200);
    assert.equal(lines.length, 1);
  });
}

test('a TLS record that is no ClientHello is a failed handshake, counted and not logged', async (t) => {
  const { sidecar } = await begin(t);
  const client = await connectPlain({ port: sidecar.port });
  client.send(Buffer.from('16030100050102030405', 'hex'));
  await client.closed;
  await eventually(async () => (await readMetrics(sidecar)).sum('handshake_failures_total') === 1, {
    what: 'the failed handshake to be counted',
  });
  await endsWell(sidecar);
  assert.ok(!sidecar.logs.some(({ msg }) => msg === 'request'));
});
