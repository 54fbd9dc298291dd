// HTTP/2: a stream that was cut never looks complete, on neither side; and what ends one stream leaves the others alone.
// Judged by the frames on the wire: END_STREAM, RST_STREAM with its code, GOAWAY.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { connectH2, fieldsOf, type H2Client, type H2Stream } from '../support/h2-client.ts';
import { Code, data, goaway, headers, rstStream, Setting, Type, windowUpdate } from '../support/h2-frames.ts';
import { startHeldApp } from '../support/held-app.ts';
import { eventually } from '../support/poll.ts';
import { createRecorder, type Recorder, type RecorderConnection, response } from '../support/recorder.ts';
import { type Lane, openLane, setStage } from '../support/stage.ts';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const at = (path: string): ReturnType<typeof fieldsOf> => fieldsOf({ ':path': path });
const post = (path: string, more: Record<string, string> = {}): ReturnType<typeof fieldsOf> =>
  fieldsOf({ ':method': 'POST', ':path': path, ...more });

/** What the app does with a connection whose request names this path. */
const ACTS: Record<string, (connection: RecorderConnection) => unknown> = {
  '/ok': (app) => app.write(response('ok')),
  '/length-fin': (app) => app.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'),
  '/length-reset': (app) => thenReset(app, 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'),
  '/chunked-fin': (app) => app.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'),
  '/chunked-reset': (app) => thenReset(app, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'),
  '/chunked-garbage': (app) => app.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'),
  '/chunked-in-trailers': (app) =>
    app.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nx-t: 1'),
  '/head-only': (app) => app.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n'),
  '/no-head': (app) => app.end(),
  '/half-head': (app) => app.end('HTTP/1.1 200 OK\r\nContent-Le'),
  '/until-close': (app) => app.end('HTTP/1.1 200 OK\r\n\r\nall of it'),
  '/silent': () => {},
  '/trickle': (app) => app.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'),
  '/endless': (app) => pour(app),
  '/large': (app) => app.write(response(LARGE)),
};
const LARGE = randomBytes(8 << 20);

let app: Recorder;
let lane: Lane;

before(async () => {
  app = await createRecorder(async (connection) => {
    for (let from = 0; ; ) {
      const text = await connection.waitFor(
        (got) => got.includes('\r\n\r\n', from) || connection.ended,
        Number.POSITIVE_INFINITY,
      );
      const head = text.indexOf('\r\n\r\n', from);
      if (head < 0) return;
      const path = /^[A-Z]+ (\S+)/.exec(text.slice(from))?.[1] ?? '';
      from = text.length;
      await ACTS[path.split('?')[0] as string]?.(connection);
    }
  });
  lane = await openLane({
    forwarder: 'wire',
    upstream: app.port,
    // On a busy machine nothing moves for seconds, here and there.
    args: ['--client-timeout', '8s', '--idle-timeout', '8s', '--upstream-timeout', '8s'],
  });
});

after(async () => {
  assert.deepEqual(lane.defects, []);
  await lane.close();
  await app.close();
});

describe('an app that dies in the middle of its answer', { concurrency: true }, () => {
  const CUT: readonly (readonly [path: string, what: string])[] = [
    ['/length-fin', 'ends before the length is reached'],
    ['/length-reset', 'resets before the length is reached'],
    ['/chunked-fin', 'ends between two chunks'],
    ['/chunked-reset', 'resets between two chunks'],
    ['/chunked-garbage', 'sends no chunk where one must be'],
    ['/chunked-in-trailers', 'ends within the trailers'],
    ['/head-only', 'ends after the head'],
    ['/trickle', 'falls silent'],
  ];
  for (const [path, what] of CUT) {
    test(`${what}: RST_STREAM with an error, never END_STREAM, and the others go on`, async (t) => {
      const client = await open(t);
      const other = client.request(at('/large'));
      const id = client.request(at(path));
      const stream = await client.over(id);
      assert.equal(stream.ended, false, 'no END_STREAM');
      if (client.status(id) === 502) assert.fail('half an answer was there: it cannot be called back');
      assert.ok(stream.reset === Code.internalError || stream.reset === Code.cancel, `code ${stream.reset}`);
      assertWhole(client, await client.over(other));
    });
  }

  for (const path of ['/no-head', '/half-head']) {
    test(`before its head (${path}): a 502 that is complete`, async (t) => {
      const client = await open(t);
      const id = client.request(at(path));
      const stream = await client.over(id);
      assert.deepEqual([client.status(id), stream.ended, stream.reset], [502, true, undefined]);
    });
  }

  test('a request with a body that is answered whole is no failure', async () => {
    const client = await connectH2({ port: lane.sidecar.port });
    for (let i = 0; i < 10; i++) {
      const id = client.request(post(`/ok?whole=${i}`), 'body');
      assert.equal((await client.over(id)).ended, true);
    }
    client.destroy();
    const lines = (): readonly Readonly<Record<string, unknown>>[] =>
      lane.sidecar.logs.filter(({ msg, method, path }) => msg === 'request' && method === 'POST' && path === '/ok');
    await eventually(() => lines().length >= 10, { what: 'ten lines in the log' });
    assert.deepEqual(
      lines().filter(({ reason }) => reason !== undefined),
      [],
    );
  });

  test('a silent one: a 504 that is complete', async (t) => {
    const client = await open(t);
    const id = client.request(at('/silent'));
    const stream = await client.over(id);
    assert.deepEqual([client.status(id), stream.ended, stream.reset], [504, true, undefined]);
  });

  test('an answer that goes until the connection closes is complete', async (t) => {
    const client = await open(t);
    const id = client.request(at('/until-close'));
    const stream = await client.over(id);
    assert.deepEqual(
      [client.status(id), client.body(id).toString(), stream.ended, stream.reset],
      [200, 'all of it', true, undefined],
    );
  });
});

describe('a client that leaves', () => {
  for (const code of [Code.cancel, Code.noError, Code.internalError]) {
    test(`a stream that it resets with code ${code} while it waits closes the app's connection`, async (t) => {
      const client = await open(t);
      const path = `/silent?${code}`;
      const id = client.request(at(path));
      const connection = await atApp(path);
      client.send(rstStream(id, code));
      await connection.waitForClose();
    });

    test(`a download that it resets with code ${code} closes the app's connection`, async (t) => {
      const client = await open(t);
      const path = `/endless?${code}`;
      const id = client.request(at(path));
      const connection = await atApp(path);
      await client.until(() => client.stream(id).bytes > 100_000, 'the first bytes');
      client.send(rstStream(id, code));
      await connection.waitForClose();
    });

    test(`an upload that it resets with code ${code} closes the app's connection, and is never ended there`, async (t) => {
      const client = await open(t);
      const path = `/silent?up-${code}`;
      const id = client.nextId();
      client.send(headers(id, post(path), false), data(id, 'half'));
      const connection = await atApp(path);
      await connection.waitFor('half');
      client.send(rstStream(id, code));
      await connection.waitForClose();
      assert.doesNotMatch(connection.received.toString('latin1'), /\r\n0\r\n\r\n$/);
    });
  }

  for (const how of ['FIN', 'RST', 'GOAWAY and FIN'] as const) {
    test(`a session that ends with ${how} closes all of its connections to the app`, async (t) => {
      const client = await open(t);
      const paths = Array.from(
        { length: 20 },
        (_, count) => `/${count % 2 ? 'silent' : 'endless'}?${how.at(0)}${how.length}-${count}`,
      );
      for (const path of paths) client.request(at(path));
      const connections = await Promise.all(paths.map(atApp));
      if (how === 'RST') client.raw.reset();
      else if (how === 'FIN') client.destroy();
      else client.raw.end(goaway());
      for (const connection of connections) await connection.waitForClose();
    });
  }

  test('1,000 downloads that are reset leave nothing', async () => {
    for (let session = 0; session < 5; session++) {
      const client = await connectH2({ port: lane.sidecar.port });
      for (let round = 0; round < 10; round++) {
        const ids = Array.from({ length: 20 }, () => client.request(at('/endless?many')));
        await client.until(() => ids.every((id) => client.stream(id).bytes > 0), 'the first bytes of each');
        for (const id of ids) client.send(rstStream(id));
      }
      const id = client.request(at('/ok'));
      await client.over(id);
      assert.equal(client.status(id), 200);
      client.destroy();
    }
    const left = (): number =>
      app.connections.filter((connection) => !connection.closed && connection.received.includes('?many')).length;
    await eventually(() => left() === 0, { what: 'the end of all connections to the app' });
  });
});

describe('a client that stalls', { concurrency: true }, () => {
  test('an upload that stops: 408, the app sees a cut, and 99 others flow', async (t) => {
    const client = await open(t);
    const id = client.nextId();
    client.send(headers(id, post('/silent?stalled', { 'content-length': '10' }), false), data(id, 'half'));
    const connection = await atApp('/silent?stalled');
    const others = Array.from({ length: 99 }, () => client.request(at('/ok')));
    for (const other of others) assert.equal((await client.over(other)).ended, true);
    const stream = await client.over(id);
    assert.equal(client.status(id), 408);
    assert.ok(stream.ended);
    await connection.waitForClose();
    const next = client.request(at('/ok'));
    await client.over(next);
    assert.equal(client.status(next), 200, 'the session goes on');
  });

  test('a download whose window stays shut is reset, and 99 others flow', async (t) => {
    const client = await connectH2({
      port: lane.sidecar.port,
      settings: [[Setting.initialWindowSize, 0]],
      refill: false,
    });
    t.after(() => client.destroy());
    client.send(windowUpdate(0, 1 << 30));
    const stalled = client.request(at('/large?stalled'));
    const others = Array.from({ length: 99 }, (_, count) => client.request(at(count % 33 ? '/ok' : '/large')));
    for (const other of others) client.send(windowUpdate(other, 1 << 24));
    for (const other of others) assert.equal((await client.over(other)).ended, true);
    const stream = await client.over(stalled);
    assert.deepEqual([stream.ended, stream.bytes], [false, 0]);
    assert.ok(stream.reset !== undefined && stream.reset !== Code.noError, `code ${stream.reset}`);
    const next = client.request(at('/ok'));
    client.send(windowUpdate(next, 100));
    await client.over(next);
    assert.equal(client.status(next), 200, 'the session goes on');
  });

  test('a small answer whose window stays shut is reset', async (t) => {
    const client = await connectH2({ port: lane.sidecar.port, settings: [[Setting.initialWindowSize, 0]] });
    t.after(() => client.destroy());
    const stream = await client.over(client.request(at('/ok')));
    assert.equal(stream.ended, false);
    assert.ok(stream.reset !== undefined && stream.reset !== Code.noError, `code ${stream.reset}`);
  });

  test('a slow reader that goes on reading is not cut', async (t) => {
    // Each pause is far shorter than the time-out, and all of them together are longer.
    const stage = await setStage(t);
    const sidecar = await stage.start({ upstream: app.port, args: ['--client-timeout', '5s'] });
    const client = await connectH2({
      port: sidecar.port,
      settings: [[Setting.initialWindowSize, 0]],
      refill: false,
    });
    t.after(() => client.destroy());
    client.send(windowUpdate(0, 1 << 30));
    const id = client.request(at('/large'));
    for (let round = 0; round < 16; round++) {
      const had = client.stream(id).bytes;
      client.send(windowUpdate(id, LARGE.length / 16));
      await client.until(() => client.stream(id).bytes === had + LARGE.length / 16, 'a sixteenth');
      await eventually(settled(350), { what: 'a pause' });
    }
    // Its window ends with the body; the end itself may need one that is open.
    assert.notEqual(client.stream(id).reset, Code.noError);
    client.send(windowUpdate(id, 1));
    assertWhole(client, await client.over(id));
  });

  test('a client that waits, and answers pings, is left alone for longer than --client-timeout', async (t) => {
    const stage = await setStage(t);
    const held = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: held.port, args: ['--client-timeout', '2s'] });
    const client = await connectH2({ port: sidecar.port });
    t.after(() => client.destroy());
    const id = client.request(at('/'));
    const kept = await held.waitFor(1);
    await client.until(() => client.frames.filter(({ type }) => type === Type.ping).length >= 5, 'five pings');
    kept.response.end('late');
    await client.over(id);
    assert.equal(client.body(id).toString(), 'late');
  });

  test('a client that waits, and answers no ping, is gone within --client-timeout', async (t) => {
    const stage = await setStage(t);
    const held = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: held.port, args: ['--client-timeout', '500ms'] });
    const client = await connectH2({ port: sidecar.port, acknowledge: false });
    t.after(() => client.destroy());
    client.request(at('/'));
    const kept = await held.waitFor(1);
    await eventually(() => client.ended, { what: 'the end of the session' });
    await eventually(() => kept.request.destroyed, { what: "the end of the app's connection" });
  });
});

describe('the end of a session', { concurrency: true }, () => {
  test('an idle one is closed with GOAWAY at --idle-timeout', async (t) => {
    const client = await open(t);
    await client.over(client.request(at('/ok')));
    await client.until(() => client.ended, 'the end');
    assert.equal(client.goaway, Code.noError);
    assert.deepEqual(await client.raw.closed, { hadError: false });
  });

  test('one with a request in flight is not idle', async (t) => {
    const client = await open(t);
    const id = client.request(at('/endless'));
    const began = performance.now();
    await client.until(() => performance.now() - began > 4000, 'more than --idle-timeout');
    assert.deepEqual([client.goaway, client.stream(id).reset], [undefined, undefined]);
  });

  test('SIGTERM: GOAWAY at once, a download and an upload are finished whole, new streams are not begun, exit 0', async (t) => {
    const stage = await setStage(t);
    const held = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: held.port });
    const client = await connectH2({ port: sidecar.port });
    const idle = await connectH2({ port: sidecar.port });
    await idle.over(idle.request(at('/now')));
    const down = client.request(at('/down'));
    const download = await held.waitFor(1);
    const half = LARGE.length / 2;
    download.response.write(LARGE.subarray(0, half));
    const up = client.nextId();
    client.send(headers(up, post('/up'), false), data(up, 'half '));
    const upload = await held.waitFor(2);
    await client.until(() => client.stream(down).bytes > 0, 'the download to begin');
    sidecar.kill('SIGTERM');
    await client.until(() => client.goaway === Code.noError, 'GOAWAY');
    await idle.until(() => idle.ended && idle.goaway === Code.noError, 'the end of the idle session');
    const late = client.request(at('/late'));
    client.send(data(up, 'done', true));
    await eventually(() => upload.request.complete, { what: 'the upload' });
    assert.equal(upload.body().toString(), 'half done');
    upload.response.end('got it');
    download.response.end(LARGE.subarray(half));
    assert.equal(sha256(client.body((await client.over(down)).id)), sha256(LARGE));
    assert.equal(client.stream(down).ended, true);
    assert.equal(client.body((await client.over(up)).id).toString(), 'got it');
    assert.deepEqual(await sidecar.exited, { code: 0, signal: null });
    assert.equal(client.status(late), undefined);
    assert.equal(held.kept.length, 2);
  });

  test('--drain-timeout cuts what is left, so that the client sees a cut; exit 0', async (t) => {
    const stage = await setStage(t);
    const held = await startHeldApp(t);
    const sidecar = await stage.start({ upstream: held.port, args: ['--drain-timeout', '1s'] });
    const client = await connectH2({ port: sidecar.port });
    const id = client.request(at('/'));
    (await held.waitFor(1)).response.write('half');
    await client.until(() => client.body(id).toString() === 'half', 'the first half');
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
    await client.until(() => client.ended, 'the end');
    assert.equal(client.stream(id).ended, false);
  });

  test('a GOAWAY of the client lets what is in flight finish, and then the connection ends', async (t) => {
    const client = await open(t);
    const id = client.request(at('/large'));
    client.send(goaway());
    assertWhole(client, await client.over(id));
    await client.until(() => client.ended, 'the end');
  });
});

// ----

async function open(t: { after(end: () => void): void }): Promise<H2Client> {
  const client = await connectH2({ port: lane.sidecar.port });
  t.after(() => client.destroy());
  return client;
}

function assertWhole(client: H2Client, stream: H2Stream): void {
  assert.deepEqual([stream.ended, stream.reset, stream.bytes], [true, undefined, LARGE.length]);
  assert.equal(sha256(client.body(stream.id)), sha256(LARGE));
}

function atApp(path: string): Promise<RecorderConnection> {
  return eventually(() => app.connections.find(({ received }) => received.includes(` ${path} `)), {
    what: `${path} at the app`,
    everyMs: 5,
  });
}

/** The client has the bytes before the reset takes them away. */
async function thenReset(connection: RecorderConnection, bytes: string): Promise<void> {
  await new Promise((resolve) => connection.socket.write(bytes, resolve));
  await eventually(settled(100), { what: 'the bytes to have been read' });
  connection.reset();
}

function settled(ms: number): () => boolean {
  const began = performance.now();
  return () => performance.now() - began >= ms;
}

function pour(connection: RecorderConnection): void {
  connection.write('HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n');
  const piece = Buffer.alloc(16_384);
  const more = (): void => {
    while (!connection.closed && connection.socket.writable && connection.socket.write(piece));
  };
  connection.socket.on('drain', more);
  more();
}
