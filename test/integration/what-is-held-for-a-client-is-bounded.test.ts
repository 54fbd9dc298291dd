// What a client has the sidecar hold is bounded, by what its connection, the client and the process may have: uploads that wait
// for the app, answers that nobody reads, small pieces, calls that may have to be sent again. Others are served meanwhile.
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { createServer as createH2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { IMAGE_FLAGS, mostGrowth } from '../support/growth.ts';
import { connectH2, fieldsOf, type H2Client } from '../support/h2-client.ts';
import { Setting } from '../support/h2-frames.ts';
import { startHeldApp } from '../support/held-app.ts';
import { type Hoarder, openHoarder } from '../support/hoarder.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { setStage } from '../support/stage.ts';

const STREAMS = 128;
const MIB = 1 << 20;
/** Of one connection. */
const CONNECTION_GROWTH = 24 * MIB;
const APP_CONNECTIONS = 4;
const ELSEWHERE = '127.0.0.2';
const ANOTHER = '127.0.0.3';

/** A busy moment, after which code, buffers and the young generation are as large as any use makes them. Gives the memory after it. */
async function warm(sidecar: Sidecar): Promise<number> {
  const clients = await Promise.all(
    Array.from({ length: 8 }, () => connectH2({ port: sidecar.port, localAddress: ELSEWHERE })),
  );
  for (let round = 0; round < 8; round++) {
    const asked = clients.map((client) =>
      Array.from({ length: 100 }, () => client.request(fieldsOf({ ':path': '/now' }))),
    );
    for (const [i, client] of clients.entries()) for (const id of asked[i] ?? []) await client.over(id);
  }
  for (const client of clients) client.destroy();
  assert.equal(await statusOf(sidecar), 200);
  return sidecar.rssBytes();
}

async function statusOf(sidecar: Sidecar): Promise<number> {
  const client = await connect({ port: sidecar.port, localAddress: ELSEWHERE });
  client.send('GET /now HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n');
  const { status } = await client.readResponse();
  client.destroy();
  return status;
}

/** Lets all of them send until nothing moves any more; gives the most memory that was seen. */
async function hoard(sidecar: Sidecar, hoarders: readonly Hoarder[]): Promise<number> {
  let peak = 0;
  let still = 0;
  await eventually(
    () => {
      let moved = false;
      for (const hoarder of hoarders) moved = hoarder.pour() || moved;
      still = moved ? 0 : still + 1;
      peak = Math.max(peak, sidecar.rssBytes());
      return still >= 20;
    },
    { what: 'a standstill', everyMs: 10 },
  );
  return peak;
}

function tell(t: TestContext, what: string, bytes: number): void {
  t.diagnostic(`${what}: ${(bytes / MIB).toFixed(1)} MiB`);
}

async function buffered(t: TestContext, sidecar: Sidecar): Promise<number> {
  const bytes = (await readMetrics(sidecar)).sum('buffered_bytes');
  tell(t, 'buffered_bytes', bytes);
  return bytes;
}

/** Looks again and again until 16 MiB are sent. */
async function mostBuffered(sidecar: Sidecar, hoarders: readonly Hoarder[], atFirst: number): Promise<number> {
  let most = atFirst;
  await eventually(
    async () => {
      most = Math.max(most, (await readMetrics(sidecar)).sum('buffered_bytes'));
      return hoarders.reduce((sum, { sent }) => sum + sent, 0) > 16 * MIB;
    },
    { what: '16 MiB' },
  );
  return most;
}

/** Lets them send 8 MiB, and no more until some of it was seen to be held. */
async function firstBuffered(sidecar: Sidecar, hoarders: readonly Hoarder[]): Promise<number> {
  return eventually(
    async () => {
      if (hoarders.reduce((sum, { sent }) => sum + sent, 0) < 8 * MIB) for (const hoarder of hoarders) hoarder.pour();
      const held = (await readMetrics(sidecar)).sum('buffered_bytes');
      return held > MIB && held;
    },
    { what: 'held bytes', everyMs: 10 },
  );
}

/** All connections to the app are another client's. */
async function beginBusy(t: TestContext, args: readonly string[] = []) {
  const stage = await setStage(t);
  const app = await startHeldApp(t);
  const sidecar = await stage.start({
    upstream: app.port,
    args: ['--upstream-max-connections', String(APP_CONNECTIONS), '--upstream-connect-timeout', '60s', ...args],
  });
  const base = await warm(sidecar);
  const holder = await connectH2({ port: sidecar.port, localAddress: ANOTHER });
  for (let i = 0; i < APP_CONNECTIONS; i++) holder.request(fieldsOf({ ':path': '/held' }));
  await app.waitFor(APP_CONNECTIONS);
  const release = (): void => {
    for (const { response } of app.kept.slice(0, APP_CONNECTIONS)) response.end('done');
  };
  return { sidecar, base, release, holder };
}

async function openHoarders(
  t: TestContext,
  sidecar: Sidecar,
  connections: number,
  { bytes, piece, fields = {} }: { bytes: number; piece: number; fields?: Readonly<Record<string, string>> },
): Promise<Hoarder[]> {
  const hoarders: Hoarder[] = [];
  t.after(() => {
    for (const { client } of hoarders) client.destroy();
  });
  for (let i = 0; i < connections; i++)
    hoarders.push(await openHoarder({ port: sidecar.port, streams: STREAMS, bytes, piece, fields }));
  return hoarders;
}

const uploads: readonly { what: string; connections: number; bytes: number; piece: number; most: 'one' | 'all' }[] = [
  { what: '128 uploads on one connection', connections: 1, bytes: MIB, piece: 16_384, most: 'one' },
  { what: '40 connections with 128 uploads each', connections: 40, bytes: MIB, piece: 16_384, most: 'all' },
  {
    what: '20 connections with 128 uploads each in frames of one byte',
    connections: 20,
    bytes: 1000,
    piece: 1,
    most: 'all',
  },
];

for (const { what, connections, bytes, piece, most } of uploads) {
  test(`${what} that wait for the app`, async (t) => {
    const { sidecar, base, release, holder } = await beginBusy(t);
    const hoarders = await openHoarders(t, sidecar, connections, { bytes, piece });
    const peak = await hoard(sidecar, hoarders);
    tell(t, 'grew by', peak - base);
    tell(
      t,
      'sent',
      hoarders.reduce((sum, { sent }) => sum + sent, 0),
    );
    const held = await buffered(t, sidecar);
    assert.ok(held > 0 && held < 34 * MIB);
    assert.ok(peak - base < (most === 'one' ? CONNECTION_GROWTH : mostGrowth(sidecar)), `grew by ${peak - base} bytes`);
    release();
    await assertOthersAreServed(sidecar);
    for (const { client } of hoarders) client.destroy();
    holder.destroy();
    await assertNothingIsHeld(sidecar);
  });
}

const ANSWER = Buffer.alloc(MIB, 'x');

/** Clients that ask on every stream and read nothing. */
async function openUnread(t: TestContext, sidecar: Sidecar, connections: number): Promise<H2Client[]> {
  const clients: H2Client[] = [];
  t.after(() => {
    for (const client of clients) client.destroy();
  });
  for (let i = 0; i < connections; i++) {
    const client = await connectH2({
      port: sidecar.port,
      refill: false,
      settings: [[Setting.initialWindowSize, 1000]],
    });
    clients.push(client);
    for (let n = 0; n < STREAMS; n++) client.request(fieldsOf({ ':path': '/large', te: 'trailers' }));
  }
  return clients;
}

/** The most memory, until what is held has not changed for a while. */
async function peakOf(sidecar: Sidecar): Promise<number> {
  let peak = 0;
  let last = -1;
  let same = 0;
  await eventually(
    async () => {
      peak = Math.max(peak, sidecar.rssBytes());
      const held = (await readMetrics(sidecar)).sum('buffered_bytes');
      same = held === last && held > 0 ? same + 1 : 0;
      last = held;
      return same >= 4;
    },
    { what: 'a standstill' },
  );
  return peak;
}

async function assertOthersAreServed(sidecar: Sidecar): Promise<void> {
  const answers = await Promise.all(Array.from({ length: 8 }, () => statusOf(sidecar)));
  assert.deepEqual(new Set(answers), new Set([200]));
}

async function assertNothingIsHeld(sidecar: Sidecar): Promise<void> {
  await eventually(async () => (await readMetrics(sidecar)).sum('buffered_bytes') === 0, { what: 'nothing held' });
}

/** Of answers that these clients do not read; `base` is the memory before they asked. */
async function assertUnreadIsBounded(
  t: TestContext,
  sidecar: Sidecar,
  base: number,
  clients: readonly { destroy(): void }[],
): Promise<void> {
  const peak = await peakOf(sidecar);
  tell(t, 'grew by', peak - base);
  await buffered(t, sidecar);
  assert.ok(peak - base < mostGrowth(sidecar), `grew by ${peak - base} bytes`);
  await assertOthersAreServed(sidecar);
  for (const client of clients) client.destroy();
  await assertNothingIsHeld(sidecar);
}

test('answers over HTTP/2 that nobody reads, of an app with HTTP/1.1', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, ({ url }, response) => response.end(url === '/large' ? ANSWER : 'now'));
  const sidecar = await stage.start({ upstream: app.port, nodeArgs: IMAGE_FLAGS });
  const base = await warm(sidecar);
  const clients = await openUnread(t, sidecar, 10);
  await assertUnreadIsBounded(t, sidecar, base, clients);
});

/** More than the system's buffers take. */
function pour(response: ServerResponse): void {
  let left = 16;
  const write = (): void => {
    while (left-- > 0) if (!response.write(ANSWER)) return;
    response.end();
  };
  response.on('drain', write);
  write();
}

test('answers over HTTP/1.1 that nobody reads', async (t) => {
  const stage = await setStage(t);
  const app = await startApp(t, ({ url }, response) => (url === '/huge' ? pour(response) : response.end('now')));
  const sidecar = await stage.start({ upstream: app.port, nodeArgs: IMAGE_FLAGS });
  const base = await warm(sidecar);
  const clients = await Promise.all(Array.from({ length: 48 }, () => connect({ port: sidecar.port })));
  for (const client of clients) {
    client.socket.pause();
    client.send('GET /huge HTTP/1.1\r\nHost: app.test\r\n\r\n');
  }
  await assertUnreadIsBounded(t, sidecar, base, clients);
});

/** An app that speaks HTTP/2 only. */
async function startH2App(t: TestContext, serve: (stream: ServerHttp2Stream, path: string) => void): Promise<string> {
  const server = createH2Server({ settings: { maxConcurrentStreams: 256 }, maxSessionMemory: 1000 });
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream, fields) => {
    stream.on('error', () => {});
    serve(stream, String(fields[':path']));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return `h2c://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('answers that nobody reads, of an app with HTTP/2', async (t) => {
  const stage = await setStage(t);
  const upstream = await startH2App(t, (stream, path) => stream.end(path === '/large' ? ANSWER : 'now'));
  const sidecar = await stage.start({ upstream, nodeArgs: IMAGE_FLAGS });
  const base = await warm(sidecar);
  const clients = await openUnread(t, sidecar, 10);
  await assertUnreadIsBounded(t, sidecar, base, clients);
});

test('calls of gRPC whose bodies are kept in case they have to be sent again', async (t) => {
  const stage = await setStage(t);
  const upstream = await startH2App(t, (stream, path) => {
    if (path === '/now') stream.end('now');
    else stream.resume();
  });
  const sidecar = await stage.start({ upstream, nodeArgs: IMAGE_FLAGS });
  const base = await warm(sidecar);
  const fields = { 'content-type': 'application/grpc', te: 'trailers' };
  const hoarders = await openHoarders(t, sidecar, 8, { bytes: 60_000, piece: 6000, fields });
  const first = await firstBuffered(sidecar, hoarders);
  const [peak, held] = await Promise.all([hoard(sidecar, hoarders), mostBuffered(sidecar, hoarders, first)]);
  tell(t, 'grew by', peak - base);
  tell(
    t,
    'sent',
    hoarders.reduce((sum, { sent }) => sum + sent, 0),
  );
  tell(t, 'buffered_bytes at the most', held);
  // What is too much is no longer kept, so that in the end it may be anything.
  assert.ok(held > MIB && held < 34 * MIB);
  assert.ok((await buffered(t, sidecar)) < 34 * MIB);
  assert.ok(peak - base < mostGrowth(sidecar), `grew by ${peak - base} bytes`);
  await assertOthersAreServed(sidecar);
  for (const { client } of hoarders) client.destroy();
  await assertNothingIsHeld(sidecar);
});
