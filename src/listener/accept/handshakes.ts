// What happens between the first bytes of a connection and its first request: runs the TLS handshake, settles who the client
// is, counts every end once, and hands over what may be read as HTTP. A connection whose pending state cannot be found is
// closed: nobody would know whose it is.

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ClientIdentity } from '../../clients/certificate.ts';
import { errorCode, type Reason } from '../../errors.ts';
import type { ClientConnection, TlsFacts } from '../../exchange.ts';
import type { TlsChoice } from '../../identity/sni/choice.ts';
import { ignoreError } from '../../net/guard.ts';
import type { HandshakeReason } from '../reasons.ts';
import { type CertificateRefusal, ClientCertificateReader, type ClientCertificates } from './client-certificates.ts';
import type { CutReason, FirstBytes, PendingConnection, PendingEvents, RefusedReason } from './pending-connection.ts';
import { TlsServers } from './tls-servers.ts';

/** A connection that may be read as HTTP. */
export type Accepted = Pick<ClientConnection, 'remoteAddress' | 'peerAddress' | 'tls' | 'client'> & {
  readonly socket: Socket;
  readonly protocol: 'h2' | 'http/1.1';
};

/** Whose handshake failed, and what OpenSSL says of it: its error code, or ''. The name is untrusted text. */
export type HandshakeFailure = {
  readonly peerAddress: string;
  readonly remoteAddress: string;
  readonly serverName: string;
  readonly code: string;
};

export interface HandshakeObserver {
  /** `startedMs`: when its connection was accepted. */
  handshake(version: string, resumed: boolean, startedMs: number): void;
  handshakeFailed(reason: HandshakeReason | Reason, failure: HandshakeFailure): void;
  /** Left before it sent a byte: a TCP probe. */
  left(): void;
  /** Closed without an answer or an alert. */
  refused(reason: RefusedReason, peer: string): void;
  /** Over TLS alone where a certificate is required, else once, before the answers that tell of it. */
  clientRefused(refusal: CertificateRefusal, remoteAddress: string): void;
}

export type HandshakesOptions = {
  readonly tls: TlsChoice;
  /** Offer HTTP/2. */
  readonly http2: boolean;
  readonly handshakeTimeoutMs: number;
  /** Where clients are asked for a certificate (`tls` asks for it, too). */
  readonly clientCertificates: ClientCertificates | undefined;
  readonly observer: HandshakeObserver;
  /** Takes the socket over. */
  readonly accepted: (connection: Accepted) => void;
  readonly crashed: (error: unknown) => void;
};

export class Handshakes implements PendingEvents {
  readonly #options: HandshakesOptions;
  readonly #servers: TlsServers;
  readonly #certificates: ClientCertificateReader | undefined;
  /** By the TCP socket, which the TLS socket is made on. */
  readonly #pending = new WeakMap<object, PendingConnection>();

  constructor(options: HandshakesOptions) {
    const { tls, http2, handshakeTimeoutMs, clientCertificates } = options;
    this.#options = options;
    this.#certificates = clientCertificates && new ClientCertificateReader(clientCertificates);
    this.#servers = new TlsServers(tls, {
      protocols: http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      handshakeTimeoutMs,
      certificates: this.#certificates,
      secured: (socket) => this.#ended(socket, (pending) => this.#secured(socket, pending)),
      failed: (error, socket) => this.#ended(socket, (pending) => this.#failed(error, socket, pending)),
    });
  }

  get needsServerName(): boolean {
    return this.#servers.chooseByName;
  }

  /** For handshakes that begin from now on. */
  use(tls: TlsChoice): void {
    this.#servers.use(tls);
  }

  // ---- PendingEvents

  ready(pending: PendingConnection, speaks: FirstBytes, serverName: string): void {
    const { socket } = pending;
    if (speaks === 'tls') {
      this.#pending.set(socket, pending);
      return this.#servers.startHandshake(socket, serverName);
    }
    pending.settle();
    if (speaks === 'http') return this.#handOver(pending, socket, undefined, undefined);
    this.#report('not_tls', pending);
    socket.destroy();
  }

  refused({ peerAddress }: PendingConnection, reason: RefusedReason): void {
    this.#options.observer.refused(reason, peerAddress);
  }

  left(begun: boolean, pending: PendingConnection): void {
    if (begun) this.#report('client_left', pending);
    else this.#options.observer.left();
  }

  cut(pending: PendingConnection, reason: CutReason): void {
    this.#report(reason, pending);
  }

  crashed(error: unknown): void {
    this.#options.crashed(error);
  }

  // ---- the end of a handshake

  #ended(socket: TLSSocket, report: (pending: PendingConnection) => void): void {
    const pending = this.#pending.get(rawSocketOf(socket) ?? socket);
    try {
      if (pending === undefined) throw new Error('a TLS socket without the TCP socket that it was made on');
      // Reported before, as one that we cut: its error is the echo of that.
      if (pending.settle()) report(pending);
      else socket.destroy();
    } catch (error) {
      socket.on('error', ignoreError).destroy();
      if (pending !== undefined) pending.crashed(error);
      else this.crashed(error);
    }
  }

  #secured(socket: TLSSocket, pending: PendingConnection): void {
    const { observer, clientCertificates } = this.#options;
    const presented = this.#certificates?.read(socket);
    if (presented?.refusal !== undefined) {
      observer.clientRefused(presented.refusal, pending.remoteAddress);
      // Fail closed: nothing reads this connection as HTTP.
      if (clientCertificates?.required !== false) {
        this.#report(presented.refusal.reason, pending);
        return void socket.on('error', ignoreError).destroy();
      }
    }
    const facts = tlsFacts(socket, presented?.client);
    observer.handshake(facts.version, facts.resumed, pending.deadlineMs - this.#options.handshakeTimeoutMs);
    this.#handOver(pending, socket, facts, presented?.client);
  }

  #failed(error: Error, socket: TLSSocket, pending: PendingConnection): void {
    const refusal = this.#certificates?.failed(error, socket);
    if (refusal !== undefined) this.#options.observer.clientRefused(refusal, pending.remoteAddress);
    this.#report(refusal?.reason ?? failureOf(error), pending, errorCode(error));
  }

  #report(reason: HandshakeReason | Reason, pending: PendingConnection, code = ''): void {
    const { peerAddress, remoteAddress, serverName } = pending;
    this.#options.observer.handshakeFailed(reason, { peerAddress, remoteAddress, serverName, code });
  }

  #handOver(
    pending: PendingConnection,
    socket: Socket,
    tls: TlsFacts | undefined,
    client: ClientIdentity | undefined,
  ): void {
    const { remoteAddress, peerAddress } = pending;
    const protocol = (socket as Partial<TLSSocket>).alpnProtocol === 'h2' ? 'h2' : 'http/1.1';
    const accepted = { socket, protocol, remoteAddress, peerAddress, tls, client } as const;
    pending.handOver(() => this.#options.accepted(accepted));
  }
}

/**
 * The TCP socket under a TLS socket. Node has no public name for it; `_parent` is set in Node 20.20, 24.21 and 26.10. Where it
 * is missing no handshake succeeds.
 */
function rawSocketOf(socket: TLSSocket): object | undefined {
  const { _parent: parent } = socket as { _parent?: unknown };
  return typeof parent === 'object' && parent !== null ? parent : undefined;
}

function tlsFacts(socket: TLSSocket, client: ClientIdentity | undefined): TlsFacts {
  const sni = (socket as { servername?: unknown }).servername;
  return {
    version: socket.getProtocol() ?? '',
    cipher: socket.getCipher().standardName,
    sni: typeof sni === 'string' ? sni : '',
    resumed: socket.isSessionReused(),
    client: client?.kind === 'verified' ? client.certificate.name : undefined,
  };
}

/** One of few words, for a metric's label. */
function failureOf(error: Error): HandshakeReason {
  const code = errorCode(error);
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'client_left';
  if (code === 'ERR_SSL_NO_SHARED_CIPHER') return 'no_shared_cipher';
  if (code === 'ERR_SSL_UNSUPPORTED_PROTOCOL' || code === 'ERR_SSL_VERSION_TOO_LOW') return 'version';
  if (code.includes('ALERT')) return 'client_alert';
  return 'protocol';
}
