// Requests of every sort through a sidecar, good and failed, and what their clients counted: to be compared with what the
// sidecar says that it has done.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { startApp } from './app.ts';
import { openH2Client } from './node-h2-client.ts';
import { connect, connectPlain } from './raw-client.ts';

export interface Tally {
  /** By `METHOD status protocol`. */
  readonly requests: Map<string, number>;
  /** By reason, as the answer has it in Proxy-Status, or as the client made it happen. */
  readonly failures: Map<string, number>;
  /** By protocol, as the handshake or the first bytes had it. */
  readonly connections: Map<string, number>;
  handshakes: number;
  plain: number;
  /** Bytes of bodies. */
  sent: number;
  received: number;
}

export function newTally(): Tally {
  const counts = (): Map<string, number> => new Map();
  return {
    ...{ requests: counts(), failures: counts(), connections: counts() },
    ...{ handshakes: 0, plain: 0, sent: 0, received: 0 },
  };
}

export type CountedApp = {
  readonly port: number;
  /** Resolves when the app has this request, which it never answers. */
  held(id: string): Promise<void>;
};

const LARGE = Buffer.alloc(100_000, 'x');

/** What it does stands in the path of each request. */
export async function startCountedApp(t: Pick<TestContext, 'after'>): Promise<CountedApp> {
  const waiting = new Map<string, () => void>();
  const answers: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
    '/ok': (_, response) => response.end('the app'),
    '/echo': (request, response) => request.pipe(response),
    '/large': (_, response) => response.end(LARGE),
    '/missing': (_, response) => response.writeHead(404).end('missing'),
    '/error': (_, response) => response.writeHead(500).end('error'),
    '/gone': ({ socket }) => socket.destroy(),
    '/cut': ({ socket }, response) =>
      response.writeHead(200, { 'Content-Length': 100 }).write('some', () => socket.destroySoon()),
  };
  const { port } = await startApp(t, (request, response) => {
    const [path = '', id = ''] = (request.url ?? '').split('?');
    const answer = answers[path];
    if (answer === undefined) return waiting.get(id)?.();
    answer(request, response);
  });
  return {
    port,
    held: (id) => new Promise((resolve) => void waiting.set(id, resolve)),
  };
}

type Asked = { readonly method: string; readonly path: string; readonly body?: Buffer };
type Target = { readonly port: number; readonly ca: string; readonly app: CountedApp };

/** Of a hundred requests, in an order that mixes them. */
function asked(index: number): Asked {
  const body = Buffer.alloc(1 + (index % 5000), 'y');
  switch (index % 10) {
    case 0:
      return { method: 'POST', path: '/echo', body };
    case 1:
      return { method: 'PUT', path: '/echo', body };
    case 2:
      return { method: 'HEAD', path: '/ok' };
    case 3:
      return { method: 'DELETE', path: '/missing' };
    case 4:
      return { method: 'GET', path: index % 100 === 4 ? '/large' : '/error' };
    case 5:
      return { method: index % 100 < 50 ? 'PROPFIND' : 'OPTIONS', path: '/ok' };
    case 6:
      return { method: 'POST', path: index % 100 === 6 ? '/gone' : '/ok' };
    case 7:
      return { method: 'GET', path: index % 100 === 7 ? '/cut' : '/ok' };
    default:
      return { method: 'GET', path: '/ok' };
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

type Seen = {
  readonly status: number;
  readonly proxyStatus: unknown;
  readonly bytes: number;
  readonly complete: boolean;
};

function count(tally: Tally, { method, body }: Asked, protocol: string, seen: Seen): void {
  const known = method === 'PROPFIND' ? 'other' : method;
  add(tally.requests, `${known} ${seen.status} ${protocol}`);
  tally.sent += body?.length ?? 0;
  tally.received += seen.bytes;
  const reason = /details="(\w+)"/.exec(String(seen.proxyStatus ?? ''))?.[1];
  if (reason !== undefined) add(tally.failures, reason);
  else if (!seen.complete) add(tally.failures, 'upstream_closed');
}

/** Sends `count` requests by clients of every kind at once; their connections are closed at the end. */
export async function sendCounted(target: Target, amount: number, tally: Tally): Promise<void> {
  const queue = { next: 0 };
  const take = (): number | undefined => (queue.next < amount ? queue.next++ : undefined);
  // Each has a handshake of its own.
  let odds = amount / 10;
  await Promise.all([
    ...[1, 2, 3].map(() => http1(target, take, tally)),
    ...[1, 2].map(() => http2(target, take, tally)),
    odd(target, () => (odds-- > 0 ? take() : undefined), tally),
  ]);
}

type Take = () => number | undefined;

async function http1({ port, ca }: Target, take: Take, tally: Tally): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
  const known = new WeakSet<Socket>();
  for (let index = take(); index !== undefined; index = take()) {
    const one = asked(index);
    const seen = await new Promise<Seen>((resolve, reject) => {
      const request = httpsRequest({ host: 'localhost', port, agent, method: one.method, path: one.path });
      request.on('socket', (socket) => {
        if (known.has(socket)) return;
        known.add(socket);
        add(tally.connections, 'http/1.1');
        tally.handshakes++;
      });
      request.on('response', (response) => {
        let bytes = 0;
        const { statusCode: status = 0, headers } = response;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        response.on('error', () => {});
        response.on('close', () =>
          resolve({ status, proxyStatus: headers['proxy-status'], bytes, complete: response.complete }),
        );
      });
      request.on('error', reject);
      request.end(one.body);
    });
    count(tally, one, 'http/1.1', seen);
  }
  agent.destroy();
}

async function http2({ port, ca, app }: Target, take: Take, tally: Tally): Promise<void> {
  const client = await openH2Client(port, ca);
  add(tally.connections, 'h2');
  tally.handshakes++;
  for (let index = take(); index !== undefined; index = take()) {
    if (index % 100 === 9) {
      await leave(client.open({ ':path': `/hold?${index}` }, { endStream: true }), app.held(String(index)));
      add(tally.requests, 'GET 499 h2');
      add(tally.failures, 'client_gone');
      continue;
    }
    const one = asked(index);
    const answer = await client.request({ ':method': one.method, ':path': one.path }, one.body);
    const { status, complete, body, headers } = answer;
    count(tally, one, 'h2', { status, complete, bytes: body.length, proxyStatus: headers['proxy-status'] });
  }
  client.close();
}

async function leave(stream: { close(code: number): void }, held: Promise<void>): Promise<void> {
  await held;
  stream.close(8);
}

const HEAD = 'Host: localhost\r\n';

/** What only a client of bytes can do: each on a connection of its own. */
async function odd({ port, app }: Target, take: Take, tally: Tally): Promise<void> {
  for (let index = take(); index !== undefined; index = take()) {
    const kind = index % 5;
    if (kind === 0) {
      const plain = await connectPlain({ port });
      plain.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
      add(tally.connections, 'http/1.1');
      tally.plain++;
      const { status, body } = await plain.readResponse();
      await plain.closed;
      add(tally.requests, `GET ${status} http/1.1`);
      add(tally.failures, 'plaintext');
      tally.received += body.length;
      continue;
    }
    const client = await connect({ port });
    add(tally.connections, 'http/1.1');
    tally.handshakes++;
    if (kind === 1) {
      client.send(`GET /hold?${index} HTTP/1.1\r\n${HEAD}\r\n`);
      await app.held(String(index));
      client.destroy();
      await client.closed;
      add(tally.requests, 'GET 499 http/1.1');
      add(tally.failures, 'client_gone');
      continue;
    }
    const [line, reason, label] = ODD[kind as keyof typeof ODD];
    client.send(line);
    const { status, body } = await client.readResponse();
    client.end();
    await client.closed;
    add(tally.requests, label.replace('*', String(status)));
    tally.received += body.length;
    if (reason !== '') add(tally.failures, reason);
  }
}

/** What is sent, why it fails, and as what it is counted: the method of a head that was not read to its end is nobody's. */
const ODD = {
  2: [`GET /ok HTTP/1.1\r\n${HEAD}${HEAD}\r\n`, 'bad_host', 'GET * http/1.1'],
  3: [`GET /ok HTTP/1.1\r\n${HEAD}X: ${'x'.repeat(20_000)}\r\n\r\n`, 'header_too_large', 'other * http/1.1'],
  4: [`GET /ok HTTP/1.0\r\n${HEAD}\r\n`, '', 'GET * http/1.0'],
} as const;
