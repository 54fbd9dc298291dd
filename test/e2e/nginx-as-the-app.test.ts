// A real nginx as the app: its files, its ranges and conditions, its chunked answers, its proxying of uploads, and its
// habit of closing a connection after a thousand requests.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { Agent, type RequestOptions, request } from 'node:https';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startApp, unusedPort } from '../support/app.ts';
import { endsWell } from '../support/ended-well.ts';
import { mostGrowth } from '../support/growth.ts';
import { needs } from '../support/needs.ts';
import { eventually } from '../support/poll.ts';
import { connect, connectPlain } from '../support/raw-client.ts';
import { valuesOf } from '../support/response.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { forwarders, type Stage, setStage } from '../support/stage.ts';

const page = randomBytes(1 << 20);
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

type Seen = { status: number; headers: Record<string, string | string[] | undefined>; body: Buffer; trailers: unknown };
type Scene = { stage: Stage; sidecar: Sidecar; ask(options: Asked): Promise<Seen> };
type Asked = RequestOptions & { send?: Buffer | ((chunk: number) => Buffer | undefined) };

/** Behind nginx, for what nginx alone cannot do: says what it was sent, and streams without a length. */
async function startInner(t: TestContext): Promise<number> {
  const app = await startApp(t, async (asked, response) => {
    const hash = createHash('sha256');
    let length = 0;
    for await (const chunk of asked as AsyncIterable<Buffer>) {
      hash.update(chunk);
      length += chunk.length;
    }
    if (asked.url === '/inner/stream') {
      for (const part of ['one ', 'two ', 'three']) response.write(part);
      return void response.end();
    }
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ method: asked.method, length, sha256: hash.digest('hex') }));
  });
  return app.port;
}

async function startNginx(t: TestContext, stage: Stage): Promise<number> {
  const inner = await startInner(t);
  const port = await unusedPort();
  const { dir } = stage;
  await mkdir(join(dir, 'www'));
  await mkdir(join(dir, 'tmp'));
  await writeFile(join(dir, 'www', 'page.bin'), page);
  await writeFile(join(dir, 'www', 'index.html'), '<h1>nginx</h1>\n');
  await writeFile(join(dir, 'www', 'include.shtml'), '<p><!--#include virtual="/index.html" --></p>\n');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(dir, 'tmp', name)};`,
  );
  await writeFile(
    join(dir, 'nginx.conf'),
    `daemon off; master_process off; pid ${join(dir, 'nginx.pid')}; error_log ${join(dir, 'error.log')};
     events {}
     http {
       access_log off; ${temporary.join(' ')} client_max_body_size 0; types { text/html html shtml; }
       server {
         listen 127.0.0.1:${port}; root ${join(dir, 'www')};
         location ~ shtml$ { ssi on; }
         location /inner/ { proxy_pass http://127.0.0.1:${inner}; proxy_http_version 1.1; proxy_request_buffering off; }
         location /spooled/ { proxy_pass http://127.0.0.1:${inner}; client_body_in_file_only clean; }
       }
     }`,
  );
  const nginx: ChildProcess = spawn('nginx', ['-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log')], {
    stdio: 'ignore',
  });
  const ended = once(nginx, 'exit');
  t.after(async () => {
    nginx.kill('SIGKILL');
    await ended;
  });
  await eventually(async () => (await connectPlain({ port })).destroy() === undefined, { what: 'nginx' });
  return port;
}

function asker(stage: Stage, sidecar: Sidecar): Scene['ask'] {
  const agent = new Agent({ keepAlive: false });
  return ({ send, ...options }) =>
    new Promise((resolve, reject) => {
      const to = { host: '127.0.0.1', servername: 'localhost', port: sidecar.port, ca: stage.authority.pem, agent };
      const asked = request({ ...to, ...options }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode = 0, headers, trailers } = response;
          resolve({ status: statusCode, headers, body: Buffer.concat(chunks), trailers });
        });
      });
      asked.on('error', reject);
      if (typeof send !== 'function') return void asked.end(send);
      let chunk = 0;
      const pour = (): void => {
        for (;;) {
          const bytes = send(chunk);
          if (bytes === undefined) return void asked.end();
          chunk += 1;
          if (!asked.write(bytes)) return void asked.once('drain', pour);
        }
      };
      pour();
    });
}

async function begin(t: TestContext, forwarder: string): Promise<Scene | undefined> {
  if (!needs(t, 'nginx')) return undefined;
  const stage = await setStage(t);
  const port = await startNginx(t, stage);
  const sidecar = await stage.start({ upstream: port, args: ['--forwarder', forwarder, '--access-log', 'errors'] });
  return { stage, sidecar, ask: asker(stage, sidecar) };
}

for (const forwarder of forwarders) {
  test(`GET, HEAD, ranges, conditions, chunked answers, bodies (${forwarder})`, async (t) => {
    const scene = await begin(t, forwarder);
    if (scene === undefined) return;
    const { ask, sidecar } = scene;

    const whole = await ask({ path: '/page.bin' });
    assert.deepEqual([whole.status, sha256(whole.body)], [200, sha256(page)]);
    assert.match(String(whole.headers.server), /^nginx/);

    const head = await ask({ path: '/page.bin', method: 'HEAD' });
    assert.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, String(page.length), 0]);

    const range = await ask({ path: '/page.bin', headers: { Range: 'bytes=1000-1999' } });
    assert.equal(range.status, 206);
    assert.equal(range.headers['content-range'], `bytes 1000-1999/${page.length}`);
    assert.ok(range.body.equals(page.subarray(1000, 2000)));
    const ranges = await ask({ path: '/page.bin', headers: { Range: 'bytes=0-9,100-109' } });
    assert.equal(ranges.status, 206);
    assert.match(String(ranges.headers['content-type']), /^multipart\/byteranges; boundary=/);
    assert.equal(Number(ranges.headers['content-length']), ranges.body.length);
    assert.equal((await ask({ path: '/page.bin', headers: { Range: 'bytes=99999999-' } })).status, 416);

    const etag = String(whole.headers.etag);
    const since = String(whole.headers['last-modified']);
    for (const headers of [{ 'If-None-Match': etag }, { 'If-Modified-Since': since }]) {
      const same = await ask({ path: '/page.bin', headers });
      assert.deepEqual([same.status, same.body.length, same.headers.etag], [304, 0, etag]);
    }
    assert.equal((await ask({ path: '/page.bin', headers: { 'If-None-Match': '"other"' } })).status, 200);
    assert.equal((await ask({ path: '/page.bin', headers: { 'If-Match': '"other"' } })).status, 412);

    const included = await ask({ path: '/include.shtml' });
    assert.deepEqual([included.status, included.headers['transfer-encoding']], [200, 'chunked']);
    assert.equal(included.body.toString(), '<p><h1>nginx</h1>\n</p>\n');
    const streamed = await ask({ path: '/inner/stream' });
    assert.deepEqual([streamed.headers['transfer-encoding'], streamed.body.toString()], ['chunked', 'one two three']);

    const small = Buffer.from('a small body');
    const expected = { length: small.length, sha256: sha256(small) };
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      for (const headers of [{ 'Content-Length': small.length }, { 'Transfer-Encoding': 'chunked' }]) {
        const answer = await ask({ path: '/inner/echo', method, headers, send: small });
        assert.deepEqual(JSON.parse(answer.body.toString()), { method, ...expected });
      }
    }
    assert.equal((await ask({ path: '/nothing' })).status, 404);
    assert.equal((await ask({ path: '/index.html', method: 'POST', send: small })).status, 405);
    await endsWell(sidecar);
  });

  test(`POST of 100 MiB arrives whole, in bounded memory (${forwarder})`, async (t) => {
    const scene = await begin(t, forwarder);
    if (scene === undefined) return;
    const { ask, sidecar } = scene;
    const piece = randomBytes(1 << 20);
    const pieces = 100;
    const hash = createHash('sha256');
    for (let count = 0; count < pieces; count += 1) hash.update(piece);
    const expected = { method: 'POST', length: pieces << 20, sha256: hash.digest('hex') };

    await ask({ path: '/inner/echo', method: 'POST', send: piece });
    const before = sidecar.rssBytes();
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, sidecar.rssBytes());
    }, 20);
    t.after(() => clearInterval(watch));
    for (const [path, headers] of [
      ['/inner/echo', { 'Content-Length': pieces << 20 }],
      ['/inner/echo', { 'Transfer-Encoding': 'chunked' }],
      ['/spooled/echo', { 'Content-Length': pieces << 20 }],
    ] as const) {
      const send = (chunk: number): Buffer | undefined => (chunk < pieces ? piece : undefined);
      const answer = await ask({ path, method: 'POST', headers, send });
      assert.deepEqual(JSON.parse(answer.body.toString()), expected);
    }
    clearInterval(watch);
    assert.ok(peak - before < mostGrowth(sidecar), `${(peak - before) >> 20} MiB more`);
    await endsWell(sidecar);
  });

  test(`1,100 requests over one connection, across nginx's limit of a thousand (${forwarder})`, async (t) => {
    const scene = await begin(t, forwarder);
    if (scene === undefined) return;
    const { sidecar } = scene;
    const client = await connect({ port: sidecar.port });
    for (let count = 0; count < 1100; count += 1) {
      client.send('GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n');
      const answer = await client.readResponse();
      assert.deepEqual([answer.status, answer.body.toString()], [200, '<h1>nginx</h1>\n'], `request ${count}`);
      assert.deepEqual(valuesOf(answer.headers, 'connection'), []);
    }
    client.end();
    await client.closed;
    await endsWell(sidecar);
  });
}
