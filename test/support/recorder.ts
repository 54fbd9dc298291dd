// A raw TCP "app": keeps every byte that it receives, per connection, and answers what the test scripts. There is no HTTP
// library in it, so what it recorded is what was sent. Sockets never throw at the test: how each one went is on its record.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { eventually, type PollOptions } from './poll.ts';
import { EndedError, Received, type Wanted } from './received.ts';
import { cutRequest } from './requests.ts';

export interface RecorderConnection {
  /** 0 for the first connection that the recorder accepted. */
  readonly index: number;
  readonly socket: Socket;
  /** All bytes so far. */
  readonly received: Buffer;
  /** The peer has sent its FIN, or the connection is gone. */
  readonly ended: boolean;
  /** Gone, both ways. */
  readonly closed: boolean;
  /** The socket's error, an ECONNRESET for example; libuv on Node 20 hides an RST that comes together with bytes. */
  readonly error: Error | undefined;
  /** Resolves with all text received so far (latin1); rejects at the deadline (patienceMs) or when the end came first. */
  waitFor(wanted: Wanted, deadlineMs?: number): Promise<string>;
  /** Resolves once the connection is gone. */
  waitForClose(deadlineMs?: number): Promise<void>;
  write(bytes: Buffer | string): void;
  /** Sends what is left and a FIN. */
  end(bytes?: Buffer | string): void;
  /** Sends an RST. */
  reset(): void;
}

/**
 * Runs once a connection, when it opens. Once it has finished and the peer has ended, our side ends too. What it throws fails
 * `close()`, except that the connection ended while it waited.
 */
export type Script = (connection: RecorderConnection, recorder: Recorder) => void | Promise<void>;

/** `request` is the whole request as latin1 text, `index` counts over all connections from 0. Nothing returned: no answer. */
export type Answer = (
  request: string,
  index: number,
  connection: RecorderConnection,
) => Buffer | string | undefined | Promise<Buffer | string | undefined>;

export interface Recorder {
  /** 0 on a unix socket. */
  readonly port: number;
  readonly connections: readonly RecorderConnection[];
  /** The complete requests that `answerEach` cut, latin1 text, in order of arrival. */
  readonly requests: string[];
  waitForConnection(index?: number, deadlineMs?: number): Promise<RecorderConnection>;
  waitForRequests(count: number, deadlineMs?: number): Promise<readonly string[]>;
  /** Stops listening and ends everything that is open; rejects with the first error that a script threw. */
  close(): Promise<void>;
}

export type RecorderOptions = {
  /** Default 127.0.0.1. */
  host?: string;
  /** Default: a free one. */
  port?: number;
  /** A unix socket instead. */
  path?: string;
  /** Default: a FIN is answered with ours. True leaves our side open until the script ends it. */
  keepHalfOpen?: boolean;
  /** False: accepted connections are not read until `connection.socket.resume()`. */
  read?: boolean;
};

/** Bytes instead of a script answer each complete request. */
export async function createRecorder(
  script: Script | Buffer | string = () => {},
  options: RecorderOptions = {},
): Promise<Recorder> {
  const connections: RecorderConnection[] = [];
  const requests: string[] = [];
  const failures: unknown[] = [];
  const play = typeof script === 'function' ? script : answerEach(() => script);
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: options.read === false }, async (socket) => {
    const { connection, peerEnded } = record(socket, connections.length);
    connections.push(connection);
    try {
      await play(connection, recorder);
    } catch (error) {
      if (!(error instanceof EndedError)) failures.push(error);
    }
    await peerEnded;
    if (options.keepHalfOpen !== true) socket.end();
  });
  const recorder: Recorder = {
    port: 0,
    connections,
    requests,
    waitForConnection: (index = 0, deadlineMs) =>
      eventually(() => connections[index], within(deadlineMs, `connection ${index} at the recorder`)),
    waitForRequests: (count, deadlineMs) =>
      eventually(() => requests.length >= count && requests, within(deadlineMs, `${count} requests at the recorder`)),
    async close() {
      const closed = server.listening ? once(server, 'close') : undefined;
      server.close();
      for (const connection of connections) connection.socket.destroy();
      await closed;
      if (failures.length > 0) throw failures[0];
    },
  };
  const { host = '127.0.0.1', port = 0, path } = options;
  server.listen(path === undefined ? { host, port } : { path });
  await once(server, 'listening');
  return Object.assign(recorder, { port: path === undefined ? (server.address() as AddressInfo).port : 0 });
}

/**
 * A script that answers each complete request, in order; pipelined ones too. A body that waits for it gets a `100 Continue`.
 * When the peer has ended and all is answered, the connection ends.
 */
export function answerEach(answer: Answer): Script {
  return async (connection, recorder) => {
    let at = 0;
    let continued = -1;
    for (;;) {
      const next = cutRequest(connection.received, at);
      if (next.kind === 'complete') {
        at = next.request.end;
        const text = next.request.bytes.toString('latin1');
        const bytes = await answer(text, recorder.requests.push(text) - 1, connection);
        if (bytes !== undefined) connection.write(bytes);
        continue;
      }
      if (next.expectsContinue && continued !== at) {
        continued = at;
        connection.write('HTTP/1.1 100 Continue\r\n\r\n');
      }
      if (connection.ended) return;
      const had = connection.received.length;
      await connection.waitFor((received) => received.length > had || connection.ended, Number.POSITIVE_INFINITY);
    }
  };
}

/** A complete HTTP/1.1 response with a Content-Length, for scripts. */
export function response(body: Buffer | string = 'ok', options: { status?: string; headers?: string[] } = {}): Buffer {
  const bytes = Buffer.from(body);
  const lines = [
    `HTTP/1.1 ${options.status ?? '200 OK'}`,
    ...(options.headers ?? []),
    `Content-Length: ${bytes.length}`,
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]);
}

function record(socket: Socket, index: number): { connection: RecorderConnection; peerEnded: Promise<void> } {
  const received = new Received();
  let failure: Error | undefined;
  let closed = false;
  socket.setNoDelay(true);
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  socket.on('error', (error) => {
    failure = error;
  });
  socket.on('close', () => {
    closed = true;
    received.end(failure);
  });
  const peerEnded = new Promise<void>((resolve) => {
    socket.on('end', () => {
      received.end();
      resolve();
    });
  });
  const connection: RecorderConnection = {
    index,
    socket,
    get received() {
      return received.bytes;
    },
    get ended() {
      return received.ended;
    },
    get closed() {
      return closed;
    },
    get error() {
      return failure;
    },
    waitFor: (wanted, deadlineMs) => received.waitFor(wanted, deadlineMs),
    async waitForClose(deadlineMs) {
      await eventually(() => closed, within(deadlineMs, `close of connection ${index} at the recorder`));
    },
    write: (bytes) => void socket.write(bytes),
    end: (bytes) => void (bytes === undefined ? socket.end() : socket.end(bytes)),
    reset: () => void socket.resetAndDestroy(),
  };
  return { connection, peerEnded };
}

function within(deadlineMs: number | undefined, what: string): PollOptions {
  return deadlineMs === undefined ? { what } : { what, deadlineMs };
}
