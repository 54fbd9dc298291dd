// A raw client, over TLS or plain TCP: sends the bytes that the test gives and keeps every byte that comes back.
// It trusts every certificate unless told otherwise, never sends anything of its own, and its sockets never throw at the test:
// `closed` says how a connection went.

import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type SecureVersion, type TLSSocket } from 'node:tls';
import { patienceMs } from './poll.ts';
import { Received, type Wanted } from './received.ts';
import { type RawResponse, type ReadOptions, readResponse } from './response.ts';

type Pem = string | Buffer;

export type AddressOptions = {
  port: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** Where the connection comes from: another address of the loopback is another client. */
  localAddress?: string;
  /** For the connection and the handshake; default patienceMs. */
  deadlineMs?: number;
  /** True: the server's end does not end our side. */
  allowHalfOpen?: boolean;
};

export type ConnectOptions = AddressOptions & {
  /** Default `localhost`; an empty one sends no SNI. */
  servername?: string;
  alpn?: string[];
  minVersion?: SecureVersion;
  maxVersion?: SecureVersion;
  ca?: Pem | Pem[];
  cert?: Pem;
  key?: Pem;
  session?: Buffer;
  /** Default false. */
  rejectUnauthorized?: boolean;
  /** Sent in clear before the handshake: a PROXY header, or what does not belong there. */
  preamble?: Pem;
  /** What node:tls takes beside these: ciphers, curves … */
  tls?: ConnectionOptions;
};

export interface RawClient<S extends Socket = TLSSocket> {
  readonly socket: S;
  /** All bytes so far. */
  readonly received: Buffer;
  /** The server has ended its side, or the connection is gone. */
  readonly ended: boolean;
  /** Resolves once the connection is gone; never rejects. `code` is the socket error's, when there was one. */
  readonly closed: Promise<{ hadError: boolean; code?: string }>;
  /** The latest session ticket, for `session`. TLS 1.3 sends it after the handshake: poll for it. */
  readonly session: Buffer | undefined;
  send(bytes: Buffer | string): void;
  /** Ends our side (close_notify and FIN). */
  end(bytes?: Buffer | string): void;
  /** Resolves with all text so far (latin1); rejects at the deadline (patienceMs) or when the end came first. */
  waitFor(wanted: Wanted, deadlineMs?: number): Promise<string>;
  /** The next response, after those read before; pipelined answers come one a call. */
  readResponse(options?: ReadOptions): Promise<RawResponse>;
  /** What came after the responses that were read: an upgraded connection's bytes, or nothing. */
  readonly unread: Buffer;
  /** Closes without a word more (FIN, no close_notify). */
  destroy(): void;
  /** Sends an RST. */
  reset(): void;
}

/** Rejects when the handshake fails, with node's error (`code` is OpenSSL's or the system's word). */
export async function connect(options: ConnectOptions): Promise<RawClient> {
  const tcp = await openTcp(options);
  if (options.preamble !== undefined) tcp.write(options.preamble);
  const { deadlineMs = patienceMs } = options;
  const socket = connectTls(tlsOptions(options, tcp));
  const client = clientOf(socket, tcp);
  await established({ socket, event: 'secureConnect', deadlineMs });
  return client;
}

/** The same client without TLS. */
export async function connectPlain(options: AddressOptions): Promise<RawClient<Socket>> {
  const socket = await openTcp(options);
  return clientOf(socket, socket);
}

function tlsOptions(options: ConnectOptions, tcp: Socket): ConnectionOptions {
  const { servername = 'localhost', alpn, rejectUnauthorized = false } = options;
  const { minVersion, maxVersion, ca, cert, key, session, allowHalfOpen } = options;
  return {
    socket: tcp,
    servername,
    rejectUnauthorized,
    ...(alpn && { ALPNProtocols: alpn }),
    ...(minVersion && { minVersion }),
    ...(maxVersion && { maxVersion }),
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(session && { session }),
    ...(allowHalfOpen && { allowHalfOpen }),
    ...options.tls,
  };
}

async function openTcp(options: AddressOptions): Promise<Socket> {
  const { port, host = '127.0.0.1', localAddress, allowHalfOpen = false, deadlineMs = patienceMs } = options;
  const socket = connectTcp({ port, host, allowHalfOpen, noDelay: true, ...(localAddress && { localAddress }) });
  await established({ socket, event: 'connect', deadlineMs });
  return socket;
}

function established(wait: { socket: Socket; event: string; deadlineMs: number }): Promise<void> {
  const { socket, event, deadlineMs } = wait;
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error(`no ${event} within ${deadlineMs} ms`)), deadlineMs);
    socket.once('error', fail);
    socket.once('close', () => fail(new Error(`closed before ${event}`)));
    socket.once(event, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function clientOf<S extends Socket>(socket: S, tcp: Socket): RawClient<S> {
  const received = new Received();
  let readTo = 0;
  let session: Buffer | undefined;
  let failure: NodeJS.ErrnoException | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
  };
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  socket.on('session', (ticket: Buffer) => {
    session = ticket;
  });
  socket.on('end', () => received.end());
  socket.on('error', fail);
  tcp.on('error', fail);
  const closed = new Promise<{ hadError: boolean; code?: string }>((resolve) => {
    socket.on('close', () => {
      received.end(failure);
      resolve({ hadError: failure !== undefined, ...(failure?.code !== undefined && { code: failure.code }) });
    });
  });
  return {
    socket,
    closed,
    get received() {
      return received.bytes;
    },
    get ended() {
      return received.ended;
    },
    get session() {
      return session;
    },
    get unread() {
      return received.bytes.subarray(readTo);
    },
    send: (bytes) => void socket.write(bytes),
    end: (bytes) => void (bytes === undefined ? socket.end() : socket.end(bytes)),
    waitFor: (wanted, deadlineMs) => received.waitFor(wanted, deadlineMs),
    async readResponse(options) {
      const { response, next } = await readResponse(received, readTo, options);
      readTo = next;
      return response;
    },
    destroy() {
      socket.destroy();
      tcp.destroy();
    },
    reset: () => void tcp.resetAndDestroy(),
  };
}
