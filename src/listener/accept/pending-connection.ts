// A connection from its acceptance to the end of its handshake: the PROXY header that a named balancer must send, the
// first byte, which tells TLS from plain HTTP, and, where certificates are chosen by it, the server name. One deadline
// covers all of it. A PROXY header from anyone else is never parsed. Each connection is reported exactly once.

import type { Socket } from 'node:net';
import { type AddressList, canonicalAddress } from '../../net/addresses.ts';
import { guarded } from '../../net/guard.ts';
import { type Connections, IdlePlace, type OpenConnection } from '../connections.ts';
import { serverNameOf } from './client-hello.ts';
import { isProxyHeader, type ProxyHeaderReason, readProxyHeader } from './proxy-header.ts';

/** Why a connection was closed without an answer or an alert. */
export type RefusedReason = ProxyHeaderReason | 'proxy_header_timeout' | 'unexpected_proxy_header' | 'max_connections';

/** Why we end a connection whose client has done nothing wrong. */
export type CutReason = 'timeout' | 'client_ca_changed';

export type FirstBytes = 'tls' | 'http' | 'other';

export interface PendingEvents {
  /**
   * The first bytes tell what it speaks; they have been put back, and the socket is paused. `serverName` is '' where none
   * was asked for, or where none is needed and the first bytes do not tell it. Whoever takes it reports the rest: see settle().
   */
  ready(pending: PendingConnection, speaks: FirstBytes, serverName: string): void;
  refused(pending: PendingConnection, reason: RefusedReason): void;
  /** The client left: after some of its first bytes, or without any, as a TCP probe does. */
  left(begun: boolean, pending: PendingConnection): void;
  /** We ended it: the deadline has passed, or the client CA has changed during the handshake. */
  cut(pending: PendingConnection, reason: CutReason): void;
  /** A defect of ours; the connection is closed. */
  crashed(error: unknown): void;
}

export type PendingOptions = {
  readonly connections: Connections;
  readonly events: PendingEvents;
  readonly deadlineMs: number;
  /** A client that has sent nothing until then is not waited for at a drain. */
  readonly silentUntilMs: number;
  /** TCP peers that must send a PROXY header. */
  readonly balancers: AddressList;
  /** Whether the certificate depends on the server name. */
  readonly needsServerName: () => boolean;
};

const TLS_HANDSHAKE_RECORD = 0x16;
const NOTHING = Buffer.alloc(0);

export class PendingConnection implements OpenConnection {
  readonly protocol = 'handshake';
  readonly idlePlace = new IdlePlace(this);
  readonly socket: Socket;
  /** The TCP peer. */
  readonly peerAddress: string;
  /** The client: the source in the balancer's header, else the TCP peer. */
  remoteAddress: string;
  /** The name that the client asks for, as far as the first bytes tell: for the log. */
  serverName = '';
  readonly #options: PendingOptions;
  #state: 'reading' | 'handshake' | 'settled' = 'reading';
  #headerOwed: boolean;
  /** Bytes that do not decide anything yet. */
  #unread: Buffer = NOTHING;
  #draining = false;
  readonly #onData = guarded(this, (bytes: Buffer) => this.#read(bytes));
  readonly #onEnd = (): void => void this.socket.destroy();

  constructor(socket: Socket, options: PendingOptions) {
    this.socket = socket;
    this.peerAddress = canonicalAddress(socket.remoteAddress ?? '') ?? '';
    this.remoteAddress = this.peerAddress;
    this.#options = options;
    this.#headerOwed = options.balancers.has(this.peerAddress);
    options.connections.add(this);
    socket.once(
      'close',
      guarded(this, () => this.#closed()),
    );
    socket.on('end', this.#onEnd);
    // A client that has reset already has no address, and must not pass for a stranger: HAProxy's checks do that.
    if (this.peerAddress === '') socket.destroy();
    else socket.on('data', this.#onData);
  }

  /**
   * Whoever ends the pending state calls this before it reports how. False: that was reported before, and what follows of
   * it, as the ECONNRESET that Node reports for a handshake that we cut, is none of the client's doing.
   */
  settle(): boolean {
    const first = this.#state !== 'settled';
    this.#state = 'settled';
    return first;
  }

  /** `next` registers the connection that goes on with the socket. */
  handOver(next: () => void): void {
    this.#options.connections.replace(this, next);
  }

  // ---- OpenConnection

  get deadlineMs(): number {
    const { deadlineMs, silentUntilMs } = this.#options;
    return this.#draining && this.#silent ? Math.min(deadlineMs, silentUntilMs) : deadlineMs;
  }

  expire(): void {
    if (this.#draining && this.#silent) this.socket.destroy();
    else if (this.#state === 'reading' && this.#headerOwed) this.#refuse('proxy_header_timeout');
    else this.#cut('timeout');
  }

  retire(): void {
    // Nothing is in flight yet. What goes on with the socket has an age of its own.
  }

  /** A handshake verifies its client by the CA that it began with. */
  revoke(): void {
    if (this.#state === 'handshake') this.#cut('client_ca_changed');
  }

  announce(): void {}

  /** The first bytes of a client that has just connected are on their way. */
  drain(): void {
    this.#draining = true;
  }

  destroy(): void {
    if (this.#state === 'handshake') this.settle();
    this.socket.destroy();
  }

  crashed(error: unknown): void {
    this.settle();
    this.socket.destroy();
    this.#options.events.crashed(error);
  }

  get #silent(): boolean {
    return this.#state === 'reading' && this.#unread.length === 0;
  }

  // ---- reading

  #read(bytes: Buffer): void {
    if (this.#state !== 'reading') return;
    let rest = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    this.#unread = rest;
    if (this.#headerOwed) {
      const header = readProxyHeader(rest);
      if (header === undefined) return;
      if (typeof header === 'string') return this.#refuse(header);
      this.#headerOwed = false;
      this.remoteAddress = header.source ?? this.peerAddress;
      rest = rest.subarray(header.used);
      this.#unread = rest;
      if (rest.length === 0) return;
    }
    const stray = isProxyHeader(rest);
    if (stray === true) return this.#refuse('unexpected_proxy_header');
    if (stray === undefined) return;
    const speaks = firstBytes(rest[0] as number);
    const serverName = speaks === 'tls' ? serverNameOf(rest) : '';
    if (serverName === undefined && this.#options.needsServerName()) return;
    this.serverName = serverName ?? '';
    this.#ready(speaks, this.serverName, rest);
  }

  #ready(speaks: FirstBytes, serverName: string, rest: Buffer): void {
    this.#state = 'handshake';
    this.#unread = NOTHING;
    this.socket.off('data', this.#onData);
    this.socket.off('end', this.#onEnd);
    this.socket.pause();
    this.socket.unshift(rest);
    this.#options.events.ready(this, speaks, serverName);
  }

  // ---- ends

  #refuse(reason: RefusedReason): void {
    if (this.settle()) this.#options.events.refused(this, reason);
    this.socket.destroy();
  }

  #cut(reason: CutReason): void {
    if (this.socket.destroyed) return;
    if (this.settle()) this.#options.events.cut(this, reason);
    this.socket.destroy();
  }

  #closed(): void {
    this.#options.connections.delete(this);
    // The end of a handshake is reported by whoever runs it.
    if (this.#state !== 'reading') return;
    const begun = this.#unread.length > 0;
    if (begun && this.#headerOwed) return this.#refuse('bad_proxy_header');
    this.settle();
    this.#options.events.left(begun, this);
  }
}

function firstBytes(byte: number): FirstBytes {
  if (byte === TLS_HANDSHAKE_RECORD) return 'tls';
  // A letter, or the line end that may stand before a request line: a method begins.
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x0d ? 'http' : 'other';
}
