// The admin server alone: one request a connection, some dozens of connections, of which the slowest gives way; limits on
// what is sent; and what throws answers 500.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { type AdminOptions, createAdmin } from '../../../src/admin/admin.ts';
import { createProbes } from '../../../src/admin/probes/probes.ts';
import { askAdminAt } from '../../support/admin.ts';
import { eventually } from '../../support/poll.ts';
import { connectPlain, type RawClient } from '../../support/raw-client.ts';

const MOST = 8;
const patient = { most: MOST, requestMs: 60_000, takeMs: 60_000 };
const LIVEZ = 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n';
const metrics = {
  activity: () => ({ connections: {}, requestsInFlight: 0, bufferedBytes: 0 }),
  text: async () => 'a 1\n',
  contentType: 'text/plain; version=0.0.4',
};
const about = {
  version: '0.0.0',
  now: () => new Date(),
  pairs: [],
  trust: { clientCa: undefined },
  configuration: () => ({}),
};

const up = { name: 'localhost:80', health: { accepts: async () => true } };

async function openAdmin(t: TestContext, options: Partial<AdminOptions> = {}): Promise<number> {
  const clock = () => performance.now();
  const admin = createAdmin({
    state: () => 'ready',
    apps: [up],
    metrics,
    about,
    probes: createProbes([], clock),
    clock,
    drain: () => undefined,
    limits: patient,
    ...options,
  });
  t.after(() => admin.close());
  return (await admin.open({ host: '127.0.0.1', port: 0 })).port;
}

/** Connections that have sent this, one after the other; what comes back is not read where `paused`. */
async function connectMany(port: number, count: number, bytes: string, paused = false): Promise<RawClient<Socket>[]> {
  const clients: RawClient<Socket>[] = [];
  for (let i = 0; i < count; i++) {
    const client = await connectPlain({ port });
    if (paused) client.socket.pause();
    client.send(bytes);
    clients.push(client);
  }
  return clients;
}

const openOf = (clients: readonly RawClient<Socket>[]): number => clients.filter(({ ended }) => !ended).length;

describe('the admin server', () => {
  test('answers one request on a connection and closes it', async (t) => {
    const port = await openAdmin(t);
    for (const bytes of [LIVEZ, 'GET /livez HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n', LIVEZ.repeat(3)]) {
      const client = await connectPlain({ port });
      client.send(bytes);
      await client.closed;
      const text = client.received.toString();
      assert.equal(text.match(/^HTTP\/1\.1 200 /gm)?.length, 1, text);
      assert.match(text, /^connection: close\r$/im);
      assert.match(text, /\r\n\r\nok\n$/);
    }
  });

  test('lets the slowest go where there are too many, and answers whoever asks', async (t) => {
    const port = await openAdmin(t);
    const slow = await connectMany(port, 4 * MOST, 'GET /livez HTTP/1.1\r\n');
    for (let i = 0; i < 20; i++) assert.equal((await askAdminAt(port, '/livez')).status, 200);
    await eventually(() => openOf(slow) < MOST, { what: 'the oldest to be gone' });
    assert.ok(openOf(slow) > 0);
    assert.deepEqual(
      slow.map(({ ended }) => ended),
      slow.map((_, index) => index < slow.length - openOf(slow)),
      'the oldest went first',
    );
    for (const client of slow) client.destroy();
  });

  test('answers all of a burst that ask, however many others came with them', async (t) => {
    const port = await openAdmin(t);
    const asked: Promise<number>[] = [];
    const slow: Promise<RawClient<Socket>>[] = [];
    for (let i = 0; i < 20 * MOST; i++) {
      slow.push(connectPlain({ port }));
      if (i % MOST === 0) asked.push(askAdminAt(port, '/livez').then(({ status }) => status));
    }
    assert.deepEqual(new Set(await Promise.all(asked)), new Set([200]));
    for (const client of slow) (await client).destroy();
  });

  test('lets those go that do not take their answers, before one that waits for its own', async (t) => {
    const asked: ((accepts: boolean) => void)[] = [];
    const accepts = () => new Promise<boolean>((resolve) => void asked.push(resolve));
    const large = { ...metrics, text: async () => 'a'.repeat(32 << 20) };
    const port = await openAdmin(t, { apps: [{ name: 'localhost:80', health: { accepts } }], metrics: large });
    const probe = askAdminAt(port, '/readyz');
    await eventually(() => asked.length === 1, { what: 'the probe to wait for the app' });
    const unread = await connectMany(port, 4 * MOST, 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n', true);
    assert.equal((await askAdminAt(port, '/livez')).status, 200);
    asked[0]?.(true);
    assert.equal((await probe).status, 200);
    for (const client of unread) client.destroy();
  });

  test('ends what asks too slowly, says nothing, or does not take its answer', async (t) => {
    let nowMs = 0;
    const large = { ...metrics, text: async () => 'a'.repeat(32 << 20) };
    const limits = { most: MOST, requestMs: 300, takeMs: 300 };
    const port = await openAdmin(t, { metrics: large, limits, clock: () => nowMs });
    const slow = await connectMany(port, 2, 'GET /livez HTTP/1.1\r\n');
    const silent = await connectMany(port, 2, '');
    const [unread] = await connectMany(port, 1, 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n', true);
    assert.equal((await askAdminAt(port, '/livez')).status, 200);
    for (const client of slow) client.send('X');
    assert.equal((await askAdminAt(port, '/livez')).status, 200);
    assert.equal(openOf([...slow, ...silent]), 4);
    nowMs = 301;
    for (const client of [...slow, ...silent]) await client.closed;
    // Its end stands behind what the kernel holds.
    unread?.socket.resume();
    await unread?.closed;
    assert.ok((unread?.received.length ?? 0) < 32 << 20);
  });

  test('renders the metrics once for all who ask at the same time', async (t) => {
    let rendered = 0;
    const counted = {
      ...metrics,
      text: async () => {
        rendered++;
        return 'a 1\n';
      },
    };
    const port = await openAdmin(t, { metrics: counted, clock: () => 0, limits: { ...patient, most: 64 } });
    const answers = await Promise.all(Array.from({ length: 40 }, () => askAdminAt(port, '/metrics')));
    assert.deepEqual(new Set(answers.map(({ body }) => body)), new Set(['a 1\n']));
    assert.equal(rendered, 1);
  });

  test('takes heads and bodies of some size, and ends the connections of larger ones', async (t) => {
    const port = await openAdmin(t);
    const [long] = await connectMany(port, 1, `GET /livez HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(10_000)}\r\n\r\n`);
    await long?.closed;
    assert.match(long?.received.toString() ?? '', /^(HTTP\/1\.1 400 |$)/);
    const small = await connectPlain({ port });
    small.send('POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
    assert.equal((await small.readResponse()).status, 405);
    const pending = { name: 'localhost:80', health: { accepts: () => new Promise<boolean>(() => {}) } };
    const waiting = await openAdmin(t, { apps: [pending] });
    const body = 'x'.repeat(200_000);
    const [large] = await connectMany(
      waiting,
      1,
      `GET /readyz HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n${body}`,
    );
    await large?.closed;
    assert.equal(large?.received.length, 0);
  });

  test('answers 500 where a route throws, and goes on', async (t) => {
    const broken = { ...metrics, text: async () => Promise.reject(new Error('no metrics')) };
    const port = await openAdmin(t, { metrics: broken });
    const answer = await askAdminAt(port, '/metrics');
    assert.deepEqual([answer.status, answer.body], [500, 'no metrics\n']);
    assert.equal((await askAdminAt(port, '/livez')).status, 200);
  });
});
