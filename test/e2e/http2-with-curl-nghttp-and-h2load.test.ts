// Real HTTP/2 clients before the real program: curl, nghttp, h2load, and headless Chromium with a page of 100 images and a
// stream of events and a WebSocket.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { WebSocketServer } from 'ws';
import { needs } from '../support/needs.ts';
import { eventually } from '../support/poll.ts';
import { type Lane, openLane } from '../support/stage.ts';

const run = promisify(execFile);
const BODY = randomBytes(3_000_000);
const PIXEL = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
const dir = mkdtempSync(join(tmpdir(), 'tls-sidecar-clients-'));
const file = join(dir, 'body');
const server = createServer(serve);
new WebSocketServer({ server }).on('connection', (socket) => socket.on('message', (text) => socket.send(String(text))));
const reports: string[] = [];
let lane: Lane;
let url: string;

before(async () => {
  writeFileSync(file, BODY);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  lane = await openLane({ forwarder: 'wire', upstream: (server.address() as AddressInfo).port });
  url = `https://localhost:${lane.sidecar.port}`;
});

after(async () => {
  assert.deepEqual(lane.defects, []);
  await lane.close();
  server.close();
  server.closeAllConnections();
  rmSync(dir, { recursive: true, force: true });
});

test('curl: get, upload, head, trailers, and an answer that is cut', async (t) => {
  if (!needs(t, 'curl')) return;
  const got = await curl('--write-out', '%{http_version} %{http_code}', '--output', join(dir, 'got'), `${url}/body`);
  assert.equal(got.stdout, '2 200');
  assert.equal((await curl('--data-binary', `@${file}`, `${url}/sum`)).stdout, sum(BODY));
  assert.equal(
    (await curl('--request', 'PUT', '--data-binary', `@${file}`, '--header', 'Expect: 100-continue', `${url}/sum`))
      .stdout,
    sum(BODY),
  );
  assert.match(
    (await curl('--head', `${url}/body`)).stdout,
    /^HTTP\/2 200 \r\n(?:[\s\S]*\r\n)?content-length: 3000000\r\n/,
  );
  assert.match((await curl('--include', `${url}/trailers`)).stdout, /\r\n\r\nbodyx-sum: 42\r\n/);
  await assert.rejects(
    curl(`${url}/cut`),
    ({ code, stdout }: { code: number; stdout: string }) => code === 92 && stdout === 'half',
  );
});

test('nghttp: 50 requests on one connection, with priorities', async (t) => {
  if (!needs(t, 'nghttp')) return;
  const targets = Array.from({ length: 50 }, (_, count) => `${url}/count/${count}`);
  const { stdout } = await run('nghttp', ['--no-verify-peer', '--stat', '--null-out', ...targets]);
  assert.equal(stdout.match(/ 200 +\d+\S* \/count\//g)?.length, 50);
});

test('nghttp: an upload with trailers', async (t) => {
  if (!needs(t, 'nghttp')) return;
  const { stdout } = await run('nghttp', [
    '--no-verify-peer',
    '--no-content-length',
    '--data',
    file,
    '--trailer',
    'x-sum: 42',
    `${url}/sum`,
  ]);
  assert.equal(stdout, `${sum(BODY)} x-sum 42`);
});

test('h2load: 2,000 requests by 10 clients with 20 streams each, none of them failing', async (t) => {
  if (!needs(t, 'h2load')) return;
  const { stdout } = await run('h2load', ['-n2000', '-c10', '-m20', `${url}/count/1`]);
  assert.match(stdout, /requests: 2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout/);
  assert.match(stdout, /Application protocol: h2/);
});

test('h2load: uploads and large downloads', async (t) => {
  if (!needs(t, 'h2load')) return;
  for (const args of [['-d', file, `${url}/sum`], [`${url}/body`]]) {
    const { stdout } = await run('h2load', ['-n40', '-c4', '-m5', ...args]);
    assert.match(stdout, /40 done, 40 succeeded, 0 failed, 0 errored, 0 timeout/);
  }
});

test('Chromium: a page with 100 images, a stream of events and a WebSocket, all over h2', {
  timeout: 60_000,
}, async (t) => {
  if (!needs(t, 'chromium')) return;
  const flags = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--ignore-certificate-errors',
    '--no-proxy-server',
  ];
  const browser = spawn('chromium', [...flags, `--user-data-dir=${join(dir, 'profile')}`, `${url}/page`], {
    stdio: 'ignore',
    detached: true,
  });
  t.after(async () => {
    const gone = new Promise((resolve) => browser.once('close', resolve));
    process.kill(-(browser.pid as number), 'SIGKILL');
    await gone;
  });
  await eventually(() => reports.length > 0, { what: "the page's report" });
  assert.deepEqual(JSON.parse(reports[0] ?? ''), {
    images: 100,
    events: ['1', '2', '3'],
    protocols: ['h2'],
    page: 'h2',
    echo: 'over h2',
  });
  // Chromium opens a WebSocket in the session that it has, where the server offers extended CONNECT.
  const line = await lane.sidecar.waitForLog(({ msg, path }) => msg === 'request' && path === '/socket');
  assert.deepEqual([line.protocol, line.status], ['h2', 200]);
});

// ----

function curl(...args: string[]): Promise<{ stdout: string }> {
  return run('curl', ['--silent', '--show-error', '--insecure', '--http2', ...args]);
}

function sum(bytes: Buffer): string {
  return `${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`;
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? '';
  if (path === '/body') response.writeHead(200, { 'Content-Length': BODY.length }).end(BODY);
  else if (path === '/page') response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE);
  else if (path.startsWith('/image')) response.writeHead(200, { 'Content-Type': 'image/gif' }).end(PIXEL);
  else if (path === '/events') tellEvents(response);
  else if (path === '/trailers') trailers(response);
  else if (path === '/cut') response.writeHead(200).write('half', () => setImmediate(() => response.destroy()));
  else if (request.method === 'GET') response.end(path);
  else collect(request, response);
}

function collect(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.url === '/report') reports.push(Buffer.concat(chunks).toString());
    response.end([sum(Buffer.concat(chunks)), ...request.rawTrailers].join(' '));
  });
}

function trailers(response: ServerResponse): void {
  response.writeHead(200, { Trailer: 'x-sum' });
  response.write('body');
  response.addTrailers({ 'x-sum': '42' });
  response.end();
}

function tellEvents(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  for (const event of ['1', '2', '3']) response.write(`data: ${event}\n\n`);
}

const PAGE = `<!doctype html><title>page</title><link rel="icon" href="data:,"><body><script>
const images = Array.from({ length: 100 }, (_, at) => new Promise((resolve) => {
  const image = new Image();
  image.onload = () => resolve(1);
  image.onerror = () => resolve(0);
  image.src = '/image/' + at;
  document.body.append(image);
}));
const events = new Promise((resolve) => {
  const got = [];
  const source = new EventSource('/events');
  source.onmessage = ({ data }) => got.push(data) === 3 && (source.close(), resolve(got));
});
const echo = new Promise((resolve) => {
  const socket = new WebSocket('wss://' + location.host + '/socket');
  socket.onopen = () => socket.send('over h2');
  socket.onmessage = ({ data }) => (socket.close(), resolve(data));
  socket.onerror = () => resolve('an error');
});
Promise.all([Promise.all(images), events, echo]).then(([loaded, got, echo]) => {
  const protocols = new Set(performance.getEntriesByType('resource').map((entry) => entry.nextHopProtocol).filter(Boolean));
  const page = performance.getEntriesByType('navigation')[0].nextHopProtocol;
  const report = { images: loaded.reduce((a, b) => a + b), events: got, protocols: [...protocols], page, echo };
  fetch('/report', { method: 'POST', body: JSON.stringify(report) });
});
</script>`;
