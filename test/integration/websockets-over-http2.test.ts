// WebSockets that cross the versions of HTTP: asked for with the extended CONNECT of HTTP/2 (RFC 8441) or the upgrade of
// HTTP/1.1, at an app of either kind.

import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { createServer as createH2Server, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { acceptOf } from '../../src/http/websocket.ts';
import { answerOf, type H2Client, openH2Client } from '../support/node-h2-client.ts';
import { eventually } from '../support/poll.ts';
import { type Lane, openLane } from '../support/stage.ts';

const ASK = {
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':path': '/chat?room=1',
  origin: 'https://localhost',
  'sec-websocket-version': '13',
  'sec-websocket-protocol': 'chat, superchat',
};

type Asked = { method: string | undefined; url: string | undefined; headers: Record<string, unknown> };

async function listen(server: NetServer | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

describe('an app of HTTP/1.1', () => {
  let app: Server;
  let lane: Lane;
  let client: H2Client;
  const asked: Asked[] = [];
  const sockets: Socket[] = [];
  const webSockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'superchat' });

  before(async () => {
    app = createServer((request, response) => response.writeHead(request.url === '/' ? 200 : 404).end('plain'));
    app.on('upgrade', (request, socket: Socket, head) => {
      const { method, url, headers } = request;
      asked.push({ method, url, headers });
      sockets.push(socket);
      socket.on('error', () => {});
      const accept = acceptOf(headers['sec-websocket-key'] ?? '');
      const head101 = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
      if (url === '/refused') socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Why: no\r\n\r\nno');
      else if (url === '/wrong') socket.write(`${head101}Sec-WebSocket-Accept: ${acceptOf('other')}\r\n\r\n`);
      else if (url === '/raw') socket.write(`${head101}Sec-WebSocket-Accept: ${accept}\r\n\r\nhello`);
      else webSockets.handleUpgrade(request, socket, head, (ws) => ws.on('message', (data) => ws.send(`${data}!`)));
    });
    lane = await openLane({ forwarder: 'wire', upstream: await listen(app), args: ['--client-timeout', '3s'] });
    client = await openH2Client(lane.sidecar.port, lane.ca);
  });

  after(async () => {
    client.close();
    app.closeAllConnections();
    app.close();
    await lane.close();
    assert.deepEqual(lane.defects, []);
  });

  test('the sidecar offers extended CONNECT', () => {
    assert.equal(client.session.remoteSettings.enableConnectProtocol, true);
  });

  test('is asked for an upgrade; the client gets 200 without the fields of the handshake; messages go both ways', async () => {
    const stream = client.open(ASK);
    const headers = await headOf(stream);
    assert.equal(headers[':status'], 200);
    assert.equal(headers['sec-websocket-protocol'], 'superchat');
    for (const name of ['sec-websocket-accept', 'upgrade', 'connection']) assert.equal(headers[name], undefined, name);
    const [request] = asked;
    assert.equal(request?.method, 'GET');
    assert.equal(request?.url, '/chat?room=1');
    assert.equal(request?.headers.host, `localhost:${lane.sidecar.port}`);
    assert.equal(request?.headers['sec-websocket-version'], '13');
    assert.match(String(request?.headers['sec-websocket-key']), /^[A-Za-z0-9+/]{22}==$/);
    assert.equal(request?.headers[':protocol'], undefined);
    stream.write(textFrame('hi'));
    assert.deepEqual(await read(stream, 5), Buffer.from([0x81, 3, ...Buffer.from('hi!')]));
    stream.end(Buffer.from([0x88, 0x80, 0, 0, 0, 0]));
    const { complete } = await answerOf(stream);
    assert.ok(complete, 'the end of the app is the end of the stream');
    const line = await lane.sidecar.waitForLog((entry) => entry.path === '/chat');
    assert.equal(line.status, 200);
    assert.equal(line.reason, undefined);
  });

  test('bytes right behind its 101 are not lost, and half-closed directions stay half-closed', async () => {
    const stream = client.open({ ...ASK, ':path': '/raw' });
    assert.deepEqual(await read(stream, 5), Buffer.from('hello'));
    const socket = sockets.at(-1) as Socket;
    const ended = new Promise((resolve) => socket.once('end', resolve));
    socket.resume();
    stream.end('bye');
    await ended;
    socket.end('last');
    const { complete, body } = await answerOf(stream);
    assert.equal(body.toString(), 'last');
    assert.ok(complete);
  });

  test('an idle WebSocket outlives the time-outs of requests', async () => {
    const stream = client.open({ ...ASK, ':path': '/raw' });
    await read(stream, 5);
    const silentSince = performance.now();
    await eventually(() => performance.now() - silentSince > 4500, { what: 'a silence longer than they' });
    (sockets.at(-1) as Socket).write('still');
    assert.deepEqual(await read(stream, 5), Buffer.from('still'));
    stream.destroy();
  });

  test('a refusal is passed on as it is', async () => {
    const { status, headers, body } = await answerOf(client.open({ ...ASK, ':path': '/refused' }));
    assert.equal(status, 403);
    assert.equal(headers['x-why'], 'no');
    assert.equal(body.toString(), 'no');
  });

  test('a 101 that does not prove the handshake is upstream_bad_upgrade', async () => {
    const { status, headers } = await answerOf(client.open({ ...ASK, ':path': '/wrong' }));
    assert.equal(status, 502);
    assert.match(String(headers['proxy-status']), /details="upstream_bad_upgrade"/);
  });

  test('an app that breaks off is an error, never an end', async () => {
    const stream = client.open({ ...ASK, ':path': '/raw' });
    await read(stream, 5);
    (sockets.at(-1) as Socket).resetAndDestroy();
    const { complete, rstCode } = await answerOf(stream);
    assert.equal(complete, false);
    assert.notEqual(rstCode, 0);
  });

  test("a client that leaves takes the app's connection along", async () => {
    const stream = client.open({ ...ASK, ':path': '/raw' });
    await read(stream, 5);
    const socket = sockets.at(-1) as Socket;
    socket.resume();
    stream.close(8);
    await eventually(() => socket.readableEnded || undefined, { what: 'the end at the app' });
    socket.destroy();
  });

  test('another protocol is 501, so is a plain CONNECT', async () => {
    assert.equal((await answerOf(client.open({ ...ASK, ':protocol': 'connect-udp' }))).status, 501);
    const plain = client.session.request({ ':method': 'CONNECT', ':authority': 'localhost:1' }, { endStream: false });
    assert.equal((await answerOf(plain)).status, 501);
    assert.equal((await client.request({})).status, 200);
  });
});

describe('an app of HTTP/2 in clear text', () => {
  let app: Http2Server;
  let lane: Lane;
  let client: H2Client;
  const asked: Record<string, unknown>[] = [];
  const webSockets = new WebSocketServer({ noServer: true });
  const streams: ServerHttp2Stream[] = [];

  before(async () => {
    app = createH2Server({ settings: { enableConnectProtocol: true } });
    app.on('stream', (stream, headers) => {
      asked.push({ ...headers });
      streams.push(stream);
      stream.on('error', () => {});
      if (headers[':path'] === '/refused') return void stream.respond({ ':status': 403 }, { endStream: true });
      stream.respond({ ':status': 200 });
      if (headers[':path'] === '/raw') return void stream.write('hello');
      completeUpgrade(webSockets, stream);
    });
    lane = await openLane({ forwarder: 'wire', upstream: `h2c://127.0.0.1:${await listen(app)}` });
    client = await openH2Client(lane.sidecar.port, lane.ca);
  });

  after(async () => {
    client.close();
    app.close();
    await lane.close();
    assert.deepEqual(lane.defects, []);
  });

  test('a client of HTTP/2: extended CONNECT there, too', async () => {
    const stream = client.open(ASK);
    assert.equal((await headOf(stream))[':status'], 200);
    const headers = asked.at(-1);
    assert.equal(headers?.[':method'], 'CONNECT');
    assert.equal(headers?.[':protocol'], 'websocket');
    assert.equal(headers?.[':path'], '/chat?room=1');
    assert.equal(headers?.['sec-websocket-key'], undefined);
    stream.write(textFrame('hi'));
    assert.deepEqual(await read(stream, 5), Buffer.from([0x81, 3, ...Buffer.from('hi!')]));
    stream.destroy();
  });

  test('a client of HTTP/1.1: the handshake is completed by the sidecar', async () => {
    const ws = new WebSocket(`wss://localhost:${lane.sidecar.port}/chat`, { ca: lane.ca });
    const heard = new Promise<string>((resolve, reject) => {
      ws.on('message', (data) => resolve(String(data)));
      ws.on('error', reject);
    });
    ws.on('open', () => ws.send('hi'));
    assert.equal(await heard, 'hi!');
    const closed = new Promise<number>((resolve) => ws.on('close', resolve));
    ws.close(1000);
    assert.equal(await closed, 1000);
  });

  test('a refusal is passed on as it is', async () => {
    assert.equal((await answerOf(client.open({ ...ASK, ':path': '/refused' }))).status, 403);
  });

  test('an app that resets the stream is an error, never an end', async () => {
    const stream = client.open({ ...ASK, ':path': '/raw' });
    await read(stream, 5);
    const app = streams.at(-1) as ServerHttp2Stream;
    app.destroy(new Error('broken'));
    const { complete } = await answerOf(stream);
    assert.equal(complete, false);
  });

  test('a client that leaves cancels the stream', async () => {
    const stream = client.open({ ...ASK, ':path': '/raw' });
    await read(stream, 5);
    const app = streams.at(-1) as ServerHttp2Stream;
    app.resume();
    stream.close(8);
    await eventually(() => app.destroyed || undefined, { what: 'the end of the stream at the app' });
  });
});

test('an app of HTTP/2 without extended CONNECT: 502 with the word for it', async () => {
  const app = createH2Server((_request, response) => response.end('plain'));
  const lane = await openLane({ forwarder: 'wire', upstream: `h2c://127.0.0.1:${await listen(app)}` });
  const client = await openH2Client(lane.sidecar.port, lane.ca);
  const { status, headers } = await answerOf(client.open(ASK));
  assert.equal(status, 502);
  assert.match(String(headers['proxy-status']), /error=http_upgrade_failed; details="upstream_bad_upgrade"/);
  client.close();
  app.close();
  await lane.close();
});

function headOf(stream: Duplex): Promise<Record<string, unknown>> {
  return new Promise((resolve) => stream.once('response', resolve));
}

function read(stream: Duplex, bytes: number): Promise<Buffer> {
  return eventually(() => (stream.read(bytes) as Buffer | null) ?? undefined, { what: `${bytes} bytes` });
}

/** A masked text message, as clients send it. */
function textFrame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}

/** The package reads frames from any byte stream that behaves like a socket. */
function completeUpgrade(server: WebSocketServer, stream: ServerHttp2Stream): void {
  const socket = Object.assign(stream, { setNoDelay: () => {}, setTimeout: () => stream });
  const ws = new WebSocket(null as never, undefined, {});
  const inner = ws as unknown as { setSocket(socket: Duplex, head: Buffer, options: object): void; _isServer: boolean };
  inner._isServer = true;
  inner.setSocket(socket, Buffer.alloc(0), { allowSynchronousEvents: true, maxPayload: 1 << 20 });
  ws.on('message', (data) => ws.send(`${data}!`));
  void server;
}
