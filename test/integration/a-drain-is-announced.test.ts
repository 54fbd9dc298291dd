// A drain, whoever asks for it: POST /drain from this host, the command, a signal. What has no end of its own is ended in its
// own way: WebSockets by a closing frame 1001 in both directions, between two frames; event streams by their end.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { askAdmin } from '../support/admin.ts';
import { connectH2, fieldsOf } from '../support/h2-client.ts';
import { data, headers, Type } from '../support/h2-frames.ts';
import { startHeldApp } from '../support/held-app.ts';
import { runToExit } from '../support/program.ts';
import { connect, connectPlain } from '../support/raw-client.ts';
import { createRecorder } from '../support/recorder.ts';
import { valuesOf } from '../support/response.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { forwarders, setStage } from '../support/stage.ts';

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const UPGRADE =
  'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
const patient = ['--drain-timeout', '10m', '--upstream-timeout', '10m'];
/** A closing frame 1001 as a server sends it. */
const GOING_AWAY = Buffer.from('880203e9', 'hex');

const command = (sidecar: Sidecar, ...args: string[]) =>
  runToExit(['drain', ...args], { env: { TLS_SIDECAR_ADMIN: `127.0.0.1:${sidecar.adminPort}` } });

async function startWebSocketApp(t: TestContext): Promise<{ port: number; closed: Promise<number> }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  t.after(() => server.close());
  const closed = new Promise<number>((resolve) => {
    server.on('connection', (socket) => {
      socket.on('message', (message) => socket.send(message));
      socket.on('close', resolve);
    });
  });
  return { port: (server.address() as AddressInfo).port, closed };
}

describe('a drain', { concurrency: 4 }, () => {
  test('by the command returns when it is done; until the signal nothing else happens, and then the exit is immediate', async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const args = ['--drain-delay', '1s', ...patient];
    const sidecar = await stage.start({ upstream: app.port, args });
    const busy = await connect({ port: sidecar.port });
    busy.send(get('/'));
    const { response } = await app.waitFor(1);
    const [first, second] = [command(sidecar), command(sidecar)];
    await sidecar.waitForLog(({ state }) => state === 'draining');
    const late = await connect({ port: sidecar.port });
    late.send(get('/now'));
    assert.deepEqual(valuesOf((await late.readResponse()).headers, 'connection'), ['close']);
    response.end('whole');
    const answer = await busy.readResponse();
    assert.deepEqual([answer.body.toString(), valuesOf(answer.headers, 'connection')], ['whole', ['close']]);
    const done = { code: 0, signal: null, stdout: '', stderr: '' };
    assert.deepEqual([await first, await second], [done, done]);
    await assert.rejects(connect({ port: sidecar.port }), /ECONNREFUSED/);
    assert.equal((await askAdmin(sidecar, '/livez')).status, 200);
    assert.equal((await askAdmin(sidecar, '/readyz')).status, 503);
    assert.equal((await askAdmin(sidecar, '/drain', 'POST')).body, 'drained\n');
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
  });

  test('is told to HTTP/2 by a GOAWAY that refuses nothing: at once, or with the first request', async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: ['--drain-delay', '5s', ...patient] });
    const old = await connectH2({ port: sidecar.port });
    const id = old.request(fieldsOf());
    const { response } = await app.waitFor(1);
    sidecar.kill('SIGTERM');
    await old.until(() => old.goaway === 0, 'a GOAWAY');
    const fresh = await connectH2({ port: sidecar.port });
    await fresh.until(() => fresh.frames.some(({ type }) => type === Type.settings), 'its SETTINGS');
    assert.equal(fresh.goaway, undefined);
    const now = fresh.request(fieldsOf({ ':path': '/now' }));
    assert.equal((await fresh.over(now)).ended, true);
    assert.equal(fresh.body(now).toString(), 'now');
    response.end('whole');
    assert.equal((await old.over(id)).reset, undefined);
    assert.equal(old.body(id).toString(), 'whole');
    for (const client of [old, fresh]) {
      const last = (): number[] =>
        client.frames.filter(({ type }) => type === Type.goaway).map(({ payload }) => payload.readUInt32BE(0));
      await client.until(() => last().length === 2, 'the second GOAWAY');
      assert.deepEqual(last(), [0x7fffffff, 1]);
    }
    assert.deepEqual(await sidecar.exited, { code: 0, signal: null });
  });

  test('that takes longer than the command waits is told, and goes on', async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: patient });
    const busy = await connect({ port: sidecar.port });
    busy.send(get('/'));
    const { response } = await app.waitFor(1);
    const { code, stderr } = await command(sidecar, '--timeout', '300ms');
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^tls-sidecar: cannot drain the sidecar at 127\.0\.0\.1:\d+: it has not drained within 300 ms\n$/,
    );
    response.end('whole');
    assert.equal((await busy.readResponse()).body.toString(), 'whole');
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
  });

  test('is asked for by POST, and from this host only', async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: app.port, admin: ':0' });
    assert.equal((await askAdmin(sidecar, '/drain')).status, 405);
    const others = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    const host = others.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
    if (host !== undefined) {
      const stranger = await connectPlain({ port: sidecar.adminPort, host });
      stranger.send('POST /drain HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
      assert.equal((await stranger.readResponse()).status, 403);
    }
    const now = await connect({ port: sidecar.port });
    now.send(get('/now'));
    assert.deepEqual(valuesOf((await now.readResponse()).headers, 'connection'), []);
  });

  test('without a sidecar, or with a wrong time, fails in one line', async () => {
    const nobody = await runToExit(['drain', '--admin', '127.0.0.1:1']);
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /^tls-sidecar: cannot drain the sidecar at 127\.0\.0\.1:1: connect ECONNREFUSED .*\n$/);
    const wrong = await runToExit(['drain', '--timeout', 'soon']);
    assert.deepEqual([wrong.code, wrong.stderr.split('\n').length], [2, 2]);
    assert.match(wrong.stderr, /^tls-sidecar: --timeout takes a duration .* the flag says "soon"\n$/);
    assert.equal((await runToExit(['drain', '--admin', 'off'])).code, 2);
    assert.equal((await runToExit(['check', '--timeout', '1s'])).code, 2);
  });

  for (const forwarder of forwarders) {
    test(`ends an event stream whole (${forwarder})`, async (t) => {
      const stage = await setStage(t);
      const app = await startHeldApp(t);
      const sidecar = await stage.start({ upstream: app.port, forwarder, args: patient });
      const client = await connect({ port: sidecar.port });
      const h2 = await connectH2({ port: sidecar.port });
      const [id] = [client.send(get('/')), h2.request(fieldsOf())].slice(1) as [number];
      for (const at of [1, 2]) {
        const { response } = await app.waitFor(at);
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: before\n\n');
      }
      await client.waitFor('data: before');
      await h2.until(() => h2.body(id).length > 0, 'the event');
      const exit = sidecar.stop();
      const answer = await client.readResponse();
      assert.deepEqual([answer.complete, answer.body.toString()], [true, 'data: before\n\n']);
      const stream = await h2.over(id);
      assert.deepEqual([stream.ended, stream.reset], [true, undefined]);
      assert.deepEqual(await exit, { code: 0, signal: null });
    });
  }

  test('closes a WebSocket of the ws package on both sides with 1001', async (t) => {
    const stage = await setStage(t);
    const app = await startWebSocketApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: patient });
    const client = new WebSocket(`wss://127.0.0.1:${sidecar.port}/`, { rejectUnauthorized: false });
    await once(client, 'open');
    client.send('hello');
    await once(client, 'message');
    const closed = once(client, 'close');
    const exit = sidecar.stop();
    assert.equal((await closed)[0], 1001);
    assert.equal(await app.closed, 1001);
    assert.deepEqual(await exit, { code: 0, signal: null });
  });

  test('closes a WebSocket over HTTP/2', async (t) => {
    const stage = await setStage(t);
    const app = await startWebSocketApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: patient });
    const client = await connectH2({ port: sidecar.port });
    const id = client.nextId();
    const ask = fieldsOf({ ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' });
    client.send(headers(id, ask, false));
    await client.until(() => client.status(id) === 200, 'the tunnel');
    const exit = sidecar.stop();
    await client.until(() => client.body(id).includes(GOING_AWAY), 'the closing frame');
    assert.equal(await app.closed, 1001);
    // Our answer to it.
    client.send(data(id, Buffer.from('88820000000003e9', 'hex'), true));
    assert.equal((await client.over(id)).ended, true);
    const [warning] = client.frames.filter(({ type }) => type === Type.goaway);
    assert.equal(warning?.payload.readUInt32BE(0), 0x7fffffff);
    assert.deepEqual(await exit, { code: 0, signal: null });
  });

  test('leaves a protocol that it does not know to the time-out', async (t) => {
    const stage = await setStage(t);
    const app = await createRecorder(async (connection) => {
      await connection.waitFor('\r\n\r\n');
      connection.write(`${SWITCHED.replace('websocket', 'other')}\r\nhello`);
    });
    t.after(() => app.close());
    const sidecar = await stage.start({ upstream: app.port, args: ['--drain-timeout', '1500ms'] });
    const client = await connect({ port: sidecar.port });
    client.send(UPGRADE.replace('Upgrade: websocket', 'Upgrade: other'));
    await client.waitFor('hello');
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
    assert.equal((await sidecar.waitForLog('stopped')).cut, 1);
    await client.closed;
    assert.match(client.received.toString('latin1'), /hello$/);
  });

  test('puts its frame behind the one that is under way, never into it', async (t) => {
    const stage = await setStage(t);
    const app = await createRecorder(async (connection) => {
      await connection.waitFor('\r\n\r\n');
      connection.write(`${SWITCHED}\r\n`);
      connection.write(Buffer.from('8205616263', 'hex'));
    });
    t.after(() => app.close());
    const sidecar = await stage.start({ upstream: app.port, args: patient });
    const client = await connect({ port: sidecar.port });
    client.send(UPGRADE);
    await client.waitFor('abc');
    const exit = sidecar.stop();
    await sidecar.waitForLog(({ state }) => state === 'draining');
    await assert.rejects(connect({ port: sidecar.port }), /ECONNREFUSED/);
    app.connections[0]?.write('de and what is dropped');
    const frames = Buffer.concat([Buffer.from('8205', 'hex'), Buffer.from('abcde'), GOING_AWAY]);
    await client.waitFor((received) => received.includes(frames));
    client.end(Buffer.from('88820000000003e9', 'hex'));
    assert.deepEqual(await exit, { code: 0, signal: null });
    assert.equal(client.received.toString('latin1').includes('dropped'), false);
  });
});
