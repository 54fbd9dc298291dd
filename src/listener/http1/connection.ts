// One HTTP/1.x connection: bytes in, exchanges out, one after the other. It reads heads and bodies, keeps the
// deadlines, and notices that the client has left. It decides nothing about a request: how long its body is, and
// whether it is acceptable, the pipeline says (exchange.bodyLength) before the first byte of the body is read.

import type { Duplex } from 'node:stream';
import type { ClientIdentity } from '../../clients/peer.ts';
import { REJECTIONS, type Reason } from '../../errors.ts';
import {
  type ClientConnection,
  type Clock,
  type Handler,
  type ReceivedRequest,
  type TlsFacts,
  UNKNOWN_LENGTH,
} from '../../exchange.ts';
import { BodyReader } from '../../http/body.ts';
import type { ChunkSink } from '../../http/chunked.ts';
import type { Connections, OpenConnection } from '../connections.ts';
import type { Limits } from '../limits.ts';
import { Http1Exchange } from './exchange.ts';
import { readRequestHead } from './request-head.ts';

export type Http1Options = {
  readonly handler: Handler;
  readonly limits: Limits;
  readonly connections: Connections;
  readonly clock: Clock;
};

export type ClientFacts = Pick<ClientConnection, 'remoteAddress' | 'peerAddress' | 'tls' | 'client'>;

/** What the connection waits for, and with it what a passed deadline means. */
const Wait = { request: 0, head: 1, body: 2, app: 3, client: 4, leave: 5, tunnel: 6 } as const;
type Wait = (typeof Wait)[keyof typeof Wait];

export class Http1Connection implements ClientConnection, OpenConnection, ChunkSink {
  readonly protocol = 'http/1.1';
  readonly remoteAddress: string;
  readonly peerAddress: string;
  readonly tls: TlsFacts | undefined;
  readonly client: ClientIdentity | undefined;
  readonly scheme: 'https' | 'http';
  deadlineMs: number;
  /** The client does not take what was written as fast as it is given. */
  blocked = false;
  readonly #socket: Duplex;
  readonly #options: Http1Options;
  #wait: Wait = Wait.request;
  #exchange: Http1Exchange | undefined = undefined;
  #unread: Buffer | undefined = undefined;
  #pumping = false;
  #paused = false;
  readonly #body: BodyReader;
  #bodyBegun = false;
  /** It ends after the exchange in flight. */
  #retired = false;
  #requestDone = false;
  readonly #onData = (bytes: Buffer): void => this.#read(bytes);
  readonly #onDrain = (): void => this.#drained();
  readonly #onEnd = (): void => this.#clientEnded();

  constructor(socket: Duplex, facts: ClientFacts, options: Http1Options) {
    this.#socket = socket;
    this.#options = options;
    this.remoteAddress = facts.remoteAddress;
    this.peerAddress = facts.peerAddress;
    this.tls = facts.tls;
    this.client = facts.client;
    this.scheme = facts.tls === undefined ? 'http' : 'https';
    const { idleTimeoutMs, lingerMs, maxHeaderBytes, maxFields } = options.limits;
    this.#body = new BodyReader({ maxTrailerBytes: maxHeaderBytes, maxFields });
    this.deadlineMs = options.clock() + (options.connections.draining ? lingerMs : idleTimeoutMs);
    options.connections.add(this);
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', ignoreError);
    socket.on('close', () => this.#closed());
    // The first byte was read, and put back, by the listener.
    socket.resume();
  }

  // ---- OpenConnection

  expire(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
    switch (this.#wait) {
      case Wait.request:
        return this.#leave();
      case Wait.head:
        return this.#refuse('header_timeout');
      case Wait.body:
        return this.#break('client_timeout');
      case Wait.client:
        return this.#break('client_timeout');
      case Wait.leave:
        this.#socket.destroy();
        return;
      default:
        return;
    }
  }

  drain(): void {
    if (this.#exchange !== undefined || this.#unread !== undefined || this.#wait === Wait.leave) return;
    this.#leave();
  }

  retire(): void {
    this.#retired = true;
    this.drain();
  }

  revoke(): void {
    if (this.client !== undefined && this.client.kind !== 'none') this.retire();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // ---- for its exchange

  carried(exchange: Http1Exchange): void {
    if (this.#requestDone || exchange !== this.#exchange) return;
    if (exchange.bodyLength === 0) {
      this.#requestDone = true;
      return;
    }
    this.#waitForBody();
    this.#pump();
    this.#resumeReading();
  }

  pauseBody(): void {
    if (this.#requestDone) return;
    this.#pauseReading();
    this.#waitFor(Wait.app, Number.POSITIVE_INFINITY);
  }

  resumeBody(): void {
    if (this.#requestDone) return;
    this.#waitForBody();
    this.#resumeReading();
  }

  /** Whether the connection can stay open after this answer: the request is complete and nobody drains us. */
  mayPersist(exchange: Http1Exchange): boolean {
    if (!this.#requestDone && exchange.bodyLength !== 0) return false;
    return exchange.rejection?.side !== 'client' && !this.#retired && !this.#options.connections.draining;
  }

  write(text: string): void {
    if (!this.#socket.write(text, 'latin1')) this.#block();
  }

  /** Text and bytes in one write to the socket; `release` is called when the bytes have been taken. */
  writeWith(text: string, bytes: Buffer, release?: () => void): void {
    if (text === '') {
      if (!this.#socket.write(bytes, release)) this.#block();
      return;
    }
    this.#socket.cork();
    this.#socket.write(text, 'latin1');
    if (!this.#socket.write(bytes, release)) this.#block();
    this.#socket.uncork();
  }

  answerEnded(exchange: Http1Exchange): void {
    if (exchange !== this.#exchange) return;
    if (this.#requestDone || exchange.bodyLength === 0) return this.#nextExchange(exchange);
    // The app has answered before it took the whole request: what still comes is read and dropped.
    this.#finish(exchange);
    this.#leave();
  }

  /** The byte stream after a 101: nothing of this class reads it any more. */
  handOver(head: string): Duplex {
    const socket = this.#socket;
    this.#waitFor(Wait.tunnel, Number.POSITIVE_INFINITY);
    socket.off('data', this.#onData);
    socket.off('drain', this.#onDrain);
    socket.off('end', this.#onEnd);
    socket.pause();
    // From here on the end of one direction is the tunnel's to pass on.
    socket.allowHalfOpen = true;
    socket.write(head, 'latin1');
    if (this.#unread !== undefined) socket.unshift(this.#unread);
    this.#unread = undefined;
    return socket;
  }

  // ---- reading

  #read(bytes: Buffer): void {
    if (this.#wait === Wait.leave) return;
    this.#unread = this.#unread === undefined ? bytes : Buffer.concat([this.#unread, bytes]);
    this.#pump();
    const exchange = this.#exchange;
    if (this.#unread === undefined || (exchange === undefined && !this.blocked)) return;
    // More than one head of what cannot be used yet (pipelined requests, a body nobody carries): the client waits.
    if (this.#unread.length > this.#options.limits.maxHeaderBytes) this.#pauseReading();
  }

  /** Takes from the unread bytes whatever the present state can use. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#unread !== undefined) {
      const exchange = this.#exchange;
      const before: Buffer = this.#unread;
      if (this.#wait === Wait.leave || this.#wait === Wait.tunnel) break;
      // An answer that the client does not take holds the next request back: else its answers would pile up here.
      if (exchange === undefined && this.blocked) break;
      if (exchange === undefined) this.#readHead(before);
      else if (!this.#requestDone && exchange.carrier !== undefined) this.#readBody(exchange, before);
      else break;
      if (this.#unread === before) break;
    }
    this.#pumping = false;
  }

  #readHead(bytes: Buffer): void {
    const { clock, handler, limits } = this.#options;
    const head = readRequestHead(bytes, limits);
    if (head === undefined) {
      if (this.#wait !== Wait.head) this.#waitFor(Wait.head, clock() + limits.headerTimeoutMs);
      return;
    }
    this.#unread = head.used < bytes.length ? bytes.subarray(head.used) : undefined;
    const exchange = this.#begin(head);
    if (head.fault !== undefined) return handler.refuse(exchange, REJECTIONS[head.fault]);
    handler.handle(exchange);
    if (exchange.bodyLength === 0 && exchange === this.#exchange) this.#requestDone = true;
  }

  #begin(request: ReceivedRequest): Http1Exchange {
    const exchange = new Http1Exchange(this, this.#options.clock(), request);
    this.#exchange = exchange;
    this.#requestDone = false;
    this.#bodyBegun = false;
    this.#waitFor(Wait.app, Number.POSITIVE_INFINITY);
    return exchange;
  }

  #readBody(exchange: Http1Exchange, bytes: Buffer): void {
    const body = this.#body;
    if (!this.#bodyBegun)
      body.begin(exchange.bodyLength === UNKNOWN_LENGTH ? 'chunked' : 'length', exchange.bodyLength);
    this.#bodyBegun = true;
    if (this.#wait === Wait.body) this.#waitForBody();
    const used = body.feed(bytes, this);
    if (this.#exchange !== exchange) return;
    if (used < 0) return this.#break('bad_body');
    this.#unread = used < bytes.length ? bytes.subarray(used) : undefined;
    if (!body.done) return;
    this.#requestEnded();
    exchange.carrier?.bodyEnd(body.trailers);
  }

  /** A slice of the body. */
  chunk(data: Buffer): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.bytesIn += data.length;
    exchange.carrier?.body(data);
  }

  #requestEnded(): void {
    this.#requestDone = true;
    this.#waitFor(Wait.app, Number.POSITIVE_INFINITY);
    this.#resumeReading();
  }

  #pauseReading(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  #resumeReading(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  // ---- time

  #waitFor(wait: Wait, deadlineMs: number): void {
    this.#wait = wait;
    this.deadlineMs = deadlineMs;
  }

  #waitForBody(): void {
    this.#waitFor(Wait.body, this.#options.clock() + this.#options.limits.clientTimeoutMs);
  }

  #block(): void {
    this.blocked = true;
    if (this.#wait === Wait.leave || this.#wait === Wait.tunnel) return;
    this.#waitFor(Wait.client, this.#options.clock() + this.#options.limits.clientTimeoutMs);
  }

  #drained(): void {
    this.blocked = false;
    const exchange = this.#exchange;
    if (exchange === undefined) return this.#awaitRequest();
    if (this.#wait === Wait.client) {
      if (this.#requestDone || this.#paused) this.#waitFor(Wait.app, Number.POSITIVE_INFINITY);
      else this.#waitForBody();
    }
    exchange.carrier?.drained();
  }

  // ---- ends

  #nextExchange(exchange: Http1Exchange): void {
    this.#finish(exchange);
    if (!exchange.persistent || this.#retired || this.#options.connections.draining) return this.#leave();
    if (this.blocked) this.#block();
    else this.#awaitRequest();
  }

  #awaitRequest(): void {
    if (this.#wait === Wait.leave || this.#wait === Wait.tunnel) return;
    this.#waitFor(Wait.request, this.#options.clock() + this.#options.limits.idleTimeoutMs);
    this.#pump();
    this.#resumeReading();
  }

  #finish(exchange: Http1Exchange): void {
    this.#exchange = undefined;
    exchange.finished = true;
    this.#options.handler.finished(exchange);
  }

  /** A head that did not come in time. */
  #refuse(reason: Reason): void {
    this.#unread = undefined;
    const exchange = this.#begin({ protocol: 'http/1.1', method: '', target: '', headers: [] });
    this.#options.handler.refuse(exchange, REJECTIONS[reason]);
  }

  /** The client broke off an exchange that is already carried. */
  #break(reason: Reason): void {
    const exchange = this.#exchange;
    this.#unread = undefined;
    if (exchange === undefined) return this.destroy();
    const { carrier } = exchange;
    exchange.carrier = undefined;
    carrier?.gone();
    this.#options.handler.fail(exchange, REJECTIONS[reason]);
  }

  /** Ends our direction and drops what still comes, until the client has closed or the linger time is over. */
  #leave(): void {
    this.#unread = undefined;
    const { clock, limits } = this.#options;
    this.#waitFor(Wait.leave, clock() + limits.clientTimeoutMs);
    this.#socket.end(() => {
      this.deadlineMs = clock() + limits.lingerMs;
    });
    this.#resumeReading();
  }

  #clientEnded(): void {
    // A client that ends its direction has left: as in nginx and Go, an answer is not owed to a closed connection.
    if (this.#exchange !== undefined) this.#socket.destroy();
    else if (this.#wait !== Wait.leave) this.#leave();
  }

  #closed(): void {
    this.#options.connections.delete(this);
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#unread = undefined;
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    if (this.#wait !== Wait.tunnel) exchange.rejection ??= REJECTIONS.client_gone;
    if (!exchange.answered) exchange.status = exchange.rejection?.status ?? 499;
    const { carrier } = exchange;
    exchange.carrier = undefined;
    this.#finish(exchange);
    carrier?.gone();
  }
}

function ignoreError(): void {
  // A close always follows, and says all there is to do.
}
