// --max-connections: what is above it is closed before anything is spent on it, and counted; what ends, however it ends,
// makes room again; connections that never say a word count, and end at the handshake time-out.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { fieldsOf } from '../support/h2-client.ts';
import { headers, PREFACE, SETTINGS_ACK, settings } from '../support/h2-frames.ts';
import { eventually } from '../support/poll.ts';
import { connect, connectPlain, type RawClient } from '../support/raw-client.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { setStage } from '../support/stage.ts';

/** Answers that the app holds back: to `/hold`. */
let held: (() => void)[] = [];

async function begin(t: TestContext, args: string[]): Promise<Sidecar> {
  held = [];
  const stage = await setStage(t);
  const app = await startApp(t, ({ url }, response) => {
    if (url === '/hold') held.push(() => response.end('ok'));
    else response.end('ok');
  });
  return stage.start({ upstream: app.port, args });
}

async function serves(sidecar: Sidecar): Promise<void> {
  const answer = await eventually(
    async () => {
      const client = await connect({ port: sidecar.port });
      client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      const { status } = await client.readResponse();
      client.destroy();
      return status;
    },
    { what: 'a free connection' },
  );
  assert.equal(answer, 200);
}

async function assertRefused(sidecar: Sidecar): Promise<void> {
  const client = await connectPlain({ port: sidecar.port });
  await client.closed;
  assert.equal(client.received.length, 0);
}

const LIMIT = 5;
const limit = ['--max-connections', String(LIMIT)];

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

test('where all are busy, the one above the limit is closed and counted; those within go on', async (t) => {
  const sidecar = await begin(t, limit);
  assert.equal((await sidecar.waitForLog('serving')).maxConnections, LIMIT);
  const clients = await Promise.all(Array.from({ length: LIMIT }, () => connect({ port: sidecar.port })));
  for (const client of clients) client.send(get('/hold'));
  await eventually(() => held.length === LIMIT, { what: 'requests in flight' });
  for (let i = 0; i < 20; i++) await assertRefused(sidecar);
  for (const answer of held.splice(0)) answer();
  for (const client of clients) {
    assert.equal((await client.readResponse()).status, 200);
  }
  const metrics = await readMetrics(sidecar);
  assert.equal(metrics.sum('connections_rejected_total', { reason: 'max_connections' }), 20);
  assert.equal(metrics.sum('connections_active'), LIMIT);
  for (const client of clients) client.end();
  await Promise.all(clients.map(({ closed }) => closed));
  await serves(sidecar);
  await endsWell(sidecar);
  const told = sidecar.logs.filter(({ reason }) => reason === 'max_connections');
  assert.deepEqual(
    told.map(({ msg, peer, times }) => [msg, peer, times]),
    [['connection refused', '127.0.0.1', 1]],
  );
});

for (const alpn of ['http/1.1', 'h2']) {
  test(`near the limit, connections of ${alpn} that are idle longest go, and newcomers are served`, async (t) => {
    const sidecar = await begin(t, ['--max-connections', '20']);
    const idle: RawClient[] = [];
    const open = async (): Promise<number> => idle.push(await connect({ port: sidecar.port, alpn: [alpn] }));
    for (let i = 0; i < 18; i++) await open();
    // One after the other: whose answer came last is the one that is idle for the shortest time.
    for (const client of idle) {
      client.send(
        alpn === 'h2' ? Buffer.concat([PREFACE, settings([]), SETTINGS_ACK, headers(1, fieldsOf())]) : get('/'),
      );
      if (alpn === 'http/1.1') assert.equal((await client.readResponse()).status, 200);
      else await eventually(() => client.received.includes('ok'), { what: 'the answer', everyMs: 2 });
    }
    // Each newcomer takes the place of one of them.
    for (let i = 0; i < 10; i++) await serves(sidecar);
    const busy: RawClient[] = [];
    for (let i = 0; i < 10; i++) {
      const client = await eventually(() => connect({ port: sidecar.port }), { what: 'a free place' });
      busy.push(client);
      client.send(get('/hold'));
    }
    await eventually(() => held.length === 10, { what: 'requests in flight' });
    await eventually(() => idle.filter(({ ended }) => ended).length >= 10, { what: 'room' });
    assert.equal(idle.at(-1)?.ended, false, 'the last that asked');
    for (const answer of held.splice(0)) answer();
    for (const client of busy) assert.equal((await client.readResponse()).status, 200);
    for (const client of [...idle, ...busy]) client.destroy();
    await endsWell(sidecar);
  });
}

describe('room is made again by every kind of end', () => {
  const ends: Readonly<Record<string, (sidecar: Sidecar) => Promise<void>>> = {
    'a reset before a byte': async (sidecar) => (await connectPlain({ port: sidecar.port })).reset(),
    'a FIN before a byte': async (sidecar) => (await connectPlain({ port: sidecar.port })).end(),
    'a reset in the handshake': async (sidecar) => {
      const client = await connectPlain({ port: sidecar.port });
      client.send(Buffer.from('16030100c8010000c40303', 'hex'));
      client.reset();
    },
    'a reset after the handshake': async (sidecar) => (await connect({ port: sidecar.port })).reset(),
    'a failed handshake': async (sidecar) => {
      await assert.rejects(connect({ port: sidecar.port, alpn: ['nothing-we-know'] }));
    },
    'bytes that are neither TLS nor HTTP': async (sidecar) => (await connectPlain({ port: sidecar.port })).send('\0\0'),
    'plain HTTP': async (sidecar) => (await connectPlain({ port: sidecar.port })).send('GET / HTTP/1.1\r\n\r\n'),
  };
  for (const [what, end] of Object.entries(ends)) {
    test(what, async (t) => {
      const sidecar = await begin(t, limit);
      // More than fit: a slot that is not given back would show.
      for (let i = 0; i < LIMIT * 3; i++) {
        await eventually(async () => end(sidecar).then(() => true), { what: 'a connection' });
      }
      await eventually(
        async () => {
          const asked = Array.from({ length: LIMIT }, () => connect({ port: sidecar.port }));
          const answers = await Promise.allSettled(asked);
          // All of them, also where one was refused: they would stand in the way of the next attempt.
          for (const answer of answers) if (answer.status === 'fulfilled') answer.value.destroy();
          return answers.every(({ status }) => status === 'fulfilled');
        },
        { what: `${LIMIT} free places` },
      );
      await endsWell(sidecar);
    });
  }
});

test('clients that never send a byte hold their places until the handshake time-out, and no longer', async (t) => {
  const sidecar = await begin(t, [...limit, '--handshake-timeout', '3s']);
  const silent = await Promise.all(Array.from({ length: LIMIT }, () => connectPlain({ port: sidecar.port })));
  await assertRefused(sidecar);
  await Promise.all(silent.map(({ closed }) => closed));
  await serves(sidecar);
  const metrics = await readMetrics(sidecar);
  assert.equal(metrics.sum('handshake_failures_total', { reason: 'timeout' }), LIMIT);
  await endsWell(sidecar);
});

test('auto is a number that the line `serving` says', async (t) => {
  const sidecar = await begin(t, []);
  const { maxConnections } = await sidecar.waitForLog('serving');
  assert.ok(Number.isInteger(maxConnections) && Number(maxConnections) >= 64, String(maxConnections));
  await endsWell(sidecar);
});
