// In HTTP/2, too, a client is cut when it owes a byte and sends none, or takes none of what it asked for; not while the app
// owes the 100 that it waits for.
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { endsWell } from '../support/ended-well.ts';
import { connectH2, fieldsOf, type H2Client } from '../support/h2-client.ts';
import { data, headers, Setting, windowUpdate } from '../support/h2-frames.ts';
import { eventually } from '../support/poll.ts';
import { createRecorder } from '../support/recorder.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { setStage } from '../support/stage.ts';

const EXPECT = fieldsOf({ ':method': 'POST', expect: '100-continue', 'content-length': '4' });

type Begun = { sidecar: Sidecar; client: H2Client };

async function begin(t: TestContext, upstream: number, args: string[], window?: number): Promise<Begun> {
  const stage = await setStage(t);
  const sidecar = await stage.start({ upstream, args });
  const small = window === undefined ? {} : { refill: false, settings: [[Setting.initialWindowSize, window]] as const };
  const client = await connectH2({ port: sidecar.port, ...small });
  t.after(() => client.destroy());
  return { sidecar, client };
}

test('an app that is silent on Expect is a 504 of the app, not a 408 of its client', async (t) => {
  const app = await createRecorder();
  t.after(() => app.close());
  const { sidecar, client } = await begin(t, app.port, ['--client-timeout', '1s', '--upstream-timeout', '2500ms']);
  const id = client.nextId();
  client.send(headers(id, EXPECT, false));
  await client.over(id, 8000);
  assert.equal(client.status(id), 504);
  client.destroy();
  await endsWell(sidecar);
});

test('after a 100 it is the client that owes', async (t) => {
  const app = await createRecorder(async (connection) => {
    await connection.waitFor('\r\n\r\n');
    connection.write('HTTP/1.1 100 Continue\r\n\r\n');
  });
  t.after(() => app.close());
  const { sidecar, client } = await begin(t, app.port, ['--client-timeout', '1s', '--upstream-timeout', '20s']);
  const id = client.nextId();
  client.send(headers(id, EXPECT, false));
  await client.over(id, 8000);
  assert.equal(client.status(id), 408);
  client.destroy();
  await endsWell(sidecar);
});

test('a client that does not wait for the 100 owes the rest of its body', async (t) => {
  const app = await createRecorder();
  t.after(() => app.close());
  const { sidecar, client } = await begin(t, app.port, ['--client-timeout', '1s', '--upstream-timeout', '20s']);
  const id = client.nextId();
  client.send(headers(id, EXPECT, false), data(id, 'ab'));
  await client.over(id, 8000);
  assert.equal(client.status(id), 408);
  client.destroy();
  await endsWell(sidecar);
});

/** An app whose answer never ends: small pieces, one every few milliseconds. */
async function drippingApp(t: TestContext, endless: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      endless(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

const drip = (socket: Socket): void => {
  const timer = setInterval(() => socket.write(`1000\r\n${'x'.repeat(4096)}\r\n`), 20);
  socket.on('close', () => clearInterval(timer));
};

test('a client that takes nothing is cut, though it goes on sending its body and the app its answer', async (t) => {
  const port = await drippingApp(t, drip);
  const { sidecar, client } = await begin(t, port, ['--client-timeout', '1s', '--upstream-timeout', '30s'], 1000);
  const id = client.nextId();
  client.send(headers(id, fieldsOf({ ':method': 'POST' }), false));
  const timer = setInterval(() => client.send(data(id, 'x')), 50);
  t.after(() => clearInterval(timer));
  await client.over(id, 8000);
  clearInterval(timer);
  assert.equal(client.stream(id).ended, false);
  assert.equal((await sidecar.waitForLog((line) => line.reason === 'client_timeout')).status, 200);
  client.destroy();
  await endsWell(sidecar);
});

test('a client that takes what it is given, however late, is not cut', async (t) => {
  const port = await drippingApp(t, (socket) => drip(socket));
  const { sidecar, client } = await begin(t, port, ['--client-timeout', '4s', '--upstream-timeout', '30s'], 4096);
  const id = client.request(fieldsOf());
  // Longer than the time-out in all, in steps that are much shorter, each for more than what waits.
  for (let step = 1; step <= 10; step++) {
    const before = client.stream(id).bytes;
    const sinceMs = performance.now();
    await eventually(() => performance.now() - sinceMs > 700, { what: 'a pause' });
    client.send(windowUpdate(id, 1 << 18), windowUpdate(0, 1 << 18));
    await client.until(() => client.stream(id).bytes > before, 'more of the answer');
  }
  assert.equal(client.stream(id).reset, undefined);
  client.destroy();
  await endsWell(sidecar);
});
