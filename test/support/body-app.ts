// An app that keeps account of the bodies that it got: which were whole, and which were broken off. It answers at the end of
// a body, or with a head at once where the path is /early. Of HTTP/1.1, or of HTTP/2 in clear text.

import { createServer } from 'node:http';
import { createServer as createH2Server } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface BodyApp {
  /** For --upstream. */
  readonly upstream: string;
  /** Requests whose head came. */
  readonly begun: number;
  /** Bytes of each body that was complete. */
  readonly whole: readonly number[];
  /** Requests that were broken off. */
  readonly broken: number;
}

type Request = {
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'end' | 'close', listener: () => void): unknown;
};
type Answer = { begin(): void; end(body: string): void };

export async function startBodyApp(t: TestContext, kind: 'http' | 'h2c'): Promise<BodyApp> {
  const seen = { begun: 0, whole: [] as number[], broken: 0 };
  const take = (request: Request, early: boolean, complete: () => boolean, answer: Answer): void => {
    let bytes = 0;
    let whole = false;
    seen.begun++;
    if (early) answer.begin();
    request.on('data', (chunk) => {
      bytes += chunk.length;
    });
    request.on('end', () => {
      if (!complete()) return;
      whole = true;
      seen.whole.push(bytes);
      answer.end(String(bytes));
    });
    request.on('close', () => {
      if (!whole) seen.broken++;
    });
  };
  const sockets = new Set<Socket>();
  const server =
    kind === 'http'
      ? createServer((request, response) => {
          request.on('error', () => {});
          const answer = { begin: () => response.flushHeaders(), end: (body: string) => void response.end(body) };
          take(request, request.url === '/early', () => request.complete, answer);
        })
      : createH2Server().on('stream', (stream, { ':path': path }) => {
          stream.on('error', () => {});
          const begin = (): void => void (stream.headersSent || stream.destroyed || stream.respond({ ':status': 200 }));
          // A reset looks like an end, but that it closes the stream.
          take(stream, path === '/early', () => !stream.closed && !stream.aborted, {
            begin,
            end(body) {
              begin();
              stream.end(body);
            },
          });
        });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return Object.assign(seen, { upstream: `${kind}://127.0.0.1:${port}` });
}
