// A collector of traces on 127.0.0.1: it keeps what it is posted, and answers as the test says.

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { readTraces, type Span } from './otlp.ts';
import { eventually } from './poll.ts';

export type Post = { path: string; headers: IncomingHttpHeaders; spans: Span[] };
type Answer = (response: ServerResponse) => void;

export interface Collector {
  readonly url: string;
  readonly posts: readonly Post[];
  /** Of all posts, those that were refused, too. */
  readonly spans: readonly Span[];
  /** How it answers from now on; at first 200 with an empty message. */
  answer: Answer;
  /** Resolves once as many spans came; with the first of them. */
  waitFor(count: number): Promise<readonly Span[]>;
  /** Nothing listens any more. */
  stop(): Promise<void>;
  /** Listens again, on the same port. */
  start(): Promise<void>;
}

export const OK: Answer = (response) =>
  void response.writeHead(200, { 'Content-Type': 'application/x-protobuf' }).end();

export async function startCollector(t: TestContext): Promise<Collector> {
  const posts: Post[] = [];
  const spans: Span[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const post = { path: request.url ?? '', headers: request.headers, spans: readTraces(Buffer.concat(chunks)) };
      posts.push(post);
      spans.push(...post.spans);
      collector.answer(response);
    });
  });
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  t.after(stop);
  const collector: Collector = {
    url: `http://127.0.0.1:${port}`,
    posts,
    spans,
    answer: OK,
    async waitFor(count) {
      await eventually(() => spans.length >= count, { what: `${count} spans` });
      return spans;
    },
    stop,
    start: () => listen(port),
  };
  return collector;
}
