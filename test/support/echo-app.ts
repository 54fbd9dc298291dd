// An app of HTTP/1.1 for peers that run by themselves: `/hold` is never answered, other GETs get the page, and what is posted
// comes back, with the trailer that it asked for.

import type { TestContext } from 'node:test';
import { startApp } from './app.ts';

/** Its port. */
export async function startEchoApp(t: TestContext, page: Buffer): Promise<number> {
  const { port } = await startApp(t, (request, response) => {
    if (request.url === '/hold') return;
    if (request.method === 'GET') return void response.end(page);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    // Not as it comes: HAProxy 2.6 stalls now and then where an answer begins before its request has ended.
    request.on('end', () => {
      response.writeHead(200, { Trailer: 'X-Trailer, X-Asked' });
      response.write(Buffer.concat(chunks));
      response.addTrailers({ 'X-Trailer': '42', 'X-Asked': request.trailers['x-asked'] ?? '' });
      response.end();
    });
  });
  return port;
}
