// The socket that clients reach. Looks at the first byte to tell TLS from plain HTTP, runs the handshake, and hands
// each connection on by what ALPN agreed. Every socket has an error listener; it decides nothing about requests.

import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { errorCode } from '../errors.ts';
import type { Clock, Handler, TlsFacts } from '../exchange.ts';
import type { ClientIdentity } from '../identity/peer.ts';
import { type Bound, openPort } from '../ports.ts';
import {
  ClientCertificateReader,
  type ClientCertificates,
  completeContext,
  type Refusal,
} from './client-certificates.ts';
import { Connections, type OpenConnection } from './connections.ts';
import { Http1Connection, type Http1Options } from './http1.ts';
import { Http2Connection, type Http2Options, http2Options, type SessionFault } from './http2.ts';
import type { Limits } from './limits.ts';

export interface ListenerObserver {
  connected(protocol: string): void;
  handshake(version: string, resumed: boolean): void;
  handshakeFailed(reason: string): void;
  plaintext(): void;
  /** Over TLS alone where a certificate is required, else once, before the answers that tell of it. */
  clientRefused(refusal: Refusal, remoteAddress: string): void;
  /** An HTTP/2 session was ended for what its client did; at most once a session. `detail` is Node's or our own text. */
  sessionFailed(fault: SessionFault, detail: string, remoteAddress: string): void;
}

export type ListenerOptions = {
  readonly tls: TlsOptions;
  readonly handler: Handler;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Offer HTTP/2. */
  readonly http2: boolean;
  /** Where clients are asked for a certificate (`tls` asks for it, too). */
  readonly clientCertificates: ClientCertificates | undefined;
  readonly observer: ListenerObserver;
};

export interface Listener {
  readonly connections: Connections;
  /** Begins to accept; rejects with the system's error. */
  open(address: { host: string | undefined; port: number }): Promise<Bound>;
  /** New handshakes use these; open connections are not touched. */
  setTls(options: TlsOptions): void;
  /** Clients are verified by another CA: those verified before end after what is in flight. */
  retireVerified(): void;
  /** Accepts no more, closes what is idle; resolves when the last connection has ended. */
  drain(): Promise<void>;
  /** Cuts what is left and says how many that were. */
  stop(): number;
}

const TLS_HANDSHAKE_RECORD = 0x16;
const KEEP_ALIVE_PROBE_MS = 60_000;

export function createListener(options: ListenerOptions): Listener {
  const { limits, clock, observer } = options;
  const connections = new Connections(clock);
  const http1: Http1Options = { handler: options.handler, limits, connections, clock };
  const http2: Http2Options = { ...http1, sessionFailed: observer.sessionFailed };
  const settings = http2Options(limits.maxHeaderBytes, limits.maxFields);

  const tls = createTlsServer({
    ...options.tls,
    ALPNProtocols: options.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
    handshakeTimeout: limits.handshakeTimeoutMs,
  });
  completeContext(tls, options.tls);
  const certificates = options.clientCertificates && new ClientCertificateReader(tls, options.clientCertificates);
  /** Who is between the first byte and the end of the handshake, by peer, so that a drain waits for them. */
  const shaking = new Map<string, () => void>();
  tls.on('secureConnection', (socket: TLSSocket) => {
    shaking.get(peerOf(socket))?.();
    const presented = certificates?.read(socket);
    if (presented?.refusal !== undefined) {
      observer.clientRefused(presented.refusal, addressOf(socket));
      // Fail closed: nothing reads this connection as HTTP.
      if (options.clientCertificates?.required !== false) {
        observer.handshakeFailed(presented.refusal.reason);
        return void socket.on('error', ignoreError).destroy();
      }
    }
    const facts = tlsFacts(socket, presented?.client);
    observer.handshake(facts.version, facts.resumed);
    const client = { remoteAddress: addressOf(socket), tls: facts, client: presented?.client };
    if (socket.alpnProtocol === 'h2') new Http2Connection(socket, client, http2, settings);
    else new Http1Connection(socket, client, http1);
    observer.connected(socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1');
  });
  tls.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    const refusal = certificates?.failed(error, socket);
    if (refusal !== undefined) observer.clientRefused(refusal, addressOf(socket));
    observer.handshakeFailed(refusal?.reason ?? handshakeFault(error));
  });

  const server = createServer({
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
  });
  server.on('connection', (socket: Socket) => {
    socket.on('error', ignoreError);
    sniff(socket, connections, clock() + limits.handshakeTimeoutMs, (kind, forget) => {
      if (kind === 'tls') {
        const peer = peerOf(socket);
        shaking.set(peer, () => void (shaking.delete(peer) && forget()));
        socket.once('close', () => shaking.get(peer)?.());
        return void tls.emit('connection', socket);
      }
      if (kind === 'other') return void socket.destroy(void observer.handshakeFailed('not_tls'));
      observer.plaintext();
      observer.connected('http/1.1');
      new Http1Connection(socket, { remoteAddress: addressOf(socket), tls: undefined, client: undefined }, http1);
      forget();
    });
  });

  return {
    connections,
    open: (address) => openPort(server, address),
    setTls(next) {
      tls.setSecureContext(next);
      completeContext(tls, next);
    },
    retireVerified: () => connections.retireAll(),
    drain() {
      server.close();
      return connections.drain();
    },
    stop() {
      server.close();
      return connections.destroyAll();
    },
  };
}

type FirstByte = 'tls' | 'http' | 'other';

/**
 * Waits for the first byte and puts it back. A client that leaves before it (a TCP probe) is nobody's business.
 * `then` is given what takes the connection out of the registry, to be called when its successor stands there.
 */
function sniff(
  socket: Socket,
  connections: Connections,
  deadlineMs: number,
  then: (kind: FirstByte, forget: () => void) => void,
): void {
  let silent = true;
  const waiting: OpenConnection = {
    protocol: 'unknown',
    deadlineMs,
    expire: () => socket.destroy(),
    drain: () => void (silent && socket.destroy()),
    // A handshake that is under way verifies by what it began with.
    retire: () => void (silent || socket.destroy()),
    destroy: () => socket.destroy(),
  };
  const forget = (): void => connections.delete(waiting);
  const end = (): void => void socket.destroy();
  connections.add(waiting);
  socket.once('close', forget);
  socket.once('end', end);
  socket.once('data', (bytes: Buffer) => {
    silent = false;
    socket.off('end', end);
    socket.pause();
    socket.unshift(bytes);
    then(kindOfByte(bytes[0] as number), forget);
  });
}

function kindOfByte(byte: number): FirstByte {
  if (byte === TLS_HANDSHAKE_RECORD) return 'tls';
  // A letter, or the line end that may stand before a request line: a method begins.
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x0d ? 'http' : 'other';
}

function tlsFacts(socket: TLSSocket, client: ClientIdentity | undefined): TlsFacts {
  const sni = (socket as { servername?: unknown }).servername;
  return {
    version: socket.getProtocol() ?? '',
    cipher: socket.getCipher().standardName,
    sni: typeof sni === 'string' ? sni : '',
    resumed: socket.isSessionReused(),
    client: client?.kind === 'verified' ? client.peer.name : undefined,
  };
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

/** The peer's address, IPv4-mapped IPv6 as IPv4. */
function addressOf(socket: Socket): string {
  const address = socket.remoteAddress ?? '';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

/** One of few words, for a metric's label. */
function handshakeFault(error: Error): string {
  const code = errorCode(error);
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'timeout';
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'client_left';
  if (code === 'ERR_SSL_NO_SHARED_CIPHER') return 'no_shared_cipher';
  if (code === 'ERR_SSL_UNSUPPORTED_PROTOCOL' || code === 'ERR_SSL_VERSION_TOO_LOW') return 'version';
  if (code.includes('ALERT')) return 'client_alert';
  return 'protocol';
}

function ignoreError(): void {
  // A close always follows.
}
