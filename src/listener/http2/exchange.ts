// One HTTP/2 exchange as its client sees it, on Node's core stream API (its compat layer costs 1.7 times as much). An
// answer that breaks off is reset with an error: stream.close() would put a clean end on the wire, and what was cut
// short would look complete. It decides nothing about a request.

import type { EventEmitter } from 'node:events';
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { REJECTIONS, type Reason } from '../../errors.ts';
import { type Carrier, ExchangeState, UNKNOWN_LENGTH } from '../../exchange.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { fieldsOf } from '../../http/http2-fields.ts';
import { guarded } from '../../net/guard.ts';
import type { Http2Connection } from './connection.ts';
import type { Http2Request } from './request.ts';

export class Http2Exchange extends ExchangeState {
  declare readonly connection: Http2Connection;
  /** By when the client must send the next byte of its body. */
  #sendByMs = Number.POSITIVE_INFINITY;
  /** By when it must have taken what was written. */
  #takeByMs = Number.POSITIVE_INFINITY;
  readonly #stream: ServerHttp2Stream;
  #head: OutgoingHttpHeaders | undefined = undefined;
  #pending: Buffer | undefined = undefined;
  #release: (() => void) | undefined = undefined;
  #mayTrail = false;
  #trailers: RawHeaders | undefined = undefined;
  readonly #endedWithHead: boolean;
  #requestTrailers: RawHeaders | undefined = undefined;
  #requestDone = false;
  /** The carrier takes the body. */
  #reading = false;
  #blocked = false;
  /** The stream has been handed over; nothing of this class reads or writes it any more. */
  #tunnel = false;

  constructor(connection: Http2Connection, stream: ServerHttp2Stream, startedMs: number, request: Http2Request) {
    super(connection, startedMs, {
      ...request,
      protocol: 'h2',
      target: request.path,
      connectProtocol: request.protocol,
      bodyLength: request.ended ? 0 : UNKNOWN_LENGTH,
    });
    this.persistent = true;
    this.#stream = stream;
    this.#endedWithHead = request.ended;
    stream.on('error', ignoreError);
    // A reset without an error (RFC 9113 section 8.1): Node would wait for writes that nobody takes any more.
    stream.on('aborted', () => stream.destroy());
    this.#on('close', () => this.#closed());
    this.#on('drain', () => this.#drained());
    // They come when the client sends them, whether or not anybody reads the body yet.
    if (!request.ended)
      this.#on('trailers', (_fields: unknown, _flags: number, raw?: string[]) => {
        this.#requestTrailers = raw;
      });
  }

  #on<A extends unknown[]>(event: string, run: (...args: A) => void): void {
    (this.#stream as EventEmitter).on(event, guarded(this, run));
  }

  get deadlineMs(): number {
    return Math.min(this.#sendByMs, this.#takeByMs);
  }

  // ---- the request

  carry(carrier: Carrier): void {
    if (this.finished) return carrier.gone();
    const first = this.carrier === undefined;
    this.carrier = carrier;
    if (this.bodyLength === 0) {
      this.#requestDone = true;
      // A length of 0, and the end to come in a frame of its own. What follows an extended CONNECT belongs to its tunnel.
      if (!this.#endedWithHead && this.connectProtocol === undefined) this.#stream.resume();
    }
    if (!first || this.#requestDone) return;
    this.#reading = true;
    this.#awaitBody();
    this.#on('data', (chunk: Buffer) => this.#body(chunk));
    this.#on('end', () => this.#bodyEnd());
  }

  #body(chunk: Buffer): void {
    this.bytesIn += chunk.length;
    this.awaitsContinue = false;
    this.connection.heard();
    if (this.bodyLength !== UNKNOWN_LENGTH && this.bytesIn > this.bodyLength) return this.#break('bad_body');
    this.#awaitBody();
    this.carrier?.body(chunk);
  }

  #bodyEnd(): void {
    // Node ends the stream for a reset too; only a stream that is still open has really ended.
    if (this.finished || this.#stream.closed) return;
    const trailers = this.#requestTrailers;
    if (this.bodyLength !== UNKNOWN_LENGTH && this.bytesIn !== this.bodyLength) return this.#break('bad_body');
    if (trailers !== undefined && !this.connection.acceptsTrailers(trailers)) return this.#break('bad_body');
    this.#requestDone = true;
    this.#stopReading();
    this.carrier?.bodyEnd(trailers);
  }

  pauseBody(): void {
    if (this.finished || this.#requestDone) return;
    this.#stream.pause();
    this.#stopReading();
  }

  resumeBody(): void {
    if (this.finished || this.#requestDone) return;
    this.#reading = true;
    this.#awaitBody();
    this.#stream.resume();
  }

  // ---- the answer

  inform(status: number, headers: RawHeaders): void {
    if (this.finished || this.answered || this.#stream.closed || this.#stream.headersSent) return;
    this.#stream.additionalHeaders({ ...fieldsOf(headers), ':status': status });
    if (status !== 100) return;
    this.awaitsContinue = false;
    this.#awaitBody();
  }

  answer(status: number, _reason: string, headers: RawHeaders, bodyLength: number): void {
    if (this.finished || this.answered) return;
    this.answered = true;
    this.status = status;
    this.#head = fieldsOf(headers);
    this.#head[':status'] = status;
    this.#mayTrail = bodyLength === UNKNOWN_LENGTH;
    // No tunnel comes of it: what was kept for one is dropped.
    if (this.connectProtocol !== undefined) this.#stream.resume();
  }

  write(chunk: Buffer, release?: () => void): void {
    if (this.finished) return release?.();
    this.bytesOut += chunk.length;
    this.#sendPending();
    this.#pending = chunk;
    this.#release = release;
  }

  flush(): boolean {
    if (this.finished) return true;
    const { closed } = this.#stream;
    if (closed) return true;
    if (this.#head !== undefined) this.#respond(false);
    this.#sendPending();
    return !this.#blocked;
  }

  end(trailers: RawHeaders | undefined): void {
    if (this.finished || this.#stream.closed) return;
    this.ended = true;
    // What is left has to be taken; a stream whose window stays shut must not stay for ever.
    this.#sendByMs = Number.POSITIVE_INFINITY;
    if (!this.#blocked) this.#takeByMs = this.connection.clientDeadline();
    this.#trailers = trailers;
    const chunk = this.#pending;
    this.#pending = undefined;
    if (this.#head !== undefined) {
      this.#mayTrail = trailers !== undefined;
      const alone = chunk === undefined && !this.#mayTrail;
      this.#respond(alone);
      if (alone) return this.#endRequest();
    }
    // Where the client's window ends with the body, Node would reset the stream before it could end it, unless somebody
    // reads the request (seen in 20.20 and 24.21).
    if (this.#blocked) this.#stream.resume();
    if (chunk === undefined) this.#stream.end();
    else this.#stream.end(chunk, this.#release);
    // A stream that is closed sends no trailers: it is done after them.
    if (!this.#mayTrail) this.#endRequest();
  }

  cut(): void {
    if (!this.finished) this.#stream.destroy(new Error('cut'));
  }

  /** RFC 8441 section 5: 200, and the proof of the handshake is left out. */
  switchProtocols(_reason: string, headers: RawHeaders): Duplex {
    this.answered = true;
    this.status = 200;
    this.#tunnel = true;
    this.#rest();
    const head = fieldsOf(headers);
    delete head['sec-websocket-accept'];
    head[':status'] = 200;
    if (!this.#stream.closed) this.#stream.respond(head);
    return this.#stream;
  }

  expire(): void {
    this.#rest();
    this.#break('client_timeout');
  }

  /** Its client is no longer verified. A tunnel would go on with the old proof, and so would one that is being opened. */
  revoke(): void {
    if (this.connectProtocol !== undefined) this.cut();
  }

  #respond(endStream: boolean): void {
    const head = this.#head as OutgoingHttpHeaders;
    this.#head = undefined;
    if (this.#stream.closed || this.#stream.destroyed) return;
    if (this.#mayTrail) this.#on('wantTrailers', () => this.#trail());
    this.#stream.respond(head, { endStream, waitForTrailers: this.#mayTrail });
  }

  #trail(): void {
    // Without any, Node ends the stream with an empty DATA frame; close() would reset it, and it would look cut.
    this.#stream.sendTrailers(fieldsOf(this.#trailers ?? []));
    // Node sends them in an immediate of its own, and not at all once the stream is closed.
    if (!this.#requestDone) setImmediate(guarded(this, () => this.#endRequest()));
  }

  #sendPending(): void {
    const chunk = this.#pending;
    if (chunk === undefined) return;
    this.#pending = undefined;
    if (this.#head !== undefined) this.#respond(false);
    if (this.#stream.closed) return this.#release?.();
    if (this.#stream.write(chunk, this.#release) || this.#blocked) return;
    // From the first write that waits: a further one is nothing that the client has taken.
    this.#blocked = true;
    this.#takeByMs = this.connection.clientDeadline();
    this.#sendByMs = Number.POSITIVE_INFINITY;
  }

  /** The app has answered before it took the whole request: the client is told to stop, without an error. */
  #endRequest(): void {
    // All of a known length has come: the frame that ends it is on its way.
    const ends = this.#requestDone || this.bodyLength === 0 || this.bytesIn === this.bodyLength;
    if (ends && this.connectProtocol === undefined) return;
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  // ---- time and ends

  #awaitBody(): void {
    // A call of gRPC may be silent for hours. A client that waits for a 100, or for room, owes nothing.
    if (!this.#reading || this.#blocked || this.grpc || this.awaitsContinue) return;
    this.#sendByMs = this.connection.clientDeadline();
  }

  #stopReading(): void {
    this.#reading = false;
    this.#sendByMs = Number.POSITIVE_INFINITY;
  }

  #rest(): void {
    this.#sendByMs = Number.POSITIVE_INFINITY;
    this.#takeByMs = Number.POSITIVE_INFINITY;
  }

  #drained(): void {
    this.#blocked = false;
    this.connection.heard();
    if (this.ended) return;
    this.#rest();
    if (this.#tunnel) return;
    this.#awaitBody();
    this.carrier?.drained();
  }

  #break(reason: Reason): void {
    this.letCarrierGo();
    if (this.ended) this.cut();
    else this.connection.fail(this, REJECTIONS[reason]);
  }

  crashed(error: unknown): void {
    this.connection.exchangeCrashed(this, error);
  }

  /** With a request body, Node closes a stream before it says that the last write of its answer is done. */
  get #taken(): boolean {
    const { writableFinished, writableEnded, rstCode } = this.#stream;
    return writableFinished || (writableEnded && rstCode === constants.NGHTTP2_NO_ERROR);
  }

  #closed(): void {
    this.#rest();
    this.conclude((this.ended && this.#taken) || this.#tunnel, this.connection);
  }
}

function ignoreError(): void {
  // A close always follows.
}
