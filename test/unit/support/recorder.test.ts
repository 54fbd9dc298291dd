import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectPlain } from '../../support/raw-client.ts';
import { answerEach, createRecorder, response } from '../../support/recorder.ts';

test('every byte is kept, and pipelined requests are answered in order', async () => {
  const app = await createRecorder(answerEach((request, index) => response(`${index} ${request.split(' ')[1]}`)));
  const sent =
    '\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n' +
    'POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc' +
    'POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\n\r\n0\r\n0\r\nT: 1\r\n\r\n' +
    'GET /d HTTP/1.1\r\n\r\n';
  const client = await connectPlain({ port: app.port });
  for (const character of sent) client.send(character);

  const bodies: string[] = [];
  for (let index = 0; index < 4; index += 1) bodies.push((await client.readResponse()).body.toString());
  assert.deepEqual(bodies, ['0 /a', '1 /b', '2 /c', '3 /d']);
  assert.equal(app.connections[0]?.received.toString('latin1'), sent);
  assert.equal(`\r\n${app.requests.join('')}`, sent);
  client.destroy();
  await app.connections[0]?.waitForClose();
  await app.close();
});

test('a client that ended its side still gets its answer, and a 100 when it asked for one', async () => {
  const app = await createRecorder(response('done'));
  const client = await connectPlain({ port: app.port, allowHalfOpen: true });
  client.send('PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n');
  await client.waitFor('100 Continue\r\n\r\n');
  client.end('abc');
  const answer = await client.readResponse();
  assert.deepEqual([answer.informational.length, answer.body.toString()], [1, 'done']);
  assert.deepEqual(await client.closed, { hadError: false });
  await app.close();
});

test('a reset of the recorder is an RST, without a FIN before it', async () => {
  const app = await createRecorder(async (connection) => {
    await connection.waitFor('go');
    connection.reset();
  });
  const client = await connectPlain({ port: app.port });
  const events: string[] = [];
  client.socket.on('end', () => events.push('end'));
  client.send('go');
  assert.deepEqual(await client.closed, { hadError: true, code: 'ECONNRESET' });
  assert.deepEqual(events, []);
  await app.close();
});

test('a reset of the client is an RST, without a FIN before it', async () => {
  const app = await createRecorder();
  const client = await connectPlain({ port: app.port });
  client.send('hello');
  const connection = await app.waitForConnection();
  await connection.waitFor('hello');
  let ended = false;
  connection.socket.on('end', () => {
    ended = true;
  });
  client.reset();
  await connection.waitForClose();
  assert.ok(connection.closed && !ended, 'closed without an end');
  assert.ok(connection.error !== undefined && 'code' in connection.error);
  assert.equal(connection.error.code, 'ECONNRESET');
  await app.close();
});

test('a connection that leaves while a script waits is no failure, a throw of the script is one', async () => {
  const waits = await createRecorder(async (connection) => void (await connection.waitFor('never')));
  (await connectPlain({ port: waits.port })).destroy();
  await (await waits.waitForConnection()).waitForClose();
  await waits.close();

  const throws = await createRecorder(() => {
    throw new Error('script');
  });
  const client = await connectPlain({ port: throws.port });
  await throws.waitForConnection();
  await assert.rejects(throws.close(), /script/);
  await client.closed;
});

test('nothing is read while reading is off, and a unix socket has no port', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'recorder-'));
  const app = await createRecorder(response(), { path: join(dir, 'app.sock'), read: false });
  const socket = connectTcp(join(dir, 'app.sock'));
  socket.write('GET / HTTP/1.1\r\n\r\n');
  const connection = await app.waitForConnection();
  assert.deepEqual([app.port, connection.received.length], [0, 0]);
  connection.socket.resume();
  await app.waitForRequests(1);
  socket.destroy();
  await app.close();
  await rm(dir, { recursive: true });
});
