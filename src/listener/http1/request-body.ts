// The body of the request in flight on its way to its carrier, and with it who owes the next byte: the client, its body or the
// taking of what was written to it, or the app. Bytes are read only while a carrier wants them.

import type { ChunkSink } from '../../http/chunked.ts';
import type { ClientSocket } from './client-socket.ts';
import type { ClientDeadline } from './deadline.ts';
import type { Http1Exchange } from './exchange.ts';
import type { RequestReader } from './request-reader.ts';

export class RequestBody implements ChunkSink {
  readonly #socket: ClientSocket;
  readonly #reader: RequestReader;
  readonly #deadline: ClientDeadline;
  #exchange: Http1Exchange | undefined = undefined;
  /** The carrier takes no more for now. */
  #paused = false;

  constructor(socket: ClientSocket, reader: RequestReader, deadline: ClientDeadline) {
    this.#socket = socket;
    this.#reader = reader;
    this.#deadline = deadline;
  }

  /** The exchange in flight, if there is one. */
  get exchange(): Http1Exchange | undefined {
    return this.#exchange;
  }

  set exchange(exchange: Http1Exchange | undefined) {
    this.#exchange = exchange;
    this.#paused = false;
    if (exchange !== undefined) this.#deadline.begin();
  }

  /** A carrier wants it. False where there is nothing of it to come. */
  begin(length: number): boolean {
    if (this.#reader.complete) return false;
    this.#reader.beginBody(length);
    if (this.#reader.complete) return false;
    this.settle();
    return true;
  }

  pause(): void {
    if (!this.#reader.inBody) return;
    this.#paused = true;
    this.#socket.pause();
    this.settle();
  }

  resume(): void {
    if (!this.#reader.inBody) return;
    this.#paused = false;
    this.settle();
    this.#socket.resume();
  }

  /** Who owes the next byte, after anything that may change it. */
  settle(): void {
    const exchange = this.#exchange;
    if (exchange === undefined || this.#reader.closed) return;
    if (this.#socket.blocked) this.#deadline.awaitTaking();
    else if (this.#reader.inBody && !this.#paused && !exchange.awaitsContinue) this.#deadline.awaitBody();
    else this.#deadline.awaitApp();
  }

  /** Gives the carrier what has come. False: the body is no valid one. */
  give(): boolean {
    const exchange = this.#exchange;
    if (exchange === undefined) return true;
    if (exchange.awaitsContinue) {
      exchange.awaitsContinue = false;
      this.settle();
    }
    this.#deadline.bodyCame();
    const sound = this.#reader.readBody(this);
    if (this.#exchange !== exchange || !this.#reader.complete) return sound;
    this.settle();
    this.#socket.resume();
    exchange.carrier?.bodyEnd(this.#reader.trailers);
    return true;
  }

  /** A slice of the body. */
  chunk(data: Buffer): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.bytesIn += data.length;
    this.#deadline.rate.bytes += data.length;
    exchange.carrier?.body(data);
  }
}
