// A client of HTTP/2 on Node's core API, for what a browser or gRPC library would hide: interim answers, trailers, raw
// streams, extended CONNECT, and how exactly a stream ended.

import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2';

export type H2Answer = {
  status: number;
  headers: Record<string, unknown>;
  /** Status and fields of every 1xx. */
  interim: { status: number; headers: Record<string, unknown> }[];
  trailers: Record<string, unknown> | undefined;
  body: Buffer;
  /** False: reset, or the connection was lost; never the case for a marked end. */
  complete: boolean;
  rstCode: number;
};

export interface H2Client {
  readonly session: ClientHttp2Session;
  /** Starts a request whose body and end are the test's. */
  open(headers: OutgoingHttpHeaders, options?: object): ClientHttp2Stream;
  request(headers: OutgoingHttpHeaders, body?: Buffer, trailers?: OutgoingHttpHeaders): Promise<H2Answer>;
  close(): void;
}

export async function openH2Client(port: number, ca: string): Promise<H2Client> {
  const session = connect(`https://localhost:${port}`, { ca });
  session.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    session.once('remoteSettings', () => resolve());
    session.once('error', reject);
  });
  const open = (headers: OutgoingHttpHeaders, options: object = {}): ClientHttp2Stream => {
    const stream = session.request({ ':path': '/', ...headers }, { endStream: false, ...options });
    stream.on('error', () => {});
    return stream;
  };
  return {
    session,
    open,
    request(headers, body, trailers) {
      const waitForTrailers = trailers !== undefined;
      const stream = open(headers, { endStream: body === undefined && !waitForTrailers, waitForTrailers });
      if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
      if (body !== undefined || waitForTrailers) stream.end(body);
      return answerOf(stream);
    },
    close: () => session.destroy(),
  };
}

export function answerOf(stream: ClientHttp2Stream): Promise<H2Answer> {
  const answer: H2Answer = {
    status: 0,
    headers: {},
    interim: [],
    trailers: undefined,
    body: Buffer.alloc(0),
    complete: false,
    rstCode: 0,
  };
  const chunks: Buffer[] = [];
  // Node says `end` for a reset, too: only a marked end comes while the stream is open.
  const { push } = stream;
  stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk === null && !stream.closed && !stream.destroyed) answer.complete = true;
    return push.call(stream, chunk, encoding);
  };
  stream.on('headers', (headers) => answer.interim.push({ status: headers[':status'] ?? 0, headers: { ...headers } }));
  stream.on('response', (headers) => {
    answer.status = headers[':status'] ?? 0;
    answer.headers = { ...headers };
  });
  stream.on('trailers', (headers) => {
    answer.trailers = { ...headers };
  });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', () => {});
  return new Promise((resolve) => {
    stream.on('close', () => {
      answer.body = Buffer.concat(chunks);
      answer.rstCode = stream.rstCode ?? 0;
      resolve(answer);
    });
  });
}
