// An app whose answers wait for the test: each request is kept until the test answers it, so that a test decides what is
// in flight at which moment, without sleeping.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { startApp } from './app.ts';
import { eventually } from './poll.ts';

export type Kept = { request: IncomingMessage; response: ServerResponse; body: () => Buffer };

export interface HeldApp {
  readonly port: number;
  /** In order of arrival, answered ones too. */
  readonly kept: readonly Kept[];
  waitFor(count: number): Promise<Kept>;
  /** Stops listening and cuts what is open. */
  close(): void;
}

/** Requests for `/now` are answered at once with `now`. */
export async function startHeldApp(t: TestContext): Promise<HeldApp> {
  const kept: Kept[] = [];
  const server = await startApp(t, (request, response) => {
    if (request.url === '/now') return void response.end('now');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    response.on('error', () => {});
    kept.push({ request, response, body: () => Buffer.concat(chunks) });
  });
  return {
    port: server.port,
    kept,
    waitFor: (count) => eventually(() => kept[count - 1], { what: `request ${count} at the app` }),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
