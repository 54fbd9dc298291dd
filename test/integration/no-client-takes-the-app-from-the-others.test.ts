// One client holds all connections to the app, and moves nothing on them: uploads that dribble, answers that it does not read.
// Others are served within the connect time-out all the same, and who is too slow is ended in the end, others or not.
import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { type TestContext, test } from 'node:test';
import { readMetrics } from '../support/admin.ts';
import { startApp } from '../support/app.ts';
import { connectH2, fieldsOf, type H2Client } from '../support/h2-client.ts';
import { data, headers, Setting } from '../support/h2-frames.ts';
import { eventually } from '../support/poll.ts';
import { connect } from '../support/raw-client.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { setStage } from '../support/stage.ts';

/** As many as --upstream-max-connections is by default: two connections of the streams that each may have. */
const STREAMS = 128;
const CONNECTIONS = 2;
const ALL = STREAMS * CONNECTIONS;
const ANSWER = Buffer.alloc(1 << 20, 'x');

const app: RequestListener = (request, response) => {
  if (request.url === '/large') return void response.end(ANSWER);
  request.resume().on('end', () => response.end('ok'));
};

async function begin(t: TestContext, args: string[]): Promise<{ sidecar: Sidecar; held: () => Promise<number> }> {
  const stage = await setStage(t);
  const server = await startApp(t, app);
  const sidecar = await stage.start({ upstream: server.port, args });
  const held = () => new Promise<number>((resolve) => void server.getConnections((_error, count) => resolve(count)));
  return { sidecar, held };
}

/** Streams that are opened, and what keeps each of them busy. */
type Attack = (clients: readonly H2Client[]) => (() => void) | undefined;

/** A byte on each stream in turn: 43 of them a second on all together, or as many as `perSecond`. */
const dribble =
  (perSecond: number): Attack =>
  (clients) => {
    const uploads = clients.flatMap((client) =>
      Array.from({ length: STREAMS }, () => {
        const id = client.nextId();
        client.send(headers(id, fieldsOf({ ':method': 'POST', ':path': '/upload' }), false), data(id, 'x'));
        return { client, id };
      }),
    );
    let at = 0;
    const timer = setInterval(() => {
      for (let i = 0; i < Math.ceil(perSecond / 40); i++) {
        const { client, id } = uploads[at++ % uploads.length] as (typeof uploads)[number];
        if (client.status(id) === undefined && !client.ended) client.send(data(id, 'x'));
      }
    }, 25);
    return () => clearInterval(timer);
  };

const leaveUnread: Attack = (clients) => {
  for (const client of clients) for (let i = 0; i < STREAMS; i++) client.request(fieldsOf({ ':path': '/large' }));
  return undefined;
};

async function mount(t: TestContext, sidecar: Sidecar, attack: Attack): Promise<readonly H2Client[]> {
  const clients: H2Client[] = [];
  for (let i = 0; i < CONNECTIONS; i++)
    clients.push(await connectH2({ port: sidecar.port, refill: false, settings: [[Setting.initialWindowSize, 1000]] }));
  const end = attack(clients);
  t.after(() => {
    end?.();
    for (const client of clients) client.destroy();
  });
  return clients;
}

async function ask(sidecar: Sidecar, localAddress: string): Promise<{ status: number; ms: number }> {
  const client = await connect({ port: sidecar.port, localAddress });
  const began = performance.now();
  client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const { status } = await client.readResponse();
  client.destroy();
  return { status, ms: Math.round(performance.now() - began) };
}

const over = (clients: readonly H2Client[]): number =>
  clients.reduce(
    (sum, { frames }) => sum + new Set(frames.filter(({ type }) => type === 3).map((f) => f.stream)).size,
    0,
  );

const attacks: Readonly<Record<string, (perSecond: number) => Attack>> = {
  [`${ALL} uploads that dribble`]: dribble,
  [`${ALL} answers that nobody reads`]: () => leaveUnread,
};

for (const [what, attack] of Object.entries(attacks)) {
  test(`${what}: others are served within a second`, async (t) => {
    // Who waits longer than that is refused.
    const { sidecar, held } = await begin(t, ['--upstream-connect-timeout', '1s']);
    await mount(t, sidecar, attack(43));
    await eventually(async () => (await held()) === ALL, { what: 'all connections to the app' });
    const answers = await eventually(
      async () => {
        const got = await Promise.all(Array.from({ length: 8 }, () => ask(sidecar, '127.0.0.2')));
        t.diagnostic(got.map(({ status, ms }) => `${status} after ${ms} ms`).join(', '));
        return got;
      },
      { what: 'answers' },
    );
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  });

  test(`${what}: they end after --client-timeout, though nobody else waits`, async (t) => {
    const { sidecar } = await begin(t, ['--client-timeout', '3s']);
    const clients = await mount(t, sidecar, attack(ALL));
    await eventually(() => over(clients) === ALL, { what: `the end of ${ALL} streams` });
    const metrics = await readMetrics(sidecar);
    assert.equal(metrics.sum('failures_total', { reason: 'client_timeout' }), ALL);
  });
}

test('a crowd of one client is not served before one request of another', async (t) => {
  const stage = await setStage(t);
  const order: string[] = [];
  let release = (): void => {};
  const server = await startApp(t, ({ url = '' }, response) => {
    order.push(url);
    if (order.length > 1) return void response.end('ok');
    release = () => response.end('ok');
  });
  const sidecar = await stage.start({ upstream: server.port, args: ['--upstream-max-connections', '1'] });
  const crowd = await connectH2({ port: sidecar.port });
  const asked = Array.from({ length: STREAMS }, (_, i) => crowd.request(fieldsOf({ ':path': `/crowd/${i}` })));
  const waiting = async (count: number): Promise<void> => {
    await eventually(async () => (await readMetrics(sidecar)).sum('requests_in_flight') === count, {
      what: `${count} requests`,
    });
  };
  await waiting(STREAMS);
  const others = ['/other', '/another'].map((path) => async () => {
    const client = await connect({ port: sidecar.port, localAddress: '127.0.0.1' });
    t.after(() => client.destroy());
    client.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    return client;
  });
  const stranger = await connect({ port: sidecar.port, localAddress: '127.0.0.2' });
  stranger.send('GET /stranger HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const same = await Promise.all(others.map((open) => open()));
  await waiting(STREAMS + 3);
  release();
  for (const client of [stranger, ...same]) assert.equal((await client.readResponse()).status, 200);
  for (const id of asked) await crowd.over(id);
  stranger.destroy();
  crowd.destroy();
  const places = ['/stranger', '/other', '/another'].map((path) => order.indexOf(path));
  // Of another client, and on other connections of the same one: in turn with the crowd.
  assert.ok(Math.max(...places) <= 6, `served as number ${places.join(', ')} of ${order.length}`);
  t.diagnostic(`served as number ${places.join(', ')} of ${order.length}`);
});

test('http-proxy: a crowd of connections of one client is not served before another client', async (t) => {
  const stage = await setStage(t);
  const order: string[] = [];
  let release = (): void => {};
  const server = await startApp(t, ({ url = '' }, response) => {
    order.push(url);
    if (order.length > 1) return void response.end('ok');
    release = () => response.end('ok');
  });
  const args = ['--upstream-max-connections', '1'];
  const sidecar = await stage.start({ upstream: server.port, forwarder: 'http-proxy', args });
  const ask = async (localAddress: string, path: string) => {
    const client = await connect({ port: sidecar.port, localAddress });
    t.after(() => client.destroy());
    client.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    return client;
  };
  const inFlight = (count: number): Promise<boolean> =>
    eventually(async () => (await readMetrics(sidecar)).sum('requests_in_flight') === count, {
      what: `${count} requests`,
    });
  const crowd = await Promise.all(Array.from({ length: 20 }, (_, i) => ask('127.0.0.1', `/crowd/${i}`)));
  await inFlight(20);
  const stranger = await ask('127.0.0.2', '/stranger');
  await inFlight(21);
  release();
  for (const client of [stranger, ...crowd]) assert.equal((await client.readResponse()).status, 200);
  assert.ok(order.indexOf('/stranger') <= 2, `served as number ${order.indexOf('/stranger')} of ${order.length}`);
});
