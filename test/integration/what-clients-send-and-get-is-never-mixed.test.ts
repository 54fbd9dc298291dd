// All clients are read into the same memory, and all connections to the app. Each client sends one letter alone, in pieces of
// all sizes, and is answered with it, while whoever takes it is slow: nobody must find another's letter.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createH2Server, type Http2Server } from 'node:http2';
import { request } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { acceptOf } from '../../src/http/websocket.ts';
import { connectH2, fieldsOf } from '../support/h2-client.ts';
import { headers, Setting, windowUpdate } from '../support/h2-frames.ts';
import { answerOf, openH2Client } from '../support/node-h2-client.ts';
import { type Next, random } from '../support/random-frames.ts';
import { connect } from '../support/raw-client.ts';
import { forwarders, type Lane, openLane } from '../support/stage.ts';

const CLIENTS = 8;
const ROUNDS = 12;
const MOST_BYTES = 200_000;
/** More than a socket's buffers. */
const LARGE_BYTES = 12 << 20;
const FIRST_LETTER = 97;

/** What is not `letter`. */
function strangers(bytes: Uint8Array, letter: number): number {
  let found = 0;
  for (const byte of bytes) if (byte !== letter) found++;
  return found;
}

/** Takes a body with rests, and answers how many bytes it had, and how many of them and of the field were another's; or `large`. */
const listener: RequestListener = async (request, response) => {
  const letter = String(request.headers['x-letter']).charCodeAt(0);
  if (request.url === '/large') {
    response.setHeader('content-length', LARGE_BYTES);
    for (const part of pieces(random(letter), String.fromCharCode(letter), LARGE_BYTES))
      if (!response.write(part)) await once(response, 'drain');
    return void response.end();
  }
  let bytes = 0;
  let wrong = strangers(Buffer.from(String(request.headers['x-padding'])), letter);
  for await (const chunk of request) {
    bytes += chunk.length;
    wrong += strangers(chunk, letter);
    if (bytes % 5 === 0) await wait(2);
  }
  response.end(`${bytes} ${wrong}`);
};

/** Gives back what comes, once more has come than the system holds for it. */
function echo({ headers }: IncomingMessage, socket: Socket): void {
  socket.on('error', () => {});
  const accept = acceptOf(String(headers['sec-websocket-key']));
  const fields = `Connection: Upgrade\r\nUpgrade: ${headers.upgrade}\r\nSec-WebSocket-Accept: ${accept}`;
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\n`);
  setTimeout(() => socket.pipe(socket), 500);
}

async function startApp(t: TestContext, server: Server | Http2Server): Promise<number> {
  server.on('upgrade', echo);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

function* pieces(next: Next, letter: string, total: number): Generator<string> {
  for (let left = total; left > 0; ) {
    const size = Math.min(left, 1 + next([20, 3000, 9000, 40_000][next(4)] as number));
    left -= size;
    yield letter.repeat(size);
  }
}

type Send = (fields: Record<string, string>, parts: Iterable<string>) => Promise<string>;

/** One client's: request after request, and each must come to the app as it was sent. */
async function upload(send: Send, seed: number): Promise<void> {
  const next = random(seed);
  const letter = String.fromCharCode(FIRST_LETTER + seed);
  for (let round = 0; round < ROUNDS; round++) {
    const total = 1 + next(MOST_BYTES);
    // Some say their length: it is read in another way.
    const length: Record<string, string> = round % 2 === 0 ? {} : { 'content-length': String(total) };
    const fields = { 'x-letter': letter, 'x-padding': letter.repeat(1 + next(3000)), ...length };
    assert.equal(await send(fields, pieces(next, letter, total)), `${total} 0`, `${letter}, round ${round}`);
  }
}

function overHttp1({ ca, sidecar }: Lane): Send {
  return async (headers, parts) => {
    const { port } = sidecar;
    const sent = request({ port, host: '127.0.0.1', servername: 'localhost', ca, method: 'POST', headers });
    sent.flushHeaders();
    for (const part of parts) if (!sent.write(part)) await once(sent, 'drain');
    sent.end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return (await answer.setEncoding('latin1').toArray()).join('');
  };
}

async function overHttp2(t: TestContext, { ca, sidecar }: Lane): Promise<Send> {
  const client = await openH2Client(sidecar.port, ca);
  t.after(() => client.close());
  return async (fields, parts) => {
    const stream = client.open({ ':method': 'POST', ...fields });
    const answer = answerOf(stream);
    for (const part of parts) if (!stream.write(part)) await once(stream, 'drain');
    stream.end();
    return (await answer).body.toString('latin1');
  };
}

/** The bytes of a tunnel there and back. */
async function converse({ sidecar }: Lane, seed: number): Promise<void> {
  const next = random(seed);
  const letter = String.fromCharCode(FIRST_LETTER + seed);
  const client = await connect({ port: sidecar.port });
  client.send('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: letters\r\n\r\n');
  const head = await client.waitFor('\r\n\r\n');
  let total = 0;
  for (const part of pieces(next, letter, LARGE_BYTES)) {
    client.send(part);
    total += part.length;
    if (next(100) === 0) await wait(1);
  }
  await client.waitFor(({ length }) => length === head.length + total);
  assert.equal(strangers(client.received.subarray(head.length), letter.charCodeAt(0)), 0);
  client.end();
  await client.closed;
}

/** The same over HTTP/2 (RFC 8441). */
async function converseHttp2({ sidecar }: Lane, seed: number): Promise<void> {
  const letter = String.fromCharCode(FIRST_LETTER + seed);
  const client = await connectH2({ port: sidecar.port });
  const id = client.nextId();
  const asked = { ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' };
  client.send(headers(id, fieldsOf(asked), false));
  await client.until(() => client.status(id) === 200, 'the tunnel');
  const parts = Array.from(pieces(random(seed), letter, LARGE_BYTES), (part) => Buffer.from(part));
  await client.upload(id, parts);
  await client.over(id);
  assert.equal(client.body(id).length, LARGE_BYTES);
  assert.equal(strangers(client.body(id), letter.charCodeAt(0)), 0);
  client.destroy();
}

/** Requests whose heads come in two parts. */
async function ask(send: (first: Buffer, rest: Buffer) => Promise<string>, seed: number, head: Head): Promise<void> {
  const next = random(seed);
  const letter = String.fromCharCode(FIRST_LETTER + seed);
  for (let round = 0; round < 10 * ROUNDS; round++) {
    const bytes = head(letter, letter.repeat(1 + next(3000)));
    const cut = 1 + next(bytes.length - 1);
    assert.match(await send(bytes.subarray(0, cut), bytes.subarray(cut)), /0 0$/, `${letter}, round ${round}`);
  }
}

type Head = (letter: string, padding: string) => Buffer;

async function askHttp1({ sidecar }: Lane, seed: number): Promise<void> {
  const client = await connect({ port: sidecar.port });
  const send = async (first: Buffer, rest: Buffer): Promise<string> => {
    client.send(first);
    await wait(3);
    client.send(rest);
    const { status, body } = await client.readResponse();
    return `${status} ${body}`;
  };
  await ask(send, seed, (letter, padding) =>
    Buffer.from(`GET / HTTP/1.1\r\nHost: localhost\r\nX-Letter: ${letter}\r\nX-Padding: ${padding}\r\n\r\n`),
  );
  client.end();
  await client.closed;
}

async function askHttp2({ sidecar }: Lane, seed: number): Promise<void> {
  const client = await connectH2({ port: sidecar.port });
  let id = 0;
  const send = async (first: Buffer, rest: Buffer): Promise<string> => {
    client.send(first);
    await wait(3);
    client.send(rest);
    await client.over(id);
    return client.body(id).toString('latin1');
  };
  await ask(send, seed, (letter, padding) => {
    id = client.nextId();
    return headers(id, fieldsOf({ 'x-letter': letter, 'x-padding': padding }));
  });
  client.destroy();
}

/** An answer that waits for its client. */
async function takeHttp1({ sidecar }: Lane, seed: number): Promise<void> {
  const letter = String.fromCharCode(FIRST_LETTER + seed);
  const client = await connect({ port: sidecar.port });
  client.send(`GET /large HTTP/1.1\r\nHost: localhost\r\nX-Letter: ${letter}\r\n\r\n`);
  const begun = (await client.waitFor('\r\n\r\n')).indexOf('\r\n\r\n') + 4;
  client.socket.pause();
  await wait(1000);
  client.socket.resume();
  await client.waitFor(({ length }) => length === begun + LARGE_BYTES);
  assert.equal(strangers(client.received.subarray(begun), letter.charCodeAt(0)), 0);
  client.end();
  await client.closed;
}

async function takeHttp2({ sidecar }: Lane, seed: number): Promise<void> {
  const letter = String.fromCharCode(FIRST_LETTER + seed);
  const client = await connectH2({ port: sidecar.port, settings: [[Setting.initialWindowSize, LARGE_BYTES]] });
  client.send(windowUpdate(0, LARGE_BYTES));
  const id = client.request(fieldsOf({ ':path': '/large', 'x-letter': letter }));
  await client.until(() => client.status(id) === 200, 'the head');
  client.raw.socket.pause();
  await wait(1000);
  client.raw.socket.resume();
  await client.over(id);
  assert.equal(client.body(id).length, LARGE_BYTES);
  assert.equal(strangers(client.body(id), letter.charCodeAt(0)), 0);
  client.destroy();
}

async function all(t: TestContext, lane: Lane, tunnels: number): Promise<void> {
  t.after(async () => {
    await lane.close();
    assert.deepEqual(lane.defects, []);
  });
  const work: Promise<void>[] = [];
  for (let seed = 0; seed < CLIENTS; seed++) {
    work.push(upload(seed % 2 === 0 ? overHttp1(lane) : await overHttp2(t, lane), seed));
    if (seed < tunnels) work.push(seed % 2 === 0 ? converse(lane, 8 + seed) : converseHttp2(lane, 8 + seed));
    if (seed < 4) work.push(seed % 2 === 0 ? takeHttp1(lane, 20 + seed) : takeHttp2(lane, 20 + seed));
    if (seed < 4) work.push(seed % 2 === 0 ? askHttp1(lane, 16 + seed) : askHttp2(lane, 16 + seed));
  }
  await Promise.all(work);
}

for (const forwarder of forwarders)
  test(`an app of HTTP/1.1 gets each client's own bytes (${forwarder})`, async (t) => {
    const port = await startApp(t, createServer(listener));
    await all(t, await openLane({ forwarder, upstream: port }), 4);
  });

test("an app of HTTP/2 gets each client's own bytes", async (t) => {
  // Its compatibility layer takes the same listener.
  const port = await startApp(t, createH2Server(listener as never));
  await all(t, await openLane({ forwarder: 'wire', upstream: `h2c://127.0.0.1:${port}` }), 0);
});
