// Clients that cancel thousands of calls take no other client's calls along, though all share sessions to the app, and an app
// (Node's own server here) ends a session after a thousand resets at once.
import assert from 'node:assert/strict';
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { endsWell } from '../support/ended-well.ts';
import { connectH2, fieldsOf, type H2Client } from '../support/h2-client.ts';
import { Code, rstStream } from '../support/h2-frames.ts';
import { eventually } from '../support/poll.ts';
import { setStage } from '../support/stage.ts';

const CANCELS = 2000;
/** So many at once on a connection: what one client may cancel there is bounded, too. */
const BATCH = 100;
const ON_ONE_CONNECTION = 400;
const RUNNING = 5;

test('2,000 cancels of one client: every call of another one runs through', async (t) => {
  const sessions: ServerHttp2Session[] = [];
  const ended: string[] = [];
  const running: ServerHttp2Stream[] = [];
  let begun = 0;
  const app = createServer();
  app.on('session', (session) => {
    sessions.push(session);
    session.on('error', (error) => ended.push(error.message));
    session.on('frameError', (type, code) => ended.push(`frame ${type} ${code}`));
  });
  app.on('stream', (stream, { ':path': path }) => {
    stream.on('error', () => {});
    if (path === '/cancelled') {
      begun++;
      return;
    }
    stream.respond({ ':status': 200 });
    if (path === '/quick') return void stream.end('quick');
    running.push(stream);
    stream.write('begun ');
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const session of sessions) session.destroy();
    app.close();
  });
  const stage = await setStage(t);
  const sidecar = await stage.start({ upstream: `h2c://127.0.0.1:${(app.address() as AddressInfo).port}` });
  const connect = async (): Promise<H2Client> => {
    const client = await connectH2({ port: sidecar.port });
    t.after(() => client.destroy());
    return client;
  };

  const other = await connect();
  const long = Array.from({ length: RUNNING }, () => other.request(fieldsOf({ ':path': '/long' })));
  await eventually(() => running.length === RUNNING, { what: 'the long calls at the app' });
  const quick: number[] = [];
  for (let cancelled = 0; cancelled < CANCELS; ) {
    const client = await connect();
    for (let i = 0; i < ON_ONE_CONNECTION; i += BATCH) {
      const ids = Array.from({ length: BATCH }, () => client.request(fieldsOf({ ':path': '/cancelled' })));
      cancelled += BATCH;
      await eventually(() => begun === cancelled, { what: `${cancelled} calls at the app` });
      client.send(...ids.map((id) => rstStream(id, Code.cancel)));
      quick.push(other.request(fieldsOf({ ':path': '/quick' })));
    }
    client.destroy();
  }
  for (const id of quick) await other.over(id);
  for (const stream of running) stream.end('and done');
  for (const id of long) await other.over(id);

  assert.deepEqual(
    quick.map((id) => [other.status(id), String(other.body(id))]),
    quick.map(() => [200, 'quick']),
  );
  assert.deepEqual(
    long.map((id) => [String(other.body(id)), other.stream(id).ended]),
    long.map(() => ['begun and done', true]),
  );
  assert.deepEqual(ended, []);
  assert.ok(sessions.length <= CANCELS / 100 + 2, `${sessions.length} sessions`);
  other.destroy();
  await endsWell(sidecar);
});
