// The socket that clients reach. Lets connections in (entrance.ts) up to a number, runs the handshake, and hands each
// on by what ALPN agreed. Every socket has an error listener; it decides nothing about requests.

import { createServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ClientIdentity } from '../clients/peer.ts';
import { errorCode } from '../errors.ts';
import type { Clock, Handler, TlsFacts } from '../exchange.ts';
import type { TlsChoice } from '../identity/sni/choice.ts';
import { type AddressList, canonicalAddress } from '../net/addresses.ts';
import { type Bound, openPort } from '../net/ports.ts';
import { ClientCertificateReader, type ClientCertificates, type Refusal } from './accept/client-certificates.ts';
import { Entrance, type EntranceEvents, type EntranceFault } from './accept/pending-connection.ts';
import { TlsServers } from './accept/tls-servers.ts';
import { Connections } from './connections.ts';
import { type ClientFacts, Http1Connection, type Http1Options } from './http1/connection.ts';
import { Http2Connection, type Http2Options, http2Options, type SessionFault } from './http2/connection.ts';
import type { Limits } from './limits.ts';

export interface ListenerObserver {
  connected(protocol: string): void;
  handshake(version: string, resumed: boolean): void;
  handshakeFailed(reason: string): void;
  /** Left before it sent a byte: a TCP probe. */
  left(): void;
  /** Closed before anything was said to it. */
  refused(fault: EntranceFault, peer: string): void;
  /** Over TLS alone where a certificate is required, else once, before the answers that tell of it. */
  clientRefused(refusal: Refusal, remoteAddress: string): void;
  /** An HTTP/2 session was ended for what its client did; at most once a session. `detail` is Node's or our own text. */
  sessionFailed(fault: SessionFault, detail: string, remoteAddress: string): void;
}

export type ListenerOptions = {
  readonly tls: TlsChoice;
  readonly handler: Handler;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Offer HTTP/2. */
  readonly http2: boolean;
  /** More connections than this, whatever state they are in, are closed at once. */
  readonly maxConnections: number;
  /** TCP peers that must send a PROXY header. */
  readonly balancers: AddressList;
  /** Where clients are asked for a certificate (`tls` asks for it, too). */
  readonly clientCertificates: ClientCertificates | undefined;
  readonly observer: ListenerObserver;
};

export interface Listener {
  readonly connections: Connections;
  /** Begins to accept; rejects with the system's error. */
  open(address: { host: string | undefined; port: number }): Promise<Bound>;
  /** New handshakes use these; open connections are not touched. */
  setTls(tls: TlsChoice): void;
  /** Clients are verified by another CA: those verified before end after what is in flight. */
  revokeVerified(): void;
  /** Accepts no more, closes what is idle; resolves when the last connection has ended. */
  drain(): Promise<void>;
  /** Cuts what is left and says how many that were. */
  stop(): number;
}

const KEEP_ALIVE_PROBE_MS = 60_000;

export function createListener(options: ListenerOptions): Listener {
  const { limits, clock, observer } = options;
  const connections = new Connections(clock);
  const http1: Http1Options = { handler: options.handler, limits, connections, clock };
  const http2: Http2Options = { ...http1, sessionFailed: observer.sessionFailed };
  const settings = http2Options(limits.maxHeaderBytes, limits.maxFields);

  const certificates = options.clientCertificates && new ClientCertificateReader(options.clientCertificates);
  /** Who is between the first byte and the end of the handshake. */
  const shaking = new Map<string, Entrance>();
  /** Handshakes that we have ended: Node tells of each once more, as of a client that has reset. */
  let cut = 0;
  const shaken = (socket: TLSSocket): void => {
    const entrance = shaking.get(endsOf(socket));
    // It has left already.
    if (entrance === undefined) return void socket.destroy();
    const presented = certificates?.read(socket);
    if (presented?.refusal !== undefined) {
      observer.clientRefused(presented.refusal, entrance.remoteAddress);
      // Fail closed: nothing reads this connection as HTTP.
      if (options.clientCertificates?.required !== false) {
        observer.handshakeFailed(presented.refusal.reason);
        return void socket.on('error', ignoreError).destroy();
      }
    }
    const facts = tlsFacts(socket, presented?.client);
    observer.handshake(facts.version, facts.resumed);
    const client = clientFacts(entrance, facts, presented?.client);
    if (socket.alpnProtocol === 'h2') new Http2Connection(socket, client, http2, settings);
    else new Http1Connection(socket, client, http1);
    observer.connected(socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1');
    shaking.delete(endsOf(socket));
    entrance.leave();
  };
  const failed = (error: Error, socket: TLSSocket): void => {
    if (cut > 0 && errorCode(error) === 'ECONNRESET') return void cut--;
    const refusal = certificates?.failed(error, socket);
    if (refusal !== undefined) {
      const client = shaking.get(endsOf(socket))?.remoteAddress ?? canonicalAddress(socket.remoteAddress ?? '') ?? '';
      observer.clientRefused(refusal, client);
    }
    observer.handshakeFailed(refusal?.reason ?? handshakeFault(error));
  };
  const servers = new TlsServers(options.tls, {
    protocols: options.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
    handshakeTimeoutMs: limits.handshakeTimeoutMs,
    certificates,
    shaken,
    failed,
  });

  const events: EntranceEvents = {
    ready(entrance, kind, serverName) {
      const { socket } = entrance;
      if (kind === 'tls') {
        const ends = endsOf(socket);
        shaking.set(ends, entrance);
        socket.once('close', () => shaking.get(ends) === entrance && shaking.delete(ends));
        return servers.shakeHands(socket, serverName);
      }
      if (kind === 'other') return void socket.destroy(void observer.handshakeFailed('not_tls'));
      observer.connected('http/1.1');
      new Http1Connection(socket, clientFacts(entrance, undefined, undefined), http1);
      entrance.leave();
    },
    refused: ({ peerAddress }, fault) => observer.refused(fault, peerAddress),
    left: (begun) => (begun ? observer.handshakeFailed('client_left') : observer.left()),
    cut({ socket }, reason) {
      observer.handshakeFailed(reason);
      if (shaking.has(endsOf(socket))) cut++;
    },
  };

  const asksForName = (): boolean => servers.chooseByName;
  const server = createServer({
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
  });
  // Node closes what is above it before it has made a socket of it.
  server.maxConnections = options.maxConnections;
  server.on('drop', (peer) => observer.refused('max_connections', canonicalAddress(peer?.remoteAddress ?? '') ?? ''));
  server.on('connection', (socket: Socket) => {
    socket.on('error', ignoreError);
    const deadlineMs = clock() + limits.handshakeTimeoutMs;
    new Entrance(socket, { connections, events, deadlineMs, balancers: options.balancers, asksForName });
  });

  return {
    connections,
    open: (address) => openPort(server, address),
    setTls: (next) => servers.use(next),
    revokeVerified: () => connections.revokeAll(),
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

function clientFacts(
  { remoteAddress, peerAddress }: Entrance,
  tls: TlsFacts | undefined,
  client: ClientIdentity | undefined,
): ClientFacts {
  return { remoteAddress, peerAddress, tls, client };
}

/** Both ends of a connection, which no other one has at the same time. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** One of few words, for a metric's label. */
function handshakeFault(error: Error): string {
  const code = errorCode(error);
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'client_left';
  if (code === 'ERR_SSL_NO_SHARED_CIPHER') return 'no_shared_cipher';
  if (code === 'ERR_SSL_UNSUPPORTED_PROTOCOL' || code === 'ERR_SSL_VERSION_TOO_LOW') return 'version';
  if (code.includes('ALERT')) return 'client_alert';
  return 'protocol';
}

function ignoreError(): void {
  // A close always follows.
}
