// The same exchanges with clients of HTTP/1.1 and HTTP/2, at an app of HTTP/1.1 and one of HTTP/2 in clear text: whatever
// the versions on the two sides, client and app see the same semantics.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { type ClientRequest, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  createServer as createH2Server,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Stream,
} from 'node:http2';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { answerOf, type H2Client, openH2Client } from '../support/node-h2-client.ts';
import { eventually } from '../support/poll.ts';
import { type Lane, openLane } from '../support/stage.ts';

type Fields = Record<string, unknown>;
type Ask = {
  method?: string;
  path: string;
  headers?: Record<string, string | string[]>;
  body?: Buffer;
  /** Sent without a length. */
  trailers?: Record<string, string>;
};
type Answer = {
  status: number;
  headers: Fields;
  interim: { status: number; headers: Fields }[];
  body: Buffer;
  trailers: Fields;
  complete: boolean;
};
type Seen = { method: string; headers: Fields; body: Buffer; trailers: Fields; aborted: boolean };

const LARGE = randomBytes(8 << 20);
const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const APPS = ['http/1.1', 'h2c'] as const;
const CLIENTS = ['http/1.1', 'h2'] as const;

for (const appProtocol of APPS) {
  describe(`an app of ${appProtocol}`, () => {
    const seen = new Map<string, Seen>();
    let app: Server | Http2Server;
    let lane: Lane;
    let h2: H2Client;

    before(async () => {
      const handler = (request: AppRequest, response: AppResponse): void => serve(request, response, seen);
      if (appProtocol === 'h2c') {
        app = createH2Server(handler);
        app.on('checkContinue', handler);
      } else {
        app = createServer(handler);
        app.on('checkContinue', handler);
      }
      await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
      const scheme = appProtocol === 'h2c' ? 'h2c' : 'http';
      const upstream = `${scheme}://127.0.0.1:${(app.address() as AddressInfo).port}`;
      lane = await openLane({ forwarder: 'wire', upstream, args: ['--upstream-timeout', '8s'] });
      h2 = await openH2Client(lane.sidecar.port, lane.ca);
    });

    after(async () => {
      h2.close();
      await lane.close();
      app.close();
      if ('closeAllConnections' in app) (app as unknown as { closeAllConnections(): void }).closeAllConnections();
      assert.deepEqual(lane.defects, []);
    });

    for (const clientProtocol of CLIENTS) {
      const ask = (what: Ask): Promise<Answer> =>
        clientProtocol === 'h2' ? askH2(h2, what) : askH1(lane.sidecar.port, lane.ca, what);
      const at = (path: string): string => `${path}?${clientProtocol}`;

      describe(`a client of ${clientProtocol}`, () => {
        test('trailers both ways', async () => {
          const body = Buffer.from('with trailers');
          const trailers = { 'x-sum': 'abc', 'x-other': 'd' };
          const answer = await ask({
            method: 'POST',
            path: at('/trailers'),
            body,
            trailers,
            headers: { te: 'trailers' },
          });
          assert.equal(answer.status, 200);
          assert.equal(answer.body.toString(), 'with trailers');
          assert.equal(answer.trailers['x-checksum'], '123');
          assert.equal(answer.trailers['x-forwarded-for'], undefined, 'what no trailer may be is left out');
          const got = seen.get(at('/trailers'));
          assert.equal(got?.trailers['x-sum'], 'abc');
          assert.equal(got?.trailers['x-other'], 'd');
          assert.equal(got?.headers.te, 'trailers');
          assert.equal(got?.headers['content-length'], undefined);
        });

        test('103 Early Hints come before the answer', async () => {
          const { status, interim } = await ask({ path: at('/hints') });
          assert.equal(status, 200);
          assert.equal(interim[0]?.status, 103);
          assert.match(String(interim[0]?.headers.link), /<\/a\.css>/);
        });

        test('Expect: 100-continue is answered by the app', async () => {
          const headers = { expect: '100-continue' };
          const { status, interim, body } = await ask({
            method: 'POST',
            path: at('/continue'),
            headers,
            body: Buffer.from('go'),
          });
          assert.equal(status, 200);
          assert.deepEqual(
            interim.map((one) => one.status),
            [100],
          );
          assert.equal(body.toString(), 'go');
        });

        test('Expect: 100-continue that the app refuses', async () => {
          const headers = { expect: '100-continue' };
          const { status } = await ask({ method: 'POST', path: at('/refuse'), headers, body: Buffer.from('no') });
          assert.equal(status, 413);
        });

        test('a body of known length, there and back', async () => {
          const answer = await ask({
            method: 'PUT',
            path: at('/echo'),
            body: LARGE,
            headers: { 'content-length': String(LARGE.length) },
          });
          assert.equal(sha(answer.body), sha(LARGE));
          assert.equal(seen.get(at('/echo'))?.headers['content-length'], String(LARGE.length));
        });

        test('a body without a length, there and back', async () => {
          const answer = await ask({ method: 'POST', path: at('/echo'), body: LARGE, trailers: {} });
          assert.equal(sha(answer.body), sha(LARGE));
          assert.equal(seen.get(at('/echo'))?.headers['content-length'], undefined);
        });

        test('DELETE with a body, GET without', async () => {
          const answer = await ask({ method: 'DELETE', path: at('/echo'), body: Buffer.from('which') });
          assert.equal(answer.body.toString(), 'which');
          assert.equal((await ask({ path: at('/echo') })).body.length, 0);
          assert.equal(seen.get(at('/echo'))?.headers['transfer-encoding'], undefined);
        });

        test('HEAD, 204, 304 and an empty 200 have no body', async () => {
          const head = await ask({ method: 'HEAD', path: at('/length') });
          assert.equal(head.headers['content-length'], '5');
          assert.equal(head.body.length, 0);
          assert.ok(head.complete);
          for (const status of [204, 304, 200]) {
            const answer = await ask({ path: at(`/empty/${status}`) });
            assert.equal(answer.status, status);
            assert.equal(answer.body.length, 0);
            assert.ok(answer.complete);
          }
        });

        test('who the client is, and no field of a connection', async () => {
          await ask({ path: at('/echo'), headers: { 'x-forwarded-for': '9.9.9.9', cookie: 'a=1; b=2' } });
          const { headers } = seen.get(at('/echo')) as Seen;
          assert.equal(headers['x-forwarded-for'], '127.0.0.1');
          assert.equal(headers['x-forwarded-proto'], 'https');
          assert.equal(headers.cookie, 'a=1; b=2');
          assert.equal(headers.host ?? headers[':authority'], `localhost:${lane.sidecar.port}`);
          assert.equal(headers.upgrade, undefined);
        });

        test('fields that come twice', async () => {
          const { headers } = await ask({ path: at('/twice'), headers: { 'x-twice': ['1', '2'] } });
          assert.equal(String(seen.get(at('/twice'))?.headers['x-twice']).replaceAll(' ', ''), '1,2');
          assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2']);
        });

        test('an event stream is flushed at once', async () => {
          const first = await new Promise<{ text: string; close: () => void }>((resolve, reject) => {
            firstBytes(clientProtocol, lane, h2, at('/events'), resolve, reject);
          });
          assert.equal(first.text, 'data: 1\n\n');
          first.close();
          await eventually(() => seen.get(at('/events'))?.aborted || undefined, { what: 'the end at the app' });
        });

        test('an app that breaks off in the middle is never a complete answer', async () => {
          for (const how of ['reset', 'short']) {
            const { complete, body } = await ask({ path: at(`/break/${how}`) });
            assert.equal(body.toString(), 'half');
            assert.equal(complete, false, how);
          }
          const { reason } = await lane.sidecar.waitForLog(({ path }) => path === '/break/short');
          assert.equal(reason, 'upstream_closed');
        });
      });
    }
  });
}

// ---- the app, for both protocols

type AppRequest = IncomingMessage | Http2ServerRequest;
type AppResponse = ServerResponse | Http2ServerResponse;

function serve(request: AppRequest, response: AppResponse, seen: Map<string, Seen>): void {
  const record: Seen = {
    method: request.method ?? '',
    headers: { ...request.headers },
    body: Buffer.alloc(0),
    trailers: {},
    aborted: false,
  };
  seen.set(request.url ?? '', record);
  const path = (request.url ?? '').split('?')[0] ?? '';
  const answer = response as ServerResponse;
  answer.on('error', () => {});
  answer.on('close', () => {
    const { stream } = response as Partial<Http2ServerResponse>;
    record.aborted = stream === undefined ? !answer.writableFinished : stream.rstCode === 8;
  });
  const echo = (): void => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      record.trailers = { ...request.trailers };
      answer.end(Buffer.concat(chunks));
    });
  };
  const routes: Record<string, () => void> = {
    '/echo': echo,
    '/trailers'() {
      answer.setHeader('Trailer', 'X-Checksum');
      answer.writeHead(200);
      answer.write('');
      answer.addTrailers({ 'X-Checksum': '123', 'X-Forwarded-For': '9.9.9.9' });
      echo();
    },
    '/hints'() {
      answer.writeEarlyHints({ link: '</a.css>; rel=preload; as=style' });
      answer.end('hinted');
    },
    '/continue'() {
      answer.writeContinue();
      echo();
    },
    '/refuse'() {
      answer.writeHead(413).end();
    },
    '/length'() {
      answer.writeHead(200, { 'content-length': '5' }).end();
    },
    '/twice'() {
      answer.setHeader('Set-Cookie', ['a=1', 'b=2']);
      answer.end();
    },
    '/events'() {
      answer.writeHead(200, { 'content-type': 'text/event-stream' });
      answer.write('data: 1\n\n');
    },
    '/break/reset'() {
      answer.write('half');
      setTimeout(() => breakOff(response), 50);
    },
    '/break/short'() {
      answer.writeHead(200, { 'content-length': '100' });
      answer.write('half');
      setTimeout(() => breakOff(response), 50);
    },
  };
  const route = routes[path];
  if (route !== undefined) route();
  else answer.writeHead(Number(path.split('/').at(-1))).end();
}

/** In HTTP/2 with NO_ERROR, which Node's own client would take for an end. */
function breakOff(response: AppResponse): void {
  const stream = (response as Http2ServerResponse).stream as ServerHttp2Stream | undefined;
  if (stream === undefined) response.destroy();
  else stream.destroy();
}

// ---- the clients

async function askH2(client: H2Client, { method = 'GET', path, headers = {}, body, trailers }: Ask): Promise<Answer> {
  const fields = { ':method': method, ':path': path, ...headers };
  const length = body !== undefined && trailers === undefined ? { 'content-length': String(body.length) } : {};
  const answer =
    headers.expect === undefined
      ? await client.request({ ...fields, ...length }, body, trailers)
      : await expecting(client, { ...fields, ...length }, body);
  return { ...answer, trailers: answer.trailers ?? {} };
}

function expecting(client: H2Client, fields: Record<string, string | string[]>, body: Buffer | undefined) {
  const stream = client.open(fields);
  stream.on('continue', () => stream.end(body));
  return answerOf(stream);
}

function askH1(port: number, ca: string, { method = 'GET', path, headers = {}, body, trailers }: Ask): Promise<Answer> {
  const extra: Record<string, string | string[]> = trailers === undefined ? {} : { 'transfer-encoding': 'chunked' };
  if (trailers === undefined && body !== undefined) extra['content-length'] = String(body.length);
  const request = httpsRequest({ host: 'localhost', port, ca, method, path, headers: { ...headers, ...extra } });
  const answer = answerOfH1(request);
  if (trailers !== undefined) request.addTrailers(trailers);
  if (headers.expect === undefined) request.end(body);
  else request.on('continue', () => request.end(body)).flushHeaders();
  return answer;
}

function answerOfH1(request: ClientRequest): Promise<Answer> {
  const answer: Answer = { status: 0, headers: {}, interim: [], body: Buffer.alloc(0), trailers: {}, complete: false };
  request.on('information', ({ statusCode, headers }) => answer.interim.push({ status: statusCode, headers }));
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => {});
      response.on('close', () => {
        request.destroy();
        resolve({
          ...answer,
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
          trailers: response.trailers,
          complete: response.complete,
        });
      });
    });
  });
}

function firstBytes(
  protocol: (typeof CLIENTS)[number],
  lane: Lane,
  h2: H2Client,
  path: string,
  resolve: (first: { text: string; close: () => void }) => void,
  reject: (error: Error) => void,
): void {
  if (protocol === 'h2') {
    const stream = h2.open({ ':path': path }, { endStream: true });
    stream.once('data', (chunk: Buffer) => resolve({ text: chunk.toString(), close: () => stream.close(8) }));
    return;
  }
  const request = httpsRequest({ host: 'localhost', port: lane.sidecar.port, ca: lane.ca, path });
  request.on('error', reject);
  request.on('response', (response) => {
    response.on('error', () => {});
    response.once('data', (chunk: Buffer) => resolve({ text: chunk.toString(), close: () => request.destroy() }));
  });
  request.end();
}
