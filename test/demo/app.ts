// A small plain-HTTP app to put the sidecar in front of: it knows nothing of TLS, which is the point of it.
// Used by `npm run demo` and by tests. It writes back what it was sent, so everything that goes into HTML is escaped.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface DemoApp {
  readonly port: number;
  /** Stops listening and cuts what is open. */
  close(): Promise<void>;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

const slowMs = 3000;
const eventCount = 5;
const eventEveryMs = 1000;

const routes = new Map<string, Handler>([
  ['/', page],
  ['/headers', headers],
  ['/slow', slow],
  ['/events', events],
  ['/upload', upload],
]);

/** Listens on 127.0.0.1; port 0 takes a free one. */
export async function startDemoApp(port = 0): Promise<DemoApp> {
  const server = createServer(async (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    try {
      await (routes.get(path) ?? notFound)(request, response);
    } catch {
      response.destroy(); // the client left in the middle of its upload
    }
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function page(request: IncomingMessage, response: ServerResponse): void {
  const rows = pairs(request.rawHeaders)
    .map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`)
    .join('\n');
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.end(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>A plain HTTP app</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; color: #222; }
  table { border-collapse: collapse; width: 100%; font: 14px/1.5 ui-monospace, monospace; }
  th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #ddd; overflow-wrap: anywhere; }
</style>
<h1>A plain HTTP app</h1>
<p>This app speaks HTTP/1.1 on a loopback port and has never heard of TLS. You see it over HTTPS because the sidecar is in front of it.</p>
<p>Try <a href="/headers">/headers</a>, <a href="/slow">/slow</a>, <a href="/events">/events</a>,
or send something to <code>/upload</code>.</p>
<h2>${escapeHtml(request.method ?? '')} ${escapeHtml(request.url ?? '')}, and the headers that the app got</h2>
<table>
${rows}
</table>
</html>
`);
}

function headers(request: IncomingMessage, response: ServerResponse): void {
  json(response, { method: request.method, url: request.url, headers: pairs(request.rawHeaders) });
}

function slow(_request: IncomingMessage, response: ServerResponse): void {
  const timer = setTimeout(() => json(response, { waitedMs: slowMs }), slowMs);
  response.on('close', () => clearTimeout(timer));
}

function events(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  let sent = 0;
  const send = (): void => {
    sent += 1;
    response.write(`id: ${sent}\ndata: event ${sent} of ${eventCount}\n\n`);
    if (sent === eventCount) response.end();
  };
  send();
  const timer = setInterval(send, eventEveryMs);
  response.on('close', () => clearInterval(timer));
}

async function upload(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    hash.update(chunk);
    length += chunk.length;
  }
  json(response, { length, sha256: hash.digest('hex') });
}

function notFound(_request: IncomingMessage, response: ServerResponse): void {
  response.statusCode = 404;
  json(response, { error: 'no such page', pages: [...routes.keys()] });
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('Content-Type', 'application/json');
  response.end(`${JSON.stringify(value, undefined, 2)}\n`);
}

function pairs(raw: readonly string[]): [name: string, value: string][] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? '']] : []));
}

function escapeHtml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => names[character] ?? '');
}
