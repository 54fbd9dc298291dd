// What a client sends before the app is ready for it waits for the app: trailers of a request that waited for a connection,
// and the first messages of a WebSocket whose client did not wait for the 200.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createH2Server, type Http2Server } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { type TestContext, test } from 'node:test';
import { acceptOf } from '../../src/http/websocket.ts';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { connectH2, fieldsOf, type H2Client } from '../support/h2-client.ts';
import { data, Flag, frame, headerBlock, headers, Type } from '../support/h2-frames.ts';
import { eventually } from '../support/poll.ts';
import { setStage } from '../support/stage.ts';

const POST = fieldsOf({ ':method': 'POST', te: 'trailers' });
const CONNECT = fieldsOf({ ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' });

function trailers(stream: number): Buffer {
  return frame(Type.headers, Flag.endHeaders | Flag.endStream, stream, headerBlock([['x-checksum', 'abc']]));
}

async function listen(t: TestContext, server: Server | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function begin(t: TestContext, upstream: number | string, args: string[] = []) {
  const stage = await setStage(t);
  const sidecar = await stage.start({ upstream, args });
  const client = await connectH2({ port: sidecar.port });
  t.after(() => client.destroy());
  return { sidecar, client };
}

/** Whole requests in one write each, so that all of one is there before anything is carried. */
function sendWithTrailers(client: H2Client): number {
  const id = client.nextId();
  client.send(headers(id, POST, false), data(id, 'body'), trailers(id));
  return id;
}

test('trailers of a request that waited for a session of HTTP/2 to the app', async (t) => {
  const app = createH2Server();
  app.on('stream', (stream) => {
    let seen: Record<string, unknown> = {};
    stream.on('trailers', (fields) => {
      seen = fields;
    });
    stream.on('error', () => {});
    stream.resume();
    stream.on('end', () => {
      stream.respond({ ':status': 200 });
      stream.end(String(seen['x-checksum']));
    });
  });
  const { sidecar, client } = await begin(t, `h2c://127.0.0.1:${await listen(t, app)}`);
  const id = sendWithTrailers(client);
  await client.over(id);
  assert.deepEqual([client.status(id), client.body(id).toString()], [200, 'abc']);
  client.destroy();
  await endsWell(sidecar);
});

test('trailers of a request that waited for a connection to the app', async (t) => {
  let free = (): void => {};
  const app = await startApp(t, (request, response) => {
    if (request.url === '/hold') {
      free = () => void response.end('held');
      return;
    }
    request.resume();
    request.on('end', () => response.end(String(request.trailers['x-checksum'])));
  });
  const { sidecar, client } = await begin(t, app.port, ['--upstream-max-connections', '1']);
  const holds = client.request(fieldsOf({ ':path': '/hold' }));
  const freed = free;
  await eventually(() => free !== freed, { what: 'the first request at the app' });
  const id = sendWithTrailers(client);
  // The sidecar reads in order: when it answers a ping, it has read the trailers.
  client.send(frame(Type.ping, 0, 0, '12345678'));
  await client.until(() => client.frames.some(({ type, flags }) => type === Type.ping && flags & Flag.ack), 'the pong');
  free();
  await Promise.all([client.over(holds), client.over(id)]);
  assert.deepEqual([client.status(id), client.body(id).toString()], [200, 'abc']);
  client.destroy();
  await endsWell(sidecar);
});

test('DATA of a WebSocket that comes before its 200', async (t) => {
  const got: Buffer[] = [];
  const app = createServer();
  app.on('upgrade', (request, socket) => {
    socket.on('error', () => {});
    const accept = acceptOf(request.headers['sec-websocket-key'] ?? '');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on('data', (chunk: Buffer) => got.push(chunk));
    socket.on('end', () => socket.end('bye'));
  });
  const { sidecar, client } = await begin(t, await listen(t, app));
  const early = 'early '.repeat(20_000);
  const id = client.nextId();
  const pieces = early.match(/.{1,16000}/g) ?? [];
  client.send(headers(id, CONNECT, false), ...pieces.slice(0, 4).map((piece) => data(id, piece)));
  await client.until(() => client.status(id) === 200, 'the 200');
  client.send(...pieces.slice(4).map((piece) => data(id, piece)), data(id, 'late', true));
  await client.over(id);
  assert.equal(Buffer.concat(got).toString(), `${early}late`);
  assert.equal(client.body(id).toString(), 'bye');
  client.destroy();
  await endsWell(sidecar);
});

test('DATA of a WebSocket that the app refuses is dropped, and other requests go on', async (t) => {
  const app = createServer((_, response) => response.end('plain'));
  app.on('upgrade', (_, socket) => socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'));
  const { sidecar, client } = await begin(t, await listen(t, app));
  const id = client.nextId();
  client.send(headers(id, CONNECT, false));
  await Promise.all([client.upload(id, [Buffer.alloc(900_000)]), client.over(id)]);
  assert.equal(client.status(id), 403);
  const next = client.request(fieldsOf());
  await client.over(next);
  assert.deepEqual([client.status(next), client.body(next).toString()], [200, 'plain']);
  client.destroy();
  await endsWell(sidecar);
});
