// What HTTP says means the same over HTTP/2: methods, statuses, bodies both ways, trailers, interim answers, ranges, events,
// many streams at once. The app speaks HTTP/1.1; what it received, and what the client got, is judged by the bytes.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { connectH2, fieldsOf, type H2Client } from '../support/h2-client.ts';
import { Code, data, type Field, headers, Setting, windowUpdate } from '../support/h2-frames.ts';
import { eventually } from '../support/poll.ts';
import { createRecorder, type RecorderConnection } from '../support/recorder.ts';
import { type Lane, openLane } from '../support/stage.ts';

const MAX_GROWTH = 64 << 20;
const BLOCK = randomBytes(1 << 20);
const LARGE_BLOCKS = 256;

type Seen = { line: string; fields: string[]; body: Buffer; trailers: string[] };

let lane: Lane;
let client: H2Client;
const seen = new Map<string, Seen>();
const server = createServer();

before(async () => {
  server.on('request', serve);
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/refused') return void response.writeHead(413).end('too large');
    response.writeContinue();
    serve(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  lane = await openLane({ forwarder: 'wire', upstream: (server.address() as AddressInfo).port });
  client = await connectH2({ port: lane.sidecar.port });
});

after(async () => {
  client.destroy();
  assert.deepEqual(lane.defects, []);
  await lane.close();
  server.close();
  server.closeAllConnections();
});

const BODIES = [undefined, 0, 5, 100_000].flatMap((length) =>
  (length === undefined ? [false] : [true, false]).map((declared) => ({ length, declared })),
);

describe('methods and bodies', () => {
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    for (const { length, declared } of BODIES) {
      const what = length === undefined ? 'no body' : `${length} bytes${declared ? ' of a known length' : ''}`;
      test(`${method} with ${what}`, async () => {
        const path = `/echo/${method}-${length}-${declared}`;
        const body = length === undefined ? undefined : BLOCK.subarray(0, length);
        const more = declared ? { 'content-length': String(length) } : {};
        const { status, stream, text } = await ask(fieldsOf({ ':method': method, ':path': path, ...more }), body);
        assert.deepEqual([status, stream.ended, stream.reset], [200, true, undefined]);
        assert.equal(text, `${length ?? 0} ${sha256(body ?? Buffer.alloc(0))}`);
      });
    }
  }

  test('HEAD: the fields of the GET, and no body', async () => {
    const { status, stream, field } = await ask(fieldsOf({ ':method': 'HEAD', ':path': '/file' }));
    assert.deepEqual([status, stream.ended, stream.bytes, field('content-length')], [200, true, 0, '26']);
  });

  for (const code of [204, 304]) {
    test(`${code} has no body, and ends with its head`, async () => {
      const { status, stream, field } = await ask(fieldsOf({ ':path': `/status/${code}` }));
      assert.deepEqual([status, stream.ended, stream.bytes], [code, true, 0]);
      assert.equal(field('etag'), '"x"');
    });
  }

  for (const code of [200, 201, 301, 404, 418, 500, 503]) {
    test(`${code} is passed on with its body`, async () => {
      const { status, text } = await ask(fieldsOf({ ':path': `/status/${code}` }));
      assert.deepEqual([status, text], [code, `it is ${code}`]);
    });
  }

  test('an answer without a body that says so with a length', async () => {
    const { status, stream, field } = await ask(fieldsOf({ ':path': '/empty' }));
    assert.deepEqual([status, stream.ended, stream.bytes, field('content-length')], [200, true, 0, '0']);
  });

  test('a range is the app’s to answer', async () => {
    const { status, text, field } = await ask(fieldsOf({ ':path': '/file', range: 'bytes=1-3' }));
    assert.deepEqual([status, text, field('content-range')], [206, 'bcd', 'bytes 1-3/26']);
  });

  test('a conditional request is the app’s to answer', async () => {
    const { status, stream } = await ask(fieldsOf({ ':path': '/file', 'if-none-match': '"file"' }));
    assert.deepEqual([status, stream.ended, stream.bytes], [304, true, 0]);
  });

  test('fields of the same name stay apart, and no field of one hop is passed on', async () => {
    const { stream } = await ask(fieldsOf({ ':path': '/fields' }));
    const head = stream.heads[0] ?? [];
    assert.deepEqual(valuesOf(head, 'set-cookie'), ['a=1', 'b=2']);
    for (const name of [
      'connection',
      'keep-alive',
      'transfer-encoding',
      'proxy-connection',
      'upgrade',
      'x-nominated',
    ]) {
      assert.deepEqual(valuesOf(head, name), [], name);
    }
    assert.ok(head.every(([name]) => name === name.toLowerCase()));
  });
});

describe('more than a head and a body', () => {
  test('trailers of the app', async () => {
    const { status, stream, text } = await ask(fieldsOf({ ':path': '/trailers', te: 'trailers' }));
    assert.deepEqual([status, text, stream.ended, stream.heads.length], [200, 'body', true, 2]);
    assert.deepEqual(stream.heads[1], [['x-sum', '42']]);
  });

  test('trailers of the client', async () => {
    const id = client.nextId();
    client.send(headers(id, post('/sent-trailers', { te: 'trailers', trailer: 'x-sum' }), false), data(id, 'body'));
    client.send(headers(id, [['x-sum', '42']]));
    assert.equal((await client.over(id)).ended, true);
    const got = seen.get('/sent-trailers');
    assert.deepEqual([got?.body.toString(), got?.trailers], ['body', ['x-sum', '42']]);
  });

  test('103 Early Hints before the answer', async () => {
    const { stream, status } = await ask(fieldsOf({ ':path': '/hints' }));
    assert.deepEqual(stream.heads[0]?.slice(0, 2), [
      [':status', '103'],
      ['link', '</a.css>; rel=preload'],
    ]);
    assert.deepEqual([status, stream.heads.length, stream.ended], [200, 2, true]);
  });

  test('Expect: 100-continue is answered by the app', async () => {
    const id = client.nextId();
    client.send(headers(id, post('/echo/expected', { expect: '100-continue', 'content-length': '5' }), false));
    await client.until(() => client.stream(id).heads[0]?.some(([, value]) => value === '100'), 'the 100');
    client.send(data(id, 'hello', true));
    await client.over(id);
    assert.deepEqual([client.status(id), client.body(id).toString()], [200, `5 ${sha256(Buffer.from('hello'))}`]);
  });

  test('Expect: 100-continue is refused by the app: no 100, no body, and no error', async () => {
    const id = client.nextId();
    client.send(headers(id, post('/refused', { expect: '100-continue', 'content-length': '5' }), false));
    const stream = await client.over(id);
    assert.deepEqual([client.status(id), stream.heads.length, stream.ended], [413, 1, true]);
  });

  test('events come one by one', async () => {
    const id = client.request(fieldsOf({ ':path': '/events' }));
    for (let count = 1; count <= 5; count++) {
      await client.until(() => client.body(id).toString().endsWith(`data: ${count}\n\n`), `event ${count}, alone`);
      tellNext?.();
    }
    const stream = await client.over(id);
    assert.deepEqual([stream.ended, stream.reset], [true, undefined]);
  });

  test('an answer that comes while the upload goes on is whole, and the client is told to stop without an error', async () => {
    const app = await createRecorder(async (connection: RecorderConnection) => {
      await connection.waitFor('begun');
      connection.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
    });
    const other = await openLane({ forwarder: 'wire', upstream: app.port });
    const uploader = await connectH2({ port: other.sidecar.port });
    const id = uploader.nextId();
    uploader.send(headers(id, post('/early'), false), data(id, 'begun'));
    const stream = await uploader.over(id);
    assert.deepEqual([uploader.status(id), uploader.body(id).toString(), stream.ended], [403, 'no', true]);
    await uploader.until(() => stream.reset !== undefined, 'the word to stop');
    assert.equal(stream.reset, Code.noError);
    await (await app.waitForConnection()).waitForClose();
    const next = uploader.request(fieldsOf());
    await app.waitForConnection(1);
    uploader.send(data(id, 'late'), data(id, 'later', true));
    assert.equal(uploader.goaway, undefined, `frames that were on their way end nothing (stream ${next})`);
    uploader.destroy();
    await other.close();
    await app.close();
  });

  test('an upload and its answer go on side by side', async () => {
    const id = client.nextId();
    client.send(headers(id, post('/mirror'), false));
    for (let round = 1; round <= 20; round++) {
      client.send(data(id, `${round};`));
      await client.until(() => client.body(id).toString().endsWith(`${round};`), `piece ${round} back`);
    }
    client.send(data(id, '', true));
    assert.equal((await client.over(id)).ended, true);
  });
});

describe('much of it', () => {
  test('100 streams at once, each with its own body', async () => {
    const ids = Array.from({ length: 100 }, (_, count) => {
      const id = client.nextId();
      client.send(headers(id, post(`/mirror?${count}`), false));
      return id;
    });
    await Promise.all(
      ids.map(async (id, count) => {
        const body = randomBytes(30_000 + count);
        for (let at = 0; at < body.length; at += 10_000) client.send(data(id, body.subarray(at, at + 10_000)));
        client.send(data(id, '', true));
        const stream = await client.over(id);
        assert.ok(stream.ended);
        assert.equal(sha256(client.body(id)), sha256(body));
      }),
    );
  });

  test('an upload of 256 MiB, memory bounded', async () => {
    const uploader = await connectH2({ port: lane.sidecar.port });
    const id = uploader.nextId();
    uploader.send(headers(id, post('/sum'), false));
    const peak = await watchRss(() => uploader.upload(id, blocks(LARGE_BLOCKS)));
    await uploader.over(id, 30_000);
    assert.equal(uploader.body(id).toString(), `${LARGE_BLOCKS << 20} ${sumOf(LARGE_BLOCKS)}`);
    uploader.destroy();
    assert.ok(peak < MAX_GROWTH, `${peak >> 20} MiB`);
  });

  test('a download of 256 MiB, memory bounded', async () => {
    const hash = createHash('sha256');
    const loader = await connectH2({
      port: lane.sidecar.port,
      settings: [[Setting.initialWindowSize, 1 << 20]],
      onData: (_stream, chunk) => hash.update(chunk),
    });
    const id = loader.request(fieldsOf({ ':path': `/blocks/${LARGE_BLOCKS}` }));
    const peak = await watchRss(() => loader.over(id, 60_000));
    assert.deepEqual([loader.stream(id).bytes, loader.stream(id).ended], [LARGE_BLOCKS << 20, true]);
    assert.equal(hash.digest('hex'), sumOf(LARGE_BLOCKS));
    loader.destroy();
    assert.ok(peak < MAX_GROWTH, `${peak >> 20} MiB`);
  });

  test('16 downloads whose windows are shut hold no more than a few buffers each, and are whole in the end', async () => {
    const slow = await connectH2({ port: lane.sidecar.port, settings: [[Setting.initialWindowSize, 0]] });
    const rssBefore = lane.sidecar.rssBytes();
    const ids = Array.from({ length: 16 }, () => slow.request(fieldsOf({ ':path': '/blocks/16' })));
    await slow.until(() => ids.every((id) => slow.status(id) === 200), 'the heads');
    assert.ok(lane.sidecar.rssBytes() - rssBefore < MAX_GROWTH);
    for (const id of ids) slow.send(windowUpdate(id, 1 << 20));
    for (const id of ids) {
      assert.ok((await slow.over(id, 20_000)).ended);
      assert.equal(sha256(slow.body(id)), sumOf(16));
    }
    slow.destroy();
  });
});

// ---- the client

async function ask(fields: readonly Field[], body?: Buffer) {
  const id = client.nextId();
  client.send(headers(id, fields, body === undefined));
  if (body !== undefined) await client.upload(id, [body]);
  const stream = await client.over(id);
  const head = stream.heads[stream.heads.length > 1 && client.status(id) === 200 ? finalHead(stream.heads) : 0] ?? [];
  return {
    status: client.status(id),
    stream,
    text: client.body(id).toString(),
    field: (name: string) => valuesOf(head, name)[0],
  };
}

function finalHead(heads: readonly Field[][]): number {
  return Math.max(
    0,
    heads.findIndex((head) => head.some(([name, value]) => name === ':status' && !value.startsWith('1'))),
  );
}

function post(path: string, more: Record<string, string> = {}): Field[] {
  return fieldsOf({ ':method': 'POST', ':path': path, ...more });
}

function valuesOf(head: readonly Field[], wanted: string): string[] {
  return head.filter(([name]) => name === wanted).map(([, value]) => value);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function sumOf(count: number): string {
  const hash = createHash('sha256');
  for (const block of blocks(count)) hash.update(block);
  return hash.digest('hex');
}

function* blocks(count: number): Generator<Buffer> {
  for (let at = 0; at < count; at++) {
    BLOCK.writeUInt32BE(at, 0);
    yield BLOCK;
  }
}

/** How far the sidecar's memory rose above what it was, at the most. */
async function watchRss(during: () => Promise<unknown>): Promise<number> {
  const rssBefore = lane.sidecar.rssBytes();
  let most = rssBefore;
  let going = true;
  const watching = eventually(
    () => {
      most = Math.max(most, lane.sidecar.rssBytes());
      return !going;
    },
    { what: 'the end of the transfer', deadlineMs: 120_000, everyMs: 20 },
  );
  await during();
  going = false;
  await watching;
  return most - rssBefore;
}

// ---- the app

let tellNext: (() => void) | undefined;

function serve(request: IncomingMessage, response: ServerResponse): void {
  const [path = '', argument = ''] = (request.url ?? '').split('?')[0]?.split('/').slice(1) ?? [];
  const act = APP[path];
  if (act === undefined) return void response.writeHead(404).end();
  act(request, response, argument);
}

type Act = (request: IncomingMessage, response: ServerResponse, argument: string) => void;

const APP: Record<string, Act> = {
  echo: (request, response) =>
    collect(request, (body) => response.end(`${body.length} ${createHash('sha256').update(body).digest('hex')}`)),
  'sent-trailers': (request, response) => collect(request, () => response.end('ok')),
  file: (request, response) => file(request, response),
  status: (_request, response, code) => {
    response.writeHead(Number(code), { etag: '"x"' });
    response.end(code === '204' || code === '304' ? undefined : `it is ${code}`);
  },
  empty: (_request, response) => response.end(),
  fields: (_request, response) => {
    const fields = [
      'Set-Cookie',
      'a=1',
      'Set-Cookie',
      'b=2',
      'Connection',
      'keep-alive, X-Nominated',
      'X-Nominated',
      '1',
    ];
    response.writeHead(200, [...fields, 'Proxy-Connection', 'close', 'Upgrade', 'h2c']).end('ok');
  },
  trailers: (_request, response) => {
    response.writeHead(200, { Trailer: 'x-sum' });
    response.write('body');
    response.addTrailers({ 'x-sum': '42' });
    response.end();
  },
  hints: (_request, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => response.end('ok'));
  },
  events: (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    let count = 0;
    tellNext = () => {
      if (++count > 5) response.end();
      else response.write(`data: ${count}\n\n`);
    };
    tellNext();
  },
  mirror: (request, response) => void request.pipe(response),
  sum: (request, response) => {
    const hash = createHash('sha256');
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      hash.update(chunk);
    });
    request.on('end', () => response.end(`${length} ${hash.digest('hex')}`));
  },
  blocks: (_request, response, count) => {
    const all = blocks(Number(count));
    const more = (): void => {
      for (;;) {
        const next = all.next();
        if (next.done) return void response.end();
        if (!response.write(Buffer.from(next.value))) return void response.once('drain', more);
      }
    };
    more();
  },
};

function collect(request: IncomingMessage, then: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    const { method, url, rawHeaders: fields, rawTrailers: trailers } = request;
    seen.set(url ?? '', { line: `${method} ${url}`, fields, body, trailers });
    then(body);
  });
}

function file(request: IncomingMessage, response: ServerResponse): void {
  const text = 'abcdefghijklmnopqrstuvwxyz';
  if (request.headers['if-none-match'] === '"file"') return void response.writeHead(304, { etag: '"file"' }).end();
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  if (from === undefined) return void response.writeHead(200, { 'Content-Length': text.length }).end(text);
  response.writeHead(206, { 'Content-Range': `bytes ${from}-${to}/${text.length}` });
  response.end(text.slice(Number(from), Number(to) + 1));
}
