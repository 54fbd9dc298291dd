// One HTTP/2 exchange as its client sees it: the answer as frames, the body of the request as the app takes it, and its
// deadline. An answer that breaks off is reset with an error, so that what was cut short never looks complete. It decides
// nothing about a request.

import type { Duplex } from 'node:stream';
import { REJECTIONS } from '../../errors.ts';
import { type Carrier, UNKNOWN_LENGTH } from '../../exchange.ts';
import type { RawHeaders } from '../../http/fields.ts';
import { Ending } from '../../http/h2/closed-streams.ts';
import { Code } from '../../http/h2/frames.ts';
import type { H2Stream } from '../../http/h2/stream.ts';
import type { StreamOwner } from '../../http/h2/stream-owner.ts';
import { Tunnel } from '../../http/h2/tunnel.ts';
import type { Field } from '../../http/hpack/field.ts';
import type { Account } from '../../net/budget.ts';
import type { Http2Connection } from './connection.ts';
import { FirstMessage } from './first-message.ts';
import type { Http2Request } from './request.ts';
import { TimedExchange } from './timed-exchange.ts';
import { withoutProof } from './without-proof.ts';

export class Http2Exchange extends TimedExchange implements StreamOwner {
  #trailers: RawHeaders | undefined = undefined;
  #requestDone = false;
  #paused = false;
  #tunnel: Tunnel | undefined = undefined;
  readonly #headBytes: number;

  constructor(connection: Http2Connection, stream: H2Stream, startedMs: number, request: Http2Request) {
    super(connection, stream, startedMs, request);
    this.persistent = true;
    this.#headBytes = request.headBytes;
    connection.account.count(request.headBytes);
  }

  get account(): Account {
    return this.connection.account;
  }

  crashed(error: unknown): void {
    this.connection.exchangeCrashed(this, error);
  }

  // ---- the request

  carry(carrier: Carrier): void {
    if (this.finished) return carrier.gone();
    const first = this.carrier === undefined;
    this.carrier = carrier;
    // What comes of a tunnel is held until the app has agreed to it.
    if (!first || this.#requestDone || this.connectProtocol !== undefined) return;
    if (this.bodyLength === 0) {
      this.#requestDone = true;
      // A length of 0, and the end to come in a frame of its own.
      if (!this.stream.remoteEnded) this.stream.resume();
      return;
    }
    if (this.grpc) this.firstMessage = new FirstMessage();
    this.#awaitBody();
    this.stream.resume();
  }

  pauseBody(): void {
    if (this.finished || this.#requestDone) return;
    this.#paused = true;
    this.stream.pause();
    if (!this.blocked) this.rest();
  }

  resumeBody(): void {
    if (this.finished || this.#requestDone) return;
    this.#paused = false;
    this.#awaitBody();
    this.stream.resume();
  }

  // ---- StreamOwner

  received(bytes: number): void {
    if (this.connectProtocol !== undefined) return;
    this.bytesIn += bytes;
    this.deadline?.came(bytes);
    this.awaitsContinue = false;
    if (this.bodyLength !== UNKNOWN_LENGTH && this.bytesIn > this.bodyLength) return this.break('bad_body');
    this.#awaitBody();
  }

  body(chunk: Buffer): void {
    if (this.#tunnel !== undefined) this.#tunnel.receive(chunk);
    else if (!this.#requestDone) {
      if (this.firstMessage?.whole === false) this.#readFirst(this.firstMessage, chunk);
      this.carrier?.body(chunk);
    }
  }

  #readFirst(message: FirstMessage, chunk: Buffer): void {
    message.read(chunk);
    if (message.whole && !this.blocked) this.rest();
  }

  fields(fields: readonly Field[], overflowed: boolean, ended: boolean): void {
    const trailers = ended ? this.connection.fields.trailers(fields, overflowed) : undefined;
    if (trailers === undefined) return this.break('bad_body');
    this.#trailers = trailers;
  }

  bodyEnded(): void {
    if (this.#tunnel !== undefined) {
      this.#tunnel.push(null);
      if (this.ended) this.#finish();
      return;
    }
    if (this.#requestDone || this.finished) return;
    if (this.bodyLength !== UNKNOWN_LENGTH && this.bytesIn !== this.bodyLength) return this.break('bad_body');
    this.#requestDone = true;
    if (!this.blocked) this.rest();
    this.carrier?.bodyEnd(this.#trailers);
  }

  progressed(): void {
    if (this.#tunnel === undefined) this.owe();
  }

  drained(): void {
    this.count();
    this.blocked = false;
    if (this.#tunnel !== undefined) return this.#tunnel.drained();
    if (this.ended) return;
    this.rest();
    this.#awaitBody();
    this.carrier?.drained();
  }

  sent(): void {
    this.ended = true;
    const { remoteEnded } = this.stream;
    // What is held of the request is nobody's any more.
    if (remoteEnded) this.stream.close(Ending.ended);
    else if (this.#tunnel === undefined) this.#endRequest();
    if (remoteEnded || this.#tunnel === undefined) this.#finish();
  }

  lost(): void {
    if (this.#tunnel === undefined) this.rejection ??= REJECTIONS.client_gone;
    this.#finish();
  }

  // ---- the answer

  inform(status: number, headers: RawHeaders): void {
    if (this.finished || this.answered) return;
    if (status === 100) {
      this.awaitsContinue = false;
      this.#awaitBody();
    }
    this.stream.head(status, headers);
  }

  answer(status: number, _reason: string, headers: RawHeaders, _bodyLength: number): void {
    if (this.finished || this.answered) return;
    this.answered = true;
    this.status = status;
    // The app has taken the call up.
    if (this.firstMessage !== undefined) this.rest();
    this.stream.head(status, headers);
  }

  write(chunk: Buffer, release?: () => void): void {
    if (this.finished) return release?.();
    this.bytesOut += chunk.length;
    this.stream.write(chunk, release);
  }

  flush(): boolean {
    if (this.finished || this.stream.flush()) return true;
    if (this.blocked) return false;
    this.owe();
    this.count();
    this.blocked = true;
    return false;
  }

  end(trailers: RawHeaders | undefined): void {
    if (this.finished) return;
    this.ended = true;
    if (this.broken) {
      this.stream.reset(Code.protocol);
      this.#finish();
      return this.connection.countReset();
    }
    // What is left has to be taken; a stream whose window stays shut must not stay for ever.
    if (this.stream.pendingBytes > 0) this.owe();
    this.stream.finish(trailers);
  }

  cut(): void {
    if (this.finished) return;
    this.stream.reset(this.broken ? Code.protocol : Code.internal);
    if (this.ended) this.rejection ??= REJECTIONS.client_gone;
    this.#finish();
    if (this.broken) this.connection.countReset();
  }

  /** RFC 8441 section 5: a 200. */
  switchProtocols(_reason: string, headers: RawHeaders): Duplex {
    this.answered = true;
    this.status = 200;
    this.rest();
    this.stream.head(200, withoutProof(headers));
    this.#tunnel = new Tunnel(this.stream, this);
    // A stream that was destroyed by whoever reads it is over here, too.
    this.#tunnel.on('close', () => this.#finish());
    return this.#tunnel;
  }

  /** The app has answered before it took the whole request: the client is told to stop, without an error. */
  #endRequest(): void {
    // All of a known length has come: the frame that ends it is on its way.
    const whole = this.bodyLength !== UNKNOWN_LENGTH && this.bytesIn === this.bodyLength;
    if (whole && this.connectProtocol === undefined) this.stream.close(Ending.resetByUs);
    else this.stream.reset(Code.none);
  }

  // ---- time and ends

  #awaitBody(): void {
    // Who was asked to wait for a 100 owes nothing.
    if (this.#requestDone || this.#paused || this.blocked || this.carrier === undefined) return;
    if (!this.silent && !this.awaitsContinue) this.owe();
  }

  #finish(): void {
    if (this.finished) return;
    this.account.count(-this.#headBytes);
    this.rest();
    const tunnel = this.#tunnel;
    if (tunnel !== undefined && !this.ended) tunnel.destroy();
    const complete = this.rejection === undefined || tunnel !== undefined;
    // The end of a tunnel's stream is no end of what the app's side may still send.
    if (tunnel !== undefined) this.ended = false;
    this.conclude(complete, this.connection);
  }
}
