// --rate-limit at its edge: a client has its burst, the next request is a 429 that says when to come back, and neither other
// connections, streams, ports, protocols nor listeners change that. Others are served meanwhile.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Metadata, status } from '@grpc/grpc-js';
import { WebSocket, WebSocketServer } from 'ws';
import { createAuthority } from '../../certs/authority.ts';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { message } from '../support/grpc.ts';
import { openGrpcApp } from '../support/grpc-app.ts';
import { calls, openGrpcClient } from '../support/grpc-client.ts';
import { openH2Client } from '../support/node-h2-client.ts';
import { eventually } from '../support/poll.ts';
import { type ConnectOptions, connect, type RawClient } from '../support/raw-client.ts';
import { forwarders, setStage } from '../support/stage.ts';

/** An hour: nothing comes back while a test runs. */
const FIVE_AN_HOUR = ['--rate-limit', '5/h'];
const get = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

async function begin(t: TestContext, args: string[] = FIVE_AN_HOUR) {
  const stage = await setStage(t);
  let reached = 0;
  const app = await startApp(t, (request, response) => {
    reached++;
    request.resume().on('end', () => response.end('ok'));
  });
  const sidecar = await stage.start({ upstream: app.port, args });
  const open = (options: Partial<ConnectOptions> = {}) => connect({ port: sidecar.port, ...options });
  /** On a connection of its own. */
  const askOnce = async (options: Partial<ConnectOptions> = {}): Promise<number> => {
    const client = await open(options);
    const answer = await ask(client);
    client.destroy();
    return answer;
  };
  const refusals = async () => (await readMetrics(sidecar)).sum('rate_limited_total');
  return { stage, sidecar, open, askOnce, refusals, reached: () => reached };
}

async function ask(client: RawClient, request = get): Promise<number> {
  client.send(request);
  return (await client.readResponse()).status;
}

/** How many of each status. */
function tally(statuses: readonly number[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const one of statuses) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
}

for (const forwarder of forwarders) {
  describe(`through ${forwarder}`, () => {
    const args = ['--forwarder', forwarder, ...FIVE_AN_HOUR];

    test('a client of HTTP/1.1 has its burst, then a 429 with the fields, on a connection that stays open', async (t) => {
      const { sidecar, open, refusals, reached } = await begin(t, args);
      assert.equal(await refusals(), 0);
      const client = await open();
      for (let i = 0; i < 5; i++) assert.equal(await ask(client), 200);
      for (let i = 0; i < 3; i++) assert.equal(await ask(client), 429);
      const text = client.received.toString();
      const last = text.slice(text.lastIndexOf('HTTP/1.1 429 Too Many Requests\r\n'));
      const wait = Number(/\r\nRetry-After: (\d+)\r\n/.exec(last)?.[1]);
      assert.ok(wait > 600 && wait <= 720, `${wait}`);
      assert.match(last, /\r\nRateLimit-Policy: "tls-sidecar";q=5;w=3600\r\n/);
      assert.match(last, new RegExp(`\r\nRateLimit: "tls-sidecar";r=0;t=${wait}\r\n`));
      assert.match(last, /\r\nProxy-Status: tls-sidecar; error=http_request_denied; details="rate_limited"\r\n/);
      assert.doesNotMatch(last, /Connection: close/i);
      assert.match(last, /\r\n\r\n429 rate_limited\n/);
      assert.deepEqual([reached(), await refusals()], [5, 3]);
      const line = await sidecar.waitForLog(({ reason }) => reason === 'rate_limited');
      assert.deepEqual([line.level, line.status, line.side, line.client], ['warn', 429, 'client', '127.0.0.1']);
    });

    test('the answers of the app are as they are until half of the burst is used, then they tell what is left', async (t) => {
      const { open } = await begin(t, args);
      const client = await open();
      for (let i = 0; i < 5; i++) await ask(client);
      const told = client.received.toString().match(/RateLimit: .*/g);
      assert.deepEqual(
        told?.map((field) => field.replace(/t=\d+/, 't=…').trim()),
        [2, 1, 0].map((left) => `RateLimit: "tls-sidecar";r=${left};t=…`),
      );
    });

    test('a body that is refused so never reaches the app, nor asks for a 100', async (t) => {
      const { open, askOnce, reached } = await begin(t, args);
      for (let i = 0; i < 5; i++) await askOnce();
      const client = await open();
      assert.equal(
        await ask(client, 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n'),
        429,
      );
      await client.closed;
      assert.doesNotMatch(client.received.toString(), / 100 /);
      assert.equal(reached(), 5);
    });
  });
}

describe('a client is one', () => {
  test('on many connections from many ports, and on streams of HTTP/2', async (t) => {
    const { stage, sidecar, askOnce, reached } = await begin(t, ['--rate-limit', '40/h']);
    const alone = await Promise.all(Array.from({ length: 20 }, () => askOnce()));
    const client = await openH2Client(sidecar.port, stage.authority.pem);
    t.after(() => client.close());
    const streams = await Promise.all(Array.from({ length: 60 }, () => client.request({})));
    const later = await Promise.all(Array.from({ length: 20 }, () => askOnce()));
    assert.deepEqual(tally(alone), { 200: 20 });
    assert.deepEqual(tally(streams.map((answer) => answer.status)), { 200: 20, 429: 40 });
    assert.deepEqual(tally(later), { 429: 20 });
    assert.equal(reached(), 40);
    const refused = streams.find((answer) => answer.status === 429);
    assert.ok(Number(refused?.headers['retry-after']) > 0);
    assert.match(String(refused?.headers.ratelimit), /^"tls-sidecar";r=0;t=\d+$/);
    assert.equal(await askOnce({ localAddress: '127.0.0.2' }), 200, 'another address is another client');
  });

  test('on pipelined requests', async (t) => {
    const { open, reached } = await begin(t);
    const client = await open();
    client.send(get.repeat(12));
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) statuses.push((await client.readResponse()).status);
    assert.deepEqual([tally(statuses), reached()], [{ 200: 5, 429: 7 }, 5]);
  });

  test('on streams that it resets as soon as they are asked for', async (t) => {
    const { stage, sidecar, askOnce, reached } = await begin(t);
    const client = await openH2Client(sidecar.port, stage.authority.pem);
    t.after(() => client.close());
    for (let i = 0; i < 30; i++) {
      const stream = client.open({}, { endStream: true });
      stream.on('ready', () => stream.close(8));
    }
    await eventually(async () => (await readMetrics(sidecar)).sum('requests_total') === 30, { what: '30 requests' });
    assert.equal(await askOnce(), 429);
    assert.ok(reached() <= 5);
  });

  test('at every listener', async (t) => {
    const stage = await setStage(t);
    const [one, two] = [await startApp(t, (_, res) => res.end()), await startApp(t, (_, res) => res.end())];
    const sidecar = await stage.start({
      upstream: one.port,
      args: ['--listen', '127.0.0.1:0', '--upstream', `http://127.0.0.1:${two.port}`, ...FIVE_AN_HOUR],
    });
    const statuses: number[] = [];
    for (let i = 0; i < 8; i++) {
      const client = await connect({ port: sidecar.ports[i % 2] ?? 0 });
      statuses.push(await ask(client));
      client.destroy();
    }
    assert.deepEqual(tally(statuses), { 200: 5, 429: 3 });
  });

  test('with its network of IPv6, behind a balancer, and none with another', async (t) => {
    const { askOnce } = await begin(t, ['--proxy-protocol', '127.0.0.1', ...FIVE_AN_HOUR]);
    const from = (address: string) => askOnce({ preamble: `PROXY TCP6 ${address} 2001:db8:f::1 4711 443\r\n` });
    const statuses: number[] = [];
    for (let i = 0; i < 8; i++) statuses.push(await from(`2001:db8::${i}:${i}`));
    assert.deepEqual(tally(statuses), { 200: 5, 429: 3 });
    assert.equal(await from('2001:db8:0:1::1'), 200);
  });

  test('whom a trusted proxy names; what others name is no matter', async (t) => {
    const { open, askOnce } = await begin(t, ['--trust-forwarded', '127.0.0.2', ...FIVE_AN_HOUR]);
    const named = async (localAddress: string, address: string): Promise<number> => {
      const client = await open({ localAddress });
      const answer = await ask(client, `GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${address}\r\n\r\n`);
      client.destroy();
      return answer;
    };
    const statuses: number[] = [];
    for (let i = 0; i < 8; i++) statuses.push(await named('127.0.0.1', `192.0.2.${i}`));
    assert.deepEqual(tally(statuses), { 200: 5, 429: 3 });
    for (let i = 0; i < 8; i++) assert.equal(await named('127.0.0.2', `192.0.2.${i}`), 200);
    assert.equal(await askOnce({ localAddress: '127.0.0.2' }), 200);
  });

  test('by its verified certificate, from wherever it comes; another certificate at the same address is another client', async (t) => {
    const authority = await createAuthority();
    const [web, api] = [
      await authority.issue({ usage: 'client', commonName: 'web' }),
      await authority.issue({ usage: 'client', commonName: 'api' }),
    ];
    const stage = await setStage(t);
    const app = await startApp(t, (_, response) => response.end());
    const caFile = join(stage.dir, 'ca.pem');
    await writeFile(caFile, authority.pem);
    const args = ['--client-ca', caFile, '--client-auth', 'request', ...FIVE_AN_HOUR];
    const sidecar = await stage.start({ upstream: app.port, args });
    const from = async (localAddress: string, issued?: { chain: string; key: string }): Promise<number> => {
      const shown = issued === undefined ? {} : { cert: issued.chain, key: issued.key };
      const client = await connect({ port: sidecar.port, localAddress, ...shown });
      const answer = await ask(client);
      client.destroy();
      return answer;
    };
    const statuses: number[] = [];
    for (let i = 0; i < 8; i++) statuses.push(await from(`127.0.0.${1 + (i % 4)}`, web));
    assert.deepEqual(tally(statuses), { 200: 5, 429: 3 });
    assert.equal(await from('127.0.0.1', api), 200);
    assert.equal(await from('127.0.0.1'), 200);
  });
});

test('a call of gRPC is told in a head alone: RESOURCE_EXHAUSTED, and when to try again', async (t) => {
  const stage = await setStage(t);
  const app = await openGrpcApp();
  t.after(() => app.close());
  const sidecar = await stage.start({ upstream: app.port, args: FIVE_AN_HOUR });
  const client = calls(openGrpcClient(sidecar.port, stage.authority.pem));
  t.after(() => client.close());
  for (let i = 0; i < 5; i++) assert.equal((await client.unary('Empty', Buffer.alloc(0))).code, status.OK);
  const refused = await client.unary('Unary', message({}, Buffer.alloc(100)), new Metadata());
  assert.equal(refused.code, status.RESOURCE_EXHAUSTED);
  assert.match(refused.details, /^rate_limited: .*--rate-limit/);
  assert.equal(refused.initial, undefined, 'Trailers-Only');
  const [pushback] = refused.trailing.get('grpc-retry-pushback-ms');
  assert.ok(Number(pushback) > 600_000 && Number(pushback) <= 720_000, String(pushback));
  assert.ok(Number(refused.trailing.get('retry-after')[0]) > 600);
  assert.equal((await readMetrics(sidecar)).sum('requests_total', { code: '429' }), 1);
});

test('a WebSocket counts once, whatever is said on it', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end());
  const webSockets = new WebSocketServer({ server: app });
  webSockets.on('connection', (socket) => socket.on('message', (sent) => socket.send(String(sent))));
  t.after(() => {
    for (const socket of webSockets.clients) socket.terminate();
  });
  const sidecar = await stage.start({ upstream: app.port, args: ['--rate-limit', '1/h'] });
  const socket = new WebSocket(`wss://localhost:${sidecar.port}`, { ca: stage.authority.pem });
  let echoes = 0;
  socket.on('message', () => void (++echoes < 50 && socket.send('x')));
  socket.on('open', () => socket.send('x'));
  await eventually(() => echoes === 50, { what: '50 echoes' });
  const another = new WebSocket(`wss://localhost:${sidecar.port}`, { ca: stage.authority.pem });
  const refused = await new Promise<number | undefined>((resolve) => {
    another.on('unexpected-response', (request, { statusCode }) => {
      request.destroy();
      resolve(statusCode);
    });
    another.on('error', () => {});
  });
  assert.equal(refused, 429);
  socket.terminate();
});

test('who waits is served again, and what was refused is not owed', async (t) => {
  const { open, refusals } = await begin(t, ['--rate-limit', '2/s:1']);
  const client = await open();
  assert.equal(await ask(client), 200);
  await eventually(async () => (await ask(client)) === 200, { what: 'another answer', everyMs: 5 });
  assert.ok((await refusals()) > 0);
});

test('the limit is off by default, comes with the file, changes with it, and goes', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end());
  const file = join(stage.dir, 'options.yaml');
  await writeFile(file, '{}\n');
  const sidecar = await stage.start({ upstream: app.port, args: ['--config', file] });
  const client = await connect({ port: sidecar.port });
  const six = async (): Promise<Record<number, number>> => {
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push(await ask(client));
    return tally(statuses);
  };
  let reloads = 0;
  const set = async (content: string): Promise<void> => {
    await writeFile(file, content);
    sidecar.kill('SIGHUP');
    reloads++;
    const lines = () => sidecar.logs.filter(({ msg }) => msg === 'configuration reloaded').length;
    await eventually(() => lines() === reloads, { what: `reload ${reloads}` });
  };
  assert.deepEqual(await six(), { 200: 6 });
  await set('rate-limit: 4/h\n');
  assert.deepEqual(await six(), { 200: 4, 429: 2 });
  await set('rate-limit: 4/h\naccess-log: errors\n');
  assert.deepEqual(await six(), { 429: 6 }, 'a reload of something else forgives nothing');
  await writeFile(file, 'rate-limit: off\n');
  sidecar.kill('SIGHUP');
  await eventually(async () => (await ask(client)) === 200, { what: 'no limit' });
  assert.deepEqual(await six(), { 200: 6 });
});
