// A connection between its acceptance and the end of its handshake: the PROXY header that a named balancer owes, then
// the first byte, which tells TLS from plain HTTP. One deadline covers all of it, however slowly bytes come. A header
// from anyone else is never parsed. It judges no request.

import type { Socket } from 'node:net';
import { type AddressList, canonicalAddress } from '../addresses.ts';
import type { Connections, OpenConnection } from './connections.ts';
import { isProxyHeader, type ProxyFault, readProxyHeader } from './proxy-header.ts';

/** Why a connection was closed before anything was said to it. */
export type EntranceFault = ProxyFault | 'proxy_header_timeout' | 'unexpected_proxy_header' | 'max_connections';

export type Kind = 'tls' | 'http' | 'other';

/** Each connection ends in exactly one of these. */
export interface EntranceEvents {
  /** The first byte is there, and put back; the socket is paused. */
  ready(entrance: Entrance, kind: Kind): void;
  refused(entrance: Entrance, fault: EntranceFault): void;
  /** It left without having sent a byte but a PROXY header: a TCP probe. */
  left(): void;
  /** Nothing came before the deadline, or not the whole handshake. */
  late(entrance: Entrance): void;
}

export type EntranceOptions = {
  readonly connections: Connections;
  readonly events: EntranceEvents;
  readonly deadlineMs: number;
  /** TCP peers that must send a PROXY header. */
  readonly balancers: AddressList;
};

const TLS_HANDSHAKE_RECORD = 0x16;

export class Entrance implements OpenConnection {
  readonly protocol = 'unknown';
  readonly deadlineMs: number;
  readonly socket: Socket;
  /** The TCP peer. */
  readonly peerAddress: string;
  /** The client: as the balancer says, else the TCP peer. */
  remoteAddress: string;
  readonly #connections: Connections;
  readonly #events: EntranceEvents;
  #headerOwed: boolean;
  /** Bytes of a header that is not complete. */
  #unread: Buffer | undefined = undefined;
  #settled = false;
  readonly #onData = (bytes: Buffer): void => this.#read(bytes);
  readonly #onEnd = (): void => void this.socket.destroy();

  constructor(socket: Socket, { connections, events, deadlineMs, balancers }: EntranceOptions) {
    this.socket = socket;
    this.deadlineMs = deadlineMs;
    this.peerAddress = canonicalAddress(socket.remoteAddress ?? '') ?? '';
    this.remoteAddress = this.peerAddress;
    this.#connections = connections;
    this.#events = events;
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
    const wasReady = this.#settled;
    if (!wasReady && this.#headerOwed) this.#refuse('proxy_header_timeout');
    else {
      this.#settled = true;
      this.#events.late(this);
      this.socket.destroy();
    }
  }

  /** A handshake that is under way verifies its client by what it began with. */
  retire(): void {
    if (this.#settled) this.socket.destroy();
  }

  drain(): void {
    if (!this.#settled && this.#unread === undefined) this.socket.destroy();
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
    let rest = this.#unread === undefined ? bytes : Buffer.concat([this.#unread, bytes]);
    if (this.#headerOwed) {
      const header = readProxyHeader(rest);
      this.#unread = rest;
      if (header === undefined) return;
      if (typeof header === 'string') return this.#refuse(header);
      this.#headerOwed = false;
      this.#unread = undefined;
      this.remoteAddress = header.source ?? this.peerAddress;
      rest = rest.subarray(header.used);
      if (rest.length === 0) return;
    }
    if (isProxyHeader(rest)) return this.#refuse('unexpected_proxy_header');
    this.#settled = true;
    this.socket.off('data', this.#onData);
    this.socket.off('end', this.#onEnd);
    this.socket.pause();
    this.socket.unshift(rest);
    this.#events.ready(this, kindOf(rest[0] as number));
  }

  #refuse(fault: EntranceFault): void {
    this.#settled = true;
    this.#events.refused(this, fault);
    this.socket.destroy();
  }

  #closed(): void {
    this.leave();
    if (this.#settled) return;
    if (this.#unread !== undefined) return this.#refuse('bad_proxy_header');
    this.#settled = true;
    this.#events.left();
  }
}

function kindOf(byte: number): Kind {
  if (byte === TLS_HANDSHAKE_RECORD) return 'tls';
  // A letter, or the line end that may stand before a request line: a method begins.
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x0d ? 'http' : 'other';
}
