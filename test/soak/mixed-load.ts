// Every kind of traffic at once through one sidecar, until it is told to stop: HTTP/1.1 and HTTP/2 requests, a WebSocket and a
// gRPC stream on connections that stay, and newcomers that make a handshake each. It counts; the test judges.

import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';
import { message } from '../support/grpc.ts';
import { openGrpcApp } from '../support/grpc-app.ts';
import { calls, openGrpcClient } from '../support/grpc-client.ts';
import { openH2Client } from '../support/node-h2-client.ts';
import { connect } from '../support/raw-client.ts';

export type Counts = {
  http1: number;
  h2: number;
  webSocket: number;
  grpc: number;
  handshakes: number;
  /** What the latest newcomer was shown, lower case. */
  serial: string;
  /** Requests, messages and handshakes that went wrong, in words. */
  failures: string[];
  /** Connections that ended before they were told to. */
  broken: string[];
};

export interface MixedApp {
  readonly port: number;
  close(): void;
}

/** HTTP/1.1 with WebSockets, and gRPC over h2c, on one port: told apart by HTTP/2's preface. */
export async function startMixedApp(): Promise<MixedApp> {
  const http = createServer((_request, response) => response.end('the app'));
  http.keepAliveTimeout = 60_000;
  const webSockets = new WebSocketServer({ server: http });
  webSockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  const grpc = await openGrpcApp();
  const http1 = await listen(http);
  const front = createTcpServer((socket) => {
    socket.once('data', (first: Buffer) =>
      splice(socket, first, first.toString('latin1', 0, 4) === 'PRI ' ? grpc.port : http1),
    );
    socket.on('error', () => {});
  });
  const port = await listen(front);
  return {
    port,
    close() {
      front.close();
      http.close();
      http.closeAllConnections();
      webSockets.close();
      grpc.close();
    },
  };
}

function splice(socket: Socket, first: Buffer, port: number): void {
  const inner = connectTcp({ port, host: '127.0.0.1', noDelay: true });
  inner.on('error', () => socket.destroy());
  socket.on('close', () => inner.destroy());
  inner.on('close', () => socket.destroy());
  inner.write(first);
  socket.pipe(inner).pipe(socket);
}

async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** The pause between two requests of one client: load, not saturation. */
const PACE_MS = 5;
const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

export interface MixedLoad {
  readonly counts: Counts;
  /** Ends all connections; resolves when the last one has. */
  stop(): Promise<void>;
}

type Run = { readonly port: number; readonly ca: string; readonly counts: Counts; over: boolean };

export function startMixedLoad(port: number, ca: string): MixedLoad {
  const counts: Counts = {
    http1: 0,
    h2: 0,
    webSocket: 0,
    grpc: 0,
    handshakes: 0,
    serial: '',
    failures: [],
    broken: [],
  };
  const run: Run = { port, ca, counts, over: false };
  const clients = [http1, http1, h2, h2, webSocket, grpc, newcomers, newcomers];
  const ended = Promise.all(
    clients.map((client) =>
      client(run).catch((error: unknown) => void counts.failures.push(`${client.name}: ${error}`)),
    ),
  );
  return {
    counts,
    async stop() {
      run.over = true;
      await ended;
    },
  };
}

function expect(run: Run, holds: boolean, what: string): void {
  if (!holds) run.counts.failures.push(what);
}

async function http1(run: Run): Promise<void> {
  const client = await connect({ port: run.port, ca: run.ca, rejectUnauthorized: true });
  void client.closed.then(() => run.over || run.counts.broken.push('http1'));
  // What was read is kept by the client for ever; a new connection now and then would be no long-lived one.
  while (!run.over) {
    client.send(GET);
    const { status, body, complete } = await client.readResponse();
    expect(run, status === 200 && complete && body.toString() === 'the app', `http1: ${status} ${body}`);
    run.counts.http1 += 1;
    await delay(PACE_MS);
  }
  client.end();
  await client.closed;
}

async function h2(run: Run): Promise<void> {
  const client = await openH2Client(run.port, run.ca);
  client.session.on('close', () => run.over || run.counts.broken.push('h2'));
  client.session.on('goaway', () => run.over || run.counts.broken.push('h2 goaway'));
  while (!run.over) {
    const { status, complete, body } = await client.request({ ':method': 'GET' });
    expect(run, status === 200 && complete && body.toString() === 'the app', `h2: ${status}`);
    run.counts.h2 += 1;
    await delay(PACE_MS);
  }
  client.close();
}

async function webSocket(run: Run): Promise<void> {
  const socket = new WebSocket(`wss://localhost:${run.port}/`, { ca: run.ca });
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.on('close', () => run.over || run.counts.broken.push('webSocket'));
  for (let count = 0; !run.over; count += 1) {
    const echo = new Promise<string>((resolve) => socket.once('message', (data) => resolve(String(data))));
    socket.send(`message ${count}`);
    expect(run, (await Promise.race([echo, late()])) === `message ${count}`, `webSocket: message ${count}`);
    run.counts.webSocket += 1;
    await delay(PACE_MS);
  }
  socket.close();
}

async function grpc(run: Run): Promise<void> {
  const client = calls(openGrpcClient(run.port, run.ca));
  const stream = client.duplex();
  const take: { echo: (bytes: Buffer) => void } = { echo: () => {} };
  stream.on('data', (bytes) => take.echo(bytes));
  (stream as unknown as NodeJS.EventEmitter).on(
    'error',
    (error) => run.over || run.counts.broken.push(`grpc: ${error}`),
  );
  for (let count = 0; !run.over; count += 1) {
    const echo = new Promise<string>((resolve) => {
      take.echo = (bytes) => resolve(bytes.toString());
    });
    stream.write(message({ echo: true }, Buffer.from(`message ${count}`)));
    expect(run, (await Promise.race([echo, late()])) === `message ${count}`, `grpc stream: message ${count}`);
    const { code } = await client.unary('Empty', Buffer.alloc(0));
    expect(run, code === 0, `grpc unary: ${code}`);
    run.counts.grpc += 2;
    await delay(PACE_MS);
  }
  stream.end();
  client.close();
}

async function newcomers(run: Run): Promise<void> {
  while (!run.over) {
    const client = await connect({ port: run.port, ca: run.ca, rejectUnauthorized: true });
    const { serialNumber } = client.socket.getPeerCertificate();
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const { status } = await client.readResponse();
    const { hadError } = await client.closed;
    expect(run, status === 200 && !hadError, `newcomer: ${status}`);
    run.counts.handshakes += 1;
    run.counts.serial = serialNumber.toLowerCase();
    await delay(PACE_MS);
  }
}

async function late(): Promise<string> {
  await delay(10_000, undefined, { ref: false });
  return 'nothing for 10 s';
}
