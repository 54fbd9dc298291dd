// A connection between its acceptance and the end of its handshake: the PROXY header that a named balancer owes, then
// the first byte, which tells TLS from plain HTTP, then, where certificates are chosen by it, the name that the client asks
// for. One deadline covers all of it, however slowly bytes come. A header from anyone else is never parsed. It judges no
// request.

import type { Socket } from 'node:net';
import { type AddressList, canonicalAddress } from '../../net/addresses.ts';
import type { Connections, OpenConnection } from '../connections.ts';
import { serverNameOf } from './client-hello.ts';
import { isProxyHeader, type ProxyFault, readProxyHeader } from './proxy-header.ts';

/** Why a connection was closed before anything was said to it. */
export type EntranceFault = ProxyFault | 'proxy_header_timeout' | 'unexpected_proxy_header' | 'max_connections';

/** Why we end a connection that has done nothing wrong. */
type CutReason = 'timeout' | 'client_ca_changed';

export type Kind = 'tls' | 'http' | 'other';

/** Each connection ends in exactly one of these. */
export interface EntranceEvents {
  /** What was read is put back, and the socket is paused. `serverName` is '' unless it was asked for and is there. */
  ready(entrance: Entrance, kind: Kind, serverName: string): void;
  refused(entrance: Entrance, fault: EntranceFault): void;
  /** It left: in the middle of its first bytes, or without any but a PROXY header, as a TCP probe does. */
  left(begun: boolean): void;
  /** Ended by us: nothing came before the deadline, or not the whole handshake, or clients are verified by another CA. */
  cut(entrance: Entrance, reason: CutReason): void;
}

export type EntranceOptions = {
  readonly connections: Connections;
  readonly events: EntranceEvents;
  readonly deadlineMs: number;
  /** TCP peers that must send a PROXY header. */
  readonly balancers: AddressList;
  /** Whether it matters which name a client of TLS asks for. */
  readonly asksForName: () => boolean;
};

const TLS_HANDSHAKE_RECORD = 0x16;
const NOTHING = Buffer.alloc(0);

export class Entrance implements OpenConnection {
  readonly protocol = 'handshake';
  readonly deadlineMs: number;
  readonly socket: Socket;
  /** The TCP peer. */
  readonly peerAddress: string;
  /** The client: as the balancer says, else the TCP peer. */
  remoteAddress: string;
  readonly #connections: Connections;
  readonly #events: EntranceEvents;
  readonly #asksForName: () => boolean;
  #headerOwed: boolean;
  /** Bytes that do not tell enough yet. */
  #unread: Buffer = NOTHING;
  #settled = false;
  readonly #onData = (bytes: Buffer): void => this.#read(bytes);
  readonly #onEnd = (): void => void this.socket.destroy();

  constructor(socket: Socket, { connections, events, deadlineMs, balancers, asksForName }: EntranceOptions) {
    this.socket = socket;
    this.deadlineMs = deadlineMs;
    this.peerAddress = canonicalAddress(socket.remoteAddress ?? '') ?? '';
    this.remoteAddress = this.peerAddress;
    this.#connections = connections;
    this.#events = events;
    this.#asksForName = asksForName;
    this.#headerOwed = balancers.has(this.peerAddress);
    connections.add(this);
    socket.once('close', () => this.#closed());
    socket.on('end', this.#onEnd);
    // Who has reset already has no address any more, and must not pass for a stranger: HAProxy's checks do that.
    if (this.peerAddress === '') socket.destroy();
    else socket.on('data', this.#onData);
  }

  // ---- OpenConnection

  expire(): void {
    if (!this.#settled && this.#headerOwed) this.#refuse('proxy_header_timeout');
    else this.#cut('timeout');
  }

  retire(): void {
    // Nothing is in flight yet; it is told after its handshake, if it is still meant.
  }

  /** A handshake that is under way verifies its client by what it began with. */
  revoke(): void {
    if (this.#settled) this.#cut('client_ca_changed');
  }

  drain(): void {
    if (!this.#settled && this.#unread.length === 0) this.socket.destroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Its successor stands in the registry. */
  leave(): void {
    this.#connections.delete(this);
  }

  // ---- reading

  #read(bytes: Buffer): void {
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
    const kind = kindOf(rest[0] as number);
    const serverName = kind === 'tls' && this.#asksForName() ? serverNameOf(rest) : '';
    if (serverName === undefined) return;
    this.#settled = true;
    this.#unread = NOTHING;
    this.socket.off('data', this.#onData);
    this.socket.off('end', this.#onEnd);
    this.socket.pause();
    this.socket.unshift(rest);
    this.#events.ready(this, kind, serverName);
  }

  #refuse(fault: EntranceFault): void {
    this.#settled = true;
    this.#events.refused(this, fault);
    this.socket.destroy();
  }

  #cut(reason: CutReason): void {
    if (this.socket.destroyed) return;
    this.#settled = true;
    this.#events.cut(this, reason);
    this.socket.destroy();
  }

  #closed(): void {
    this.leave();
    if (this.#settled) return;
    const begun = this.#unread.length > 0;
    if (begun && this.#headerOwed) return this.#refuse('bad_proxy_header');
    this.#settled = true;
    this.#events.left(begun);
  }
}

function kindOf(byte: number): Kind {
  if (byte === TLS_HANDSHAKE_RECORD) return 'tls';
  // A letter, or the line end that may stand before a request line: a method begins.
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x0d ? 'http' : 'other';
}
