// Node's TLS servers, one for each set of settings; none of them listens, each is handed sockets. A server and no
// SNICallback for each certificate: the callback's context lends its first certificate only, and before Node 24 leaves the
// default's of other kinds of key in place, so that a client could be shown the wrong one.

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
  readonly shaken: (socket: TLSSocket) => void;
  readonly failed: (error: Error, socket: TLSSocket) => void;
};

export class TlsServers {
  readonly #options: TlsServersOptions;
  #tls: TlsChoice;
  /** Settings that are served no more go, and their server with them. */
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

  /** The socket is paused, and what was read of it put back. */
  shakeHands(socket: Socket, serverName: string): void {
    const { fallback, choose } = this.#tls;
    this.#serverOf(choose?.(serverName) ?? fallback).emit('connection', socket);
  }

  #serverOf(tls: TlsOptions): Server {
    const known = this.#made.get(tls);
    if (known !== undefined) return known;
    const { protocols, handshakeTimeoutMs, certificates, shaken, failed } = this.#options;
    const server = createServer({
      ...tls,
      ALPNProtocols: protocols,
      // The deadline outside comes first: Node's own counts from the first byte of TLS, and closes nothing.
      handshakeTimeout: handshakeTimeoutMs + 60_000,
    });
    completeContext(server, tls);
    certificates?.attach(server);
    server.on('secureConnection', shaken);
    server.on('tlsClientError', failed);
    this.#made.set(tls, server);
    return server;
  }
}
