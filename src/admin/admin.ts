// The admin server, plain HTTP:
//   GET /livez     200 while the process serves, draining included
//   GET /startupz  200 once a certificate is served and the port listens; never asks the app
//   GET /readyz    200 when serving, not draining, and each app accepts connections; else 503; one line per check
//   GET /metrics   Prometheus text
//   GET /status    JSON: what is served, since when, and how it is going
//   GET /probe/…   what --probe declares, asked of the app inside the Pod: its status, and nothing else of its answer
//   POST /drain    from this host only: begins to drain; answers when that is done
// It says nothing about single requests, and answers one request a connection.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Clock } from '../exchange.ts';
import type { State } from '../lifecycle/lifecycle.ts';
import { isLoopback } from '../net/addresses.ts';
import { type Bound, type ListenAddress, openPort } from '../net/ports.ts';
import { AdminConnections, type ConnectionLimits } from './connections.ts';
import type { NamedApp } from './health.ts';
import { createKept } from './kept.ts';
import type { Probes } from './probes/probes.ts';
import { type About, type Activity, createStatus } from './status.ts';

export type AdminOptions = {
  readonly state: () => State;
  readonly apps: readonly NamedApp[];
  readonly metrics: Activity & { text(): Promise<string>; readonly contentType: string };
  readonly about: About;
  readonly probes: Probes;
  readonly clock: Clock;
  /** Begins to drain, or joins what has begun. Undefined: nothing is served that could be drained. */
  readonly drain: () => Promise<void> | undefined;
  readonly limits?: ConnectionLimits;
};

type Answer = { readonly status: number; readonly body: string | Buffer; readonly contentType?: string };
type Route = (response: ServerResponse) => Answer | Promise<Answer>;
type Routes = { find(url: string): Route | undefined; readonly paths: readonly string[] };

export interface Admin {
  /** Rejects with the system's error. */
  open(address: ListenAddress): Promise<Bound>;
  /** At once: no answer of it matters any more. */
  close(): void;
}

const LIMITS: ConnectionLimits = { most: 48, requestMs: 5000, takeMs: 5000 };
/** So that scrapers, however many, cost at most four renderings a second. */
const METRICS_KEEP_MS = 250;
const MAX_HEAD_BYTES = 8192;
const MAX_BODY_BYTES = 65_536;
/** Statuses of the app that have no body (RFC 9110 section 15.3). */
const WITHOUT_BODY = [204, 205];
const DRAIN = '/drain';

export function createAdmin(options: AdminOptions): Admin {
  const { state, apps, metrics, about, probes, clock, limits = LIMITS } = options;
  const status = createStatus({ state, apps, metrics, about });
  // one buffer for all answers: clients that do not take theirs hold no copies
  const metricsText = createKept(async () => Buffer.from(await metrics.text()), METRICS_KEEP_MS, clock);
  const routes = new Map<string, Route>([
    ['/livez', () => ({ status: 200, body: 'ok\n' })],
    ['/startupz', () => (state() === 'starting' ? { status: 503, body: 'starting\n' } : { status: 200, body: 'ok\n' })],
    ['/readyz', async () => readiness(state(), await lookAt(apps))],
    ['/metrics', async () => ({ status: 200, body: await metricsText(), contentType: metrics.contentType })],
    ['/status', async () => ({ status: 200, body: json(await status()), contentType: 'application/json' })],
    [DRAIN, (response) => drained(response.req, options.drain)],
  ]);
  const connections = new AdminConnections(limits, clock);
  const server = createAdminServer(withProbes(routes, probes), connections);
  return {
    open: (address) => openPort(server, address),
    close() {
      server.close();
      connections.close();
    },
  };
}

/** A probe is asked for by its whole target: the app's query belongs to it. */
function withProbes(routes: ReadonlyMap<string, Route>, probes: Probes): Routes {
  const probe = (url: string): Route | undefined => {
    if (!probes.has(url)) return undefined;
    return async (response) => {
      const { status, text } = await probes.ask(url, (left) => response.once('close', left));
      return { status, body: `${text}\n` };
    };
  };
  return {
    find: (url) => routes.get(url.split('?', 1)[0] ?? '') ?? probe(url),
    paths: [...routes.keys(), ...probes.paths],
  };
}

/** Time-outs are those of `connections`: Node's own would count the same a second time. */
function createAdminServer(routes: Routes, connections: AdminConnections): Server {
  const server = createServer({ maxHeaderSize: MAX_HEAD_BYTES, headersTimeout: 0, requestTimeout: 0 });
  server.on('connection', (socket) => connections.add(socket));
  server.on('request', (request, response) => {
    const { socket } = request;
    const connection = connections.of(socket);
    if (connection?.asked() === false) {
      socket.pause(); // a second request, which is not answered: the first answer closes the connection
      return;
    }
    response.on('error', () => {}); // its client has left
    limitBody(request);
    answer(routes, request, response).then(
      () => connection?.answered(),
      () => socket.destroy(),
    );
  });
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n', () => socket.destroy());
    else socket.destroy();
  });
  return server;
}

/** No answer needs one; what is unread when a socket closes would make a reset of the answer. */
function limitBody(request: IncomingMessage): void {
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) request.destroy();
  });
  request.on('error', () => {});
}

async function answer(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const route = routes.find(request.url ?? '');
  const allowed = request.url?.startsWith(DRAIN) === true ? ['POST'] : ['GET', 'HEAD'];
  let found: Answer = { status: 404, body: `not found; there is ${routes.paths.join(' ')}\n` };
  if (route !== undefined)
    found = allowed.includes(request.method ?? '')
      ? await attempt(route, response)
      : { status: 405, body: `only ${allowed[0]}\n` };
  if (WITHOUT_BODY.includes(found.status)) return void response.writeHead(found.status, { connection: 'close' }).end();
  const headers = {
    'content-type': found.contentType ?? 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(found.body),
    'cache-control': 'no-store',
    connection: 'close',
  };
  response.writeHead(found.status, found.status === 405 ? { ...headers, allow: allowed.join(', ') } : headers);
  response.end(found.body);
}

async function attempt(route: Route, response: ServerResponse): Promise<Answer> {
  try {
    return await route(response);
  } catch (error) {
    return { status: 500, body: `${error instanceof Error ? error.message : String(error)}\n` };
  }
}

/** The port is open to the cluster, where a drain would be anybody's. */
async function drained({ socket }: IncomingMessage, drain: AdminOptions['drain']): Promise<Answer> {
  if (!isLoopback(socket.remoteAddress ?? '')) return { status: 403, body: 'only from this host\n' };
  const draining = drain();
  if (draining === undefined) return { status: 200, body: 'nothing is served yet\n' };
  await draining;
  return { status: 200, body: 'drained\n' };
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

type Seen = { readonly name: string; readonly accepts: boolean };

function lookAt(apps: readonly NamedApp[]): Promise<Seen[]> {
  return Promise.all(apps.map(async ({ name, health }) => ({ name, accepts: await health.accepts() })));
}

function readiness(state: State, apps: readonly Seen[]): Answer {
  const checks = [
    [state === 'ready', 'sidecar', state] as const,
    ...apps.map(({ name, accepts }) => {
      const what = accepts ? 'accepts connections' : 'does not accept connections';
      return [accepts, apps.length === 1 ? 'app' : `app ${name}`, what] as const;
    }),
  ];
  const body = checks.map(([ok, name, what]) => `${ok ? 'ok' : 'failed'} ${name}: ${what}\n`).join('');
  return { status: checks.every(([ok]) => ok) ? 200 : 503, body };
}
