// Node's TLS servers, one for each set of settings; none of them listens, each is handed sockets. Not one server with an
// SNICallback: the callback's context lends its first certificate only, and before Node 24 leaves the default's of other
// kinds of key in place, so that a client could be shown the wrong one.

import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import type { TlsChoice } from '../../identity/sni/choice.ts';
import { type ClientCertificateReader, completeContext } from './client-certificates.ts';

export type TlsServersOptions = {
  /** For ALPN, in the order of our preference. */
  readonly protocols: string[];
  /** Whoever hands sockets over ends them when this is over. */
  readonly handshakeTimeoutMs: number;
  readonly certificates: ClientCertificateReader | undefined;
  readonly secured: (socket: TLSSocket) => void;
  /** Also called for a socket that we have destroyed, with ECONNRESET. */
  readonly failed: (error: Error, socket: TLSSocket) => void;
};

export class TlsServers {
  readonly #options: TlsServersOptions;
  #tls: TlsChoice;
  /** Weak: when settings are no longer served, their server goes with them. */
  readonly #made = new WeakMap<TlsOptions, Server>();

  constructor(tls: TlsChoice, options: TlsServersOptions) {
    this.#tls = tls;
    this.#options = options;
  }

  get chooseByName(): boolean {
    return this.#tls.choose !== undefined;
  }

  /** For handshakes that begin from now on. */
  use(tls: TlsChoice): void {
    this.#tls = tls;
  }

  /** The socket is paused, and what was read of it has been put back. */
  startHandshake(socket: Socket, serverName: string): void {
    const { fallback, choose } = this.#tls;
    this.#serverOf(choose?.(serverName) ?? fallback).emit('connection', socket);
  }

  #serverOf(tls: TlsOptions): Server {
    const known = this.#made.get(tls);
    if (known !== undefined) return known;
    const { protocols, handshakeTimeoutMs, certificates, secured, failed } = this.#options;
    const server = createServer({
      ...tls,
      ALPNProtocols: protocols,
      // Longer than ours, so that ours comes first: Node's counts from the first byte of TLS, and closes nothing.
      handshakeTimeout: handshakeTimeoutMs + 60_000,
    });
    completeContext(server, tls);
    certificates?.attach(server);
    server.on('secureConnection', secured);
    server.on('tlsClientError', failed);
    this.#made.set(tls, server);
    return server;
  }
}
