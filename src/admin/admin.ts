// The admin server, plain HTTP:
//   GET /livez     200 while the process serves, draining included
//   GET /startupz  200 once a certificate is served and the port listens; never asks the app
//   GET /readyz    200 when serving, not draining, and the app accepts connections; else 503; one line per check
//   GET /metrics   Prometheus text
//   GET /status    JSON: what is served, since when, and how it is going
// It changes nothing, and says nothing about single requests.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { State } from '../lifecycle/lifecycle.ts';
import { type Bound, type ListenAddress, openPort } from '../net/ports.ts';
import type { AppHealth } from './health.ts';
import { type About, type Activity, createStatus } from './status.ts';

export type AdminOptions = {
  readonly state: () => State;
  readonly app: AppHealth;
  readonly metrics: Activity & { text(): Promise<string>; readonly contentType: string };
  readonly about: About;
};

type Answer = { readonly status: number; readonly body: string; readonly contentType?: string };
type Route = () => Answer | Promise<Answer>;

export interface Admin {
  /** Rejects with the system's error. */
  open(address: ListenAddress): Promise<Bound>;
  /** At once: no answer of it matters any more. */
  close(): void;
}

export function createAdmin({ state, app, metrics, about }: AdminOptions): Admin {
  const status = createStatus({ state, app, metrics, about });
  const routes = new Map<string, Route>([
    ['/livez', () => ({ status: 200, body: 'ok\n' })],
    ['/startupz', () => (state() === 'starting' ? { status: 503, body: 'starting\n' } : { status: 200, body: 'ok\n' })],
    ['/readyz', async () => readiness(state(), await app.accepts())],
    ['/metrics', async () => ({ status: 200, body: await metrics.text(), contentType: metrics.contentType })],
    ['/status', async () => ({ status: 200, body: json(await status()), contentType: 'application/json' })],
  ]);
  const server = createServer({ headersTimeout: 5000, requestTimeout: 10_000, connectionsCheckingInterval: 1000 });
  server.maxConnections = 256;
  server.on('request', (request, response) => void answer(routes, request, response));
  server.on('clientError', (_error, socket) => socket.destroy());
  return {
    open: (address) => openPort(server, address),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(
  routes: ReadonlyMap<string, Route>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  request.resume();
  const route = routes.get((request.url ?? '').split('?', 1)[0] ?? '');
  const reading = request.method === 'GET' || request.method === 'HEAD';
  let found: Answer = { status: 404, body: `not found; there is ${[...routes.keys()].join(' ')}\n` };
  if (route !== undefined) found = reading ? await attempt(route) : { status: 405, body: 'only GET\n' };
  const headers = { 'content-type': found.contentType ?? 'text/plain; charset=utf-8', 'cache-control': 'no-store' };
  response.writeHead(found.status, found.status === 405 ? { ...headers, allow: 'GET, HEAD' } : headers);
  response.end(found.body);
}

async function attempt(route: Route): Promise<Answer> {
  try {
    return await route();
  } catch (error) {
    return { status: 500, body: `${error instanceof Error ? error.message : String(error)}\n` };
  }
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function readiness(state: State, appAccepts: boolean): Answer {
  const checks = [
    [state === 'ready', 'sidecar', state],
    [appAccepts, 'app', appAccepts ? 'accepts connections' : 'does not accept connections'],
  ] as const;
  const body = checks.map(([ok, name, what]) => `${ok ? 'ok' : 'failed'} ${name}: ${what}\n`).join('');
  return { status: checks.every(([ok]) => ok) ? 200 : 503, body };
}
