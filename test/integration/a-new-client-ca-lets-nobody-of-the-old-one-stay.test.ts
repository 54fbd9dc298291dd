// After a change of --client-ca, connections that were verified under the old one end after what is in flight, in HTTP/1.1
// and HTTP/2, so that their clients are verified anew; an open WebSocket ends at
// once. A file that is wrong changes nothing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { describe, type TestContext, test } from 'node:test';
import { createAuthority, type Issued } from '../../certs/authority.ts';
import { acceptOf } from '../../src/http/websocket.ts';
import { readMetrics } from '../support/admin.ts';
import { endsWell } from '../support/ended-well.ts';
import { connectH2, fieldsOf } from '../support/h2-client.ts';
import { data, headers } from '../support/h2-frames.ts';
import { startHeldApp } from '../support/held-app.ts';
import { answerOf } from '../support/node-h2-client.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import { createRecorder } from '../support/recorder.ts';
import { setStage } from '../support/stage.ts';

const get = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const [one, two] = [await createAuthority({ commonName: 'one' }), await createAuthority({ commonName: 'two' })];
const [web, other] = await Promise.all([one.issue({ usage: 'client' }), two.issue({ usage: 'client' })]);

/** In one step: a file that is read half written is another one, which is told, too. */
async function replace(path: string, content: string): Promise<void> {
  await writeFile(`${path}.new`, content);
  await rename(`${path}.new`, path);
}

async function begin(t: TestContext, args: string[] = [], upstream?: number) {
  const stage = await setStage(t);
  const app = await startHeldApp(t);
  const caFile = join(stage.dir, 'ca.pem');
  await writeFile(caFile, one.pem);
  const sidecar = await stage.start({ upstream: upstream ?? app.port, args: ['--client-ca', caFile, ...args] });
  const open = ({ chain: cert, key }: Issued) => connect({ port: sidecar.port, cert, key });
  const change = async (pem: string): Promise<void> => {
    await replace(caFile, pem);
    await sidecar.waitForLog('client CA reloaded');
  };
  return { app, sidecar, caFile, open, change };
}

test('HTTP/1.1: idle connections close, a busy one after its answer, which says so', async (t) => {
  const { app, sidecar, open, change } = await begin(t);
  const [idle, busy] = [await open(web), await open(web)];
  busy.send(get);
  const { response } = await app.waitFor(1);
  await change(two.pem);
  await idle.closed;
  response.end('whole');
  const answer = await busy.readResponse();
  assert.deepEqual([answer.status, answer.body.toString()], [200, 'whole']);
  assert.match(answer.headText, /^connection: close\r?$/im);
  await busy.closed;
  const next = await open(other);
  next.send(get);
  (await app.waitFor(2)).response.end('new');
  assert.equal((await next.readResponse()).status, 200);
  next.end();
  await next.closed;
  await endsWell(sidecar);
});

test('HTTP/1.1: an open WebSocket ends, as nobody would ask its client again', async (t) => {
  const stage = await setStage(t);
  const app = await createRecorder(async (connection) => {
    await connection.waitFor('\r\n\r\n');
    connection.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello');
  });
  t.after(() => app.close());
  const caFile = join(stage.dir, 'ca.pem');
  await writeFile(caFile, one.pem);
  const sidecar = await stage.start({ upstream: app.port, args: ['--client-ca', caFile] });
  const client = await connect({ port: sidecar.port, cert: web.chain, key: web.key });
  client.send(
    'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await client.waitFor('hello');
  await writeFile(caFile, two.pem);
  await client.closed;
  await app.connections[0]?.waitForClose();
  await endsWell(sidecar);
});

test('HTTP/2: the client is told to go, and what is in flight comes whole', async (t) => {
  const { app, sidecar, change } = await begin(t);
  const session = connectHttp2(`https://localhost:${sidecar.port}`, {
    rejectUnauthorized: false,
    cert: web.chain,
    key: web.key,
  });
  t.after(() => session.destroy());
  session.on('error', () => {});
  const stream = session.request({ ':path': '/' });
  const answered = answerOf(stream);
  const { response } = await app.waitFor(1);
  const goaway = once(session, 'goaway');
  await change(two.pem);
  const [code] = await goaway;
  assert.equal(code, 0);
  response.end('whole');
  const { status, body, complete } = await answered;
  assert.deepEqual([status, body.toString(), complete], [200, 'whole', true]);
  await eventually(() => session.destroyed, { what: 'the end of the session' });
  await endsWell(sidecar);
});

describe('an open WebSocket ends', () => {
  /** Answers every upgrade, and echoes. */
  const echo = async (t: TestContext): Promise<{ port: number; sockets: Duplex[] }> => {
    const sockets: Duplex[] = [];
    const server = createHttpServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      response.end(`took ${Buffer.concat(chunks)}`);
    });
    server.on('upgrade', (request, socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      const accept = acceptOf(request.headers['sec-websocket-key'] ?? '');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      socket.pipe(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    return { port: (server.address() as AddressInfo).port, sockets };
  };

  test('over HTTP/1.1', async (t) => {
    const app = await echo(t);
    const { sidecar, open, change } = await begin(t, [], app.port);
    const client = await open(web);
    client.send(
      'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await client.waitFor('HTTP/1.1 101');
    await change(two.pem);
    await eventually(() => client.ended, { what: 'the end of the WebSocket' });
    await eventually(() => app.sockets.every(({ destroyed }) => destroyed), { what: 'its end at the app' });
    await endsWell(sidecar);
  });

  test('over HTTP/2, while a request beside it comes whole', async (t) => {
    const app = await echo(t);
    const { sidecar, change } = await begin(t, [], app.port);
    const client = await connectH2({ port: sidecar.port, cert: web.chain, key: web.key });
    const connectFields = fieldsOf({ ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' });
    const post = fieldsOf({ ':method': 'POST', 'content-length': '4' });
    const [tunnel, upload] = [client.nextId(), client.nextId()];
    client.send(headers(tunnel, connectFields, false), headers(upload, post, false));
    await client.until(() => client.status(tunnel) === 200, 'the 200');
    await change(two.pem);
    await client.over(tunnel);
    assert.notEqual(client.stream(tunnel).reset ?? 0, 0);
    assert.equal(client.stream(tunnel).ended, false);
    await eventually(() => app.sockets.every(({ destroyed }) => destroyed), { what: 'its end at the app' });
    assert.equal(client.goaway, 0);
    client.send(data(upload, 'body', true));
    await client.over(upload);
    assert.deepEqual([client.status(upload), client.body(upload).toString()], [200, 'took body']);
    await client.until(() => client.ended, 'the end of the connection');
    await endsWell(sidecar);
  });

  test('also one over HTTP/2 that the app has not answered yet', async (t) => {
    const asked: Duplex[] = [];
    const server = createHttpServer();
    server.on('upgrade', (_, socket) => asked.push(socket.on('error', () => {}).resume()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { sidecar, change } = await begin(t, [], (server.address() as AddressInfo).port);
    const client = await connectH2({ port: sidecar.port, cert: web.chain, key: web.key });
    const tunnel = client.nextId();
    const fields = fieldsOf({ ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' });
    client.send(headers(tunnel, fields, false));
    await eventually(() => asked.length > 0, { what: 'the handshake at the app' });
    await change(two.pem);
    await client.over(tunnel);
    assert.notEqual(client.stream(tunnel).reset ?? 0, 0);
    await eventually(() => asked.every(({ readableEnded, destroyed }) => readableEnded || destroyed), {
      what: 'its end at the app',
    });
    for (const socket of asked) socket.destroy();
    await endsWell(sidecar);
  });
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a handshake that is under way is cut: it began with the old one (${version})`, async (t) => {
    const { sidecar, change } = await begin(t);
    // What the client sends after its first message waits until the CA has changed.
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let held = 0;
    const relay = createServer((near) => {
      const far = connectTcp({ port: sidecar.port, host: '127.0.0.1' });
      for (const end of [near, far])
        end.on('error', () => {}).on('close', () => void [near, far].map((s) => s.destroy()));
      far.pipe(near);
      near.once('data', (hello) => {
        far.write(hello);
        near.on('data', async (bytes) => {
          held += bytes.length;
          await released;
          far.write(bytes);
        });
      });
    });
    t.after(() => relay.close());
    relay.listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const { port } = relay.address() as AddressInfo;
    const { chain: cert, key } = web;
    const opening = connect({ port, cert, key, minVersion: version, maxVersion: version }).then(
      async (client) => {
        client.send(get);
        await client.closed;
        return client.received.length;
      },
      () => 0,
    );
    await eventually(() => held > 0, { what: 'the rest of the handshake' });
    await change(two.pem);
    release();
    assert.equal(await opening, 0);
    const counted = async (): Promise<boolean> =>
      (await readMetrics(sidecar)).sum('handshake_failures_total', { reason: 'client_ca_changed' }) === 1;
    await eventually(counted, { what: 'the failure' });
    assert.equal((await readMetrics(sidecar)).sum('handshake_failures_total'), 1);
    assert.equal((await readMetrics(sidecar)).sum('handshakes_total'), 0);
    await endsWell(sidecar);
  });
}

test('a client without a certificate, where one is only asked for, is left alone', async (t) => {
  const { app, sidecar, change } = await begin(t, ['--client-auth', 'request']);
  const client = await connect({ port: sidecar.port });
  await change(two.pem);
  client.send(get);
  (await app.waitFor(1)).response.end('fine');
  const answer = await client.readResponse();
  assert.equal(answer.status, 200);
  assert.doesNotMatch(answer.headText, /^connection: close/im);
  client.end();
  await client.closed;
  await endsWell(sidecar);
});

const wrong: readonly (readonly [what: string, content: string, reason: string])[] = [
  ['empty', '', 'empty'],
  ['blank', '\n \n', 'empty'],
  ['no PEM', 'nothing here', 'no_certificate'],
  ['cut off', two.pem.slice(0, 300), 'malformed_certificate'],
  [
    'garbage within its marks',
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    'malformed_certificate',
  ],
  ['a key', other.key, 'no_certificate'],
  ["a client's own certificate", other.cert, 'not_a_ca'],
  ['one good CA and one cut off', two.pem + one.pem.slice(0, 300), 'malformed_certificate'],
];
for (const [what, content, reason] of wrong) {
  test(`a file that is ${what} changes nothing, and is told once; a good one after it is taken`, async (t) => {
    const { app, sidecar, caFile, open, change } = await begin(t);
    const kept = await open(web);
    await replace(caFile, content);
    sidecar.kill('SIGHUP');
    const line = await sidecar.waitForLog('client CA not reloaded; the old one stays');
    assert.deepEqual([line.reason, line.clientCa], [reason, caFile]);
    assert.ok(String(line.detail).includes(caFile), String(line.detail));
    for (let count = 0; count < 3; count += 1) sidecar.kill('SIGHUP');
    const fresh = await open(web);
    for (const [at, client] of [kept, fresh].entries()) {
      client.send(get);
      (await app.waitFor(at + 1)).response.end('still');
      assert.equal((await client.readResponse()).status, 200);
    }
    const metrics = await readMetrics(sidecar);
    assert.equal(metrics.sum('certificate_disk_differs', { name: caFile }), 1);
    assert.equal(metrics.sum('certificate_reloads_total', { result: 'failed', reason: `client_ca_${reason}` }), 1);
    await change(two.pem);
    await kept.closed;
    const next = await open(other);
    next.send(get);
    (await app.waitFor(3)).response.end('new');
    assert.equal((await next.readResponse()).status, 200);
    assert.equal((await readMetrics(sidecar)).sum('certificate_disk_differs', { name: caFile }), 0);
    next.end();
    await Promise.all([next.closed, fresh.closed]);
    assert.equal(sidecar.logs.filter(({ msg }) => String(msg).startsWith('client CA not')).length, 1);
    await endsWell(sidecar);
  });
}
