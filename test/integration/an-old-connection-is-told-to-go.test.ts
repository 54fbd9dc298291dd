// --max-connection-age: an old connection is told to go, after what is in flight, in HTTP/1.1 and HTTP/2. Tunnels stay, and
// without the option so does everybody.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { acceptOf } from '../../src/http/websocket.ts';
import { endsWell } from '../support/ended-well.ts';
import { connectH2, fieldsOf } from '../support/h2-client.ts';
import { data, headers } from '../support/h2-frames.ts';
import { startHeldApp } from '../support/held-app.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { setStage } from '../support/stage.ts';

const get = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const AGE = ['--max-connection-age', '1s'];

async function begin(t: TestContext, port: number, args = AGE): Promise<Sidecar> {
  const stage = await setStage(t);
  return stage.start({ upstream: port, args });
}

test('HTTP/1.1: an idle connection closes, a busy one says Connection: close and closes after its answer', async (t) => {
  const app = await startHeldApp(t);
  const sidecar = await begin(t, app.port);
  const [busy, idle] = [await connect({ port: sidecar.port }), await connect({ port: sidecar.port })];
  busy.send(get);
  const { response } = await app.waitFor(1);
  await idle.closed;
  assert.equal(idle.received.length, 0);
  // It was made first, so it is told at about that time, too.
  const agedMs = performance.now();
  await eventually(() => performance.now() - agedMs > 600, { what: 'the age of the busy one' });
  assert.equal(busy.ended, false);
  response.end('whole');
  const answer = await busy.readResponse();
  assert.deepEqual([answer.status, answer.body.toString()], [200, 'whole']);
  assert.match(answer.headText, /^connection: close\r?$/im);
  await busy.closed;
  await endsWell(sidecar);
});

test('HTTP/2: GOAWAY without an error, and what is in flight comes whole', async (t) => {
  const app = await startHeldApp(t);
  const sidecar = await begin(t, app.port);
  const client = await connectH2({ port: sidecar.port });
  t.after(() => client.destroy());
  const id = client.request(fieldsOf());
  const { response } = await app.waitFor(1);
  await client.until(() => client.goaway !== undefined, 'the GOAWAY');
  assert.equal(client.goaway, 0);
  assert.equal(client.ended, false);
  response.end('whole');
  await client.over(id);
  assert.deepEqual([client.status(id), client.body(id).toString(), client.stream(id).ended], [200, 'whole', true]);
  await client.until(() => client.ended, 'the end of the connection');
  await endsWell(sidecar);
});

test('a WebSocket stays, over HTTP/1.1 and over HTTP/2', async (t) => {
  const app = createServer();
  app.on('upgrade', (request, socket) => {
    socket.on('error', () => {});
    const accept = acceptOf(request.headers['sec-websocket-key'] ?? '');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.pipe(socket);
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  t.after(() => app.close());
  const sidecar = await begin(t, (app.address() as AddressInfo).port);
  const h1 = await connect({ port: sidecar.port });
  h1.send(
    'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await h1.waitFor('HTTP/1.1 101');
  const h2 = await connectH2({ port: sidecar.port });
  const id = h2.nextId();
  h2.send(
    headers(id, fieldsOf({ ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' }), false),
  );
  await h2.until(() => h2.status(id) === 200, 'the 200');
  // The HTTP/2 connection is the younger one: when it is told, both are old.
  await h2.until(() => h2.goaway !== undefined, 'the GOAWAY');
  h1.send('still here');
  await h1.waitFor('still here');
  h2.send(data(id, 'here, too'));
  await h2.until(() => h2.body(id).toString() === 'here, too', 'the echo');
  h1.destroy();
  h2.destroy();
  await endsWell(sidecar);
});

test('without the option nobody is told', async (t) => {
  const app = await startHeldApp(t);
  const sidecar = await begin(t, app.port, []);
  const client = await connect({ port: sidecar.port });
  const sinceMs = performance.now();
  await eventually(() => performance.now() - sinceMs > 1500, { what: 'some time' });
  client.send('GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const answer = await client.readResponse();
  assert.doesNotMatch(answer.headText, /^connection: close/im);
  client.end();
  await client.closed;
  await endsWell(sidecar);
});
