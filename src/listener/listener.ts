// What clients reach: accepts connections on one address or several, together up to a number, and hands each, once it is
// secured, to the protocol that ALPN agreed. It decides nothing about clients or requests.

import { createServer, type Server, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { clientKey } from '../clients/client-key.ts';
import type { Clock, Handler } from '../exchange.ts';
import type { TlsChoice } from '../identity/sni/choice.ts';
import { type AddressList, canonicalAddress } from '../net/addresses.ts';
import type { Budget } from '../net/budget.ts';
import type { Deadlines } from '../net/deadlines.ts';
import { ignoreError } from '../net/guard.ts';
import { type Bound, type ListenAddress, openPort } from '../net/ports.ts';
import type { ClientCertificates } from './accept/client-certificates.ts';
import { type Accepted, type HandshakeObserver, Handshakes } from './accept/handshakes.ts';
import { PendingConnection } from './accept/pending-connection.ts';
import { Connections } from './connections.ts';
import { Http1Connection } from './http1/connection.ts';
import type { Http1Options } from './http1/options.ts';
import { Http2Connection } from './http2/connection.ts';
import type { Http2Options, SessionReason } from './http2/options.ts';
import type { Limits } from './limits.ts';
import { limitTogether } from './shared-limit.ts';

export interface ListenerObserver extends HandshakeObserver {
  connected(protocol: string): void;
  /** An HTTP/2 session was ended for what its client did; at most once a session. `detail` says what it was. */
  sessionFailed(reason: SessionReason, detail: string, remoteAddress: string): void;
}

export type ListenerOptions = {
  readonly tls: TlsChoice;
  /** One for each address, at least one; they take the exchanges of its connections. */
  readonly handlers: readonly Handler[];
  readonly limits: Limits;
  readonly clock: Clock;
  /** On the same clock. */
  readonly deadlines: Deadlines;
  /** Offer HTTP/2. */
  readonly http2: boolean;
  /** More connections than this on all addresses, whatever state they are in, are closed at once; before that, who is idle has to go. */
  readonly maxConnections: number;
  /** TCP peers that must send a PROXY header. */
  readonly balancers: AddressList;
  /** Where clients are asked for a certificate (`tls` asks for it, too). */
  readonly clientCertificates: ClientCertificates | undefined;
  readonly observer: ListenerObserver;
  /** What may be held for clients. */
  readonly budget: Budget;
};

export interface Listener {
  readonly connections: Connections;
  /** Begins to accept, for the handler at this place (default: the first); rejects with the system's error. */
  open(address: ListenAddress, at?: number): Promise<Bound>;
  /** New handshakes use these; open connections are not touched. */
  setTls(tls: TlsChoice): void;
  /** Clients are verified by another CA: those verified before end after what is in flight. */
  revokeVerified(): void;
  /** Goes on to accept, and tells every client to go. */
  announce(): void;
  /** Accepts no more, closes what is idle; resolves when the last connection has ended. */
  drain(): Promise<void>;
  /** Cuts what is left and says how many that were. */
  stop(): number;
}

const KEEP_ALIVE_PROBE_MS = 60_000;

export function createListener(options: ListenerOptions): Listener {
  const { limits, clock, deadlines, maxConnections, handlers } = options;
  const connections = new Connections({ clock, deadlines, maxAgeMs: limits.maxConnectionAgeMs, maxConnections });
  const entries = handlers.map((handler) => createEntry(options, handler, connections));
  const servers = entries.map(({ server }) => server);
  limitTogether(servers, maxConnections);
  const close = (): void => {
    for (const server of servers) server.close();
  };
  return {
    connections,
    open: (address, at = 0) => openPort(servers[at] as Server, address),
    setTls(next) {
      for (const { handshakes } of entries) handshakes.use(next);
    },
    revokeVerified: () => connections.revokeAll(),
    announce: () => connections.announce(),
    drain() {
      close();
      return connections.drain();
    },
    stop() {
      close();
      return connections.destroyAll();
    },
  };
}

/** What accepts the connections of one address. */
type Entry = { readonly server: Server; readonly handshakes: Handshakes };

function createEntry(options: ListenerOptions, handler: Handler, connections: Connections): Entry {
  const { limits, clock, observer, balancers } = options;
  const http1: Http1Options = { handler, limits, connections, clock };
  const http2: Http2Options = { ...http1, sessionFailed: observer.sessionFailed };
  const handshakes = new Handshakes({
    tls: options.tls,
    http2: options.http2,
    handshakeTimeoutMs: limits.handshakeTimeoutMs,
    clientCertificates: options.clientCertificates,
    observer,
    accepted({ socket, protocol, ...accepted }: Accepted) {
      const account = options.budget.open(clientKey(accepted.client, accepted.remoteAddress));
      const client = { ...accepted, account };
      if (protocol === 'h2') new Http2Connection(socket as TLSSocket, client, http2);
      else new Http1Connection(socket, client, http1);
      observer.connected(protocol);
    },
    crashed: (error) => handler.crashed(undefined, error),
  });
  const needsServerName = (): boolean => handshakes.needsServerName;
  const accept = (socket: Socket): void => {
    socket.on('error', ignoreError);
    const nowMs = clock();
    const times = { deadlineMs: nowMs + limits.handshakeTimeoutMs, silentUntilMs: nowMs + limits.lingerMs };
    new PendingConnection(socket, { connections, events: handshakes, ...times, balancers, needsServerName });
  };
  const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS });
  server.on('drop', (peer) => observer.refused('max_connections', canonicalAddress(peer?.remoteAddress ?? '') ?? ''));
  server.on('connection', (socket: Socket) => {
    try {
      accept(socket);
    } catch (error) {
      socket.destroy();
      handler.crashed(undefined, error);
    }
  });
  return { server, handshakes };
}
