// `ws`, as client and as server, with the sidecar between: everything that an upgraded connection is used for, and every
// way in which it ends.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import { readMetrics } from '../support/admin.ts';
import { unusedPort } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { eventually, patienceMs } from '../support/poll.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { forwarders, type Stage, setStage } from '../support/stage.ts';

type Scene = {
  stage: Stage;
  sidecar: Sidecar;
  server: WebSocketServer;
  open(path?: string, options?: ClientOptions): Promise<{ client: WebSocket; peer: WebSocket }>;
  dial(path?: string, options?: ClientOptions): WebSocket;
};

async function begin(t: TestContext, args: string[]): Promise<Scene> {
  const stage = await setStage(t);
  const http = createServer();
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: true, handleProtocols: () => 'second' });
  http.on('upgrade', (request, socket, head) => {
    if (request.url === '/refused') {
      return void socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 8\r\nX-Why: token\r\n\r\nno token');
    }
    server.handleUpgrade(request, socket, head, (peer) => server.emit('connection', peer, request));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.after(() => {
    for (const peer of server.clients) peer.terminate();
    http.close();
    http.closeAllConnections();
  });
  const sidecar = await stage.start({ upstream: (http.address() as AddressInfo).port, args });
  const dial = (path = '/', options: ClientOptions = {}): WebSocket => {
    const url = `wss://localhost:${sidecar.port}${path}`;
    const client = new WebSocket(url, ['first', 'second'], {
      ca: stage.authority.pem,
      lookup: (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }] as never, 4),
      ...options,
    });
    client.on('error', () => {});
    t.after(() => client.terminate());
    return client;
  };
  return {
    stage,
    sidecar,
    server,
    dial,
    async open(path, options) {
      const accepted = once(server, 'connection') as Promise<[WebSocket]>;
      const client = dial(path, options);
      await once(client, 'open', deadline());
      const [peer] = await accepted;
      peer.on('error', () => {});
      return { client, peer };
    },
  };
}

const deadline = () => ({ signal: AbortSignal.timeout(patienceMs) });

for (const forwarder of forwarders) {
  test(`messages, pings, and closes, both ways (${forwarder})`, async (t) => {
    const { sidecar, open } = await begin(t, ['--forwarder', forwarder]);
    const { client, peer } = await open('/chat?room=1');
    assert.equal(client.protocol, 'second');
    peer.on('message', (data, isBinary) => peer.send(data, { binary: isBinary }));

    client.send('hello');
    const [text, isBinary] = await once(client, 'message', deadline());
    assert.deepEqual([String(text), isBinary], ['hello', false]);

    const bytes = randomBytes(1 << 20);
    client.send(bytes);
    const [echoed] = await once(client, 'message', deadline());
    assert.ok(bytes.equals(echoed));

    // Many in a row: none lost, none out of order.
    const seen: number[] = [];
    client.on('message', (data) => seen.push(Number(data)));
    for (let count = 0; count < 500; count += 1) client.send(String(count));
    await eventually(() => seen.length === 500, { what: '500 echoes' });
    assert.deepEqual(
      seen,
      Array.from({ length: 500 }, (_, count) => count),
    );

    client.ping('from the client');
    assert.equal(String((await once(client, 'pong', deadline()))[0]), 'from the client');
    peer.ping('from the app');
    assert.equal(String((await once(peer, 'pong', deadline()))[0]), 'from the app');

    const closed = once(peer, 'close', deadline());
    client.close(4001, 'that is all');
    const [code, reason] = await closed;
    assert.deepEqual([code, String(reason)], [4001, 'that is all']);

    const second = await open();
    second.peer.close(1001, 'going away');
    const [backCode, backReason] = await once(second.client, 'close', deadline());
    assert.deepEqual([backCode, String(backReason)], [1001, 'going away']);

    const line = await sidecar.waitForLog(({ msg, path }) => msg === 'request' && path === '/chat');
    assert.equal(line.status, 101);
    assert.equal(line.reason, undefined);
    assert.ok(Number(line.bytesIn) > 1 << 19 && Number(line.bytesOut) > 1 << 19);
    await endsWell(sidecar);
  });

  test(`a client that is gone is gone for the app, and the other way round (${forwarder})`, async (t) => {
    const { sidecar, open } = await begin(t, ['--forwarder', forwarder]);
    const first = await open();
    const gone = once(first.peer, 'close', deadline());
    first.client.terminate();
    assert.deepEqual((await gone)[0], 1006);

    const second = await open();
    const lost = once(second.client, 'close', deadline());
    second.peer.terminate();
    assert.deepEqual((await lost)[0], 1006);
    await eventually(async () => (await readMetrics(sidecar)).sum('connections_active') === 0, {
      what: 'no connection to be left',
    });
    await endsWell(sidecar);
  });

  test(`a refusal is passed on as it is (${forwarder})`, async (t) => {
    const { sidecar, dial } = await begin(t, ['--forwarder', forwarder]);
    const client = dial('/refused');
    const [, response] = await once(client, 'unexpected-response', deadline());
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    assert.deepEqual(
      [response.statusCode, response.headers['x-why'], Buffer.concat(chunks).toString()],
      [401, 'token', 'no token'],
    );
    await endsWell(sidecar);
  });

  test(`a silent connection outlives every time-out of requests (${forwarder})`, async (t) => {
    const limits = ['--idle-timeout', '3s', '--client-timeout', '3s', '--upstream-timeout', '3s'];
    const { sidecar, open } = await begin(t, ['--forwarder', forwarder, ...limits]);
    const { client, peer } = await open();
    const started = performance.now();
    await eventually(() => performance.now() - started > 4500, { what: 'a silence longer than they' });
    const heard = once(client, 'message', deadline());
    peer.send('still here');
    assert.equal(String((await heard)[0]), 'still here');
    const closed = once(peer, 'close', deadline());
    client.close();
    await closed;
    await endsWell(sidecar);
  });
}

test('an app that is not there is a 502 for a WebSocket, too', async (t) => {
  const stage = await setStage(t);
  const sidecar = await stage.start({ upstream: await unusedPort() });
  const client = new WebSocket(`wss://127.0.0.1:${sidecar.port}/`, { ca: stage.authority.pem });
  client.on('error', () => {});
  const [, response] = await once(client, 'unexpected-response', deadline());
  assert.equal(response.statusCode, 502);
  client.terminate();
  await endsWell(sidecar);
});

test('a drain closes a WebSocket with 1001 on both sides, and waits for no time-out', async (t) => {
  const { sidecar, open } = await begin(t, ['--drain-timeout', '10m']);
  const { client, peer } = await open();
  const ends = Promise.all([once(client, 'close', deadline()), once(peer, 'close', deadline())]);
  assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
  const [[told], [toldApp]] = await ends;
  assert.deepEqual([told, toldApp], [1001, 1001]);
});
