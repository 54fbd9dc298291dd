// One HTTP/1.x connection: bytes in, exchanges out, one after the other. It joins the reader of requests, the exchange in flight,
// the client's deadline and the socket. How long a body is, the pipeline says (exchange.bodyLength) before its first byte is read.

import type { Duplex } from 'node:stream';
import { REJECTIONS } from '../../errors.ts';
import type { ClientConnection } from '../../exchange.ts';
import { isMeasured } from '../body-rate.ts';
import { IdlePlace, type OpenConnection } from '../connections.ts';
import { crashExchange, type ReceivedRequest } from '../exchange-state.ts';
import { ClientSocket, type SocketReader } from './client-socket.ts';
import { ClientDeadline } from './deadline.ts';
import { Http1Exchange } from './exchange.ts';
import { closeLingering } from './lingering-close.ts';
import type { ClientFacts, Http1Options } from './options.ts';
import { RequestBody } from './request-body.ts';
import { NO_REQUEST } from './request-head.ts';
import { RequestReader } from './request-reader.ts';

export class Http1Connection implements OpenConnection, SocketReader {
  readonly protocol = 'http/1.1';
  readonly idlePlace = new IdlePlace(this);
  readonly socket: ClientSocket;
  readonly facts: ClientConnection;
  readonly body: RequestBody;
  readonly #options: Http1Options;
  readonly #reader: RequestReader;
  readonly deadline: ClientDeadline;
  #pumping = false;
  /** It ends after the exchange in flight. */
  #retired = false;

  constructor(socket: Duplex, facts: ClientFacts, options: Http1Options) {
    this.socket = new ClientSocket(socket, this, facts.account);
    this.#options = options;
    this.facts = { ...facts, scheme: facts.tls === undefined ? 'http' : 'https' };
    this.#reader = new RequestReader(options.limits);
    this.deadline = new ClientDeadline(options.limits, options.clock, () => this.socket.taken);
    this.body = new RequestBody(this.socket, this.#reader, this.deadline);
    this.deadline.awaitRequest(options.connections.draining);
    options.connections.add(this);
    options.connections.idle(this);
    // The first byte was read, and put back, by the listener.
    socket.resume();
  }

  // ---- OpenConnection

  get deadlineMs(): number {
    return this.deadline.deadlineMs;
  }

  expire(): void {
    const { exchange } = this.body;
    const slow = this.deadline.tooSlow() && exchange !== undefined && isMeasured(exchange);
    switch (slow ? this.deadline.awaited : this.deadline.passed()) {
      case 'request':
        return this.#leave();
      case 'head':
        return this.#refuseHead();
      case 'body':
        return this.#break('client_timeout');
      case 'taking':
      case 'close':
        // An answer that nobody takes is no use, and neither is a 408.
        if (exchange !== undefined) exchange.rejection ??= REJECTIONS.client_timeout;
        return this.destroy();
    }
  }

  /** The answers say it, each its own. */
  announce(): void {}

  drain(): void {
    const { exchange } = this.body;
    if (exchange !== undefined) exchange.carrier?.depart();
    else if (this.deadline.awaited === 'request' && this.#options.connections.isFresh(this))
      this.deadline.awaitRequest(true);
    else this.#leaveIdle();
  }

  retire(): void {
    this.#retired = true;
    this.#leaveIdle();
  }

  revoke(): void {
    const { client } = this.facts;
    if (client === undefined || client.kind === 'none') return;
    if (this.deadline.awaited === 'tunnel') this.destroy();
    else this.retire();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** A defect of ours in whatever was called on behalf of this connection: it ends, and nothing else does. */
  crashed(error: unknown): void {
    crashExchange(this.body.exchange, error, this.#options.handler);
    this.destroy();
  }

  // ---- for its exchange

  carried(exchange: Http1Exchange): void {
    if (exchange !== this.body.exchange || !this.body.begin(exchange.bodyLength)) return;
    this.#pump();
    this.socket.resume();
  }

  /** Whether the connection can stay open after this answer: the request is complete, and the connection need not end. */
  mayPersist(exchange: Http1Exchange): boolean {
    if (!this.#reader.complete && exchange.bodyLength !== 0) return false;
    return !this.#retired && !this.#options.connections.announced;
  }

  answerEnded(exchange: Http1Exchange): void {
    if (exchange !== this.body.exchange) return;
    const complete = this.#reader.complete || exchange.bodyLength === 0;
    this.body.exchange = undefined;
    exchange.conclude(true, this.#options.handler);
    // A request that the app did not take whole: what still comes of it is read and dropped.
    if (!complete || !exchange.persistent || this.#retired) return this.#leave();
    this.#reader.endRequest();
    if (this.socket.blocked) this.deadline.awaitTaking();
    else this.#nextRequest();
  }

  /** The byte stream after a 101: nothing of this class reads it any more. */
  handOver(head: string): Duplex {
    this.deadline.awaitTunnel();
    return this.socket.handOver(head, this.#reader.close());
  }

  // ---- SocketReader

  read(bytes: Buffer): void {
    this.#reader.push(bytes);
    this.#pump();
    this.#reader.own();
    if (this.#reader.unread === 0 || (this.body.exchange === undefined && !this.socket.blocked)) return;
    // More than one head of what cannot be used yet (pipelined requests, a body nobody carries): the client waits.
    if (this.#reader.unread > this.#options.limits.maxHeaderBytes) this.socket.pause();
  }

  fellBehind(): void {
    this.body.settle();
  }

  drained(): void {
    const { exchange } = this.body;
    if (exchange === undefined) return this.#nextRequest();
    this.body.settle();
    exchange.carrier?.drained();
  }

  clientEnded(): void {
    // A client that ends its direction has left: as in nginx and Go, an answer is not owed to a closed connection.
    if (this.body.exchange !== undefined) this.destroy();
    else this.#leave();
  }

  closed(): void {
    this.#options.connections.delete(this);
    const tunnel = this.deadline.awaited === 'tunnel';
    const { exchange } = this.body;
    this.body.exchange = undefined;
    exchange?.conclude(tunnel, this.#options.handler);
    this.#reader.close();
    this.#reader.count(this.facts.account);
    this.facts.account.close();
  }

  // ---- reading

  /** Takes from the unread bytes whatever the present state can use. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (
      this.#reader.unread > 0 &&
      (this.body.exchange === undefined ? this.#readHead() : this.#giveBody(this.body.exchange))
    );
    this.#pumping = false;
    this.#reader.count(this.facts.account);
  }

  #giveBody(exchange: Http1Exchange): boolean {
    if (!this.#reader.inBody) return false;
    const sound = this.body.give();
    if (!sound && exchange === this.body.exchange) this.#break('bad_body');
    return sound;
  }

  #readHead(): boolean {
    const { handler } = this.#options;
    // An answer that the client does not take holds the next request back: else its answers would pile up here.
    if (this.socket.blocked) return false;
    const head = this.#reader.readHead();
    if (head === undefined) {
      this.deadline.awaitHead();
      return false;
    }
    const exchange = this.#begin(head);
    if (head.reason !== undefined) handler.refuse(exchange, REJECTIONS[head.reason]);
    else handler.handle(exchange);
    if (exchange === this.body.exchange && exchange.bodyLength === 0) this.#reader.beginBody(0);
    return true;
  }

  #begin(request: ReceivedRequest): Http1Exchange {
    const exchange = new Http1Exchange(this, this.#options.clock(), request);
    this.body.exchange = exchange;
    this.#options.connections.busy(this);
    return exchange;
  }

  #nextRequest(): void {
    // Where the answer could not say yet that it is the last one, a client that asks at once is told with the next.
    this.deadline.awaitRequest(this.#options.connections.draining);
    this.#options.connections.idle(this);
    this.#pump();
    this.socket.resume();
  }

  // ---- ends

  #refuseHead(): void {
    this.#reader.drop();
    this.#options.handler.refuse(this.#begin(NO_REQUEST), REJECTIONS.header_timeout);
  }

  /** The client broke off an exchange that is already carried. */
  #break(reason: 'client_timeout' | 'bad_body'): void {
    const { exchange } = this.body;
    this.#reader.drop();
    if (exchange === undefined) return this.destroy();
    exchange.letCarrierGo();
    this.#options.handler.fail(exchange, REJECTIONS[reason]);
  }

  #leaveIdle(): void {
    if (this.body.exchange === undefined && this.#reader.unread === 0 && !this.#reader.closed) this.#leave();
  }

  #leave(): void {
    this.#reader.close();
    closeLingering(this.socket.leave(), this.deadline);
  }
}
