// --max-body-size at its edge, for clients of both versions and every forwarder: a body of exactly the limit arrives whole, one
// more byte is a 413; the app is not asked where the length is known, and else sees a request that was broken off.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { WebSocket, WebSocketServer } from 'ws';
import { readMetrics } from '../support/admin.ts';
import { startBodyApp } from '../support/body-app.ts';
import { message } from '../support/grpc.ts';
import { openGrpcApp } from '../support/grpc-app.ts';
import { calls, openGrpcClient, outcomeOf } from '../support/grpc-client.ts';
import { connectH2, fieldsOf } from '../support/h2-client.ts';
import { Code, data, headers } from '../support/h2-frames.ts';
import { openH2Client } from '../support/node-h2-client.ts';
import { eventually } from '../support/poll.ts';
import { connect, type RawClient } from '../support/raw-client.ts';
import { setStage } from '../support/stage.ts';

const LIMIT = 100_000;
const lanes = { wire: ['http'], 'http-proxy': ['http', '--forwarder', 'http-proxy'], h2c: ['h2c'] } as const;

async function begin(t: TestContext, [kind, ...args]: readonly ['http' | 'h2c', ...string[]], more: string[] = []) {
  const stage = await setStage(t);
  const app = await startBodyApp(t, kind);
  const sidecar = await stage.start({
    upstream: app.upstream,
    args: ['--max-body-size', String(LIMIT), ...args, ...more],
  });
  const refusals = async () => (await readMetrics(sidecar)).sum('failures_total', { reason: 'body_too_large' });
  return { stage, app, sidecar, refusals };
}

const post = (path: string, ...fields: string[]): string =>
  `${['POST', path, 'HTTP/1.1\r\nHost: a\r\n'].join(' ') + fields.map((field) => `${field}\r\n`).join('')}\r\n`;
const bytes = (count: number): string => 'x'.repeat(count);
const chunk = (count: number): string => `${count.toString(16)}\r\n${bytes(count)}\r\n`;

async function refused(client: RawClient): Promise<void> {
  const { status: code, body } = await client.readResponse();
  assert.equal(code, 413);
  assert.match(String(body), /^413 body_too_large\n.*--max-body-size/);
  await client.closed;
}

for (const [name, lane] of Object.entries(lanes)) {
  describe(`over ${name}, from a client of HTTP/1.1`, () => {
    test('a Content-Length at the limit arrives, above it is a 413 that the app never hears of', async (t) => {
      const { app, sidecar, refusals } = await begin(t, lane);
      const client = await connect({ port: sidecar.port });
      client.send(post('/', `Content-Length: ${LIMIT}`) + bytes(LIMIT));
      assert.equal((await client.readResponse()).status, 200);
      client.send(post('/', `Content-Length: ${LIMIT + 1}`) + bytes(LIMIT + 1));
      await refused(client);
      assert.deepEqual([app.begun, app.whole, app.broken, await refusals()], [1, [LIMIT], 0, 1]);
      const line = await sidecar.waitForLog(({ reason }) => reason === 'body_too_large');
      assert.deepEqual([line.level, line.status, line.side, line.method], ['warn', 413, 'client', 'POST']);
    });

    test('Expect: 100-continue with too large a length is a 413, and no 100', async (t) => {
      const { app, sidecar } = await begin(t, lane);
      const client = await connect({ port: sidecar.port });
      client.send(post('/', 'Expect: 100-continue', `Content-Length: ${LIMIT + 1}`));
      await refused(client);
      assert.doesNotMatch(client.received.toString(), /HTTP\/1\.1 100/);
      assert.equal(app.begun, 0);
    });

    test('a chunked body at the limit arrives, above it is a 413, and a request that the app sees broken off', async (t) => {
      const { app, sidecar } = await begin(t, lane);
      const client = await connect({ port: sidecar.port });
      client.send(`${post('/', 'Transfer-Encoding: chunked') + chunk(LIMIT - 7) + chunk(7)}0\r\n\r\n`);
      assert.equal((await client.readResponse()).status, 200);
      client.send(post('/', 'Transfer-Encoding: chunked') + chunk(LIMIT));
      await eventually(() => app.begun === 2, { what: 'the second request at the app' });
      // Whole, so that only the limit can have been in its way.
      client.send(`${chunk(1)}0\r\n\r\n`);
      await refused(client);
      await eventually(() => app.broken === 1, { what: 'a broken request at the app' });
      assert.deepEqual([app.begun, app.whole], [2, [LIMIT]]);
    });

    test('once the answer has begun, it is cut', async (t) => {
      const { app, sidecar } = await begin(t, lane);
      const client = await connect({ port: sidecar.port });
      client.send(post('/early', 'Transfer-Encoding: chunked') + chunk(1));
      await client.waitFor('HTTP/1.1 200 ');
      client.send(chunk(LIMIT));
      await client.closed;
      await eventually(() => app.broken === 1, { what: 'a broken request at the app' });
      assert.doesNotMatch(client.received.toString(), /413|\r\n0\r\n/);
    });
  });

  describe(`over ${name}, from a client of HTTP/2`, () => {
    test('a content-length at the limit arrives, above it is a 413 that the app never hears of', async (t) => {
      const { stage, app, sidecar } = await begin(t, lane);
      const client = await openH2Client(sidecar.port, stage.authority.pem);
      t.after(() => client.close());
      const send = (count: number) =>
        client.request({ ':method': 'POST', 'content-length': count }, Buffer.alloc(count, 'x'));
      assert.equal((await send(LIMIT)).status, 200);
      const answer = await send(LIMIT + 1);
      assert.deepEqual([answer.status, answer.complete], [413, true]);
      assert.equal((await client.request({})).status, 200, 'the connection goes on');
      assert.deepEqual([app.begun, app.whole], [2, [LIMIT, 0]]);
    });

    test('a body of no said length at the limit arrives, above it is a 413, and a request that the app sees broken off', async (t) => {
      const { app, sidecar, refusals } = await begin(t, lane);
      const client = await connectH2({ port: sidecar.port });
      t.after(() => client.destroy());
      const send = async (count: number): Promise<number> => {
        const id = client.nextId();
        client.send(headers(id, fieldsOf({ ':method': 'POST' }), false));
        await client.upload(id, [Buffer.alloc(count, 'x')]);
        await client.over(id);
        return id;
      };
      assert.equal(client.status(await send(LIMIT)), 200);
      const id = await send(LIMIT + 1);
      assert.equal(client.status(id), 413);
      assert.ok([undefined, Code.noError].includes(client.stream(id).reset as 0));
      await eventually(() => app.broken === 1, { what: 'a broken request at the app' });
      assert.equal(client.status(await send(1)), 200, 'the connection goes on');
      assert.deepEqual([app.whole, await refusals()], [[LIMIT, 1], 1]);
    });

    test('once the answer has begun, the stream is reset', async (t) => {
      const { app, sidecar } = await begin(t, lane);
      const client = await connectH2({ port: sidecar.port });
      t.after(() => client.destroy());
      const id = client.nextId();
      client.send(headers(id, fieldsOf({ ':method': 'POST', ':path': '/early' }), false), data(id, 'x'));
      await client.until(() => client.status(id) === 200, 'the head of the answer');
      await client.upload(id, [Buffer.alloc(LIMIT, 'x')]);
      const { ended, reset } = await client.over(id);
      assert.deepEqual([ended, reset], [false, Code.internalError]);
      await eventually(() => app.broken === 1, { what: 'a broken request at the app' });
    });
  });
}

describe('a call of gRPC', () => {
  test('at the limit is answered; above it is RESOURCE_EXHAUSTED, in a head alone', async (t) => {
    const stage = await setStage(t);
    const app = await openGrpcApp();
    t.after(() => app.close());
    // What stands before a payload: five bytes of gRPC, and the order in the message.
    const framing = 5 + message({}).length;
    const args = ['--max-body-size', String(framing + 1000)];
    const sidecar = await stage.start({ upstream: app.port, args });
    const client = calls(openGrpcClient(sidecar.port, stage.authority.pem));
    t.after(() => client.close());
    const { code } = await client.unary('Unary', message({}, Buffer.alloc(1000)));
    assert.equal(code, status.OK);
    const refused = await client.unary('Unary', message({}, Buffer.alloc(1001)));
    assert.equal(refused.code, status.RESOURCE_EXHAUSTED);
    assert.match(refused.details, /^body_too_large: .*--max-body-size/);
    assert.equal(refused.initial, undefined, 'Trailers-Only');
  });

  test('that streams is counted as a whole, and ended above the limit', async (t) => {
    const stage = await setStage(t);
    const app = await openGrpcApp();
    t.after(() => app.close());
    const sidecar = await stage.start({ upstream: app.port, args: ['--max-body-size', '10KiB'] });
    const client = calls(openGrpcClient(sidecar.port, stage.authority.pem));
    t.after(() => client.close());
    const call = client.input();
    const ended = outcomeOf(call, false);
    for (let i = 0; i < 12; i++) call.write(message({}, Buffer.alloc(1000)));
    assert.equal((await ended).code, status.RESOURCE_EXHAUSTED);
    await eventually(() => app.cancelled === 1, { what: 'a cancelled call at the app' });
  });
});

describe('what is no body has no limit', () => {
  test('WebSockets of HTTP/1.1 and HTTP/2', async (t) => {
    const stage = await setStage(t);
    const app = createServer();
    const webSockets = new WebSocketServer({ server: app });
    webSockets.on('connection', (socket) => socket.on('message', (sent) => socket.send(String(sent).length)));
    await new Promise<void>((resolve) => void app.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      for (const socket of webSockets.clients) socket.terminate();
      app.close();
    });
    const { port } = app.address() as AddressInfo;
    const sidecar = await stage.start({ upstream: port, args: ['--max-body-size', '10'] });
    const socket = new WebSocket(`wss://localhost:${sidecar.port}`, { ca: stage.authority.pem });
    const echoed = new Promise<string>((resolve) => socket.on('message', (said) => resolve(String(said))));
    socket.on('open', () => socket.send(bytes(50_000)));
    assert.equal(await echoed, '50000');
    socket.terminate();

    const client = await openH2Client(sidecar.port, stage.authority.pem);
    t.after(() => client.close());
    const asked = { ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' };
    const stream = client.open(asked);
    const came: Buffer[] = [];
    stream.on('data', (part: Buffer) => came.push(part));
    // A text frame of 100 bytes, masked with zeros.
    stream.write(Buffer.concat([Buffer.from([0x81, 0x80 | 100, 0, 0, 0, 0]), Buffer.from(bytes(100))]));
    await eventually(() => Buffer.concat(came).subarray(2).toString() === '100', { what: 'the echo over HTTP/2' });
    stream.destroy();
  });
});

test('the limit is off by default, changes with the file, and can be taken back', async (t) => {
  const stage = await setStage(t);
  const app = await startBodyApp(t, 'http');
  const file = join(stage.dir, 'options.yaml');
  await writeFile(file, '{}\n');
  const sidecar = await stage.start({ upstream: app.upstream, args: ['--config', file] });
  const send = async (): Promise<number> => {
    const client = await connect({ port: sidecar.port });
    client.send(post('/', `Content-Length: ${LIMIT}`) + bytes(LIMIT));
    const { status: code } = await client.readResponse();
    client.destroy();
    return code;
  };
  assert.equal(await send(), 200);
  await writeFile(file, 'max-body-size: 99999\n');
  sidecar.kill('SIGHUP');
  await eventually(async () => (await send()) === 413, { what: 'the new limit' });
  await writeFile(file, 'max-body-size: unlimited\n');
  sidecar.kill('SIGHUP');
  await eventually(async () => (await send()) === 200, { what: 'no limit' });
});
