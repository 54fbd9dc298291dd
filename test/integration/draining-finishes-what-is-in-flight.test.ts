// SIGTERM: what is in flight is finished, whole, and says `Connection: close` where it still can; what is idle is closed
// at once; nobody new gets in; and the process exits with 0 as soon as the last answer is out.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { startApp } from '../support/app.ts';
import { startHeldApp } from '../support/held-app.ts';
import { eventually } from '../support/poll.ts';
import { connect, connectPlain } from '../support/raw-client.ts';
import { valuesOf } from '../support/response.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { forwarders, setStage } from '../support/stage.ts';

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
/** Every other limit that could end a connection, or the drain, lies beyond the patience of a test. */
const noLimits = ['drain', 'idle', 'header', 'handshake', 'client', 'upstream', 'upstream-idle'].flatMap((of) => [
  `--${of}-timeout`,
  '30m',
]);
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** SIGTERM, and until the port refuses: from then on the sidecar drains. */
async function drain(sidecar: Sidecar): Promise<void> {
  sidecar.kill('SIGTERM');
  const refuses = (): Promise<boolean> =>
    connectPlain({ port: sidecar.port }).then(
      (client) => {
        client.destroy();
        return false;
      },
      (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
    );
  await eventually(refuses, { what: 'new connections to be refused' });
}

/** The exit comes, although no time-out is near: whatever it waited for is over. */
async function assertEnds(sidecar: Sidecar): Promise<void> {
  assert.deepEqual(await sidecar.end(), { code: 0, signal: null });
  assert.equal(sidecar.stderr, '');
  const states = sidecar.logs.filter(({ msg }) => msg === 'state').map(({ state }) => state);
  assert.deepEqual(states, ['ready', 'draining', 'stopped']);
}

for (const forwarder of forwarders) {
  test(`an answer whose head is still to come says Connection: close (${forwarder})`, async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: ['--forwarder', forwarder, ...noLimits] });
    const client = await connect({ port: sidecar.port });
    client.send(get('/'));
    const { response } = await app.waitFor(1);
    await drain(sidecar);
    response.end('the answer');
    const answer = await client.readResponse();
    assert.deepEqual([answer.status, answer.body.toString(), answer.complete], [200, 'the answer', true]);
    assert.deepEqual(valuesOf(answer.headers, 'connection'), ['close']);
    assert.deepEqual(await client.closed, { hadError: false });
    await assertEnds(sidecar);
  });

  test(`a download is finished (${forwarder})`, async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: ['--forwarder', forwarder, ...noLimits] });
    const sent = randomBytes(8 << 20);
    const half = sent.length / 2;
    for (const framing of ['length', 'chunked'] as const) {
      const client = await connect({ port: sidecar.port });
      client.send(get(`/${framing}`));
      const { response } = await app.waitFor(framing === 'length' ? 1 : 2);
      if (framing === 'length') response.setHeader('Content-Length', sent.length);
      response.write(sent.subarray(0, half));
      await client.waitFor((received) => received.length > half / 2);
      if (framing === 'chunked') await drain(sidecar);
      response.end(sent.subarray(half));
      const answer = await client.readResponse();
      assert.deepEqual([answer.framing, answer.complete, sha256(answer.body)], [framing, true, sha256(sent)]);
      if (framing === 'length') client.end();
      await client.closed;
    }
    await assertEnds(sidecar);
  });

  test(`an upload is finished and answered (${forwarder})`, async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: ['--forwarder', forwarder, ...noLimits] });
    const client = await connect({ port: sidecar.port });
    const sent = randomBytes(4 << 20);
    client.send(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${sent.length}\r\n\r\n`);
    client.send(sent.subarray(0, 1000));
    const { request, response, body } = await app.waitFor(1);
    await eventually(() => body().length >= 1000, { what: 'the first bytes at the app' });
    await drain(sidecar);
    const whole = once(request, 'end');
    client.send(sent.subarray(1000));
    await whole;
    response.end(sha256(body()));
    const answer = await client.readResponse();
    assert.deepEqual([answer.status, answer.body.toString()], [200, sha256(sent)]);
    assert.deepEqual(valuesOf(answer.headers, 'connection'), ['close']);
    assert.deepEqual(await client.closed, { hadError: false });
    await assertEnds(sidecar);
  });
}

test('idle connections are closed at once, while others are still served', async (t) => {
  const stage = await setStage(t);
  const app = await startHeldApp(t);
  const sidecar = await stage.start({ upstream: app.port, args: noLimits });
  const fresh = await connect({ port: sidecar.port });
  const used = await connect({ port: sidecar.port });
  used.send(get('/now'));
  assert.equal((await used.readResponse()).body.toString(), 'now');
  const busy = await connect({ port: sidecar.port });
  busy.send(get('/'));
  const { response } = await app.waitFor(1);
  await drain(sidecar);
  assert.deepEqual(await fresh.closed, { hadError: false });
  assert.deepEqual(await used.closed, { hadError: false });
  assert.equal(busy.ended, false);
  response.end('done');
  assert.equal((await busy.readResponse()).body.toString(), 'done');
  await busy.closed;
  await assertEnds(sidecar);
});

test('without connections the exit is immediate', async (t) => {
  const stage = await setStage(t);
  const app = await startHeldApp(t);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const sidecar = await stage.start({ upstream: app.port, args: noLimits });
    sidecar.kill(signal);
    await assertEnds(sidecar);
    assert.equal((await sidecar.waitForLog('stopping')).signal, signal);
  }
});

test('pipelined requests: the one in flight is answered with Connection: close, the next ones never half', async (t) => {
  const stage = await setStage(t);
  const app = await startHeldApp(t);
  const sidecar = await stage.start({ upstream: app.port, args: noLimits });
  const client = await connect({ port: sidecar.port });
  client.send(get('/first') + get('/now') + get('/now'));
  const { response } = await app.waitFor(1);
  await drain(sidecar);
  response.end('first');
  const answer = await client.readResponse();
  assert.equal(answer.body.toString(), 'first');
  assert.deepEqual(valuesOf(answer.headers, 'connection'), ['close']);
  await client.closed;
  assert.equal(client.unread.length, 0);
  await assertEnds(sidecar);
});

test('a hundred idle clients that send at the very moment get a whole answer or not a byte', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, (_, response) => response.end('x'.repeat(1000)));
  const sidecar = await stage.start({ upstream: app.port, args: noLimits });
  const clients = await Promise.all(Array.from({ length: 100 }, () => connect({ port: sidecar.port })));
  for (const client of clients.slice(0, 50)) client.send(get('/'));
  sidecar.kill('SIGTERM');
  for (const client of clients.slice(50)) client.send(get('/'));
  const outcomes = await Promise.all(
    clients.map(async (client) => {
      const answer = await client.readResponse().catch(() => undefined);
      await client.closed;
      if (answer === undefined) return client.received.length === 0 ? 'nothing' : 'half';
      return answer.complete && answer.status === 200 && client.unread.length === 0 ? 'whole' : 'half';
    }),
  );
  assert.ok(!outcomes.includes('half'), outcomes.join(' '));
  await assertEnds(sidecar);
});

/** Passes the client's first bytes on, and the rest when it is told to: a handshake that takes its time. */
async function startSlowWire(
  port: number,
  firstBytes: number,
): Promise<{ port: number; release(): void; close(): void }> {
  let held: (() => void) | undefined;
  let isFree = false;
  const sockets: Socket[] = [];
  const server = createServer((client) => {
    const onward = connectTcp({ port, host: '127.0.0.1' });
    sockets.push(client, onward);
    onward.on('error', () => client.destroy());
    client.on('error', () => onward.destroy());
    onward.pipe(client);
    client.once('data', (bytes) => {
      onward.write(bytes.subarray(0, firstBytes));
      client.pause();
      held = () => {
        onward.write(bytes.subarray(firstBytes));
        client.pipe(onward);
      };
      if (isFree) held();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    release() {
      isFree = true;
      held?.();
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

test('a handshake that has begun is finished, and its first request answered', async (t) => {
  const stage = await setStage(t);
  const app = await startHeldApp(t);
  const sidecar = await stage.start({ upstream: app.port, args: noLimits });
  const wire = await startSlowWire(sidecar.port, 100);
  t.after(() => wire.close());
  const connecting = connect({ port: wire.port });
  // A request on another connection comes after the bytes of the handshake: when it is here, they are, too.
  const other = await connect({ port: sidecar.port });
  other.send(get('/'));
  const { response } = await app.waitFor(1);
  await drain(sidecar);
  wire.release();
  const client = await connecting;
  client.send(get('/now'));
  const answer = await client.readResponse();
  assert.equal(answer.body.toString(), 'now');
  assert.deepEqual(valuesOf(answer.headers, 'connection'), ['close']);
  response.end();
  await other.closed;
  await client.closed;
  await assertEnds(sidecar);
});

for (const [how, leave] of [
  ['after half a ClientHello', leaveHalfWay],
  ['before its Finished (TLS 1.3)', leaveAtTheEnd],
] as const) {
  test(`a client that left in the middle of its handshake, ${how}, does not hold the exit up`, async (t) => {
    const stage = await setStage(t);
    const app = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: app.port, args: noLimits });
    await leave(sidecar.port);
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
  });
}

async function leaveHalfWay(port: number): Promise<void> {
  const client = await connectPlain({ port });
  client.end(Buffer.from('16030100c8010000c40303', 'hex'));
}

async function leaveAtTheEnd(port: number): Promise<void> {
  const client = await connect({ port, minVersion: 'TLSv1.3' });
  client.destroy();
  await client.closed;
}
